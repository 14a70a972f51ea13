"""A task that says its row counts, in a file that costs next to nothing to read: for many tries at once."""

from __future__ import annotations

from airflow.sdk import DAG, task

with DAG("counts", schedule=None) as dag:

    @task
    def returns_counts() -> dict[str, int]:
        return {"inserts": 5, "updates": 2}

    returns_counts()
