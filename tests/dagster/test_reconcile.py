"""Reconciliation: rows from Dagster's event log, for what no live process reported."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster_ledger import rows_of, wait_for
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipeledger.ledger import Ledger
from pipeledger.model.keys import dagster_backfill_key, random_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger_dagster import Cursor, Options, build_reconcile_sensor, reconcile, watch

Start = Callable[..., subprocess.Popen[bytes]]


@dg.asset(metadata={"dagster/uri": "s3://lake/numbers"})
def numbers() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


@dg.asset(deps=[numbers])
def sums() -> None: ...


@dg.op
def one() -> int:
    return 1


@dg.job
def plain() -> None:
    one()


unwatched = dg.Definitions(assets=[numbers, sums], jobs=[plain])


def _run_plain(instance: dg.DagsterInstance) -> str:
    return unwatched.resolve_job_def("plain").execute_in_process(instance=instance).run_id


def _tick(
    instance: dg.DagsterInstance, defs: dg.Definitions, cursor: str | None = None
) -> tuple[str, str]:
    """One evaluation of the sensor: its cursor and what it said."""
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources=defs.resources,
        repository_def=defs.get_repository_def(),
    )
    data = build_reconcile_sensor().evaluate_tick(context)
    assert data.cursor is not None and data.skip_message is not None
    return data.cursor, data.skip_message


def test_runs_from_before_the_integration_are_read_and_move_no_watermark(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    job = unwatched.resolve_implicit_global_asset_job_def()
    run_id = job.execute_in_process(instance=instance).run_id
    tick = reconcile(instance)
    assert (tick.runs, tick.has_more) == (1, False)
    rows = rows_of(ledger, run_id)
    assert rows.run.pipeline_type == "dagster_job"
    assert [(s.name, s.pipeline_type, s.state.value) for s in rows.steps] == [
        ("numbers", "dagster_asset", "success"),
        ("sums", "dagster_asset", "success"),
    ]
    assert rows.one("numbers").counts.total_rows == 3
    # No definitions at hand: the definition's address is unknown, the upstream asset is not.
    assert [str(use.address) for use in rows.one("sums").inputs] == ["dagster:numbers"]


def test_the_sensor_reads_each_run_once_and_goes_on_where_it_stopped(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = watch(unwatched)
    first = _run_plain(instance)
    cursor, said = _tick(instance, defs)
    assert said.startswith("1 runs read")
    cursor, said = _tick(instance, defs, cursor)
    assert said.startswith("0 runs read")
    second = _run_plain(instance)
    cursor, said = _tick(instance, defs, cursor)
    assert said.startswith("1 runs read")
    assert {str(view.run_key) for view in ledger.read.executions(top_level=True).items} == {
        first,
        second,
    }


def test_the_sensor_registers_assets_that_never_ran(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = watch(dg.Definitions(assets=[numbers, sums, dg.AssetSpec("dashboard", deps=[sums])]))
    _tick(instance, defs)
    kinds = {str(view.pipeline): view.type for view in ledger.read.pipelines().items}
    assert kinds == {
        "numbers": "dagster_asset",
        "sums": "dagster_asset",
        "dashboard": "dagster_external_asset",
    }


def test_the_sensor_delivers_what_steps_left_in_the_spool(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    key = random_key()
    now = datetime.now(timezone.utc)
    waiting = ExecutionReport(key, now, pipeline=PipelineRef("waiting"), state=State.RUNNING)
    ledger.spool.append([waiting])
    _tick(instance, watch(unwatched))
    assert ledger.read.execution(key).name == "waiting"


def test_a_tick_is_bounded_and_the_next_one_takes_the_rest(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    ids = {_run_plain(instance) for _ in range(5)}
    cursor = Cursor()
    ticks = 0
    while True:
        tick = reconcile(instance, Options(), Cursor.parse(str(cursor)), limit=2)
        assert tick.runs <= 2
        cursor, ticks = tick.cursor, ticks + 1
        if not tick.has_more:
            break
    assert 3 <= ticks <= 5
    assert {str(view.run_key) for view in ledger.read.executions(top_level=True).items} == ids


def test_a_tick_finds_the_runs_that_changed_by_an_index(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    _run_plain(instance)
    sent: list[tuple[str, Any]] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        if "FROM runs" in statement:
            sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert reconcile(instance).runs == 1
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    (runs,) = Path(instance.root_directory).rglob("runs.db")
    with closing(sqlite3.connect(runs)) as database:
        plans = [
            str(database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())
            for statement, parameters in sent
        ]
    assert any("update_timestamp>?" in plan for plan in plans)
    assert not any("SCAN runs" in plan for plan in plans), plans


def test_a_cursor_that_cannot_be_read_begins_again(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    _run_plain(instance)
    assert reconcile(instance, cursor=Cursor.parse("not json")).runs == 1
    assert reconcile(instance, cursor=Cursor.parse('{"seen": 3}')).runs == 1


def test_a_backfill_ends_when_dagster_says_so(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    backfill = PartitionBackfill(
        backfill_id="bf1",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=1_700_000_000.0,
        partition_set_origin=None,
        partition_names=["a", "b"],
    )
    instance.add_backfill(backfill)
    job = unwatched.resolve_job_def("plain")
    run_id = job.execute_in_process(instance=instance, tags={"dagster/backfill": "bf1"}).run_id
    key = dagster_backfill_key("bf1")
    tick = reconcile(instance)
    assert ledger.read.execution(key).state.value == "running"
    assert ledger.read.execution(run_id).parent == key
    done = backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS)
    instance.update_backfill(done.with_end_timestamp(1_700_000_100.0))
    tick = reconcile(instance, cursor=Cursor.parse(str(tick.cursor)))
    ended = ledger.read.execution(key)
    assert (ended.state.value, ended.duration_seconds) == ("success", 100.0)
    assert json.loads(str(tick.cursor))["backfills"] == []


def test_a_run_is_followed_until_it_ends(
    ledger: Ledger, dagster_home: Path, start: Start, tmp_path: Path
) -> None:
    start(sys.executable, "-m", "projects.blocking", "unwatched", BLOCKING_FOLDER=str(tmp_path))
    wait_for((tmp_path / "started").exists, "the step's start")
    with dg.DagsterInstance.get() as instance:
        tick = reconcile(instance)
        (run_id,) = [r.run_id for r in instance.get_runs()]
        rows = rows_of(ledger, run_id)
        assert rows.states() == {
            ("slow.quick", 1): ("success", "success"),
            ("slow.waits", 1): ("running", ""),
        }
        assert reconcile(instance, cursor=tick.cursor).runs == 0

        (tmp_path / "release").touch()
        wait_for(lambda: instance.get_run_by_id(run_id).is_finished, "the run's end")
        assert reconcile(instance, cursor=tick.cursor).runs == 1
        rows = rows_of(ledger, run_id)
        assert rows.run.state.value == "success"
        assert rows.one("slow.waits").state.value == "success"
        assert tick.cursor.open == {}


def test_a_step_that_outlives_its_killed_run_worker_is_abandoned_until_it_speaks(
    ledger: Ledger, dagster_home: Path, start: Start, tmp_path: Path
) -> None:
    worker = start(
        sys.executable, "-m", "projects.blocking", "watched", BLOCKING_FOLDER=str(tmp_path)
    )
    wait_for((tmp_path / "started").exists, "the step's start")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        # What the code server or the daemon writes when it finds the run worker gone.
        instance.report_run_failed(run, "the run worker is gone")
        tick = reconcile(instance)
        rows = rows_of(ledger, run.run_id)
        assert (rows.run.state.value, rows.run.state_detail) == ("failed", "failure")
        assert rows.one("slow_load.quick").state.value == "success"
        assert rows.one("slow_load.load").state.value == "abandoned"
        assert run.run_id in tick.cursor.open

        (tmp_path / "release").touch()
        wait_for(
            lambda: rows_of(ledger, run.run_id).one("slow_load.load").state.value == "success",
            "the orphan's own word",
        )
        assert ledger.watermark("slow_load.load").native == 17
        reconcile(instance, cursor=tick.cursor)
        assert rows_of(ledger, run.run_id).one("slow_load.load").state.value == "success"
        assert rows_of(ledger, run.run_id).run.state.value == "failed"


def test_the_command_reconciles_an_instance_and_remembers_where_it_stopped(
    ledger: Ledger, dagster_home: Path, tmp_path: Path
) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeledger_dagster", "reconcile", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )

    with dg.DagsterInstance.get() as instance:
        run_id = _run_plain(instance)
    first = command("--json")
    assert (first.returncode, json.loads(first.stdout)["runs"]) == (0, 1), first.stderr
    assert rows_of(ledger, run_id).run.state.value == "success"
    assert json.loads(command("--json").stdout)["runs"] == 0
    assert json.loads(command("--json", "--run", run_id).stdout)["runs"] == 1
    unknown = command("--run", "no-such-run")
    assert unknown.returncode == 1
    assert "has no run 'no-such-run'" in unknown.stderr and "Traceback" not in unknown.stderr
    wrong = command("--since", "yesterday")
    assert wrong.returncode == 1 and "expected ISO 8601" in wrong.stderr
