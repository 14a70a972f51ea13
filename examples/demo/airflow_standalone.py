"""A real Airflow of our own: `airflow standalone`, headless, in one folder, on free ports."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from guard import guarded


class DemoFailed(Exception):
    """The demo cannot go on; ``log`` is the file whose end says why."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class Airflow:
    """One `airflow standalone`; its answers come from its REST API."""

    def __init__(self, home: Path, dags: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.log = home / "standalone.log"
        api, worker_logs, trigger_logs = free_ports(3)
        self.url = f"http://127.0.0.1:{api}"
        self.environment = {
            **environment,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # Else a slot may be held five seconds after its task ended.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            # standalone starts its components as `airflow`.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}",
        }
        self._token = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it; whatever happens to the block, or to us, every process of it ends."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (
            self.log.open("wb") as log,
            guarded(
                ["-m", "airflow", "standalone"],
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.home,
            ) as self._process,
        ):
            yield

    def wait_until_ready(self, dag_id: str, seconds: float) -> None:
        """Wait for the scheduler and for the DAG."""

        def ready() -> bool:
            health = self.get("/api/v2/monitor/health")
            if health["scheduler"]["status"] != "healthy":
                return False
            if errors := self.get("/api/v2/importErrors")["import_errors"]:
                raise DemoFailed(f"Airflow cannot import the DAG:\n{errors[0]['stack_trace']}")
            self.get(f"/api/v2/dags/{dag_id}")
            return True

        self.wait(ready, f"Airflow to be ready with the DAG {dag_id}", seconds)

    def run(self, dag_id: str, run_id: str, report: Callable[[str], None], seconds: float) -> str:
        """Trigger the DAG, report each task try as it ends, and return the state of the run."""
        runs = f"/api/v2/dags/{dag_id}/dagRuns"
        path = f"{runs}/{run_id}"

        def triggered() -> bool:
            try:
                self._call("POST", runs, {"dag_run_id": run_id, "logical_date": None})
            except HTTPError as error:
                if (
                    error.code != HTTPStatus.CONFLICT
                ):  # else an earlier call, that timed out, did it
                    raise
            return True

        self.wait(triggered, f"the DAG run {run_id} to be triggered", seconds)
        seen: set[tuple[str, int, int, str]] = set()
        state = ""

        def ended() -> bool:
            nonlocal state
            state = self.get(path)["state"]
            for ti in self.get(f"{path}/taskInstances?limit=100")["task_instances"]:
                mark = (ti["task_id"], ti["map_index"], ti["try_number"], ti["state"] or "")
                if mark in seen or ti["state"] in (None, "scheduled", "queued", "running"):
                    continue
                seen.add(mark)
                index = "" if ti["map_index"] < 0 else f"[{ti['map_index']}]"
                attempt = f" (try {ti['try_number']})" if ti["try_number"] > 1 else ""
                report(f"{ti['task_id']}{index} {ti['state'].replace('_', ' ')}{attempt}")
            return state in ("success", "failed")

        self.wait(ended, f"the DAG run {run_id} to end", seconds)
        return state

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        if not self._token:
            with urlopen(f"{self.url}/auth/token", timeout=10) as answer:
                self._token = json.load(answer)["access_token"]
        request = Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait while Airflow runs, also when its API does not answer: on SQLite it stalls for seconds
        at a time (3.3.2). Raises DemoFailed if it ends, or after so many seconds."""
        deadline = time.monotonic() + seconds
        last: Exception | None = None

        def holds() -> bool:
            nonlocal last
            try:
                return condition()
            except (URLError, ConnectionError, TimeoutError) as error:
                last = error
                return False

        while not holds():
            if self._process.poll() is not None:
                raise DemoFailed("airflow standalone ended by itself", self.log)
            if time.monotonic() > deadline:
                why = f" ({last})" if last else ""
                raise DemoFailed(f"waited {seconds:.0f} s for {what}{why}", self.log)
            time.sleep(0.2)


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
