"""A DAG that loses a task while a run of it is under way: Airflow calls the task removed."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

GATES = Path(os.environ["COVERAGE_GATES"])

with DAG(
    "shrinking", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False
) as shrinking:

    @task
    def stays() -> None:
        while not (GATES / "finish_shrinking").exists():
            time.sleep(0.1)

    first, after = stays(), EmptyOperator(task_id="after")
    first >> after
    if not (GATES / "shrunk").exists():
        first >> EmptyOperator(task_id="goes") >> after
