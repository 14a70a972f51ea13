"""The history of pipelines as the detectors of odd volumes read it: successes, each with its counts.

One row per pipeline, whose points the database has joined into one text: a year of 10,000 daily
pipelines is millions of points, and a row of Python objects for each would be most of the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeledger.store.database import read_json
from pipeledger.store.findings import Unresolved
from pipeledger.store.read.spelled import Value, moment, rows, spelled
from pipeledger.store.statement import Statement

COLUMNS = ("id", "start", "inserts", "updates", "soft_deletes", "total_rows", "duration_seconds")
"""What a point consists of, in this order; ``start`` in seconds since 1970."""
_AT_ONCE = 10_000

_PIPELINES = spelled(
    "SELECT e.pipeline_id, e.id FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE e.id AMONG(ids) AND e.state = 'success' AND e.start_date IS NOT NULL AND p.active"
    " AND COALESCE(e.end_date, e.start_date) >= :since"
)
_EXECUTIONS = spelled(
    "SELECT e.id, e.run_key, e.pipeline_id, p.namespace_id, e.start_date, e.end_date"
    " FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE e.id AMONG(ids) AND e.state = 'success'"
)
_FLAGGED = spelled(
    "SELECT pipeline_execution_id, pipeline_id, metric,"
    " CASE WHEN unflagged_at IS NULL THEN 0 ELSE 1 END FROM finding"
    " WHERE check_name = 'volume' AND pipeline_id AMONG(ids)"
)
_UNRESOLVED = Statement(
    "SELECT id, subject, state, severity, message, pipeline_id, pipeline_execution_id, address_id,"
    " metric, details FROM finding WHERE check_name = 'volume' AND state <> 'resolved'"
    " AND pipeline_id IS NOT NULL AND pipeline_execution_id IS NOT NULL ORDER BY id"
)
_NUMBERS = ("inserts", "updates", "soft_deletes", "total_rows", "duration_seconds")
_START_SQLITE = "CAST(strftime('%s', e.start_date) AS INTEGER)"
_START_POSTGRESQL = "date_part('epoch', e.start_date)::bigint"
_LATEST = (
    "SELECT w.id, (SELECT {join} FROM (SELECT {columns} FROM pipeline_execution h WHERE h.pipeline_id = w.id"
    " AND h.state = 'success' AND h.start_date >= :since AND h.start_date <= :until"
    " ORDER BY h.start_date DESC LIMIT :most) e) FROM {each} w"
)
_SAME_HOUR = (
    "SELECT w.id, (SELECT {join} FROM (SELECT {columns} FROM pipeline_execution j"
    " JOIN pipeline_execution h ON h.pipeline_id = j.pipeline_id"
    " WHERE j.id = w.id AND h.state = 'success' AND h.start_date >= {back}"
    " AND h.start_date < j.start_date AND h.hour_recorded = j.hour_recorded"
    " ORDER BY h.start_date DESC LIMIT :most) e) FROM {each} w"
)


def _sqlite_list(value: str) -> str:
    return (
        f"CASE WHEN COUNT({value}) > 0 THEN group_concat(COALESCE({value}, 'nan'), ',') ELSE '' END"
    )


def _postgresql_list(value: str) -> str:
    return (
        f"CASE WHEN COUNT({value}) > 0 THEN array_to_string(array_agg({value}), ',', 'nan')"
        " ELSE '' END"
    )


def _joined(sql: str) -> Statement:
    columns = ", ".join(f"h.{name}" for name in ("id", "start_date", *_NUMBERS))
    numbers = [f"e.{name}" for name in _NUMBERS]
    in_sqlite = (_sqlite_list(v) for v in ("e.id", _START_SQLITE, *numbers))
    in_postgresql = (_postgresql_list(v) for v in ("e.id", _START_POSTGRESQL, *numbers))
    return Statement(
        sql.format(
            columns=columns,
            join=" || ';' || ".join(in_sqlite),
            back="strftime('%Y-%m-%d %H:%M:%f000', j.start_date, '-' || :days || ' days')",
            each="(SELECT value AS id FROM json_each(:ids))",
        ),
        postgresql=sql.format(
            columns=columns,
            join=" || ';' || ".join(in_postgresql),
            back="j.start_date - make_interval(days => :days)",
            each="(SELECT unnest(CAST(:ids AS bigint[])) AS id)",
        ),
    )


_HISTORY, _HOURS = _joined(_LATEST), _joined(_SAME_HOUR)


@dataclass(frozen=True, slots=True)
class Execution:
    """What a finding says of its execution. ``ended_at`` is null where only the success is known."""

    run_key: UUID
    pipeline_id: int
    namespace_id: int
    started_at: datetime | None
    ended_at: datetime | None


def pipelines_of(
    connection: Connection, ids: Collection[int], *, since: datetime
) -> dict[int, list[int]]:
    """Of these executions the successes of active pipelines that ended since, by pipeline."""
    found: dict[int, list[int]] = {}
    for part in _parts(ids):
        for pipeline, id_ in rows(connection, _PIPELINES, {"ids": part, "since": since}):
            found.setdefault(int(pipeline), []).append(int(id_))
    return found


def executions(connection: Connection, ids: Collection[int]) -> dict[int, Execution]:
    """Of these executions those that are there and succeeded."""
    found = {}
    for part in _parts(ids):
        for id_, key, pipeline, namespace, start, end in rows(
            connection, _EXECUTIONS, {"ids": part}
        ):
            found[int(id_)] = Execution(
                key if isinstance(key, UUID) else UUID(key),
                int(pipeline),
                int(namespace),
                None if start is None else moment(start),
                None if end is None else moment(end),
            )
    return found


def flagged(connection: Connection, pipelines: Collection[int]) -> dict[tuple[int, str], bool]:
    """What was found odd of these pipelines, by execution and metric; true: and then unflagged."""
    found = rows(connection, _FLAGGED, {"ids": pipelines})
    return {(int(id_), metric): bool(unflagged) for id_, _, metric, unflagged in found}


def unresolved(connection: Connection) -> list[Unresolved]:
    """The findings of odd volumes that are open or acknowledged in this snapshot."""
    return [
        Unresolved(
            id_, subject, state, severity, message, pipeline, execution, address, metric,
            read_json(details),
        )
        for (
            id_, subject, state, severity, message, pipeline, execution, address, metric, details,
        ) in rows(connection, _UNRESOLVED, {})
    ]  # fmt: skip


def latest(
    connection: Connection,
    pipelines: Collection[int],
    *,
    since: datetime,
    until: datetime,
    most: int,
) -> dict[int, str]:
    """The latest successes of each pipeline that started in that time, at most ``most``.

    As text: a list for each of ``COLUMNS``, semicolons between them; in a list a number for each
    point, commas between them, ``nan`` for what is not known; nothing where it never is. The points
    have the same order in all lists, and that order is not defined.
    """
    values: dict[str, Value] = {"ids": pipelines, "since": since, "until": until, "most": most}
    return _texts(rows(connection, _HISTORY, values))


def at_the_same_hour(
    connection: Connection, executions: Collection[int], *, days: int, most: int
) -> dict[int, str]:
    """For each execution the successes of its pipeline at its hour of the day, in the days before.

    As ``latest`` returns them.
    """
    return _texts(rows(connection, _HOURS, {"ids": executions, "days": days, "most": most}))


def _texts(found: Any) -> dict[int, str]:
    return {int(id_): text for id_, text in found if text and not text.startswith(";")}


def _parts(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for first in range(0, len(ordered), _AT_ONCE):
        yield ordered[first : first + _AT_ONCE]
