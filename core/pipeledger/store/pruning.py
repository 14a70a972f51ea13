"""Deleting old executions: whole trees at a time, with what remains of them as daily sums.

A tree goes when all of it is old and ended and nothing in it has to stay. Its root is locked first,
so that the tree stands still (``closure``), and then every execution in it; what somebody else holds
is passed over, so that pruning neither waits for a recorder nor deadlocks with one. Watermarks are
only read, and what is concluded from one stays true: it goes back only together with its epoch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model import times
from pipeledger.model.report import MAX_COUNT
from pipeledger.store.database import Connection, read_time
from pipeledger.store.executions import RANKS
from pipeledger.store.statement import Statement

_SQLITE = {
    "roots": "(SELECT value FROM json_each(:roots))",
    "latest": "NULLIF(MAX(COALESCE(e.start_date, ''), COALESCE(e.end_date, ''),"
    " COALESCE(e.heartbeat_at, '')), '')",
    "lock": "",
    "lock_members": "",
    "any": "MAX",
    "day": "date(COALESCE(e.start_date, e.end_date))",
    # sum() of SQLite fails where it leaves 64 bits; total() is exact up to 2 ** 53 rows a day.
    "sum": "CASE WHEN count({0}) > 0 THEN CAST(total({0}) AS INTEGER) END",
    "larger": "MAX(t.{0}, excluded.{0})",
}
_POSTGRESQL = {
    "roots": "(SELECT unnest(CAST(:roots AS bigint[])))",
    "latest": "GREATEST(e.start_date, e.end_date, e.heartbeat_at)",
    "lock": " FOR UPDATE SKIP LOCKED",
    "lock_members": " FOR UPDATE OF e SKIP LOCKED",
    "any": "bool_or",
    "day": "(COALESCE(e.start_date, e.end_date) AT TIME ZONE 'UTC')::date",
    "sum": f"CASE WHEN count({{0}}) > 0 THEN CAST(LEAST(sum({{0}}), {MAX_COUNT}) AS bigint) END",
    "larger": "GREATEST(t.{0}, excluded.{0})",
}


def _statement(sql: str, **more: str) -> Statement:
    def rendered(words: dict[str, str]) -> str:
        text = sql
        for name, word in {**words, **more}.items():
            text = text.replace("{" + name + "}", word)
        return text

    return Statement(rendered(_SQLITE), postgresql=rendered(_POSTGRESQL))


_STARTED_ROOTS = Statement(
    "SELECT id, start_date FROM pipeline_execution WHERE parent_id IS NULL AND start_date < :before"
    " AND start_date >= :after_date AND (start_date, id) > (:after_date, :after_id)"
    " ORDER BY start_date, id LIMIT :page"
)
_UNSTARTED_ROOTS = Statement(
    "SELECT id, NULL FROM pipeline_execution WHERE parent_id IS NULL AND start_date IS NULL"
    " AND id > :after_id ORDER BY id LIMIT :page"
)
_SIZES = _statement(
    "SELECT parent_execution_id, count(*) FROM pipeline_execution_closure"
    " WHERE parent_execution_id IN {roots} GROUP BY parent_execution_id"
)
_LOCK_ROOTS = _statement(
    "SELECT id FROM pipeline_execution WHERE id IN {roots} AND parent_id IS NULL ORDER BY id{lock}"
)
_NTH_NEWEST = (
    "(SELECT l.id FROM pipeline_execution l WHERE l.pipeline_id = p.pipeline_id"
    " AND l.start_date IS NOT NULL ORDER BY l.start_date DESC, l.id DESC LIMIT 1 OFFSET :skip)"
)
_WAITS = (
    "m.succeeded AND NOT m.absorbed AND m.to_order IS NOT NULL"
    " AND (substr(m.to_order, 1, 1) = 't' OR m.to_order > COALESCE(w.value_order, ''))"
    " AND (m.epoch = COALESCE(w.epoch, 0)"
    " OR (m.epoch IS NULL AND (w.epoch_started_at IS NULL OR m.start_date >= w.epoch_started_at)))"
)
_IS_AMONG_NEWEST = (
    "CAST(:skip AS INTEGER) >= 0 AND m.pipeline_id IS NOT NULL AND m.start_date IS NOT NULL"
    " AND (n.id IS NULL OR m.start_date > n.start_date OR (m.start_date = n.start_date AND m.id >= n.id))"
)
_JUDGE = (
    "WITH member AS (SELECT c.parent_execution_id AS root_id, e.id, e.pipeline_id, e.partition_key,"
    " e.start_date, e.succeeded, e.absorbed, e.to_order, e.epoch, {latest} AS latest,"
    " e.state = 'running' AND e.end_rank IS NOT NULL AS runs,"
    f" e.pipeline_id IS NULL AND COALESCE({', '.join('e.' + rank for rank in RANKS)}) IS NULL AS is_unknown"
    " FROM pipeline_execution_closure c JOIN pipeline_execution e ON e.id = c.child_execution_id"
    " WHERE c.parent_execution_id IN {roots} ORDER BY e.id{lock_members}),"
    " newest AS (SELECT p.pipeline_id, n.id, n.start_date FROM (SELECT p.pipeline_id,"
    f" {_NTH_NEWEST.replace(':skip', 'CASE WHEN :skip < 0 THEN 0 ELSE :skip END')} AS nth"
    " FROM (SELECT DISTINCT pipeline_id FROM member WHERE pipeline_id IS NOT NULL) p) p"
    " JOIN pipeline_execution n ON n.id = p.nth)"
    " SELECT m.root_id, count(*), (SELECT count(*) FROM pipeline_execution_closure x"
    " WHERE x.parent_execution_id = m.root_id), {any}(m.runs OR COALESCE(m.latest >= :before, {false})"
    f" OR COALESCE({_WAITS}, {{false}}) OR ({_IS_AMONG_NEWEST})),"
    " MAX(m.latest) IS NOT NULL OR (count(*) = 1 AND {any}(m.is_unknown))"
    " FROM member m LEFT JOIN newest n ON n.pipeline_id = m.pipeline_id"
    " LEFT JOIN watermark w ON w.pipeline_id = m.pipeline_id"
    " AND w.partition_key = COALESCE(m.partition_key, '')"
    " GROUP BY m.root_id ORDER BY m.root_id"
)
_SQLITE["false"], _POSTGRESQL["false"] = "0", "false"
_JUDGE_LOCKED = _statement(_JUDGE)
_JUDGE_ONLY = _statement(_JUDGE, lock_members="")
_MEMBERS = "(SELECT child_execution_id FROM pipeline_execution_closure WHERE parent_execution_id IN {roots})"
_DELETE_INPUTS = _statement(
    f"DELETE FROM pipeline_execution_input WHERE execution_id IN {_MEMBERS}"
)
_DELETE_OUTPUTS = _statement(
    f"DELETE FROM pipeline_execution_output WHERE execution_id IN {_MEMBERS}"
)
_DEFER = Statement("PRAGMA defer_foreign_keys = ON")
_DELETE_EXECUTIONS = _statement(f"DELETE FROM pipeline_execution WHERE id IN {_MEMBERS}")
_DELETE_CLOSURE = _statement(
    f"DELETE FROM pipeline_execution_closure WHERE child_execution_id IN {_MEMBERS}"
)
_DELETE_BOTH = Statement(
    "",
    postgresql="WITH gone AS (DELETE FROM pipeline_execution_closure WHERE child_execution_id IN"
    f" {_MEMBERS.replace('{roots}', _POSTGRESQL['roots'])} RETURNING child_execution_id)"
    " DELETE FROM pipeline_execution WHERE id IN (SELECT child_execution_id FROM gone)",
)
_ADDED = f"CASE WHEN t.{{0}} > {MAX_COUNT} - excluded.{{0}} THEN {MAX_COUNT} ELSE t.{{0}} + excluded.{{0}} END"
_COUNTED = ("inserts", "updates", "soft_deletes", "total_rows")
_STATES = {
    "successes": "success",
    "failures": "failed",
    "skipped": "skipped",
    "abandoned": "abandoned",
}


def _daily(words: dict[str, str]) -> str:
    """Add what a tree amounts to, per pipeline and day, to what earlier ones amounted to."""
    counts = {
        "runs": "count(*)",
        **{c: f"sum(CASE WHEN e.state = '{s}' THEN 1 ELSE 0 END)" for c, s in _STATES.items()},
        "timed_runs": "count(e.duration_seconds)",
    }
    sums = {c: words["sum"].format("e." + c) for c in _COUNTED}
    durations = {
        "duration_seconds": "sum(e.duration_seconds)",
        "duration_seconds_max": "max(e.duration_seconds)",
    }
    columns = {**counts, **sums, **durations}

    def known(column: str, both: str) -> str:
        return f"{column} = COALESCE({both}, t.{column}, excluded.{column})"

    merged = [
        *(f"{c} = t.{c} + excluded.{c}" for c in counts),
        *(known(c, _ADDED.format(c)) for c in _COUNTED),
        known("duration_seconds", "t.duration_seconds + excluded.duration_seconds"),
        known("duration_seconds_max", words["larger"].format("duration_seconds_max")),
    ]
    return (
        f"INSERT INTO pipeline_daily AS t (pipeline_id, day, {', '.join(columns)})"
        f" SELECT e.pipeline_id, {words['day']}, {', '.join(columns.values())}"
        " FROM pipeline_execution_closure c JOIN pipeline_execution e ON e.id = c.child_execution_id"
        f" WHERE c.parent_execution_id IN {words['roots']} AND e.pipeline_id IS NOT NULL"
        " AND COALESCE(e.start_date, e.end_date) IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
        f" ON CONFLICT (pipeline_id, day) DO UPDATE SET {', '.join(merged)}"
    )


_ADD_DAILY = Statement(_daily(_SQLITE), postgresql=_daily(_POSTGRESQL))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk over roots has got to: first those that started, by start, then the others, by id."""

    after_date: datetime | None
    after_id: int
    is_started: bool = True


