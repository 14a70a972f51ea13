"""A step that hangs, a run worker that is gone: told apart by signs of life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster_ledger import rows_of, wait_for
from pydantic import ValidationError

from pipeledger.housekeeping.reap import Abandoned, reap
from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.views import ExecutionView
from pipeledger_dagster import PipeledgerResource, reconcile, watch
from pipeledger_dagster.heartbeats import Heartbeats

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def worker(ledger: Ledger, dagster_home: Path, start: Start, tmp_path: Path) -> int:
    """A run worker whose step hangs in a process of its own, both with heartbeats; its pid."""
    environment = {"BLOCKING_FOLDER": str(tmp_path), "HEARTBEAT_SECONDS": "0.2"}
    process = start(sys.executable, "-m", "projects.blocking", "watched", **environment)
    wait_for((tmp_path / "started").exists, "the step's start", 240)
    return process.pid


def _run_id() -> str:
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        return run.run_id


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _beaten(ledger: Ledger, key: object, after: ExecutionView | None = None) -> ExecutionView:
    """The execution, once it has said that it is alive (again)."""

    def found() -> ExecutionView | None:
        row = ledger.read.execution(str(key))
        if row.heartbeat_at is None:
            return None
        if after is not None and after.heartbeat_at is not None:
            return row if row.heartbeat_at > after.heartbeat_at else None
        return row

    return wait_for(found, f"a heartbeat of {key}")


def _given_up(ledger: Ledger, after: timedelta, seen: ExecutionView) -> list[Abandoned]:
    """What the reaper gives up, as if it were asked right after ``seen`` said that it lives."""
    assert seen.heartbeat_at is not None
    found: list[Abandoned] = []
    reap(
        ledger.database,
        older_than=after,
        silent_for=timedelta(days=7),
        found=found.append,
        now=seen.heartbeat_at,
    )
    return found


def test_a_step_that_hangs_is_seen_alive_and_not_given_up(ledger: Ledger, worker: int) -> None:
    run_id = _run_id()
    step = rows_of(ledger, run_id).one("slow_load.load")
    first = _beaten(ledger, step.run_key)
    again = _beaten(ledger, step.run_key, first)
    assert _beaten(ledger, run_id).state.value == again.state.value == "running"
    assert _given_up(ledger, timedelta(minutes=5), again) == []


def test_a_run_whose_worker_and_step_were_killed_is_given_up_though_dagster_sees_it_running(
    ledger: Ledger, worker: int, tmp_path: Path
) -> None:
    run_id = _run_id()
    step = rows_of(ledger, run_id).one("slow_load.load")
    _beaten(ledger, step.run_key)
    _beaten(ledger, run_id)
    _kill(int((tmp_path / "started").read_text()))
    _kill(worker)
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.STARTED
        reconcile(instance)
    assert {s.state.value for s in (rows_of(ledger, run_id).run, step)} == {"running"}

    found: list[Abandoned] = []
    last = ledger.read.execution(str(step.run_key)).heartbeat_at
    assert last is not None
    reap(
        ledger.database,
        older_than=timedelta(hours=1),
        silent_for=timedelta(days=7),
        found=found.append,
        now=last + timedelta(hours=2),
    )
    assert {str(a.run_key) for a in found} == {run_id, str(step.run_key)}
    rows = rows_of(ledger, run_id)
    assert rows.run.state.value == rows.one("slow_load.load").state.value == "abandoned"
    assert rows.run.state_detail == "no heartbeat for 1 hour"
    assert rows.one("slow_load.quick").state.value == "success"


def test_a_step_that_outlives_its_run_worker_keeps_its_own_signs_of_life(
    ledger: Ledger, worker: int, tmp_path: Path
) -> None:
    run_id = _run_id()
    step = rows_of(ledger, run_id).one("slow_load.load")
    _beaten(ledger, run_id)
    _kill(worker)
    last = ledger.read.execution(run_id)
    assert last.heartbeat_at is not None
    alive_until = last.heartbeat_at + timedelta(seconds=3)

    def outlived() -> ExecutionView | None:
        row = ledger.read.execution(str(step.run_key))
        return row if row.heartbeat_at is not None and row.heartbeat_at > alive_until else None

    alive = wait_for(outlived, "signs of life of the orphan")
    (given_up,) = _given_up(ledger, timedelta(seconds=2), alive)
    assert str(given_up.run_key) == run_id
    assert ledger.read.execution(str(step.run_key)).state.value == "running"
    (tmp_path / "release").touch()
    wait_for(
        lambda: ledger.read.execution(str(step.run_key)).state.value == "success",
        "the orphan's own word",
    )


def test_no_thread_is_left_when_a_run_has_ended(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    seen: list[int] = []

    def heartbeats() -> int:
        return sum(t.name == "pipeledger-heartbeat" for t in threading.enumerate())

    @dg.op
    def count() -> None:
        seen.append(heartbeats())

    @dg.job
    def counted() -> None:
        count()

    before = heartbeats()
    for seconds in (60.0, 0.0):
        defs = watch(dg.Definitions(jobs=[counted]), PipeledgerResource(heartbeat_seconds=seconds))
        assert defs.resolve_job_def("counted").execute_in_process(instance=instance).success
        wait_for(lambda: heartbeats() == before, "the thread to end")
    assert seen == [before + 1, before]


def test_an_interval_that_makes_no_sense_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValidationError):
        PipeledgerResource(heartbeat_seconds=-1)


def test_a_run_that_ended_without_this_process_hearing_of_it_is_not_said_to_be_alive(
    ledger: Ledger,
) -> None:
    over = threading.Event()
    beats = Heartbeats(ledger, 0.05, over.is_set)
    key, pipeline = uuid4(), PipelineRef("job")
    ledger.record(PipelineReport(pipeline, times.now()))
    beats.enter(key, pipeline)
    wait_for(lambda: ledger.read.executions(limit=5).items, "a heartbeat")
    over.set()
    wait_for(lambda: beats._thread is None, "the end of the thread")
    last = ledger.read.execution(str(key)).heartbeat_at
    beats._beat()
    assert ledger.read.execution(str(key)).heartbeat_at == last
