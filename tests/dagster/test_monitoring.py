"""The monitoring job: a round in one process, in a run of its own, and on its schedule."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster_ledger import rows_of

from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput
from pipeledger.model.state import State
from pipeledger_dagster import PipeledgerResource, monitoring_definitions, watch

NAME = "pipeledger_monitoring"
STEPS = ["spool", "reap", "probes", "check", "alerts", "prune"]


@dg.asset
def orders() -> None: ...


def execute(defs: dg.Definitions, instance: dg.DagsterInstance, job: str = NAME) -> Any:
    found = defs.resolve_job_def(job)
    return found.execute_in_process(instance=instance, raise_on_error=False)


def metadata(result: Any) -> dict[str, dict[str, Any]]:
    """What each op says of itself."""
    return {
        event.step_key: {k: v.value for k, v in event.step_output_data.metadata.items()}
        for event in result.all_events
        if event.event_type_value == "STEP_OUTPUT"
    }


def started(result: Any) -> list[str]:
    return [e.step_key for e in result.all_events if e.event_type_value == "STEP_START"]


def fail(ledger: Ledger, pipeline: str) -> None:
    with pytest.raises(OSError), ledger.execution(pipeline):
        raise OSError("no space left")


def test_a_round_does_its_steps_in_order_and_shows_what_it_found(
    ledger: Ledger,
    database_url: str,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", database_url)
    here = Ledger()
    fail(here, "load")
    defs = watch(
        dg.Definitions.merge(
            dg.Definitions(assets=[orders]), monitoring_definitions(prune_older_than="90d")
        )
    )
    result = execute(defs, instance)
    assert (result.success, started(result)) == (True, STEPS)
    said = metadata(result)
    assert (said["check"]["open"], said["check"]["said"]) == (1, "1 finding open")
    # Where numpy is not installed, the one check that needs it says so in a line before.
    assert "- error: failed of load: failed at " in said["check"]["lines"]
    assert (said["prune"]["said"], said["prune"]["executions"]) == (
        "0 runs in 0 trees deleted",
        0,
    )
    rows = rows_of(here, result.run_id)
    assert (rows.run.name, rows.run.state) == (NAME, State.SUCCESS)
    assert [step.name for step in rows.steps] == [f"{NAME}.{name}" for name in STEPS]
    assert here.read.pipeline(NAME).schedule == "*/5 * * * *"


def test_a_step_that_fails_is_red_stops_no_other_and_fails_the_run(
    ledger: Ledger, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(ledger, "load")
    monkeypatch.setenv("PIPELEDGER_CONFIG", str(tmp_path / "absent.toml"))
    result = execute(monitoring_definitions(prune_older_than="90d"), instance)
    assert (result.success, started(result)) == (False, STEPS)
    failed = {e.step_key: e.step_failure_data for e in result.all_events if e.is_step_failure}
    assert sorted(failed) == ["alerts", "probes"]
    reason = failed["alerts"].user_failure_data.description
    assert reason == (
        f"the configuration {tmp_path / 'absent.toml'} cannot be read (No such file or directory)"
    )
    # What fails here is recorded as everywhere, so the checks see the step before them as well.
    assert metadata(result)["check"]["open"] == 2


def test_a_ledger_that_is_away_fails_the_round_and_no_other_run(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:9/ledger")
    monkeypatch.setenv("PIPELEDGER_DATA_DIR", str(tmp_path / "data"))
    job = dg.define_asset_job("orders_job", [orders])
    defs = watch(
        dg.Definitions.merge(dg.Definitions(assets=[orders], jobs=[job]), monitoring_definitions())
    )
    assert execute(defs, instance, "orders_job").success
    result = execute(defs, instance)
    assert not result.success
    failed = {
        e.step_key: e.step_failure_data.user_failure_data.description
        for e in result.all_events
        if e.is_step_failure
    }
    assert {"reap", "check"} <= set(failed)
    for reason in failed.values():
        assert reason.startswith("the ledger postgresql://127.0.0.1:9/ledger cannot be reached")
        assert "\n" not in reason and "hunter2" not in reason


def test_a_round_in_a_process_of_its_own_delivers_what_its_host_left(
    ledger: Ledger,
    dagster_home: Path,
    start: Callable[..., "Popen[bytes]"],
    tmp_path: Path,
) -> None:
    fail(ledger, "load")
    ledger.spool.append([_ended(ledger, "waits")])
    command = (sys.executable, "-m", "dagster", "job", "execute", "-m", "projects.monitored")
    process = start(*command, "-j", NAME)
    assert process.wait(300) == 0, (tmp_path / "process-0.log").read_text()[-4000:]
    assert ledger.spool.status().reports == 0
    assert ledger.read.executions(pipeline="waits", limit=2).items[0].state is State.FAILED
    (run,) = ledger.read.executions(pipeline=NAME, limit=2).items
    assert run.state is State.SUCCESS


def _ended(ledger: Ledger, pipeline: str) -> Any:
    from pipeledger.model.keys import random_key
    from pipeledger.model.pipeline import PipelineRef
    from pipeledger.model.report import ExecutionReport

    now = times.now()
    return ExecutionReport(
        random_key(), now, pipeline=PipelineRef(pipeline), state=State.FAILED, ended_at=now
    )


def test_the_multiprocess_executor_of_a_location_leaves_the_round_in_one_process(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    from projects import monitored

    job = dg.reconstructable(monitored.monitoring_job)
    with dg.execute_job(job, instance=instance) as result:
        assert result.success
    assert started(result) == STEPS
    assert {step.name for step in rows_of(ledger, result.run_id).steps} == {
        f"{NAME}.{name}" for name in STEPS
    }


def test_the_schedule_runs_by_default_and_leaves_a_round_alone_that_goes_on(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = watch(monitoring_definitions("*/10 * * * *"))
    schedule = defs.get_repository_def().get_schedule_def(NAME)
    assert schedule.cron_schedule == "*/10 * * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING

    def tick() -> Any:
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=defs.get_repository_def(),
            scheduled_execution_time=times.now(),
        )
        return schedule.evaluate_tick(context)

    assert len(tick().run_requests) == 1
    run = create_run_for_test(instance, job_name=NAME, status=dg.DagsterRunStatus.STARTED)
    assert tick().skip_message == f"the round {run.run_id} is still going on"
    instance.report_run_failed(run)
    assert len(tick().run_requests) == 1


def test_a_round_that_was_lost_an_hour_ago_keeps_no_other_from_beginning(
    ledger: Ledger, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeledger_dagster import monitoring

    schedule = monitoring_definitions().get_repository_def().get_schedule_def(NAME)
    create_run_for_test(instance, job_name=NAME, status=dg.DagsterRunStatus.STARTED)
    monkeypatch.setattr(monitoring, "LONGEST", timedelta())
    context = dg.build_schedule_context(instance=instance)
    assert len(schedule.evaluate_tick(context).run_requests or ()) == 1


def test_it_merges_with_watched_definitions_and_their_resource(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LEDGER_URL", f"sqlite:///{tmp_path}/named.db")
    resource = PipeledgerResource(database_url=dg.EnvVar("LEDGER_URL"))
    job = dg.define_asset_job("orders_job", [orders])
    mine = dg.Definitions(assets=[orders], jobs=[job], resources={"pipeledger": resource})
    for defs in (
        watch(dg.Definitions.merge(mine, monitoring_definitions(resource=resource))),
        dg.Definitions.merge(watch(mine), monitoring_definitions(resource=resource)),
    ):
        dg.Definitions.validate_loadable(defs)
        assert execute(defs, instance, "orders_job").success
        result = execute(defs, instance)
        assert result.success
        recorded = rows_of(Ledger(f"sqlite:///{tmp_path}/named.db"), result.run_id)
        assert len(recorded.steps) == 5
    assert not (tmp_path / "data" / "ledger.db").exists()


def test_steps_are_left_out_and_a_wrong_plan_is_refused() -> None:
    defs = monitoring_definitions(spool=False, probes=False, alerts=False, checks=["failed"])
    job = defs.resolve_job_def(NAME)
    assert sorted(node.name for node in job.nodes) == ["check", "reap"]
    with pytest.raises(InvalidInput, match="check 'volumes' is unknown"):
        monitoring_definitions(checks=["volumes"])
