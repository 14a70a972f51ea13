"""A real Airflow with CeleryExecutor on Redis, its own database and the ledger on PostgreSQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from airflow_celery import OnCelery, RecordedInPostgres, redis
from airflow_happened import Happened, differences
from airflow_standalone import running, wait_for

if TYPE_CHECKING:
    from tests.conftest import PostgresServer

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.skipif(
        shutil.which("redis-server") is None,
        reason="redis-server is not installed (Debian's package redis-server)",
    ),
]
DAGS = ("tasks", "cleared", "triggering", "lost")


@pytest.fixture(scope="module")
def happened(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    postgres_template: str,
) -> Iterator[Happened]:
    home = tmp_path_factory.mktemp("celery")
    gates = home / "gates"
    gates.mkdir()
    postgres_server.run(
        "CREATE DATABASE celery_airflow",
        f"CREATE DATABASE celery_ledger TEMPLATE {postgres_template}",
    )
    ledger = postgres_server.url_of("celery_ledger")
    with redis(home) as broker:
        environment = {
            "AIRFLOW__CELERY__BROKER_URL": f"{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"{broker}/1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(os.cpu_count()),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres_server.url_of("celery_airflow"),
            "COVERAGE_GATES": str(gates),
            "PIPELEDGER_DATABASE_URL": ledger,
            "PIPELEDGER_SPOOL_DIR": str(home / "spool"),
        }
        dags = Path(__file__).parent / "scenario_dags"
        with running(home, dags, environment, OnCelery) as airflow:
            happened = Happened(airflow, RecordedInPostgres(ledger))
            airflow.wait_until_ready(set(DAGS))
            for dag_id in DAGS:
                airflow.trigger(dag_id, "r1")
            for dag_id in DAGS:
                airflow.wait_for_end(dag_id, "r1")
            airflow.clear("cleared", "r1")
            airflow.wait_for_end("cleared", "r1")
            unfinished = "SELECT 1 FROM dag_run WHERE state IN ('queued', 'running')"
            wait_for("all runs to end", lambda: not airflow.rows(unfinished))
            wait_for(
                "the ledger to equal Airflow",
                lambda: not differences(happened, happened.recorded),
                30,
                lambda: differences(happened, happened.recorded),
            )
            yield happened
            for sign in ("UNEXPECTED COMMIT", "error calling listener", "was not recorded"):
                assert sign not in airflow.log()


def test_every_try_and_every_run_has_airflows_own_state_under_celery(happened: Happened) -> None:
    assert len(happened.tries()) > 30
    assert differences(happened, happened.recorded) == []


def test_a_celery_worker_reports_what_only_its_tasks_know(happened: Happened) -> None:
    task = happened.task("tasks", "succeeds")
    assert (task.state, task.counts) == ("success", (3, None, None, None))
    assert task.attributes["host"] and task.attributes["queue"] == "default"
    assert task.parent == happened.run("tasks").key
    assert happened.recorded.watermark("tasks.loads") == "10"


def test_a_task_that_is_killed_under_celery_is_a_failure(happened: Happened) -> None:
    for task_id in ("kills_itself", "leaves_without_a_word"):
        task = happened.task("tasks", task_id)
        assert (task.state, task.attributes["operator"]) == ("failed", "@task")


def test_a_celery_worker_process_that_is_killed_leaves_a_failed_try_and_a_next_one(
    happened: Happened,
) -> None:
    lost = happened.task("lost", "loses_its_worker")
    next_try = happened.task("lost", "loses_its_worker", 2)
    assert (lost.state, next_try.state, next_try.previous) == ("failed", "success", lost.key)


def test_mapped_deferred_and_skipped_tasks_are_told_apart_under_celery(happened: Happened) -> None:
    assert [happened.task("tasks", "doubles", map_index=n).state for n in (0, 1)] == [
        "success",
        "success",
    ]
    assert happened.task("tasks", "skips").state == "skipped"
    for task_id in ("defers", "pokes_twice"):
        found = happened.recorded.executions(f"tasks.{task_id}")
        assert [(task.state, task.attempt) for task in found] == [("success", 1)]


def test_no_record_is_left_waiting_on_the_workers(happened: Happened) -> None:
    spool = Path(happened.airflow.environment["PIPELEDGER_SPOOL_DIR"])
    wait_for("the spool to be empty", lambda: not list(spool.glob("*.spool")), 10)
    assert not list(spool.glob("*.rejected"))
