"""Pipelines whose latest executions did not succeed, and those executions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from pipeledger.store.database import read_time
from pipeledger.store.read import latest_runs
from pipeledger.store.read.spelled import moment, rows, spelled

_TOUCHED = spelled(
    "SELECT DISTINCT e.pipeline_id FROM EACH(ids) i FIRST JOIN pipeline_execution e ON e.id = i.id"
    " JOIN pipeline p ON p.id = e.pipeline_id WHERE p.active AND e.state IN ('failed', 'abandoned')"
)
_LATEST = spelled(
    "SELECT p.id, p.namespace_id, e.id, e.run_key, e.previous_run_key, e.state,"
    " COALESCE(e.start_date, e.end_date), e.end_date, e.parent_id, COALESCE(e.partition_key, ''),"
    " e.error_type, e.error_message, e.state_detail FROM EACH(ids) i"
    " FIRST JOIN pipeline_execution e ON e.id = i.id JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE p.active ORDER BY p.id, COALESCE(e.start_date, e.end_date) DESC, e.id DESC"
)


@dataclass(frozen=True, slots=True)
class Ran:
    """An execution of a pipeline, as far as it matters whether the pipeline works."""

    id: int
    run_key: UUID
    previous: UUID | None
    state: str
    started_at: datetime
    """Its end, where nobody knows when it started."""
    ended_at: datetime | None
    parent_id: int | None
    partition_key: str
    error_type: str | None
    error_message: str | None
    state_detail: str | None


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest executions of a pipeline, the last start first."""

    pipeline_id: int
    namespace_id: int
    runs: list[Ran]


def pipelines_that_failed(connection: Connection, ids: Collection[int]) -> list[int]:
    """The active pipelines of those of these executions that failed or were abandoned."""
    return [row[0] for row in rows(connection, _TOUCHED, {"ids": ids})]


def latest(connection: Connection, pipeline_ids: Collection[int], most: int) -> list[Latest]:
    """The latest executions of these pipelines, of active ones only: at most ``most`` of each, and of
    those that ended without having started as many."""
    found: dict[int, Latest] = {}
    ids = [
        *latest_runs.started(connection, pipeline_ids, most),
        *latest_runs.never_started(connection, pipeline_ids, most),
    ]
    for row in rows(connection, _LATEST, {"ids": ids}):
        run = Ran(
            row[2],
            UUID(str(row[3])),
            None if row[4] is None else UUID(str(row[4])),
            row[5],
            moment(row[6]),
            read_time(row[7]),
            *row[8:13],
        )
        found.setdefault(row[0], Latest(row[0], row[1], [])).runs.append(run)
    return list(found.values())
