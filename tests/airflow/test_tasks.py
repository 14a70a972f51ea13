"""Tasks under Airflow's real supervisor and task runner, and what the ledger holds afterwards."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from urllib.parse import unquote

import psycopg2
import pytest
from airflow_ledger import Execution
from airflow_tries import TaskRunner, Tries

from pipeledger.model.keys import airflow_dag_run_key, airflow_task_key

RUN = airflow_dag_run_key("default", "cases", "run", 0)


@pytest.fixture(scope="module")
def tries(new_task_runner: TaskRunner) -> Tries:
    """One worker's work: every case once, in this order."""
    return new_task_runner.run(
        "succeeds",
        "fails",
        {"task_id": "fails_once", "try_number": 1, "retries_left": 1},
        {"task_id": "fails_once", "try_number": 2},
        "fails_for_good",
        "exits",
        "overruns",
        "skips",
        {"task_id": "doubles", "map_index": 0},
        {"task_id": "doubles", "map_index": 1},
        {"task_id": "group.inside", "queue": "wide"},
        "bash",
        "moves",
        "names_its_outlet",
        "copies_a_file",
        "sql",
        "uses_a_hook",
        "returns_counts",
        "says_counts",
        {"task_id": "loads_a_window", "run_id": "first", "conf": {"upto": 5}},
        {"task_id": "loads_a_window", "run_id": "second", "conf": {"upto": 9, "fail": True}},
        {"task_id": "loads_a_window", "run_id": "third", "conf": {"upto": 9}},
        "forks_while_recorded",
        "records_a_step",
        "describes_itself",
        "kills_itself",
        "defers",
        "pokes_twice",
        "triggers",
        {"task_id": "triggers", "run_id": "again", "clear_number": 2},
        {"task_id": "works", "dag_id": "left_out"},
        {"task_id": "asks", "dag_id": "left_out"},
    )


def one(found: Execution | None) -> Execution:
    assert found is not None, "nothing was recorded"
    return found


def test_a_task_that_succeeds_is_recorded_with_its_times(tries: Tries) -> None:
    task = one(tries.recorded.task("succeeds"))
    assert task.pipeline == "cases.succeeds"
    assert (task.state, task.attempt, task.error) == ("success", 1, None)
    assert task.started_at is not None and task.ended_at is not None
    assert task.started_at < task.ended_at


def test_a_task_runs_inside_its_dag_run(tries: Tries) -> None:
    assert one(tries.recorded.task("succeeds")).parent == RUN


def test_a_task_after_a_clear_runs_inside_the_cleared_run(tries: Tries) -> None:
    again = one(tries.recorded.task("triggers", run_id="again"))
    assert again.parent == airflow_dag_run_key("default", "cases", "again", 2)


def test_a_try_says_what_it_ran_as(tries: Tries) -> None:
    attributes = one(tries.recorded.task("group.inside")).attributes
    assert attributes["operator"] == "@task"
    assert attributes["owner"] == "data-team"
    assert attributes["pool"] == "default_pool"
    assert attributes["queue"] == "wide"
    assert attributes["tags"] == ["flights", "tests"]
    assert attributes["task_group"] == "group"
    assert attributes["host"]
    assert attributes["file"].endswith("cases.py")
    assert "/dags/cases/runs/run/tasks/group.inside" in attributes["log_url"]
    assert attributes["task_instance_id"] == tries.result("group.inside")["task_instance_id"]


def test_an_ordinary_operator_is_recorded_like_a_decorated_function(tries: Tries) -> None:
    task = one(tries.recorded.task("bash"))
    assert (task.state, task.attributes["operator"]) == ("success", "BashOperator")
    assert (tries.folder / "result").read_text() == "done"  # its own post_execute ran too


def test_a_failure_is_recorded_with_its_error_and_without_secrets(tries: Tries) -> None:
    task = one(tries.recorded.task("fails"))
    assert task.state == "failed"
    assert task.error == ("ValueError", "no such airport: password=***")


