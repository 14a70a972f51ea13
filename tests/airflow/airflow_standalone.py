"""A real Airflow of its own: `airflow standalone` in a folder of its own, on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ENDED = ("success", "failed")


def wait_for(
    what: str,
    condition: Callable[[], T | None],
    seconds: float = 300,
    instead: Callable[[], object] = lambda: "",
) -> T:
    """The first true answer of ``condition``; fails after ``seconds``, saying what was awaited
    and what there is instead."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}; {instead()}")
        time.sleep(0.2)


class Standalone:
    """A running Airflow: LocalExecutor, SQLite, everybody an admin."""

    command: Sequence[str] = ("airflow", "standalone")

    def __init__(self, home: Path, dags: Path, environment: dict[str, str]) -> None:
        self.home = home
        port, log_port, trigger_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self._token = ""
        self._log = (home / "standalone.log").open("w")
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PIPELEDGER"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            **environment,
        }
        self._process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=home,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_ready(self, dag_ids: set[str]) -> None:
        """Until the API answers and every DAG is there and can run."""
        wait_for("the API server", self._sign_in, 300, lambda: self.log()[-2000:])
        wait_for(
            "the DAGs",
            lambda: dag_ids <= {dag["dag_id"] for dag in self.get("dags")["dags"]} or None,
            300,
        )
        assert self.get("importErrors")["total_entries"] == 0, self.get("importErrors")

    def stop(self) -> None:
        """End every process of this Airflow, and only of this one."""
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + 10
            while self.processes() and time.monotonic() < deadline:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=0.2)
            if not self.processes():
                break
        self._process.wait(timeout=10)
        self._log.close()
        assert not self.processes()

    def processes(self) -> list[int]:
        """The living processes of this Airflow: those of the session it began."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.getsid(int(entry.name)) == self._process.pid:
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        found.append(int(entry.name))
        return found

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, body)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        self.post(
            f"dags/{dag_id}/dagRuns",
            {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}},
        )

    def clear(self, dag_id: str, run_id: str, **which: Any) -> None:
        body = {
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
            "dag_run_id": run_id,
        }
        self.post(f"dags/{dag_id}/clearTaskInstances", {**body, **which})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """From the database: a poll of the API server costs it more than the tests' other calls."""
        query = "SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?"
        return str(self.rows(query, dag_id, run_id)[0]["state"])

    def set_task(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task by hand, as a person in the UI does."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self.patch(path, {"new_state": state})

    def wait_for_end(self, dag_id: str, run_id: str, seconds: float = 600) -> str:
        def ended() -> str | None:
            assert "Exception when executing SchedulerJob" not in self.log(), (
                "the scheduler is gone"
            )
            state = self.run_state(dag_id, run_id)
            return state if state in ENDED else None

        return wait_for(f"the end of {dag_id} {run_id}", ended, seconds)

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, state: str, *, try_number: int = 1
    ) -> None:
        query = (
            "SELECT 1 FROM task_instance WHERE dag_id = ? AND run_id = ? AND task_id = ?"
            " AND state = ? AND try_number = ?"
        )

        def there() -> bool:
            return bool(self.rows(query, dag_id, run_id, task_id, state, try_number))

        wait_for(f"try {try_number} of {task_id} to be {state}", there)

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Rows of Airflow's own database."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True)
        ) as database:
            database.row_factory = sqlite3.Row
            return database.execute(sql, parameters).fetchall()

    def log(self) -> str:
        return (self.home / "standalone.log").read_text(errors="replace")

    def _sign_in(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/auth/token", timeout=5) as response:
                self._token = json.load(response)["access_token"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert self._process.poll() is None, self.log()[-3000:]
            return False
        return True

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST API; a 500 is tried again, because this Airflow's own SQLite gets locked."""
        for _ in range(4):
            status, answer = self._answer(method, path, body)
            if status != 500:
                break
        assert status < 400, f"{method} {path}: {status} {answer}"
        return json.loads(answer)

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, str]:
        request = urllib.request.Request(
            f"{self.url}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()[:2000]


@contextlib.contextmanager
def running(
    home: Path, dags: Path, environment: dict[str, str], kind: type[Standalone] = Standalone
) -> Iterator[Standalone]:
    """An Airflow of this kind, stopped afterwards."""
    airflow = kind(home, dags, environment)
    try:
        yield airflow
    finally:
        airflow.stop()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
