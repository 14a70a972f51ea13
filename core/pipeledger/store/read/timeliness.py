"""Executions that took, or have been taking, at least as long as they are allowed to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from pipeledger.model.pipeline import Threshold
from pipeledger.store.database import read_time
from pipeledger.store.read import thresholds
from pipeledger.store.read.spelled import moment, rows, spelled

_NUMBER, _DATEPART = thresholds.number("timeliness"), thresholds.datepart("timeliness")
_FROM = " JOIN pipeline p ON p.id = e.pipeline_id LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id"
_LONG = spelled(
    "SELECT e.id, e.run_key, e.pipeline_id, p.namespace_id, e.state, e.start_date, e.end_date,"
    f" {_NUMBER}, {_DATEPART}, {thresholds.is_own('timeliness')}"
    f" FROM EACH(ids) i FIRST JOIN pipeline_execution e ON e.id = i.id{_FROM}"
    f" WHERE e.start_date IS NOT NULL AND e.state <> 'skipped' AND {_NUMBER} IS NOT NULL"
    f" AND {thresholds.is_not_muted('timeliness')}"
    " AND SECONDS(e.start_date, COALESCE(e.end_date, :now)) >="
    f" {thresholds.least_seconds(_NUMBER, _DATEPART)}"
)
_NEWEST = spelled(
    "SELECT i.id, (SELECT e.id FROM pipeline_execution e WHERE e.pipeline_id = i.id"
    " AND e.start_date IS NOT NULL AND e.end_date IS NOT NULL AND e.state <> 'skipped'"
    " ORDER BY e.start_date DESC, e.id DESC LIMIT 1) FROM EACH(ids) i"
)
_THRESHOLDS = spelled(
    f"SELECT COUNT(*) FROM EACH(ids) i FIRST JOIN pipeline_execution e ON e.id = i.id{_FROM}"
    f" WHERE {_NUMBER} IS NOT NULL AND {thresholds.is_not_muted('timeliness')}"
)


@dataclass(frozen=True, slots=True)
class Long:
    """An execution that has taken as long as its threshold lasts at least."""

    id: int
    run_key: UUID
    pipeline_id: int
    namespace_id: int
    state: str
    started_at: datetime
    ended_at: datetime | None
    threshold: Threshold
    is_own: bool
    """Whether the threshold is the pipeline's own, and not its type's."""


def long(connection: Connection, ids: Collection[int], now: datetime) -> list[Long]:
    """Of these executions those that may be over their allowed time; the calendar decides.

    Those without a threshold, and those muted at the pipeline or at its type, are not among them.
    """
    return [
        Long(
            id_, UUID(str(key)), pipeline, namespace, state, moment(started), read_time(ended),
            Threshold(number, part), bool(own),
        )
        for id_, key, pipeline, namespace, state, started, ended, number, part, own in rows(
            connection, _LONG, {"ids": ids, "now": now}
        )
    ]  # fmt: skip


def newest_ended(connection: Connection, pipeline_ids: Collection[int]) -> dict[int, int]:
    """The execution of each pipeline that started last, of those that have ended."""
    return {
        pipeline: newest
        for pipeline, newest in rows(connection, _NEWEST, {"ids": pipeline_ids})
        if newest is not None
    }


def with_threshold(connection: Connection, ids: Collection[int]) -> int:
    """How many of these executions have an allowed time."""
    return int(rows(connection, _THRESHOLDS, {"ids": ids})[0][0])
