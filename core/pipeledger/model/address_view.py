"""What is known of an address itself: columns now and before, other names, who writes and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage_views import address_json, pipeline_json, time_json
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.spans import FOREVER
from pipeledger.model.views import ExecutionView


@dataclass(frozen=True, slots=True)
class ColumnSpan:
    """A column as it was from ``began_at`` on; ``ended_at`` None: it still is.

    ``ordinal``: its place, from 1. ``address``: the name of the data under which it was reported.
    """

    name: str
    type: str | None
    ordinal: int
    began_at: datetime
    ended_at: datetime | None
    last_seen_at: datetime
    address: Address

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "ordinal": self.ordinal,
            "began_at": time_json(self.began_at),
            "ended_at": time_json(self.ended_at),
            "last_seen_at": time_json(self.last_seen_at),
            "address": str(self.address),
        }


@dataclass(frozen=True, slots=True)
class AddressUse:
    """A pipeline that writes or reads the address: as declared, observed in runs, or both."""

    pipeline: PipelineRef
    origins: tuple[str, ...]
    since: datetime
    last_seen_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            **pipeline_json(self.pipeline),
            "origins": list(self.origins),
            "since": time_json(self.since),
            "last_seen_at": time_json(self.last_seen_at),
        }


@dataclass(frozen=True, slots=True)
class AddressView:
    """One address. ``history``: its columns in the order of time; ``columns``: those that are now."""

    address: Address
    aliases: tuple[Address, ...]
    history: tuple[ColumnSpan, ...]
    writers: tuple[AddressUse, ...]
    readers: tuple[AddressUse, ...]
    last_written_by: ExecutionView | None

    @property
    def columns(self) -> tuple[ColumnSpan, ...]:
        """The columns that are there now, in their order."""
        now = [column for column in self.history if column.ended_at is None]
        return tuple(sorted(now, key=lambda c: (c.address.key, c.ordinal, c.name)))

    def to_json(self) -> dict[str, Any]:
        last = self.last_written_by
        return {
            **address_json(self.address),
            "aliases": [str(a) for a in self.aliases],
            "columns": [c.to_json() for c in self.columns],
            "history": [c.to_json() for c in self.history],
            "writers": [w.to_json() for w in self.writers],
            "readers": [r.to_json() for r in self.readers],
            "last_written_by": None
            if last is None
            else {
                "run_key": str(last.run_key),
                "name": last.name,
                "state": last.state.value,
                "started_at": time_json(last.started_at),
                "ended_at": time_json(last.ended_at),
            },
        }


def ended(value: datetime) -> datetime | None:
    """The end of a span as people read it: None for what still holds."""
    return None if value >= FOREVER else value
