"""Whatever happens to the ledger, to us or to other listeners: the task runs as if we were not there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from airflow_tries import TaskRunner

ODD_LISTENER = """
import os
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl

class Theirs:
    def _note(self, what):
        with open(os.environ["NOTES"], "a") as file:
            file.write(what + chr(10))
        if os.environ.get("THEY_RAISE"):
            raise RuntimeError("their mistake")

    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        self._note("running")

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        self._note("success")

    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        self._note("failed")

class TheirPlugin(AirflowPlugin):
    name = "theirs"
    listeners = [Theirs()]
"""


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The URL of a PostgreSQL that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"postgresql://someone:hunter2@127.0.0.1:{listening.getsockname()[1]}/ledger"


def spooled(runner: TaskRunner) -> list[dict[str, object]]:
    """The reports that wait in the spool, oldest first."""
    return [
        json.loads(line[9:])
        for path in sorted((runner.folder / "spool").glob("*.spool"))
        for line in path.read_bytes().splitlines()
    ]


def test_a_ledger_that_never_answers_costs_the_deadline_once_and_loses_nothing(
    task_runner: TaskRunner, black_hole: str
) -> None:
    tries = task_runner.run(
        "succeeds",
        environment={"PIPELEDGER_DATABASE_URL": black_hole, "PIPELEDGER_DEADLINE_SECONDS": "0.5"},
    )
    assert tries.results[0]["state"] == "success"
    reports = spooled(task_runner)
    assert [report["state"] for report in reports] == ["running", "success"]
    assert "hunter2" not in tries.results[0]["log"] + tries.stderr


def test_what_was_spooled_during_an_outage_is_delivered_afterwards(task_runner: TaskRunner) -> None:
    task_runner.run(
        "returns_counts",
        environment={"PIPELEDGER_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/ledger"},
    )
    assert task_runner.recorded.pipelines() == set()

    from pipeledger.ledger import Ledger
    from pipeledger.settings import Settings

    ours = {k: v for k, v in task_runner.environment().items() if k.startswith("PIPELEDGER")}
    Ledger(settings=Settings.from_environment(ours)).flush()
    task = task_runner.recorded.task("returns_counts")
    assert task is not None
    assert (task.state, task.counts) == ("success", (5, 2, 1, 70))


def test_a_deferred_try_whose_first_part_did_not_reach_the_ledger_says_no_split(
    task_runner: TaskRunner, black_hole: str
) -> None:
    """Its start, end and state are whole; a split that is not known is not made up."""
    tries = task_runner.run(
        "defers",
        environment={"PIPELEDGER_DATABASE_URL": black_hole, "PIPELEDGER_DEADLINE_SECONDS": "0.5"},
    )
    assert tries.results[0]["state"] == "success"
    end = spooled(task_runner)[-1]
    assert (end["state"], end["metadata"]) == ("success", {"resumed_with": "resumed"})


def test_asking_for_a_window_raises_when_the_ledger_is_down(task_runner: TaskRunner) -> None:
    tries = task_runner.run(
        {"task_id": "loads_a_window", "conf": {"upto": 5}},
        environment={"PIPELEDGER_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/ledger"},
    )
    assert tries.results[0]["state"] == "failed"
    assert "WatermarkUnavailable" in tries.results[0]["log"]


@pytest.mark.parametrize("what", ["a folder", "another file"])
def test_a_ledger_that_cannot_be_opened_fails_no_task(task_runner: TaskRunner, what: str) -> None:
    ledger = task_runner.folder / "ledger.db"
    ledger.mkdir() if what == "a folder" else ledger.write_text("this is no database\n" * 100)
    tries = task_runner.run("succeeds", "fails")
    assert [result["state"] for result in tries.results] == ["success", "failed"]
    assert len(spooled(task_runner)) == 4


def test_others_listeners_run_beside_ours(task_runner: TaskRunner) -> None:
    (task_runner.folder / "home" / "plugins" / "theirs.py").write_text(ODD_LISTENER)
    notes = task_runner.folder / "notes"
    tries = task_runner.run("succeeds", "fails", environment={"NOTES": str(notes)})
    assert notes.read_text().split() == ["running", "success", "running", "failed"]
    assert tries.recorded.task("succeeds") is not None


def test_a_listener_that_raises_does_not_stop_ours(task_runner: TaskRunner) -> None:
    (task_runner.folder / "home" / "plugins" / "theirs.py").write_text(ODD_LISTENER)
    notes = task_runner.folder / "notes"
    tries = task_runner.run("succeeds", environment={"NOTES": str(notes), "THEY_RAISE": "1"})
    task = tries.recorded.task("succeeds")
    assert notes.read_text().split() == ["running", "success"]
    assert task is not None and task.state == "success"


def test_an_operator_whose_attributes_exit_is_recorded_without_them(
    task_runner: TaskRunner,
) -> None:
    tries = task_runner.run("odd", environment={"CASES_ODD": "1"})
    task = tries.recorded.task("odd")
    assert tries.results[0]["state"] == "success"
    assert task is not None and task.state == "success"
    assert "operator" not in task.attributes


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PIPELEDGER_DISABLED": "yes"}, "PIPELEDGER_DISABLED is set"),
        ({"PIPELEDGER_DATABASE_URL": "nonsense"}, "Pipeledger is off, nothing is recorded: "),
        (
            {"PIPELEDGER_DEADLINE_SECONDS": "soon"},
            "PIPELEDGER_DEADLINE_SECONDS='soon' cannot be used",
        ),
        (
            {"PIPELEDGER_DATABASE_URL": "", "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"},
            "PIPELEDGER_DATABASE_URL is not set, and the SQLite default works under the LocalExecutor",
        ),
    ],
)
def test_where_nothing_can_be_recorded_one_line_says_why_and_tasks_run(
    task_runner: TaskRunner, environment: dict[str, str], line: str
) -> None:
    tries = task_runner.run(
        "succeeds",
        "says_counts",
        {"task_id": "loads_a_window", "conf": {"upto": 5}},
        environment={"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO", **environment},
    )
    logs = [result["log"] for result in tries.results]
    assert [result["state"] for result in tries.results] == ["success", "success", "failed"]
    assert (tries.stderr + logs[0] + logs[1]).count(line) == 1
    assert "WatermarkUnavailable" in logs[2]
    assert tries.recorded.pipelines() == set()
    assert spooled(task_runner) == []


def test_the_sqlite_default_is_used_under_the_local_executor(task_runner: TaskRunner) -> None:
    home = task_runner.folder / "data"
    task_runner.run(
        "succeeds", environment={"PIPELEDGER_DATABASE_URL": "", "XDG_DATA_HOME": str(home)}
    )
    assert (home / "pipeledger" / "ledger.db").exists()


def test_patterns_choose_the_dags_to_record(task_runner: TaskRunner) -> None:
    tries = task_runner.run("succeeds", environment={"PIPELEDGER_AIRFLOW_EXCLUDE": "ca*,others"})
    assert tries.recorded.pipelines() == set()
    tries = task_runner.run("succeeds", environment={"PIPELEDGER_AIRFLOW_INCLUDE": "ca*"})
    assert tries.recorded.pipelines() == {"cases.succeeds"}


def test_a_task_imports_nothing_of_ours_that_its_parent_had_not(task_runner: TaskRunner) -> None:
    tries = task_runner.run("lists_imports")
    imported = set(tries.results[0]["returned"])
    assert not {
        name for name in imported if name.partition(".")[0] in ("alembic", "typer", "rich_click")
    }
    assert "pipeledger.ledger" in imported
