"""The history of one pipeline: its last executions, its findings, the sums of what was pruned."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.model.health import Runs
from pipeledger.model.history import History, PrunedDay
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read import executions, findings, pipelines
from pipeledger.store.read.executions import ExecutionFilter
from pipeledger.store.read.findings import FindingFilter
from pipeledger.store.read.spelled import rows, spelled

MOST_FINDINGS = 1_000
_COUNT = spelled(
    "SELECT count(*) FROM pipeline_execution e WHERE e.pipeline_id = :id"
    " AND (:since IS NULL OR e.start_date >= :since)"
)
_PRUNED = spelled(
    "SELECT d.day, d.runs, d.successes, d.failures, d.abandoned, d.skipped, d.total_rows,"
    " d.inserts, d.updates, d.soft_deletes, d.duration_seconds, d.timed_runs, d.duration_seconds_max"
    " FROM pipeline_daily d WHERE d.pipeline_id = :id AND (:day IS NULL OR d.day >= :day)"
    " ORDER BY d.day DESC LIMIT :most"
)


def history(
    connection: Connection, ref: PipelineRef, since: datetime | None, limit: int
) -> History:
    """The last ``limit`` executions and pruned days. Raises UnknownPipeline, InvalidInput."""
    id_, found = pipelines.find(connection, ref)
    wanted = ExecutionFilter(pipeline=ref.name, namespace=ref.namespace, since=since)
    page = executions.page(connection, wanted, limit, None)
    days = rows(
        connection,
        _PRUNED,
        {"id": id_, "day": None if since is None else since.date().isoformat(), "most": limit},
    )
    return History(
        pipeline=ref,
        type=found.type,
        since=since,
        runs=tuple(reversed(page.items)),
        count=int(rows(connection, _COUNT, {"id": id_, "since": since})[0][0]),
        findings=tuple(
            findings.find(
                connection,
                FindingFilter(pipeline=ref, resolved=True, since=since),
                limit=MOST_FINDINGS,
            )
        ),
        pruned=tuple(_pruned(*row) for row in reversed(days)),
    )


def _pruned(
    day: Any,
    runs: int,
    successes: int,
    failures: int,
    abandoned: int,
    skipped: int,
    total: int | None,
    inserts: int | None,
    updates: int | None,
    deletes: int | None,
    seconds: float | None,
    timed: int,
    longest: float | None,
) -> PrunedDay:
    known = [n for n in (inserts, updates, deletes) if n is not None]
    changed = sum(known) if known else None
    return PrunedDay(
        date.fromisoformat(str(day)),
        Runs(runs, successes, failures, abandoned, skipped),
        changed if total is None else total,
        None if seconds is None or not timed else seconds / timed,
        longest,
    )
