"""What a health report is made of: runs per pipeline and per day, and what checks found of them.

A few statements, however many pipelines and executions there are: executions are counted by their
start (else their end), once by pipeline and once by day, and so are the sums of those that were pruned.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.model.finding import FRESHNESS, MISSING, TIMELINESS, VOLUME
from pipeledger.model.health import (
    NO_RUNS,
    Facts,
    Found,
    Period,
    Runs,
    Stale,
    Watched,
    midnight,
)
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.database import read_time
from pipeledger.store.read import thresholds
from pipeledger.store.read.spelled import Value, moment, rows
from pipeledger.store.statement import Statement

_WORD = re.compile(r"<(\w+):([^<>]+)>")
_SQLITE = {
    "day": "substr({0}, 1, 10)",
    "text": "CAST({0} AS TEXT)",
    "whole": "json_extract(f.details, '$.{0}')",
    "watched": "{0} IN (SELECT value FROM json_each(:watched))",
    "in_order": "CROSS {0}",
}
_POSTGRESQL = {
    "day": "({0} AT TIME ZONE 'UTC')::date",
    "text": "{0}::text",
    "whole": "(f.details ->> '{0}')::bigint",
    # Not = ANY(array): in a list of results PostgreSQL compares with one after the other.
    "watched": "{0} IN (SELECT unnest(CAST(:watched AS bigint[])))",
    "in_order": "{0}",
}


def _both(template: str) -> Statement:
    """The statement with ``<word:expression>`` as each database writes it."""

    def written(words: dict[str, str]) -> str:
        return _WORD.sub(lambda found: words[found[1]].format(found[2]), template)

    return Statement(written(_SQLITE), postgresql=written(_POSTGRESQL))


_COUNTS = {
    "successes": "success",
    "failures": "failed",
    "abandoned": "abandoned",
    "skipped": "skipped",
}
_COUNTED = "count(*), " + ", ".join(
    f"count(*) FILTER (WHERE e.state = '{state}')" for state in _COUNTS.values()
)
_SUMS = ", ".join(f"sum(d.{name})" for name in ("runs", *_COUNTS))
# Not IS NOT NULL: SQLite would go over the whole index of pipelines.
_KNOWN = "COALESCE(e.pipeline_id, 0) > 0"
_OF = " AND {0}.pipeline_id IN (SELECT id FROM pipeline WHERE namespace_id = :namespace_id)"


def _runs(key: str, flag: str, of_namespace: bool) -> tuple[Statement, Statement]:
    """Counts by ``key`` and ``flag`` of ``pipeline_id`` and ``day``: of executions, and of pruned ones."""
    in_space = _OF if of_namespace else ""
    kept = " UNION ALL ".join(
        f"SELECT e.pipeline_id, e.{at} AS moment, e.state FROM pipeline_execution e WHERE {where}"
        f"e.{at} BETWEEN :start AND :until AND {_KNOWN}{in_space.format('e')}"
        for at, where in (("start_date", ""), ("end_date", "e.start_date IS NULL AND "))
    )
    of = {"id": "e.pipeline_id", "day": "<day:e.moment>", "is_now": "e.moment >= :first"}
    pruned = {"id": "d.pipeline_id", "day": "d.day", "is_now": "d.day >= :first_day"}
    return (
        _both(
            f"SELECT {of[key]}, CASE WHEN {flag.format(**of)} THEN 1 ELSE 0 END, {_COUNTED}"
            f" FROM ({kept}) e GROUP BY 1, 2"
        ),
        _both(
            f"SELECT {pruned[key]}, CASE WHEN {flag.format(**pruned)} THEN 1 ELSE 0 END, {_SUMS}"
            " FROM pipeline p <in_order:JOIN> pipeline_daily d ON d.pipeline_id = p.id"
            " WHERE d.day BETWEEN :start_day AND :until_day"
            f"{in_space.format('d')} GROUP BY 1, 2"
        ),
    )


_BY_PIPELINE = {of: _runs("id", "{is_now}", of) for of in (False, True)}
_BY_DAY = {of: _runs("day", "<watched:{id}>", of) for of in (False, True)}
_IN_SPACE = " AND (:namespace_id IS NULL OR p.namespace_id = :namespace_id)"
_LOOKED = Statement("SELECT name FROM monitoring_check")
_NAMESPACE = Statement("SELECT id FROM namespace WHERE name = :name")
_IS_TIMED = f"p.active AND {thresholds.is_not_muted('timeliness')}"
_IS_FRESH = f"p.active AND {thresholds.is_not_muted('freshness')}"
_PIPELINES = Statement(
    "SELECT p.id, n.name, p.name, t.name, p.active,"
    f" CASE WHEN {_IS_TIMED} AND {thresholds.number('timeliness')} IS NOT NULL THEN 1 ELSE 0 END,"
    f" CASE WHEN {_IS_TIMED} AND x.source <> 'none' THEN 1 ELSE 0 END,"
    f" CASE WHEN {_IS_FRESH} AND ({thresholds.number('freshness')} IS NOT NULL"
    " OR p.completeness_number IS NOT NULL) THEN 1 ELSE 0 END"
    " FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
    " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id"
    " LEFT JOIN pipeline_expectation x ON x.pipeline_id = p.id"
    f" WHERE 1 = 1{_IN_SPACE} ORDER BY p.id"
)
_FOUND = _both(
    "SELECT f.pipeline_id, f.check_name, <day:f.since>,"
    f" CASE WHEN f.check_name = '{MISSING}' THEN sum(COALESCE(<whole:missing_runs>, 1))"
    " ELSE count(DISTINCT COALESCE(<text:f.run_key>, f.subject)) END"
    " FROM finding f JOIN pipeline p ON p.id = f.pipeline_id"
    f" WHERE f.check_name IN ('{TIMELINESS}', '{MISSING}', '{VOLUME}')"
    f" AND f.unflagged_at IS NULL AND f.since BETWEEN :start AND :until{_IN_SPACE}"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_STALE = Statement(
    "SELECT f.pipeline_id, f.since, f.resolved_at FROM finding f"
    f" JOIN pipeline p ON p.id = f.pipeline_id WHERE f.check_name = '{FRESHNESS}'"
    f" AND f.since < :until AND (f.resolved_at IS NULL OR f.resolved_at > :start){_IN_SPACE}"
)


def facts(connection: Connection, period: Period, now: datetime, namespace: str | None) -> Facts:
    """All that a report of ``period`` and of the one before it needs; of one namespace, or of all."""
    before = period.before
    namespace_id = None
    if namespace is not None:
        found_ids = rows(connection, _NAMESPACE, {"name": namespace})
        namespace_id = found_ids[0][0] if found_ids else 0
    asked: dict[str, Value] = {
        "namespace_id": namespace_id,
        "start": before.start,
        "until": period.until,
    }
    found = tuple(
        Found(int(id_), check, _day(day), int(number))
        for id_, check, day, number in rows(connection, _FOUND, asked)
    )
    stale = tuple(
        Stale(int(id_), moment(since), read_time(until))
        for id_, since, until in rows(connection, _STALE, {**asked, "until": now})
    )
    pipelines = _pipelines(connection, namespace_id, found, stale)
    asked["watched"] = [p.id for p in pipelines if p.timeliness]
    is_one = namespace_id is not None
    runs = _counted(connection, _BY_PIPELINE[is_one], asked, before.first, period)
    days = _counted(connection, _BY_DAY[is_one], asked, period.first, period)
    return Facts(
        period,
        pipelines,
        {int(id_): number for (id_, is_now), number in runs.items() if is_now},
        {int(id_): number for (id_, is_now), number in runs.items() if not is_now},
        {
            _day(day): (number + days.get((day, not flag), NO_RUNS), days.get((day, True), NO_RUNS))
            for (day, flag), number in days.items()
        },
        found,
        stale,
    )


def _counted(
    connection: Connection,
    statements: tuple[Statement, Statement],
    asked: dict[str, Value],
    first: date,
    period: Period,
) -> dict[tuple[Any, bool], Runs]:
    """The counts of both statements together, of what is not before ``first``."""
    values: dict[str, Value] = {
        **asked,
        "start": midnight(first),
        "start_day": first.isoformat(),
        "until_day": period.last.isoformat(),
        "first": period.start,
        "first_day": period.first.isoformat(),
    }
    counted: dict[tuple[Any, bool], Runs] = {}
    for statement in statements:
        for key, flag, *numbers in rows(connection, statement, values):
            number = Runs(*map(int, numbers))
            counted[key, bool(flag)] = counted.get((key, bool(flag)), NO_RUNS) + number
    return counted


def _pipelines(
    connection: Connection,
    namespace_id: int | None,
    found: tuple[Found, ...],
    stale: tuple[Stale, ...],
) -> tuple[Watched, ...]:
    looked = {name for (name,) in rows(connection, _LOOKED, {})}
    flagged = {(f.pipeline_id, f.check) for f in found} | {
        (s.pipeline_id, FRESHNESS) for s in stale
    }
    return tuple(
        Watched(
            id_,
            PipelineRef(name, space),
            type_,
            timeliness=bool(allowed and TIMELINESS in looked)
            or bool(expected and MISSING in looked)
            or (id_, TIMELINESS) in flagged
            or (id_, MISSING) in flagged,
            freshness=bool(fresh and FRESHNESS in looked) or (id_, FRESHNESS) in flagged,
            volume=bool(active and VOLUME in looked) or (id_, VOLUME) in flagged,
        )
        for id_, space, name, type_, active, allowed, expected, fresh in rows(
            connection, _PIPELINES, {"namespace_id": namespace_id}
        )
    )


def _day(value: Any) -> date:
    return date.fromisoformat(str(value))
