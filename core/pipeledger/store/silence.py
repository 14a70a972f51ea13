"""Running executions that have been silent: what the reaper asks the database.

A running execution's ``end_rank`` is made of its last sign of life (``model.record.life_rank``), and
bytes compare like the moments they are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.record import last_sign_of_life, life_rank
from pipeledger.store.database import Connection, read_json, read_time
from pipeledger.store.statement import Statement

_RUNNING = (
    "SELECT e.id, e.run_key, n.name, p.name, e.start_date, e.heartbeat_at, e.end_rank, e.attributes,"
    " e.end_rank < :quiet AND NOT EXISTS ("
    "SELECT 1 FROM pipeline_execution_closure c JOIN pipeline_execution d ON d.id = c.child_execution_id"
    " WHERE c.parent_execution_id = e.id AND c.depth > 0 AND (d.start_date >= :quiet_at"
    " OR d.heartbeat_at >= :quiet_at OR d.end_date >= :quiet_at))"
    " FROM pipeline_execution e LEFT JOIN pipeline p ON p.id = e.pipeline_id"
    " LEFT JOIN namespace n ON n.id = p.namespace_id"
    " WHERE e.state = 'running' AND e.id > :after AND e.end_rank IS NOT NULL"
    " AND ((e.heartbeat_at IS NOT NULL AND e.end_rank < :late) OR e.end_rank < :quiet OR {scope} = :scope)"
    " ORDER BY e.id LIMIT :page"
)
_SILENT = Statement(
    _RUNNING.format(scope="json_extract(e.attributes, '$.pid_scope')"),
    postgresql=_RUNNING.format(scope="e.attributes ->> 'pid_scope'"),
)


@dataclass(frozen=True, slots=True)
class Silent:
    """A running execution that may have been given up, with its last sign of life."""

    id: int
    run_key: UUID
    pipeline: PipelineRef | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    last_seen_at: datetime
    attributes: Mapping[str, Any]
    is_quiet: bool
    """Neither it nor anything that runs inside it has been heard of for the longer time."""


def page(
    connection: Connection,
    after: int,
    size: int,
    *,
    late_at: datetime,
    quiet_at: datetime,
    scope: str | None,
) -> list[Silent]:
    """Running executions in id order: with heartbeats and none since ``late_at``, without a sign of
    life since ``quiet_at``, or of a process that ``scope`` can judge."""
    rows = connection.rows(
        _SILENT,
        {
            "after": after,
            "page": size,
            "late": life_rank(late_at),
            "quiet": life_rank(quiet_at),
            "quiet_at": connection.time(quiet_at),
            "scope": scope or "",
        },
    )
    return [
        Silent(
            int(id_),
            UUID(str(key)),
            None if name is None else PipelineRef(name, namespace),
            read_time(started),
            read_time(beat),
            last_sign_of_life(bytes(rank)),
            read_json(attributes) or {},
            bool(is_quiet),
        )
        for id_, key, namespace, name, started, beat, rank, attributes, is_quiet in rows
    ]
