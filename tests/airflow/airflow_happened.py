"""What happened in an Airflow, and what a ledger says of it: compared try by try."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_ledger import Execution, Recorded
from airflow_standalone import Standalone

RECORDED = "dag_id NOT LIKE 'opted%'"
OURS = {"upstream_failed": "skipped", "removed": "skipped"}
"""Airflow's words for states that the ledger has another word for."""


@dataclass(frozen=True)
class Happened:
    """Airflow's database and the ledger after everything has ended."""

    airflow: Standalone
    recorded: Recorded

    def task(
        self, dag_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> Execution:
        found = self.recorded.task(task_id, try_number, map_index, dag_id=dag_id, run_id="r1")
        assert found is not None, f"{dag_id}.{task_id} try {try_number} was not recorded"
        return found

    def run(self, dag_id: str, clear_number: int = 0, run_id: str = "r1") -> Execution:
        found = self.recorded.run(dag_id, run_id, clear_number)
        assert found is not None, f"{dag_id} {run_id} clear {clear_number} was not recorded"
        return found

    def tries(self) -> list[Any]:
        """Every try that Airflow's database has of the DAGs that are recorded."""
        return [
            row
            for table in ("task_instance", "task_instance_history")
            for row in self.airflow.rows(f"SELECT * FROM {table} WHERE {RECORDED}")
        ]


def differences(happened: Happened, recorded: Recorded, *, cleared: bool = True) -> list[str]:
    """What a ledger says otherwise than Airflow, of every try and every DAG run.

    ``cleared`` says whether the ledger can know how often a run was cleared.
    """
    found = []
    for row in happened.tries():
        place = (row["task_id"], row["try_number"], row["map_index"])
        task = recorded.task(*place, dag_id=row["dag_id"], run_id=row["run_id"])
        state = task.state if task else None
        if state != OURS.get(row["state"], row["state"]):
            found.append(f"{row['dag_id']}.{place}: {row['state']} is {state}")
    for row in happened.airflow.rows(f"SELECT * FROM dag_run WHERE {RECORDED}"):
        number = row["clear_number"] if cleared else 0
        run = recorded.run(row["dag_id"], row["run_id"], number)
        state = run.state if run else None
        if state != row["state"]:
            found.append(f"{row['dag_id']} {row['run_id']}: {row['state']} is {state}")
    return found


def reconcile(happened: Happened, ledger: Path) -> dict[str, Any]:
    """Catch up over the REST API, into the ledger in this file."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("pipeledger"),
            "airflow",
            "reconcile",
            "--url",
            happened.airflow.url,
            "--json",
        ],
        env={
            **os.environ,
            "PIPELEDGER_DATABASE_URL": f"sqlite:///{ledger}",
            "PIPELEDGER_SPOOL_DIR": str(ledger.parent / f"spool of {ledger.name}"),
            "XDG_DATA_HOME": str(ledger.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))
