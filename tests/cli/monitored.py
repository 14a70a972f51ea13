"""The night of these tests, watched: a frozen clock, a run that goes on, findings as checks save them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta

from pipeledger.model.finding import FAILED, FRESHNESS, VOLUME, Cause, Severity
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import findings
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

from .conftest import NOON, at, key

NOW = NOON + timedelta(hours=2)
_PIPELINES = Statement("SELECT name, id, namespace_id FROM pipeline")


def record(url: str, *reports: Report) -> None:
    with closing(SqlRecorder(Database.parse(url), timeout=10)) as recorder:
        recorder.record(list(reports))


def running(number: int, name: str, began: float, inside: int | None = None) -> ExecutionReport:
    return ExecutionReport(
        key(number), at(began), pipeline=PipelineRef(name), state=State.RUNNING,
        started_at=at(began), parent=None if inside is None else key(inside),
    )  # fmt: skip


def look(
    url: str, check: str, causes: Iterable[tuple[str, Severity, str, int | None]], when: datetime
) -> None:
    """What a check saw: pipeline, severity, message, and the number of the run it is of."""
    with closing(Database.parse(url).connect()) as connection:
        connection.begin()
        known = {name: (id_, space) for name, id_, space in connection.rows(_PIPELINES, {})}
        seen = [
            Cause(
                check, f"{name}:{i}", severity, message, when - timedelta(hours=1),
                namespace_id=known[name][1], pipeline_id=known[name][0],
                run_key=None if run is None else key(run), metric="inserts" if check == VOLUME else "",
            )
            for i, (name, severity, message, run) in enumerate(causes)
        ]  # fmt: skip
        findings.save(connection, check, seen, at=when, checked=len(seen), state={})
        connection.commit()


def watched(url: str) -> None:
    """Two runs go on, one inside the other; three findings are open; three checks have looked."""
    record(url, running(8, "backfill", 50), running(9, "backfill.part", 60, inside=8))
    look(url, FAILED, [("nightly.report", Severity.ERROR, "1 run failed: no carrier", 5)], NOW)
    look(url, FRESHNESS, [("nightly", Severity.WARNING, "older than 1 day", None)], NOW)
    odd = ("nightly.load", Severity.CRITICAL, "845 rows; usually 40,000", 4)
    look(url, VOLUME, [odd], NOW - timedelta(minutes=30))
