"""A DAG run as an execution, from a row of Airflow's database or from what its REST API says of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.keys import airflow_backfill_key, airflow_dag_run_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority, State
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.fence import read
from pipeledger_airflow.states import plain
from pipeledger_airflow.versions import api

_EXPECTED_MESSAGES = ("started", "success", "task_failure")


def run_key(dag_id: str, run_id: str, clear_number: int, configuration: Configuration) -> UUID:
    """The key of the run after so many clears."""
    return airflow_dag_run_key(configuration.deployment, dag_id, run_id, clear_number)


def dag_run_report(
    dag_run: Any,
    state: State,
    configuration: Configuration,
    *,
    message: str | None = None,
    declared: str | None = None,
    described: bool = False,
) -> ExecutionReport:
    """What Airflow knows of the run now. ``declared`` is the hash of the DAG's declaration; ``described``
    says that what the run came about by was reported at its start."""
    now = times.now()
    number = dag_run.clear_number
    started_at = dag_run.queued_at if was_cleared_while_running(dag_run) else dag_run.start_date
    ended_at = None
    if state is not State.RUNNING:
        ended_at = dag_run.end_date or now
        if started_at is not None and ended_at < started_at:
            started_at = None
    previous = (
        run_key(dag_run.dag_id, dag_run.run_id, number - 1, configuration) if number else None
    )
    return ExecutionReport(
        run_key=run_key(dag_run.dag_id, dag_run.run_id, number, configuration),
        occurred_at=now,
        authority=Authority.ORCHESTRATOR,
        pipeline=PipelineRef(dag_run.dag_id, configuration.namespace),
        state=state,
        state_detail=None if message in _EXPECTED_MESSAGES else message,
        started_at=started_at,
        ended_at=ended_at,
        attempt=number + 1,
        parent=backfill_of(dag_run, configuration),
        previous=previous,
        configuration_hash=declared,
        code_version=read(lambda: dag_run.bundle_version),
        attributes=None if described else _attributes(dag_run, configuration),
    )


def backfill_of(dag_run: Any, configuration: Configuration) -> UUID | None:
    """The key of the backfill that the run belongs to; a run that REST tells of names none."""
    number = getattr(dag_run, "backfill_id", None)
    return None if number is None else airflow_backfill_key(configuration.deployment, number)


def forerunners(dag_run: Any, state: State, configuration: Configuration) -> list[ExecutionReport]:
    """Ends, as inferred, for what a clear in the middle of the run left open."""
    if not was_cleared_while_running(dag_run):
        return []
    now = times.now()
    return [
        ExecutionReport(
            run_key=run_key(dag_run.dag_id, dag_run.run_id, number, configuration),
            occurred_at=now,
            authority=Authority.INFERRED,
            pipeline=PipelineRef(dag_run.dag_id, configuration.namespace),
            state=state,
            state_detail="cleared",
            ended_at=dag_run.end_date or now,
        )
        for number in range(dag_run.clear_number)
    ]


def was_cleared_while_running(dag_run: Any) -> bool:
    """A clear raises the clear number and the queueing time of a run that goes on; of a run that is
    over it resets the start as well (``clear_task_instances``, 3.3.2)."""
    return bool(
        dag_run.clear_number
        and dag_run.queued_at is not None
        and dag_run.start_date is not None
        and dag_run.queued_at > dag_run.start_date
    )


def _attributes(dag_run: Any, configuration: Configuration) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "run_id": lambda: dag_run.run_id,
        "run_type": lambda: plain(dag_run.run_type),
        "triggered_by": lambda: plain(dag_run.triggered_by).lower(),
        "triggering_user": lambda: dag_run.triggering_user_name,
        "logical_date": lambda: dag_run.logical_date,
        "data_interval_start": lambda: dag_run.data_interval_start,
        "data_interval_end": lambda: dag_run.data_interval_end,
        "run_after": lambda: dag_run.run_after,
        "partition_key": lambda: dag_run.partition_key,
        "backfill_id": lambda: dag_run.backfill_id,
        "conf": lambda: dict(dag_run.conf),
        "owner": lambda: dag_run.dag.owner,
        "tags": lambda: sorted(dag_run.dag.tags),
        "deployment": lambda: configuration.deployment,
        "caused_by": lambda: api.consumed_events(dag_run),
    }
    return {
        name: value
        for name, reader in readers.items()
        if (value := read(reader)) not in (None, "", [], {})
    }
