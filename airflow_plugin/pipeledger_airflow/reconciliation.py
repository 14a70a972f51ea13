"""The states of all tries of a DAG run, as Airflow's own database has them when the run ends.

Hooks miss much: what is skipped, killed with -9, marked by hand, timed out, never run at all. The
database does not. Its word carries the orchestrator's authority, so the ledger ends up equal to
Airflow; it knows no rows, windows or lineage, so it erases none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeledger.model.keys import airflow_task_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.fence import read
from pipeledger_airflow.states import detail, end_state
from pipeledger_airflow.versions import api


def reconcile(
    dag_run: Any, session: Any, parent: UUID, configuration: Configuration, read_at: datetime
) -> list[ExecutionReport]:
    """A report for every try that is over; what still runs or waits is left as it is.

    The parent is the run's execution of now, derived: what a task said of its parent stays, and so
    does what an earlier reconciliation said of tries from before a clear.
    """
    rows = api.current_tasks(dag_run, session)
    seen = {(row.task_id, row.map_index, row.try_number) for row in rows}
    rows += [
        row
        for row in api.earlier_tries(dag_run, session)
        # A try that waits for its retry is both in the history and current.
        if (row.task_id, row.map_index, row.try_number) not in seen
    ]
    return reports_of(rows, dag_run, parent, configuration, read_at)


def reports_of(
    rows: Iterable[api.TaskRow],
    dag_run: Any,
    parent: UUID,
    configuration: Configuration,
    read_at: datetime,
) -> list[ExecutionReport]:
    """The reports of the tries that are over; a row that cannot be read costs only itself."""
    found = []
    for row in rows:
        report = read(
            lambda row=row: report_of(  # type: ignore[misc]
                row, dag_run.dag_id, dag_run.run_id, parent, configuration, read_at
            )
        )
        if report is not None:
            found.append(report)
    return found


def report_of(
    row: api.TaskRow,
    dag_id: str,
    run_id: str,
    parent: UUID,
    configuration: Configuration,
    read_at: datetime,
) -> ExecutionReport | None:
    """The report of one row; None while the try is not over."""
    state = end_state(row.state)
    if state is None:
        return None
    started_at, ended_at = row.start_date, row.end_date
    if started_at is not None and ended_at is not None and ended_at < started_at:
        started_at = None
    attempt = row.try_number or 0
    key = (configuration.deployment, dag_id, run_id, row.task_id, row.map_index)
    return ExecutionReport(
        run_key=airflow_task_key(*key, attempt),
        occurred_at=read_at,
        authority=Authority.ORCHESTRATOR,
        pipeline=PipelineRef(f"{dag_id}.{row.task_id}", configuration.namespace),
        state=state,
        state_detail=detail(row.state),
        started_at=started_at,
        ended_at=ended_at or read_at,
        attempt=attempt,
        parent=parent,
        parent_derived=True,
        previous=airflow_task_key(*key, attempt - 1) if attempt > 1 else None,
        attributes=None if row.hostname else _attributes(row),
    )


def _attributes(row: api.TaskRow) -> dict[str, Any] | None:
    """What is known of a task that no process ran; one that ran has told more by itself."""
    found: dict[str, Any] = {}
    for name in ("operator", "queue", "pool"):
        value = getattr(row, name)
        if value is not None:
            found[name] = value
    if row.map_index >= 0:
        found["map_index"] = row.map_index
    return found or None
