"""Ledgers with runs and findings, drawn at random or made by hand, and how they get into a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from uuid import UUID

from hypothesis import strategies as st

from pipeledger.model.finding import FRESHNESS, MISSING, TIMELINESS, VOLUME, Cause, Severity
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import findings
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

FIRST = datetime(2013, 1, 1, tzinfo=timezone.utc)
NOW = FIRST + timedelta(days=12, hours=13, minutes=37)
MINUTE = timedelta(minutes=1)
MINUTES = int((NOW - FIRST) / MINUTE)
_IDS = Statement(
    "SELECT p.id, n.id, n.name, p.name FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
)
_VOLUMES = Statement("SELECT id, subject FROM finding WHERE check_name = 'volume'")


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that is held to bounds, or not."""

    ref: PipelineRef
    type: str = "python"
    timeliness: Threshold | None = None
    freshness: Threshold | None = None


@dataclass(frozen=True)
class Run:
    """``start`` and ``end`` in minutes since FIRST; None: nobody reported it."""

    pipeline: PipelineRef
    state: State
    start: int | None
    end: int | None

    def report(self, number: int) -> Report:
        def at(minutes: int | None) -> datetime | None:
            return None if minutes is None else FIRST + minutes * MINUTE

        began, ended = at(self.start), at(self.end)
        occurred = ended or began
        assert occurred is not None
        return ExecutionReport(
            UUID(int=number), occurred, pipeline=self.pipeline, state=self.state,
            started_at=began, ended_at=ended,
        )  # fmt: skip


@dataclass(frozen=True)
class Flag:
    """A finding of a pipeline, from a minute to another; ``end`` None: it is unresolved."""

    pipeline: PipelineRef
    check: str
    since: int
    end: int | None = None
    run: int = 0
    """Which run of the pipeline it is of: two flags of one run are of different metrics."""
    is_unflagged: bool = False
    missing: int = 1
    """Of a finding of missing runs: how many in a row."""


@dataclass(frozen=True)
class Ledger:
    pipelines: tuple[Pipeline, ...] = ()
    runs: tuple[Run, ...] = ()
    flags: tuple[Flag, ...] = ()
    looked: frozenset[str] = frozenset()


def fill(recorder: SqlRecorder, url: str, ledger: Ledger) -> None:
    """Put it all in, the way it comes in: reports, and looks of checks in the order of their time."""
    declared = [
        PipelineReport(p.ref, FIRST, type=p.type, timeliness=p.timeliness, freshness=p.freshness)
        for p in ledger.pipelines
    ]
    recorder.record([*declared, *(run.report(i + 1) for i, run in enumerate(ledger.runs))])
    with closing(Database.parse(url).connect()) as connection:
        connection.begin()
        ids = {PipelineRef(n, s): (p, space) for p, space, s, n in connection.rows(_IDS, {})}
        connection.commit()
        for check in sorted({f.check for f in ledger.flags} | ledger.looked):
            flags = [f for f in ledger.flags if f.check == check]
            causes = {i: _cause(i, flag, *ids[flag.pipeline]) for i, flag in enumerate(flags)}
            times = {f.since for f in flags} | {f.end for f in flags if f.end is not None}
            for minute in sorted(times | {MINUTES} if check in ledger.looked else times):
                held = [
                    causes[i]
                    for i, f in enumerate(flags)
                    if f.since <= minute and (f.end is None or minute < f.end)
                ]
                connection.begin()
                findings.save(
                    connection, check, held, at=FIRST + minute * MINUTE, checked=1, state={}
                )
                connection.commit()
            if check not in ledger.looked:
                connection.begin()
                connection.run(
                    Statement("DELETE FROM monitoring_check WHERE name = :name"), {"name": check}
                )
                connection.commit()
            normal = [i for i, f in enumerate(flags) if f.is_unflagged]
            connection.begin()
            known = {subject: id_ for id_, subject in connection.rows(_VOLUMES, {})}
            unflagged = [known[f"{i}"] for i in normal if check == VOLUME]
            findings.unflag(connection, unflagged, "a holiday", NOW)
            connection.commit()


def _cause(number: int, flag: Flag, pipeline_id: int, namespace_id: int) -> Cause:
    run_key = None
    if flag.check in (TIMELINESS, VOLUME):
        run_key = UUID(int=1_000_000 * (pipeline_id + 1) + flag.run)
    return Cause(
        flag.check, str(number), Severity.WARNING, "drawn", FIRST + flag.since * MINUTE,
        namespace_id=namespace_id, pipeline_id=pipeline_id, run_key=run_key,
        metric="inserts" if flag.check == VOLUME else "",
        details={"missing_runs": flag.missing} if flag.missing > 1 else {},
    )  # fmt: skip


LOAD = Pipeline(PipelineRef("load"), timeliness=Threshold(1, "hour"))
COPY = Pipeline(PipelineRef("copy", "ops"), "airflow_task", freshness=Threshold(1, "day"))
BOTH = Pipeline(
    PipelineRef("both", "ops"), "airflow_dag", Threshold(1, "hour"), Threshold(1, "day")
)
FREE = Pipeline(PipelineRef("free"))
PIPELINES: Sequence[Pipeline] = (LOAD, COPY, BOTH, FREE)
CHECKS = (TIMELINESS, MISSING, FRESHNESS, VOLUME)

_refs = st.sampled_from([p.ref for p in PIPELINES])
_minutes = st.integers(0, MINUTES - 1)


@st.composite
def _runs(draw: st.DrawFn) -> Run:
    state = draw(st.sampled_from(list(State)))
    start = draw(_minutes)
    if state is State.RUNNING:
        return Run(draw(_refs), state, start, None)
    end = min(MINUTES, start + draw(st.integers(0, 2_000)))
    return Run(draw(_refs), state, draw(st.sampled_from([start, start, start, None])), end)


@st.composite
def _flags(draw: st.DrawFn) -> Flag:
    check = draw(st.sampled_from(CHECKS))
    since = draw(_minutes)
    end = draw(st.none() | st.integers(since + 1, MINUTES))
    return Flag(
        draw(_refs), check, since, end, draw(st.integers(0, 2)),
        is_unflagged=check == VOLUME and draw(st.booleans()),
        missing=draw(st.integers(1, 4)) if check == MISSING else 1,
    )  # fmt: skip


ledgers = st.builds(
    Ledger,
    st.just(tuple(PIPELINES)),
    st.lists(_runs(), max_size=25).map(tuple),
    st.lists(_flags(), max_size=8).map(tuple),
    st.frozensets(st.sampled_from(CHECKS)),
)
