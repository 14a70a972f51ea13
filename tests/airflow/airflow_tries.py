"""Tries of tasks, run by Airflow's real supervisor and task runner in a process of their own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_ledger import Recorded

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tries:
    """What a worker said of each try, and what was recorded of all of them."""

    results: list[dict[str, Any]]
    recorded: Recorded
    folder: Path
    stderr: str

    def result(self, task_id: str) -> dict[str, Any]:
        (found,) = [each for each in self.results if each["task_id"] == task_id]
        return found


class TaskRunner:
    """Runs tries of the tasks in ``dags/cases.py`` under Airflow's supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorded = Recorded(folder / "ledger.db")
        self._plans = 0
        (folder / "home" / "plugins").mkdir(parents=True)
        (folder / "cwd").mkdir()
        with closing(sqlite3.connect(folder / "warehouse.db")) as database, database:
            database.execute("CREATE TABLE flights (id INTEGER)")
            database.execute("CREATE TABLE daily (id INTEGER, day TEXT)")
            database.executemany("INSERT INTO flights VALUES (?)", [(1,), (2,), (3,)])

    def run(self, *tries: str | dict[str, Any], environment: dict[str, str] | None = None) -> Tries:
        """Run tries one after the other, in one worker."""
        return self.start(*tries, environment=environment).finish()

    def start(
        self, *tries: str | dict[str, Any], environment: dict[str, str] | None = None
    ) -> Worker:
        """Start a worker that runs tries one after the other."""
        plans = [{"task_id": each} if isinstance(each, str) else each for each in tries]
        self._plans += 1
        path = self.folder / f"plan-{self._plans}.json"  # an earlier worker may still read its own
        path.write_text(json.dumps(plans))
        with path.open() as plan:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(HERE / "airflow_task_runner.py")],
                stdin=plan,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=self.folder / "cwd",
                env={**self.environment(), **(environment or {})},
            )
        return Worker(self, plans, process)

    def environment(self) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PIPELEDGER"))}
        return {
            **ours,
            "AIRFLOW_HOME": str(self.folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(self.folder / "warehouse.db")}
            ),
            "CASES_FOLDER": str(self.folder),
            "CASES_WAREHOUSE": str(self.folder / "warehouse.db"),
            "PIPELEDGER_DATABASE_URL": f"sqlite:///{self.folder / 'ledger.db'}",
            "PIPELEDGER_SPOOL_DIR": str(self.folder / "spool"),
        }


@dataclass(frozen=True)
class Worker:
    """A worker that is running tries."""

    runner: TaskRunner
    plans: list[dict[str, Any]]
    process: subprocess.Popen[str]

    def finish(self) -> Tries:
        """Wait until all tries are over."""
        try:
            answers, stderr = self.process.communicate(timeout=300)
        finally:
            self.process.kill()
        assert self.process.returncode == 0, stderr[-4000:]
        results = json.loads(answers)
        return Tries(
            [{**plan, **result} for plan, result in zip(self.plans, results, strict=True)],
            self.runner.recorded,
            self.runner.folder,
            stderr,
        )
