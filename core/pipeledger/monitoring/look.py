"""A look: what one check sees of the ledger at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeledger.model.finding import Cause
from pipeledger.store.database import Connection as Writing
from pipeledger.store.findings import Unresolved
from pipeledger.store.read import Connection


@dataclass(frozen=True, slots=True)
class Moment:
    """What a look starts from: one moment of the ledger, and what the last look left.

    ``connection`` reads one snapshot. ``state`` is what the last look of this check kept, empty at
    the first. ``unresolved``: this check's findings that are open or acknowledged.
    """

    connection: Connection
    now: datetime
    state: Mapping[str, Any]
    unresolved: Sequence[Unresolved]


@dataclass(frozen=True, slots=True)
class Look:
    """All causes that hold at that moment: what was found before and is not among them is over.

    ``checked``: how many pipelines, executions or addresses were looked at. ``state`` is kept for
    the next look. ``also`` writes what else belongs to it, in the transaction that saves it.
    """

    causes: Sequence[Cause]
    checked: int
    state: Mapping[str, Any] = field(default_factory=dict)
    also: Callable[[Writing], None] | None = None


Check = Callable[[Moment], Look]
