"""Beside ours: a listener of somebody else that raises in every hook, and the OpenLineage provider.

A real `airflow standalone`; each of the three is to see every run and every task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_happened import Happened, differences
from airflow_ledger import Recorded
from airflow_standalone import running, wait_for

pytestmark = pytest.mark.scenario
THEIRS = """
import os
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

def note(*words):
    with open(os.environ["THEIR_NOTES"], "a") as file:
        file.write(" ".join(words) + chr(10))
    raise RuntimeError("their mistake")

class Theirs:
    @hookimpl
    def on_dag_run_running(self, dag_run, msg):
        note("run", dag_run.run_id, "running")

    @hookimpl
    def on_dag_run_success(self, dag_run, msg):
        note("run", dag_run.run_id, "success")

    @hookimpl
    def on_dag_run_failed(self, dag_run, msg):
        note("run", dag_run.run_id, "failed")

    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        note(task_instance.task_id, task_instance.run_id, "running")

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        note(task_instance.task_id, task_instance.run_id, "success")

    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        note(task_instance.task_id, task_instance.run_id, "failed")

class TheirPlugin(AirflowPlugin):
    name = "theirs"
    listeners = [Theirs()] if os.environ.get("THEIR_NOTES") else []
"""
DAG = """
from datetime import datetime, timezone
from airflow.sdk import DAG, task

with DAG("shared", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as shared:
    @task
    def works():
        return {"inserts": 3}

    @task
    def breaks():
        raise ValueError("broken")

    @task
    def doubles(x):
        return 2 * x

    works() >> doubles.expand(x=[1, 2])
    breaks()
"""


@pytest.fixture(scope="module", params=["raises", "openlineage"])
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Happened]]:
    """An Airflow with ours and another listener, after a run of the DAG; says which other."""
    home = tmp_path_factory.mktemp(request.param)
    dags = home / "dags"
    dags.mkdir()
    (dags / "shared.py").write_text(DAG)
    environment = {
        "PIPELEDGER_DATABASE_URL": f"sqlite:///{home / 'ledger.db'}",
        "PIPELEDGER_SPOOL_DIR": str(home / "spool"),
    }
    if request.param == "raises":
        (home / "plugins").mkdir()
        (home / "plugins" / "theirs.py").write_text(THEIRS)
        environment["THEIR_NOTES"] = str(home / "notes")
    else:
        to_file = {"type": "file", "log_file_path": str(home / "events"), "append": True}
        environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(to_file)
    with running(home, dags, environment) as airflow:
        happened = Happened(airflow, Recorded(home / "ledger.db"))
        airflow.wait_until_ready({"shared"})
        airflow.trigger("shared", "r1")
        airflow.wait_for_end("shared", "r1")
        wait_for(
            "the ledger to equal Airflow",
            lambda: not differences(happened, happened.recorded),
            30,
            lambda: differences(happened, happened.recorded),
        )
        yield request.param, happened
        assert "UNEXPECTED COMMIT" not in airflow.log()


def test_ours_records_everything_beside_another_listener(beside: tuple[str, Happened]) -> None:
    _, happened = beside
    assert differences(happened, happened.recorded) == []
    assert len(happened.tries()) == 4
    assert happened.task("shared", "works").counts[0] == 3
    assert happened.task("shared", "breaks").error == ("ValueError", "broken")
    assert happened.run("shared").state == "failed"


def test_the_other_listener_sees_everything_beside_ours(beside: tuple[str, Happened]) -> None:
    kind, happened = beside
    seen = their_notes if kind == "raises" else events
    expected = {("run", "running"), ("run", "failed"), ("breaks", "running"), ("breaks", "failed")}
    expected |= {(task, state) for task in ("works", "doubles") for state in ("running", "success")}
    wait_for(
        "the other listener to have seen everything",
        lambda: seen(happened.airflow.home) == expected,
        30,
        lambda: expected ^ seen(happened.airflow.home),
    )


def their_notes(home: Path) -> set[tuple[str, str]]:
    return {
        (line.split()[0], line.split()[2]) for line in (home / "notes").read_text().splitlines()
    }


def events(home: Path) -> set[tuple[str, str]]:
    """What OpenLineage's events say, in the words of hooks."""
    words = {"START": "running", "COMPLETE": "success", "FAIL": "failed"}
    found = set()
    for line in (home / "events").read_text().splitlines():
        event = json.loads(line)
        name = event["job"]["name"].partition(".")[2] or "run"
        found.add((name, words[event["eventType"]]))
    return found
