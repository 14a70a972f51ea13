"""A real `airflow standalone`: what happens to whole DAG runs, compared with Airflow's own database.

One Airflow for all tests; the fixture makes everything happen at once and waits for all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from airflow_happened import RECORDED, Happened, differences, reconcile
from airflow_ledger import Recorded
from airflow_standalone import Standalone, running, wait_for

from pipeledger.model.keys import airflow_task_key

pytestmark = pytest.mark.scenario

DAGS = {
    "tasks",
    "marked",
    "run_marked",
    "overtime",
    "cleared",
    "cleared_while_running",
    "lost",
    "triggering",
    "triggered",
    "on_asset",
    "opted_out",
    "opted_out_by_param",
    "says_it_by_param",
    "backfilled",
    "waiting",
    "shrinking",
    "pipeledger_monitoring",
}


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Happened]:
    home = tmp_path_factory.mktemp("airflow")
    gates = home / "gates"
    gates.mkdir()
    environment = {
        "COVERAGE_GATES": str(gates),
        "PIPELEDGER_DATABASE_URL": f"sqlite:///{home / 'ledger.db'}",
        "PIPELEDGER_SPOOL_DIR": str(home / "spool"),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    }
    dags = Path(__file__).parent / "scenario_dags"
    with running(home, dags, environment) as airflow:
        happened = Happened(airflow, Recorded(home / "ledger.db"))
        airflow.wait_until_ready(DAGS)
        make_it_happen(airflow, gates)
        wait_for(
            "the ledger to equal Airflow",
            lambda: not differences(happened, happened.recorded),
            30,
            lambda: differences(happened, happened.recorded),
        )
        yield happened
        # No hook of ours broke the scheduler's transaction, and none made it to a log as an error.
        for sign in ("UNEXPECTED COMMIT", "error calling listener", "was not recorded"):
            assert sign not in airflow.log()


def make_it_happen(airflow: Standalone, gates: Path) -> None:
    """One thing after the other: a call to the REST API that meets a busy SQLite blocks Airflow's
    API server, because it logs the call on its event loop (``action_logging``, seen in 3.3.2)."""
    airflow.trigger("cleared", "r1")
    airflow.wait_for_end("cleared", "r1")
    airflow.clear("cleared", "r1")
    airflow.wait_for_end("cleared", "r1")

    airflow.trigger("marked", "r1")
    for task_id in ("to_be_failed", "to_be_succeeded"):
        airflow.wait_for_task("marked", "r1", task_id, "running")
    airflow.set_task("marked", "r1", "to_be_failed", "failed")
    airflow.set_task("marked", "r1", "to_be_succeeded", "success")
    airflow.wait_for_end("marked", "r1")

    airflow.trigger("run_marked", "r1")
    airflow.wait_for_task("run_marked", "r1", "waits", "running")
    airflow.patch("dags/run_marked/dagRuns/r1", {"state": "failed"})
    airflow.wait_for_end("run_marked", "r1")

    airflow.trigger("cleared_while_running", "r1")
    airflow.wait_for_task("cleared_while_running", "r1", "quick", "success")
    airflow.wait_for_task("cleared_while_running", "r1", "waits", "running")
    airflow.clear("cleared_while_running", "r1", task_ids=["quick"])
    airflow.wait_for_task("cleared_while_running", "r1", "quick", "success", try_number=2)
    (gates / "finish_cleared").touch()
    airflow.wait_for_end("cleared_while_running", "r1")

    airflow.trigger("shrinking", "r1")
    airflow.wait_for_task("shrinking", "r1", "stays", "running")
    (gates / "shrunk").touch()
    removed = "SELECT 1 FROM task_instance WHERE task_id = 'goes' AND state = 'removed'"
    wait_for("the task to be removed", lambda: airflow.rows(removed))
    (gates / "finish_shrinking").touch()
    airflow.wait_for_end("shrinking", "r1")

    airflow.post(
        "backfills",
        {
            "dag_id": "backfilled",
            "from_date": "2026-01-01T00:00:00Z",
            "to_date": "2026-01-03T00:00:00Z",
            "max_active_runs": 2,
        },
    )
    airflow.trigger("overtime", "r1")
    airflow.trigger("lost", "r1")
    airflow.trigger("opted_out", "r1")
    airflow.trigger("opted_out_by_param", "r1")
    airflow.trigger("says_it_by_param", "r1")
    airflow.trigger("waiting", "r1")
    airflow.trigger("tasks", "r1", {"region": "west", "password": "hunter2"})
    airflow.trigger("triggering", "r1")
    for dag_id in ("overtime", "lost", "waiting", "tasks", "triggering", "says_it_by_param"):
        airflow.wait_for_end(dag_id, "r1")
    unfinished = "SELECT 1 FROM dag_run WHERE state IN ('queued', 'running')"
    wait_for("all runs to end", lambda: not airflow.rows(unfinished))
    airflow.trigger("pipeledger_monitoring", "r1")
    airflow.wait_for_end("pipeledger_monitoring", "r1")


def test_every_try_and_every_run_has_airflows_own_state(happened: Happened) -> None:
    assert len(happened.tries()) > 40
    assert differences(happened, happened.recorded) == []


def test_every_try_lies_inside_a_run_of_its_dag(happened: Happened) -> None:
    for row in happened.tries():
        recorded = happened.recorded.task(
            row["task_id"],
            row["try_number"],
            row["map_index"],
            dag_id=row["dag_id"],
            run_id=row["run_id"],
        )
        assert recorded is not None and recorded.parent is not None
        parent = happened.recorded.execution(recorded.parent)
        assert parent is not None and parent.pipeline == row["dag_id"]


def test_a_round_of_monitoring_succeeds_and_finds_every_dag_that_failed_last(
    happened: Happened,
) -> None:
    assert happened.airflow.run_state("pipeledger_monitoring", "r1") == "success"
    last = "SELECT dag_id, state, max(id) FROM dag_run GROUP BY dag_id"
    failed = {row["dag_id"] for row in happened.airflow.rows(last) if row["state"] == "failed"}
    found = happened.recorded.rows(
        "SELECT p.name FROM finding f JOIN pipeline p ON p.id = f.pipeline_id"
        " JOIN pipeline_type t ON t.id = p.pipeline_type_id"
        " WHERE f.check_name = 'failed' AND f.state = 'open' AND t.name = 'airflow_dag'"
    )
    assert {row["name"] for row in found} == failed >= {"run_marked", "overtime"}


def test_nothing_else_is_recorded(happened: Happened) -> None:
    recorded = happened.recorded.rows("SELECT count(*) AS n FROM pipeline_execution")[0]["n"]
    runs = happened.airflow.rows(
        f"SELECT sum(clear_number + 1) AS n FROM dag_run WHERE {RECORDED}"
    )[0]["n"]
    backfills = happened.airflow.rows("SELECT count(*) AS n FROM backfill")[0]["n"]
    assert recorded == len(happened.tries()) + runs + backfills


def test_a_retry_is_two_executions_and_the_second_names_the_first(happened: Happened) -> None:
    first, second = happened.task("tasks", "fails_once", 1), happened.task("tasks", "fails_once", 2)
    assert (first.state, second.state) == ("failed", "success")
    assert second.previous == first.key
    assert first.error == ("RuntimeError", "not yet")


@pytest.mark.parametrize(
    "task_id", ["not_chosen", "not_reached", "after_a_skip", "doubles_nothing"]
)
def test_what_the_scheduler_skips_is_skipped(happened: Happened, task_id: str) -> None:
    task = happened.task("tasks", task_id, 0)
    assert (task.state, task.detail) == ("skipped", None)


def test_a_task_behind_a_failure_is_skipped_in_airflows_words(happened: Happened) -> None:
    task = happened.task("tasks", "after_a_failure", 0)
    assert (task.state, task.detail) == ("skipped", "upstream_failed")
    assert task.attributes["operator"] == "EmptyOperator"


def test_an_empty_operator_that_no_process_runs_is_recorded(happened: Happened) -> None:
    assert happened.task("tasks", "empty").state == "success"
    assert happened.task("tasks", "empty_with_outlet").state == "success"


@pytest.mark.parametrize("task_id", ["kills_itself", "leaves_without_a_word"])
def test_a_process_that_dies_without_a_word_is_a_failure(happened: Happened, task_id: str) -> None:
    task = happened.task("tasks", task_id)
    assert task.state == "failed"
    assert task.attributes["operator"] == "@task"  # as the process said at its start


def test_a_task_whose_worker_dies_fails_and_its_next_try_follows(happened: Happened) -> None:
    lost, next_try = (
        happened.task("lost", "loses_its_worker"),
        happened.task("lost", "loses_its_worker", 2),
    )
    assert lost.state == "failed" and lost.error is not None
    assert (next_try.state, next_try.previous) == ("success", lost.key)


def test_deferred_and_rescheduled_tasks_are_one_execution(happened: Happened) -> None:
    for task_id in ("defers", "pokes_twice"):
        found = happened.recorded.executions(f"tasks.{task_id}")
        assert [(task.state, task.attempt, task.error) for task in found] == [("success", 1, None)]


@pytest.mark.parametrize("task_id", ["defers_twice", "pokes_thrice"])
def test_the_time_of_a_try_that_pauses_is_split_into_running_and_waiting(
    happened: Happened, task_id: str
) -> None:
    task = happened.task("waiting", task_id)
    noted = (happened.airflow.home / "gates" / f"times of {task_id}").read_text().split()
    began_and_stopped = [float(each) for each in noted[1::2]]
    assert len(began_and_stopped) == 6
    own = [b - a for a, b in pairwise(began_and_stopped)]
    ran, waited = sum(own[0::2]), sum(own[1::2])
    running, waiting = task.metadata["running_seconds"], task.metadata["waiting_seconds"]
    # A part runs from before the task's code until after it; the rest of the whole is waiting.
    assert ran <= running and 0 < waiting <= waited
    assert task.started_at is not None and task.ended_at is not None
    whole = datetime.fromisoformat(task.ended_at) - datetime.fromisoformat(task.started_at)
    assert running + waiting == pytest.approx(whole.total_seconds(), abs=0.01)
    # Airflow's own log of state changes, as another witness: from stopped to running again. It writes
    # the one before our hook is called, and the other after the process has begun.
    states = happened.airflow.rows(
        "SELECT event, dttm FROM log WHERE dag_id = 'waiting' AND run_id = 'r1' AND task_id = ?"
        " AND event IN ('running', 'deferred', 'up_for_reschedule') ORDER BY id",
        task_id,
    )
    times = [datetime.fromisoformat(row["dttm"]) for row in states]
    assert [row["event"] for row in states][::2] == ["running"] * 3
    by_airflow = sum((b - a).total_seconds() for a, b in zip(times[1::2], times[2::2], strict=True))
    # Roughly: each of its times is late by as long as the API server took, more on a busy machine.
    assert by_airflow / 2 < waiting < by_airflow * 1.5


def test_what_a_part_of_a_deferred_try_said_is_kept(happened: Happened) -> None:
    metadata = happened.task("waiting", "defers_twice").metadata
    assert metadata["said"] == "in the second part"
    assert "paused" not in metadata


def test_a_removed_task_is_skipped_in_airflows_words(happened: Happened) -> None:
    task = happened.task("shrinking", "goes", 0)
    assert (task.state, task.detail) == ("skipped", "removed")
    assert happened.run("shrinking").state == "success"


def test_the_runs_of_a_backfill_run_inside_it(happened: Happened) -> None:
    (backfill,) = happened.recorded.executions("backfill/backfilled")
    runs = happened.recorded.executions("backfilled")
    assert len(runs) == 3
    assert {run.parent for run in runs} == {backfill.key}
    assert (backfill.state, backfill.parent) == ("success", None)
    assert backfill.ended_at == max(str(run.ended_at) for run in runs)
    assert backfill.attributes["reprocess_behavior"] == "none"
    assert backfill.attributes["from_date"].startswith("2026-01-01T00:00:00")
    declared = happened.recorded.pipeline("backfill/backfilled")
    assert (declared["type"], declared["group_name"]) == ("airflow_backfill", "airflow")


def test_rows_and_windows_survive_the_reconciliation(happened: Happened) -> None:
    assert happened.task("tasks", "succeeds").counts == (3, None, None, None)
    assert happened.task("tasks", "loads").next_watermark == "10"
    assert happened.recorded.watermark("tasks.loads") == "10"


def test_a_task_marked_by_hand_has_the_persons_word(happened: Happened) -> None:
    failed = happened.task("marked", "to_be_failed")
    assert failed.state == "failed"
    assert failed.error is not None and "manually" in failed.error[1]
    assert happened.task("marked", "to_be_succeeded").state == "success"
    assert happened.task("marked", "after_success").state == "success"


def test_a_run_marked_failed_by_hand_ends_its_tasks(happened: Happened) -> None:
    assert happened.run("run_marked").state == "failed"
    assert happened.task("run_marked", "waits").state == "failed"


def test_a_run_out_of_time_says_so(happened: Happened) -> None:
    run = happened.run("overtime")
    assert (run.state, run.detail) == ("failed", "timed_out")


def test_a_cleared_run_is_a_second_execution_that_names_the_first(happened: Happened) -> None:
    first, second = happened.run("cleared"), happened.run("cleared", 1)
    assert (first.state, second.state) == ("failed", "success")
    assert (second.previous, second.attempt) == (first.key, 2)
    assert happened.task("cleared", "second", 1).parent == first.key
    assert happened.task("cleared", "second", 2).parent == second.key


def test_a_run_cleared_while_it_runs_leaves_nothing_open(happened: Happened) -> None:
    first, second = happened.run("cleared_while_running"), happened.run("cleared_while_running", 1)
    assert (first.state, first.detail, second.state) == ("success", "cleared", "success")
    assert happened.task("cleared_while_running", "quick", 1).parent == first.key
    assert happened.task("cleared_while_running", "quick", 2).parent == second.key


@pytest.mark.parametrize("task_id", ["and_goes_on", "and_waits", "and_defers"])
def test_a_triggered_run_runs_inside_the_try_that_triggered_it(
    happened: Happened, task_id: str
) -> None:
    parent = airflow_task_key("default", "triggering", "r1", task_id, -1, 1)
    children = [e for e in happened.recorded.executions("triggered") if e.parent == parent]
    assert [child.state for child in children] == ["success"]


def test_a_run_that_an_asset_set_off_points_to_its_cause(happened: Happened) -> None:
    (run,) = happened.recorded.executions("on_asset")
    (cause,) = run.attributes["caused_by"]
    assert (cause["dag_id"], cause["run_id"], cause["task_id"]) == (
        "tasks",
        "r1",
        "empty_with_outlet",
    )


def test_a_run_says_how_it_came_about_without_secrets(happened: Happened) -> None:
    attributes = happened.run("tasks").attributes
    assert attributes["run_type"] == "manual"
    assert attributes["conf"] == {"region": "west", "password": "***"}
    assert "coverage" in attributes["tags"]


def test_a_dag_declares_its_task_graph_and_itself(happened: Happened) -> None:
    dag = happened.recorded.pipeline("tasks")
    assert (dag["type"], dag["group_name"]) == ("airflow_dag", "airflow")
    assert (dag["timeliness_number"], dag["timeliness_datepart"]) == (2, "hour")
    assert dag["pipeline_metadata"]["description"] == "one task for each way to end"
    assert ("tasks.branches", "tasks.not_chosen") in happened.recorded.dependencies("tasks")
    assert ("tasks.numbers", "tasks.doubles") in happened.recorded.dependencies("tasks")
    task = happened.recorded.pipeline("tasks.empty_with_outlet")
    assert (task["type"], task["pipeline_metadata"]["operator"]) == (
        "airflow_task",
        "EmptyOperator",
    )


def test_inlets_and_outlets_are_lineage_without_a_run(happened: Happened) -> None:
    edges = happened.recorded.edges("tasks.empty_with_outlet")
    assert edges == {("/coverage/landed.csv", "/coverage/loaded.csv")}


def test_a_run_names_the_configuration_it_ran_under(happened: Happened) -> None:
    declared = happened.recorded.pipeline("tasks")["configuration_hash"]
    rows = happened.recorded.rows(
        "SELECT e.configuration_hash AS h FROM pipeline_execution e"
        " JOIN pipeline p ON p.id = e.pipeline_id WHERE p.name = 'tasks'"
    )
    assert [row["h"] for row in rows] == [declared]


def test_a_dag_that_opts_out_is_not_recorded(happened: Happened) -> None:
    ran = happened.airflow.rows("SELECT 1 FROM dag_run WHERE dag_id LIKE 'opted%'")
    assert len(ran) == 2
    assert not {name for name in happened.recorded.pipelines() if name.startswith("opted")}


def test_params_declare_what_tags_do_and_count_more(happened: Happened) -> None:
    dag = happened.recorded.pipeline("says_it_by_param")
    assert dag["type"] == "load"
    assert (dag["freshness_number"], dag["freshness_datepart"]) == (1, "day")
    assert happened.recorded.pipeline("says_it_by_param.quick")["watermark_kind"] == "text"
    assert "tag 'pipeledger:typo=1' of DAG says_it_by_param is left out" in happened.airflow.log()


def test_nothing_is_left_waiting(happened: Happened) -> None:
    waiting = happened.recorded.path.parent / "spool"
    wait_for("the spool to be empty", lambda: not list(waiting.glob("*.spool")), 10)
    assert not list(waiting.glob("*.rejected"))


def test_catching_up_over_rest_gives_an_empty_ledger_the_same_states(happened: Happened) -> None:
    ledger = happened.recorded.path.with_name("caught_up.db")
    caught_up = reconcile(happened, ledger)
    runs = happened.airflow.rows(f"SELECT count(*) AS n FROM dag_run WHERE {RECORDED}")
    assert (caught_up["runs"], caught_up["tries"]) == (runs[0]["n"], len(happened.tries()))
    assert differences(happened, Recorded(ledger), cleared=False) == []


def test_catching_up_over_rest_adds_nothing_to_what_the_hooks_recorded(happened: Happened) -> None:
    everything = (
        "SELECT e.run_key, e.state, e.state_detail, e.start_date, e.inserts, e.next_watermark,"
        " e.attributes, p.run_key AS parent FROM pipeline_execution e"
        " LEFT JOIN pipeline_execution p ON p.id = e.parent_id ORDER BY 1"
    )
    before = [tuple(row) for row in happened.recorded.rows(everything)]
    reconcile(happened, happened.recorded.path)
    assert [tuple(row) for row in happened.recorded.rows(everything)] == before
