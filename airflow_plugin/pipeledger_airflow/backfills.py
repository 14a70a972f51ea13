"""The execution that a backfill's DAG runs run inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeledger.model.keys import airflow_backfill_key
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import Authority, State
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.versions import api

TYPE = "airflow_backfill"
GROUP = "airflow"
_OVER = ("success", "failed")


def backfill_started(
    dag_run: Any, session: Any, configuration: Configuration, now: datetime
) -> list[Report]:
    """That the backfill of this run, which belongs to one, runs."""
    if session is None:
        return []
    found = api.backfill(dag_run.backfill_id, session)
    if found is None:
        return []
    pipeline = PipelineRef(f"backfill/{dag_run.dag_id}", configuration.namespace)
    return [
        PipelineReport(pipeline, found.created_at, TYPE, GROUP),
        ExecutionReport(
            run_key=airflow_backfill_key(configuration.deployment, dag_run.backfill_id),
            occurred_at=now,
            authority=Authority.ORCHESTRATOR,
            pipeline=pipeline,
            state=State.RUNNING,
            started_at=found.created_at,
            attributes={
                "backfill_id": dag_run.backfill_id,
                "from_date": found.from_date,
                "to_date": found.to_date,
                "reprocess_behavior": found.reprocess_behavior,
                "max_active_runs": found.max_active_runs,
                "triggering_user": found.triggering_user_name,
                "deployment": configuration.deployment,
            },
        ),
    ]


def backfill_ended(
    dag_run: Any, session: Any, configuration: Configuration, now: datetime
) -> list[Report]:
    """The backfill's end, if this run was its last one: failed if any of its runs is.

    A run of it that is cleared later ends it again, and the later word counts.
    """
    if session is None:
        return []
    runs = api.runs_of_backfill(dag_run.backfill_id, session)
    if not runs or any(state not in _OVER for state, _ in runs):
        return []
    return [
        ExecutionReport(
            run_key=airflow_backfill_key(configuration.deployment, dag_run.backfill_id),
            occurred_at=now,
            authority=Authority.ORCHESTRATOR,
            pipeline=PipelineRef(f"backfill/{dag_run.dag_id}", configuration.namespace),
            state=State.FAILED if any(state == "failed" for state, _ in runs) else State.SUCCESS,
            ended_at=max((ended for _, ended in runs if ended is not None), default=now),
        )
    ]