def test_every_try_is_an_execution_linked_to_the_one_before(tries: Tries) -> None:
    first, second = (
        one(tries.recorded.task("fails_once", 1)),
        one(tries.recorded.task("fails_once", 2)),
    )
    assert (first.state, first.detail, first.previous) == ("failed", "up_for_retry", None)
    assert first.error == ("RuntimeError", "not yet")
    assert (second.state, second.attempt, second.previous) == ("success", 2, first.key)


@pytest.mark.parametrize(
    ("task_id", "kind"),
    [
        ("fails_for_good", "airflow.sdk.exceptions.AirflowFailException"),
        ("exits", "SystemExit"),
        ("overruns", "airflow.sdk.exceptions.AirflowTaskTimeout"),
    ],
)
def test_every_way_to_fail_is_a_failure(tries: Tries, task_id: str, kind: str) -> None:
    task = one(tries.recorded.task(task_id))
    assert task.state == "failed"
    assert task.error is not None and task.error[0] == kind


def test_a_task_that_skips_itself_is_skipped(tries: Tries) -> None:
    task = one(tries.recorded.task("skips"))
    assert (task.state, task.error) == ("skipped", None)


def test_mapped_instances_are_executions_of_one_pipeline(tries: Tries) -> None:
    instances = tries.recorded.executions("cases.doubles")
    assert [each.attributes["map_index"] for each in instances] == [0, 1]
    assert [each.counts for each in instances] == [(1, None, None, 10), (2, None, None, 20)]


def test_a_deferred_try_is_one_execution(tries: Tries) -> None:
    assert tries.result("defers")["processes"] == 2
    (task,) = tries.recorded.executions("cases.defers")
    assert (task.state, task.metadata["resumed_with"]) == ("success", "resumed")
    assert task.counts == (3, None, None, None)


@pytest.mark.parametrize("task_id", ["defers", "pokes_twice"])
def test_a_try_that_pauses_says_how_long_it_ran_and_waited(tries: Tries, task_id: str) -> None:
    (task,) = tries.recorded.executions(f"cases.{task_id}")
    assert task.started_at is not None and task.ended_at is not None
    whole = datetime.fromisoformat(task.ended_at) - datetime.fromisoformat(task.started_at)
    running, waiting = task.metadata["running_seconds"], task.metadata["waiting_seconds"]
    assert 0 < running < whole.total_seconds()
    assert running + waiting == pytest.approx(whole.total_seconds(), abs=0.01)


def test_a_rescheduled_sensor_is_one_execution(tries: Tries) -> None:
    assert tries.result("pokes_twice")["processes"] == 2
    (task,) = tries.recorded.executions("cases.pokes_twice")
    assert (task.state, task.metadata["reschedules"]) == ("success", 1)


def test_a_killed_task_stays_running_until_airflow_is_asked(tries: Tries) -> None:
    assert one(tries.recorded.task("kills_itself")).state == "running"


def test_inlets_and_outlets_are_inputs_and_outputs(tries: Tries) -> None:
    task = one(tries.recorded.task("moves"))
    warehouse = f"sqlite://{tries.folder}/warehouse.db"
    assert task.inputs == [
        ("airflow", "a_name_and_nothing_else", None),
        ("file", "/landing/flights.csv", None),
    ]
    assert task.outputs == [(warehouse, "daily", None), (warehouse, "flights", 9)]
    assert task.counts == (None, None, None, 9)


def test_an_alias_becomes_the_asset_that_the_run_named(tries: Tries) -> None:
    task = one(tries.recorded.task("names_its_outlet"))
    assert task.outputs == [("s3://lake", "daily.parquet", 4)]
    assert tries.recorded.edges("cases.names_its_outlet") == {("flights", "daily.parquet")}


def test_files_that_a_task_copies_are_its_lineage(tries: Tries) -> None:
    edges = tries.recorded.edges("cases.copies_a_file")
    assert edges == {(f"{tries.folder}/in.txt", f"{tries.folder}/out.txt")}


def test_sql_is_recorded_rendered_and_with_the_rows_it_wrote(tries: Tries) -> None:
    task = one(tries.recorded.task("sql"))
    assert task.attributes["sql"].startswith("INSERT INTO daily SELECT id, '20")
    assert task.counts == (3, None, None, None)
    assert [name for _, name, _ in task.outputs] == ["daily"]


