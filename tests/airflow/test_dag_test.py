"""``airflow dags test``: one process runs all tasks of a DAG, without a scheduler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from airflow_tries import TaskRunner

from pipeledger.ledger import Ledger
from pipeledger.settings import Settings

DAG = """
from airflow.sdk import DAG, task
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from pipeledger_airflow import current_execution

with DAG("writers", schedule="30 5 * * *") as dag:
    @task
    def writes_three():
        SqliteHook("warehouse").insert_rows("flights", [(1,), (2,), (3,)], target_fields=["id"])

    @task
    def writes_one():
        SqliteHook("warehouse").insert_rows("flights", [(4,)], target_fields=["id"])
        current_execution().metadata(said="here")

    writes_three() >> writes_one()
"""


def test_each_task_of_a_dag_under_test_has_its_own_rows(task_runner: TaskRunner) -> None:
    dags = task_runner.folder / "dags"
    dags.mkdir()
    (dags / "writers.py").write_text(DAG)
    environment = {**task_runner.environment(), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    airflow = str(Path(sys.executable).parent / "airflow")
    for command in (["db", "migrate"], ["dags", "test", "writers"]):
        done = subprocess.run(
            [airflow, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # The run's own end is appended for a thread to deliver, and this process ended at once.
    ours = {k: v for k, v in environment.items() if k.startswith("PIPELEDGER")}
    Ledger(settings=Settings.from_environment(ours)).flush()
    recorded = task_runner.recorded
    (first,) = recorded.executions("writers.writes_three")
    (second,) = recorded.executions("writers.writes_one")
    (run,) = recorded.executions("writers")
    assert (first.counts[0], second.counts[0]) == (3, 1)
    assert second.metadata == {"said": "here"}
    assert (run.state, first.parent, second.parent) == ("success", run.key, run.key)
    assert recorded.pipeline("writers")["schedule"] == "30 5 * * *"
