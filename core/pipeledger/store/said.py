"""What a run has said of itself so far, read over the connection that records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeledger.store.database import Connection, read_json, read_time
from pipeledger.store.statement import Statement

_SAID = Statement(
    "SELECT start_date, execution_metadata FROM pipeline_execution WHERE run_key = :run_key"
)


@dataclass(frozen=True, slots=True)
class Said:
    """When an execution began, and its metadata as of now."""

    started_at: datetime | None
    metadata: Mapping[str, Any]


def said(connection: Connection, run_key: UUID) -> Said | None:
    """What is recorded of the execution; None if it is not known."""
    rows = connection.rows(_SAID, {"run_key": str(run_key)})
    if not rows:
        return None
    started_at, metadata = rows[0]
    return Said(read_time(started_at), read_json(metadata) or {})