BEGINNING = Place(times.FIRST, 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was decided of one tree: how many executions it has, and whether all of it may go."""

    root_id: int
    size: int
    may_go: bool


def roots(
    connection: Connection, place: Place, before: datetime, page: int
) -> tuple[list[int], Place | None]:
    """Roots that may be old enough, and where to go on; None: there are no more."""
    parameters: dict[str, Any] = {"after_id": place.after_id, "page": page}
    if not place.is_started:
        rows = connection.rows(_UNSTARTED_ROOTS, parameters)
    else:
        assert place.after_date is not None
        parameters["before"] = connection.time(before)
        parameters["after_date"] = connection.time(place.after_date)
        rows = connection.rows(_STARTED_ROOTS, parameters)
    ids = [int(row[0]) for row in rows]
    if len(ids) == page:
        return ids, Place(read_time(rows[-1][1]), ids[-1], place.is_started)
    return ids, Place(None, 0, False) if place.is_started else None


def sizes(connection: Connection, ids: Sequence[int]) -> list[tuple[int, int]]:
    """How many executions each of these trees has, in the order that was asked."""
    found = {int(id_): int(size) for id_, size in connection.rows(_SIZES, _roots(connection, ids))}
    return [(id_, found[id_]) for id_ in ids if id_ in found]


def judge(
    connection: Connection, ids: Sequence[int], before: datetime, keep_last: int, *, lock: bool
) -> list[Judged]:
    """Which of these trees may go. ``lock``: they stand still until the transaction ends.

    A tree that has been moved, or that somebody else holds, is left out or may not go.
    """
    if lock:
        ids = [int(row[0]) for row in connection.rows(_LOCK_ROOTS, _roots(connection, ids))]
    rows = connection.rows(
        _JUDGE_LOCKED if lock else _JUDGE_ONLY,
        {
            **_roots(connection, ids),
            "before": connection.time(before),
            "skip": keep_last - 1,
        },
    )
    return [
        Judged(int(root_id), int(whole), seen == whole and not has_to_stay and bool(is_dated))
        for root_id, seen, whole, has_to_stay, is_dated in rows
    ]


def delete(connection: Connection, ids: Sequence[int]) -> int:
    """Delete these trees and add them to the daily sums; how many executions they had."""
    if not ids:
        return 0
    parameters = _roots(connection, ids)
    connection.run(_ADD_DAILY, parameters)
    connection.run(_DELETE_INPUTS, parameters)
    connection.run(_DELETE_OUTPUTS, parameters)
    if not connection.is_sqlite:
        return connection.run(_DELETE_BOTH, parameters)
    connection.rows(_DEFER, {})  # the closure tells what to delete, and goes last
    count = connection.run(_DELETE_EXECUTIONS, parameters)
    connection.run(_DELETE_CLOSURE, parameters)
    return count


def _roots(connection: Connection, ids: Sequence[int]) -> dict[str, Any]:
    return {"roots": json.dumps(list(ids)) if connection.is_sqlite else list(ids)}