def test_rows_that_a_hook_wrote_are_counted_by_what_the_statement_did(tries: Tries) -> None:
    assert one(tries.recorded.task("uses_a_hook")).counts == (2, 2, None, None)


def test_a_returned_mapping_says_the_rows(tries: Tries) -> None:
    assert one(tries.recorded.task("returns_counts")).counts == (5, 2, 1, 70)


def test_what_a_task_says_by_call_wins_over_what_it_returns(tries: Tries) -> None:
    task = one(tries.recorded.task("says_counts"))
    assert task.counts == (11, 2, None, None)
    assert task.metadata == {"source": "ops", "batch": 5, "api_token": "***"}


def test_a_success_moves_the_watermark_to_the_end_of_its_window(tries: Tries) -> None:
    first, second, third = tries.recorded.executions("cases.loads_a_window")
    assert (first.state, first.watermark, first.next_watermark) == ("success", None, "5")
    assert (second.state, second.watermark, second.next_watermark) == ("failed", "5", "9")
    assert (third.state, third.watermark, third.next_watermark) == ("success", "5", "9")
    assert third.metadata == {"began_at": "5", "ends_at": "9"}
    assert tries.recorded.watermark("cases.loads_a_window") == "9"


def test_a_task_may_fork_after_it_asked_for_its_window(tries: Tries) -> None:
    assert tries.result("forks_while_recorded")["state"] == "success"
    assert one(tries.recorded.task("forks_while_recorded")).state == "success"


def test_what_a_task_records_itself_runs_inside_of_it(tries: Tries) -> None:
    (step,) = tries.recorded.executions("a_step")
    assert (step.state, step.parent) == ("success", one(tries.recorded.task("records_a_step")).key)


def test_a_task_knows_its_own_key(tries: Tries) -> None:
    assert tries.result("describes_itself")["returned"] == {
        "run_key": str(airflow_task_key("default", "cases", "run", "describes_itself", -1, 1)),
        "pipeline": "cases.describes_itself",
    }


def test_a_run_that_an_operator_triggers_runs_inside_the_try_that_triggered_it(
    tries: Tries,
) -> None:
    child = one(tries.recorded.run("child", "by-run"))
    assert child.parent == one(tries.recorded.task("triggers")).key


def test_a_dag_that_opts_out_is_not_recorded_and_its_calls_do_nothing(tries: Tries) -> None:
    assert tries.result("works")["state"] == "success"
    assert tries.result("asks")["state"] == "failed"
    assert "DAG left_out is not to be recorded" in tries.result("asks")["log"]
    assert not {name for name in tries.recorded.pipelines() if name.startswith("left_out")}


def test_every_try_ends_as_airflow_says_it_did(tries: Tries) -> None:
    words = {"up_for_retry": "failed"}
    for result in tries.results:
        if result["task_id"] in ("kills_itself", "works", "asks"):  # silent, and not recorded
            continue
        recorded = one(
            tries.recorded.task(
                result["task_id"],
                result.get("try_number", 1),
                result.get("map_index", -1),
                run_id=result.get("run_id", "run"),
            )
        )
        assert recorded.state == words.get(result["state"], result["state"]), result["task_id"]


def test_nothing_waits_in_the_spool(tries: Tries) -> None:
    assert not list((tries.folder / "spool").glob("*.spool"))


def test_the_ledger_may_be_a_postgresql(task_runner: TaskRunner, postgres_url: str) -> None:
    tries = task_runner.run(
        "returns_counts",
        {"task_id": "loads_a_window", "conf": {"upto": 5}},
        environment={"PIPELEDGER_DATABASE_URL": postgres_url},
    )
    assert [result["state"] for result in tries.results] == ["success", "success"]
    database, _, host = postgres_url.rpartition("/")[2].partition("?host=")
    with (
        closing(
            psycopg2.connect(host=unquote(host), user="postgres", dbname=database)
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT p.name, e.state, e.inserts, e.next_watermark, p.watermark"
            " FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id ORDER BY 1"
        )
        assert cursor.fetchall() == [
            ("cases.loads_a_window", "success", None, "5", "5"),
            ("cases.returns_counts", "success", 5, None, None),
        ]
