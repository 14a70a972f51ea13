"""The states of all tries of a DAG run, as Airflow's own database has them when the run ends.

Hooks miss much: what is skipped, killed with -9, marked by hand, timed out, never run at all. The
database does not. Its word carries the orchestrator's authority, so the ledger ends up equal to
Airflow; it knows no rows, windows or lineage, so it erases none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pipeledger.model.keys import airflow_task_keys
from pipeledger.model.redaction import redact_text
from pipeledger.model.report import ExecutionReport
from pipeledger.model.report_table import ReportTable, each_report
from pipeledger.model.state import Authority
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.states import detail, end_state
from pipeledger_airflow.versions import api

COLUMNS = (
    "run_key",
    "pipeline",
    "state",
    "state_detail",
    "started_at",
    "ended_at",
    "attempt",
    "previous",
    "attributes",
)


def reconcile(
    dag_run: Any, session: Any, parent: UUID, configuration: Configuration, read_at: datetime
) -> ReportTable:
    """A row for every try that is over; what still runs or waits is left as it is.

    The parent is the run's execution of now, derived: what a task said of its parent stays, and so
    does what an earlier reconciliation said of tries from before a clear.
    """
    rows = api.current_tasks(dag_run, session)
    if dag_run.clear_number or any((row.try_number or 0) > 1 for row in rows):
        seen = {(row.task_id, row.map_index, row.try_number) for row in rows}
        rows += [
            row
            for row in api.earlier_tries(dag_run, session)
            # A try that waits for its retry is both in the history and current.
            if (row.task_id, row.map_index, row.try_number) not in seen
        ]
    return ends_of(rows, dag_run.dag_id, dag_run.run_id, parent, configuration, read_at)


def ends_of(
    rows: Iterable[api.TaskRow],
    dag_id: str,
    run_id: str,
    parent: UUID,
    configuration: Configuration,
    read_at: datetime,
) -> ReportTable:
    """What is to be reported of the tries of a run that are over."""
    key_of = airflow_task_keys(configuration.deployment, dag_id, run_id)
    read_text = _text(read_at)
    found: list[list[Any]] = []
    for row in rows:
        state = end_state(row.state)
        if state is None:
            continue
        started_at, ended_at = row.start_date, row.end_date
        if started_at is not None and ended_at is not None and ended_at < started_at:
            started_at = None
        attempt = row.try_number or 0
        previous = key_of(row.task_id, row.map_index, attempt - 1) if attempt > 1 else None
        found.append(
            [
                str(key_of(row.task_id, row.map_index, attempt)),
                [configuration.namespace, f"{dag_id}.{row.task_id}"],
                state.value,
                detail(row.state),
                None if started_at is None else _text(started_at),
                read_text if ended_at is None else _text(ended_at),
                attempt,
                None if previous is None else str(previous),
                None if row.hostname else _attributes(row),
            ]
        )
    shared = {
        "occurred_at": read_text,
        "authority": int(Authority.ORCHESTRATOR),
        "parent": [str(parent), True],
    }
    return ReportTable(shared, COLUMNS, found)


def reports_of(table: ReportTable) -> list[ExecutionReport]:
    """The table's reports, where they are wanted at once."""
    return [ExecutionReport.from_json(each) for each in each_report(table.to_json())]


def _text(moment: datetime) -> str:
    """The moment in ISO 8601; one without a zone is in UTC."""
    if moment.tzinfo is None:
        return moment.isoformat() + "Z"
    return moment.isoformat()


def _attributes(row: api.TaskRow) -> dict[str, Any] | None:
    """What is known of a task that no process ran; one that ran has told more by itself."""
    found: dict[str, Any] = {
        name: _without_secrets(value)
        for name, value in (("operator", row.operator), ("queue", row.queue), ("pool", row.pool))
        if value is not None
    }
    if row.map_index >= 0:
        found["map_index"] = row.map_index
    return found or None


@lru_cache(maxsize=1024)
def _without_secrets(text: str) -> str:
    return redact_text(text)
