"""The monitoring DAG: a round under Airflow's real task runner, and under ``airflow dags test``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_tries import TaskRunner

from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.settings import Settings

ROUND: dict[str, Any] = {
    "dag_id": "pipeledger_monitoring",
    "task_id": "round",
    "file": "watching.py",
}
AWAY = "postgresql://me:hunter2@127.0.0.1:9/ledger"


@pytest.fixture
def ledger(database_url: str, task_runner: TaskRunner) -> Iterator[Ledger]:
    """The ledger of the tasks, on SQLite and on PostgreSQL, with their host's spool."""
    settings = Settings(database_url=database_url, spool_dir=str(task_runner.folder / "spool"))
    made = Ledger(settings=settings)
    yield made
    made.close()


def said(log: str) -> list[str]:
    """The lines of a task's log that its operator and the task runner wrote, oldest first."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [str(event["event"]) for event in events]


def fail(ledger: Ledger, pipeline: str) -> None:
    with pytest.raises(OSError), ledger.execution(pipeline):
        raise OSError("no space left")


def test_a_round_finds_what_failed_says_so_in_lines_and_succeeds(
    task_runner: TaskRunner, ledger: Ledger, database_url: str
) -> None:
    fail(ledger, "load_orders")
    now = times.now()
    waiting = ExecutionReport(
        random_key(),
        now,
        pipeline=PipelineRef("load_items"),
        state=State.FAILED,
        started_at=now,
        ended_at=now,
    )
    ledger.spool.append([waiting])
    (result,) = task_runner.run(
        ROUND, environment={"PIPELEDGER_DATABASE_URL": database_url}
    ).results
    lines = said(result["log"])
    assert result["state"] == "success"
    assert "spool: 1 record of this host delivered" in lines
    assert "check: 2 findings open" in lines
    assert any(line.startswith("  error: failed of load_orders: failed at ") for line in lines)
    assert any(line.startswith("  error: failed of load_items: failed at ") for line in lines)
    assert not any(line.startswith("prune") for line in lines)
    assert result["returned"]["error"] is None
    assert [step["step"] for step in result["returned"]["steps"]] == [
        "spool", "reap", "probes", "check", "alerts",
    ]  # fmt: skip
    found = ledger.read.executions(pipeline="pipeledger_monitoring.round", limit=10).items
    assert [execution.state for execution in found] == [State.SUCCESS]


def test_a_ledger_that_is_away_fails_the_task_once_with_one_line_and_nothing_else(
    task_runner: TaskRunner,
) -> None:
    tries = task_runner.run(
        {**ROUND, "dag_id": "everything", "retries_left": 3},  # whose defaults say retries=3
        "returns_counts",
        environment={"PIPELEDGER_DATABASE_URL": AWAY},
    )
    round_, other = tries.results
    assert (round_["state"], other["state"]) == ("failed", "success")
    reasons = [line for line in round_["log"].splitlines() if "AirflowFailException" in line]
    (reason,) = {
        error["exc_value"] for line in reasons for error in json.loads(line).get("error_detail", ())
    }
    assert reason.startswith(
        "spool, reap, check, prune: the ledger postgresql://127.0.0.1:9/ledger cannot be reached"
    )
    assert "\n" not in reason
    assert "hunter2" not in round_["log"]


@pytest.mark.parametrize(
    ("environment", "state", "why"),
    [
        ({"PIPELEDGER_DISABLED": "yes"}, "skipped", "PIPELEDGER_DISABLED is set"),
        (
            {"PIPELEDGER_DATABASE_URL": "", "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"},
            "failed",
            "there is no ledger here to watch: PIPELEDGER_DATABASE_URL is not set",
        ),
    ],
)
def test_where_the_plugin_has_no_ledger_the_task_says_why(
    task_runner: TaskRunner, environment: dict[str, str], state: str, why: str
) -> None:
    (result,) = task_runner.run(ROUND, environment=environment).results
    assert result["state"] == state
    assert why in result["log"]


READ = """
import json, sys
from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import watching
new = set(sys.modules) - before
packages = {name.split(".")[0] for name in new} - set(sys.stdlib_module_names)
rooms = {".".join(name.split(".")[:2]) for name in new if name.startswith("pipeledger.")}
dag = watching.everything
(task,) = dag.tasks
try:
    watching.monitoring_dag("wrong", prune_older_than="90")
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "packages": sorted(packages), "rooms": sorted(rooms), "refused": refused,
    "dags": [watching.dag.dag_id, dag.dag_id], "task": task.task_id, "retries": task.retries,
    "owner": task.owner, "longest": task.execution_timeout.total_seconds(),
    "catchup": dag.catchup, "max_active_runs": dag.max_active_runs, "tags": sorted(dag.tags),
}))
"""


def test_reading_the_dag_file_loads_plain_values_alone_and_makes_dags_that_do_not_pile_up(
    task_runner: TaskRunner,
) -> None:
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(Path(__file__).parent / "dags")],
        env=task_runner.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(out.stdout.splitlines()[-1]) == {
        "packages": ["airflow", "pipeledger", "pipeledger_airflow", "watching"],
        "rooms": ["pipeledger.housekeeping", "pipeledger.model", "pipeledger.monitoring"],
        "refused": "prune_older_than '90' cannot be used: expected a whole number and w, d, h, m"
        " or s, e.g. 90d or 1h",
        "dags": ["pipeledger_monitoring", "everything"],
        "task": "round",
        "retries": 0,
        "owner": "ops",
        "longest": 3600.0,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["ops"],
    }


def test_airflow_takes_the_dags_and_their_rhythm_is_recorded(task_runner: TaskRunner) -> None:
    environment = task_runner.environment()
    airflow = str(Path(sys.executable).parent / "airflow")
    for command in (["db", "migrate"], ["dags", "test", "everything"]):
        done = subprocess.run(
            [airflow, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    ours = {k: v for k, v in environment.items() if k.startswith("PIPELEDGER")}
    ledger = Ledger(settings=Settings.from_environment(ours))
    ledger.flush()
    (run,) = task_runner.recorded.executions("everything")
    (task,) = task_runner.recorded.executions("everything.round")
    assert (run.state, task.state, task.parent) == ("success", "success", run.key)
    view = ledger.read.pipeline("everything")
    assert view.metadata["rhythm"] == [{"cron": "*/10 6-22 * * *", "timezone": "Europe/Berlin"}]
    assert view.metadata["file"] == str(Path(__file__).parent / "dags" / "watching.py")
