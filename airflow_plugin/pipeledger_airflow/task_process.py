"""What is reported from the task's own process: one try, with everything that only it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeledger.ledger import nest_under
from pipeledger.model import times
from pipeledger.model.keys import airflow_dag_run_key, airflow_task_key
from pipeledger.model.lineage import LineageReport
from pipeledger.model.report import ExecutionReport, Report, RunError
from pipeledger.model.state import State
from pipeledger_airflow import current, lineage, rows
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.fence import read
from pipeledger_airflow.pauses import Part, began_at, part_of
from pipeledger_airflow.states import detail, plain
from pipeledger_airflow.tags import tags_of
from pipeledger_airflow.versions import api

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger


class TaskProcess:
    """Reports the try that runs in this process.

    A deferred or rescheduled try starts and stops in several processes; all of them speak of the
    same key, so the ledger holds one execution that began when its first part did.
    """

    def __init__(self, ledger: Ledger, configuration: Configuration) -> None:
        self._ledger = ledger
        self._configuration = configuration
        self._described: UUID | None = None
        self._began_at: datetime | None = None

    def running(self, ti: Any) -> None:
        """Report the start, and get ready to hear what the task returns."""
        if not self._is_recorded(ti):
            return
        self._began_at = read(lambda: began_at(ti))
        key, pipeline = current.identity(ti, self._configuration.settings)
        execution = current.begin(current.TaskExecution(self._ledger, pipeline, key))
        read(lambda: api.watch_result(ti, _counts_into(execution)))
        read(lineage.begin)
        nest_under(key)  # what the task's code records with ``ledger.execution`` runs inside of it
        self._ledger.record(self._report(ti, state=State.RUNNING, attributes=attributes_of(ti)))
        self._described = key

    def ended(self, ti: Any, state: State, error: BaseException | str | None = None) -> None:
        """Report how the try ended, with its counts, lineage, window and own words."""
        if not self._is_recorded(ti):
            return
        nest_under(None)
        key, pipeline = current.identity(ti, self._configuration.settings)
        execution = current.end(key) or current.TaskExecution(None, pipeline, key)
        said, returned, metadata, window = execution.said
        found = lineage.lineage_of(ti)
        ended_at = read(lambda: ti.end_date) or times.now()
        split = self._part(ti, key, lambda part: part.ended(ended_at))
        report = self._report(
            ti,
            state=state,
            ended_at=ended_at,
            state_detail=read(lambda: detail(ti.state)),
            error=None if error is None else _error(error),
            counts=rows.first_known(said, returned, *found.counts),
            metadata={**split, **_end_facts(ti), **metadata} or None,
            # Said at the start, unless another process or nobody has seen it.
            attributes=None if self._described == key else attributes_of(ti),
            window=window,
            inputs=found.inputs,
            outputs=found.outputs,
        )
        reports: list[Report] = [report]
        if state is State.SUCCESS and found.edges is not None:
            reports.append(
                LineageReport(
                    pipeline,
                    report.occurred_at,
                    found.edges,
                    inputs=tuple(use.address for use in found.inputs),
                    outputs=tuple(use.address for use in found.outputs),
                    observed=True,
                )
            )
        if state is not State.SKIPPED:
            reports += self._triggered(ti, key)
        self._ledger.record(*reports)

    def stopping(self, ti: Any) -> None:
        """The process stops without an end of the try: it was deferred or put off."""
        if not self._is_recorded(ti):
            return
        key, pipeline = current.identity(ti, self._configuration.settings)
        execution = current.end(key)
        now = times.now()
        so_far = self._part(ti, key, lambda part: part.paused(now))
        metadata = execution.said[2] if execution else {}
        pause = ExecutionReport(
            run_key=key,
            occurred_at=now,
            pipeline=pipeline,
            state=State.RUNNING,
            metadata={**so_far, **metadata} or None,
        )
        self._ledger.record(pause, *self._triggered(ti, key))

    def _part(self, ti: Any, key: UUID, tell: Callable[[Part], dict[str, Any]]) -> dict[str, Any]:
        """What is to be said of how long the try ran and waited."""
        began = self._began_at
        if began is None:
            return {}
        part = read(lambda: part_of(ti, key, began, self._ledger))
        return {} if part is None else tell(part)

    def _is_recorded(self, ti: Any) -> bool:
        tags = read(lambda: tags_of(ti.task.dag)) or frozenset()
        return self._configuration.records(ti.dag_id, tags)

    def _report(
        self, ti: Any, *, state: State, ended_at: datetime | None = None, **known: Any
    ) -> ExecutionReport:
        key, pipeline = current.identity(ti, self._configuration.settings)
        dag_run = read(lambda: api.dag_run_facts(ti))
        started_at = read(lambda: ti.start_date)
        if ended_at is not None and started_at is not None and ended_at < started_at:
            started_at = None  # two clocks; the start was reported by the running hook
        return ExecutionReport(
            run_key=key,
            occurred_at=times.now(),
            pipeline=pipeline,
            state=state,
            started_at=started_at,
            ended_at=ended_at,
            attempt=ti.try_number,
            parent=None
            if dag_run is None
            else self._run_key(ti.dag_id, ti.run_id, dag_run.clear_number),
            previous=self._previous(ti),
            code_version=read(lambda: ti.bundle_instance.version),
            **known,
        )

    def _run_key(self, dag_id: str, run_id: str, clear_number: int) -> UUID:
        return airflow_dag_run_key(self._configuration.deployment, dag_id, run_id, clear_number)

    def _previous(self, ti: Any) -> UUID | None:
        if ti.try_number < 2:
            return None
        map_index = -1 if ti.map_index is None else ti.map_index
        return airflow_task_key(
            self._configuration.deployment,
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            map_index,
            ti.try_number - 1,
        )

    def _triggered(self, ti: Any, key: UUID) -> list[Report]:
        child = read(lambda: api.triggered_run(ti))
        if child is None:
            return []
        return [ExecutionReport(run_key=self._run_key(*child), occurred_at=times.now(), parent=key)]


def attributes_of(ti: Any) -> dict[str, Any]:
    """What the try ran as. Each attribute is read by itself: operators are users' classes."""
    task = ti.task
    readers: Mapping[str, Any] = {
        "operator": lambda: getattr(task, "operator_name", None) or task.task_type,
        "map_index": lambda: (
            ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
        ),
        "task_group": lambda: task.task_group.group_id if task.task_group else None,
        "queue": lambda: ti.queue or task.queue,
        "pool": lambda: task.pool,
        "host": lambda: ti.hostname,
        "log_url": lambda: ti.log_url,
        "owner": lambda: task.owner,
        "tags": lambda: sorted(task.dag.tags) or None,
        "sql": lambda: _sql(task),
        "file": lambda: task.dag.fileloc,
        "task_instance_id": lambda: str(ti.id),
        "dag_version_id": lambda: str(ti.dag_version_id) if ti.dag_version_id else None,
        "bundle": lambda: ti.bundle_instance.name,
    }
    return {name: value for name, reader in readers.items() if (value := read(reader)) is not None}


def _end_facts(ti: Any) -> dict[str, Any]:
    """What only the end of a try knows of how it ran."""
    facts = read(lambda: api.resumptions(ti)) or {}
    label = read(lambda: ti.rendered_map_index)
    if label is not None:
        facts["map_label"] = label
    return facts


def _sql(task: Any) -> str | list[str] | None:
    """The operator's SQL, rendered; the ledger takes the secrets out."""
    if "sql" not in (task.template_fields or ()):
        return None
    sql = task.sql
    if isinstance(sql, str):
        return sql
    if isinstance(sql, (list, tuple)):
        return [str(statement) for statement in sql]
    return None


def _counts_into(execution: current.TaskExecution) -> Any:
    def seen(result: object) -> None:
        counts = read(lambda: rows.from_mapping(result))
        if counts is not None:
            execution.saw_result(counts)

    return seen


def _error(error: BaseException | str) -> RunError:
    found = read(lambda: RunError.of(error))
    return found or RunError(type(error).__name__, "its text could not be read")


def end_of(ti: Any) -> bool:
    """Whether the state the task ended this process with is an end of the try."""
    return plain(ti.state) in ("success", "failed", "skipped", "up_for_retry")
