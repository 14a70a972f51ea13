"""A ledger of one's own and a Dagster instance of one's own for each test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

dg = pytest.importorskip("dagster")

from pipeledger.ledger import Ledger  # noqa: E402
from pipeledger_dagster import Options, reconcile_run  # noqa: E402

HERE = Path(__file__).parent
# Not first: Dagster takes the first entry away while it imports a code location.
sys.path.insert(1, str(HERE))

# Dagster's own: what it calls beta or deprecates between the versions that we support.
DAGSTER_WARNINGS = [
    "default::dagster.BetaWarning",
    "default::dagster.PreviewWarning",
    "default::DeprecationWarning:dagster",
    "default::ResourceWarning",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in Path(str(item.path)).parents:
            for warning in DAGSTER_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger that this test's runs record into, in all their processes."""
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.setenv("PIPELEDGER_DATA_DIR", str(tmp_path / "data"))
    # A busy machine is no outage: what misses the deadline would wait in the spool.
    monkeypatch.setenv("PIPELEDGER_DEADLINE_SECONDS", "60")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("PYTHONPATH", str(HERE))  # children import the projects by their names
    ledger = Ledger()
    yield ledger
    ledger.close()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance with SQLite storages, as processes share it."""
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        yield instance


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> Path:
    """A DAGSTER_HOME for processes of their own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process; whatever of its group still runs at the end of the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start_process(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"process-{len(started)}.log").open("wb")
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        log.close()
        started.append(process)
        return process

    yield start_process
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


@pytest.fixture
def kitchen() -> ModuleType:
    """The project with one of everything."""
    from projects import kitchen

    return kitchen


@pytest.fixture
def rebuilt_from(tmp_path: Path) -> Callable[[dg.DagsterInstance, str], Ledger]:
    """Rebuilds a run from Dagster's event log alone, into a ledger that never saw it."""

    def rebuild(instance: dg.DagsterInstance, run_id: str) -> Ledger:
        url = f"sqlite:///{tmp_path}/rebuilt.db"
        assert reconcile_run(instance, run_id, Options(database_url=url))
        return Ledger(url)

    return rebuild


@pytest.fixture
def rebuilt(
    instance: dg.DagsterInstance,
    rebuilt_from: Callable[[dg.DagsterInstance, str], Ledger],
) -> Callable[[str], Ledger]:
    """Rebuilds a run of ``instance`` into a ledger that never saw it."""
    return lambda run_id: rebuilt_from(instance, run_id)
