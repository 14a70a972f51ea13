"""`make demo`, as a newcomer runs it: a real Airflow, a real Dagster, real data, one ledger."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeledger.lineage.walk import upstream
from pipeledger.model.state import State
from pipeledger.store.read import Reader

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo" / "run.py"
pytestmark = pytest.mark.scenario


def processes_of(home: Path) -> list[psutil.Process]:
    """What runs with this demo's folder in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FLIGHTS_HOME") == str(home):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    for process in processes_of(tmp_path / "demo"):
        process.kill()


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(DEMO), "--home", str(home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "132"},
    )


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the demo ended without saying {text!r}")


def test_the_demo_runs_everything_and_shows_what_was_recorded(home: Path) -> None:
    with start(home) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "Starting from a clean ledger" in out
    assert "nothing_new skipped" in out
    assert re.search(r"A day passes: .* 899 flights more", out)
    assert re.search(r"flights\.load\.flights +none +6,099 .* 899 +2013-01-09T04:00Z", out)
    assert re.search(r"load\.weather try 1 +✗ failed", out)
    assert re.search(r"load\.weather try 2 +✓ success", out)
    assert re.search(r"freshness +1 +1 +1", out)
    assert "complete only up to 2013-01-09 04:00Z, held back by" in out
    assert f"The ledger is the file {home / 'ledger.db'}" in out
    assert processes_of(home) == []

    reader = Reader.open(f"sqlite:///{home / 'ledger.db'}")
    dag_runs = reader.executions(pipeline="flights").items
    assert [run.state for run in dag_runs] == [State.SUCCESS, State.SUCCESS]
    expected = ((899, 72, 1, 117), (6_099, 498, 7, 102))  # the second run, then the first
    for run, (flights, weather, days, carriers) in zip(dag_runs, expected, strict=True):
        tasks = [child.execution for child in reader.tree(run.run_key).children]
        found = Counter((t.name.removeprefix("flights."), t.state.value, t.rows) for t in tasks)
        assert found == {
            ("load.flights", "success", flights): 1,
            ("load.weather", "failed", None): 1,
            ("load.weather", "success", weather): 1,
            ("load.airlines", "success", 16): 1,
            ("load.planes", "success", 3_322): 1,
            ("anything_new", "success", None): 1,
            ("nothing_new", "skipped", None): 1,
            ("build.flight_facts", "success", flights): 1,
            ("build.airport_days", "success", days): 3,
            ("build.carrier_days", "success", carriers): 1,
        }
    for run in reader.executions(pipeline="flight_reports").items:
        steps = reader.tree(run.run_key).children
        assert {step.execution.name for step in steps} == {
            "daily_delays",
            "carrier_report",
            "punctuality",
        }

    lineage = upstream(reader, f"sqlite://{home}/warehouse.db/punctuality")
    sources = {n.address.name for n in lineage.nodes if "operational.db" in n.address.namespace}
    assert sources == {"flights", "weather", "planes", "airlines"}
    edges = {(edge.source.name, edge.target.name) for edge in lineage.edges}
    assert {("flight_facts", "airport_days"), ("airport_days", "daily_delays")} <= edges


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_dies_leaves_no_process_behind(home: Path, number: signal.Signals) -> None:
    with start(home) as process:
        wait_for_line(process, "Airflow is ready")
        assert processes_of(home)
        os.kill(process.pid, number)
        process.wait()
        deadline = time.monotonic() + 60
        while (left := processes_of(home)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left == []


def test_a_folder_that_is_not_a_demos_is_left_alone(home: Path) -> None:
    home.mkdir()
    precious = home / "thesis.txt"
    precious.write_text("mine")
    with start(home) as process:
        err = process.communicate()[1]
    assert process.returncode == 1
    assert "not a demo's folder" in err
    assert "Traceback" not in err
    assert precious.read_text() == "mine"
