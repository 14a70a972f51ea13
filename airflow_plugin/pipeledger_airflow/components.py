"""What is reported from the scheduler and the API server: DAG runs, and tasks that others ended.

Hooks get rows of Airflow's database in the middle of its transaction. Plain values are copied out,
through the row's own session and only by reading; the reports go to the spool, and a thread of the
ledger's delivers them. A hook that talked to a database here would stop every DAG while it waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeledger.model import times
from pipeledger.model.report import ExecutionReport, Report, RunError
from pipeledger.model.state import State
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.dag_runs import dag_run_report, forerunners, run_key
from pipeledger_airflow.fence import guarded, read
from pipeledger_airflow.reconciliation import reconcile, report_of
from pipeledger_airflow.registration import Registrar
from pipeledger_airflow.versions import api

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger


class Component:
    """Reports what happens in a process of Airflow's own."""

    def __init__(self, ledger: Ledger, configuration: Configuration) -> None:
        self._ledger = ledger
        self._configuration = configuration
        self._registrar = Registrar(configuration)

    def dag_run_running(self, dag_run: Any) -> None:
        """A DAG run starts, or starts again after a clear."""
        if not self._is_recorded(dag_run):
            return
        reports = self._declarations(dag_run)
        declared = self._registrar.configuration_hash(dag_run.dag_id)
        reports.append(
            dag_run_report(dag_run, State.RUNNING, self._configuration, declared=declared)
        )
        self._ledger.append(*reports)

    def dag_run_ended(self, dag_run: Any, state: State, message: str) -> None:
        """A DAG run ends: its end, its cleared forerunners' ends, the states of all its tries."""
        if not self._is_recorded(dag_run):
            return
        reports = self._declarations(dag_run)
        declared = self._registrar.configuration_hash(dag_run.dag_id)
        end = dag_run_report(
            dag_run, state, self._configuration, message=message, declared=declared
        )
        reports += [end, *forerunners(dag_run, state, self._configuration)]
        # The run's own end must not be lost with a row that cannot be read.
        guarded("reconciliation", self._reconcile, dag_run, end, reports)
        self._ledger.append(*reports)

    def task_ended(self, ti: Any, word: str, error: object = None) -> None:
        """A task's state was set by the scheduler (its process is lost) or by a person.

        ``try_number`` is still the lost try's, though the row's id is the next one's already.
        """
        dag_run = read(lambda: ti.dag_run)
        session = api.session_of(ti)
        tags = read(lambda: api.tags_of(ti.dag_id, session)) or frozenset()
        if not self._configuration.records(ti.dag_id, tags):
            return
        clear_number = getattr(dag_run, "clear_number", 0) or 0
        parent = run_key(ti.dag_id, ti.run_id, clear_number, self._configuration)
        row = api.row_of(ti, word)
        report = report_of(row, ti.dag_id, ti.run_id, parent, self._configuration, times.now())
        if report is None:
            return
        if error is not None:
            text = error if isinstance(error, BaseException) else str(error)
            report = replace(report, error=RunError.of(text))
        self._ledger.append(report)

    def _is_recorded(self, dag_run: Any) -> bool:
        tags = read(lambda: frozenset(dag_run.dag.tags)) or frozenset()
        return self._configuration.records(dag_run.dag_id, tags)

    def _declarations(self, dag_run: Any) -> list[Report]:
        session = api.session_of(dag_run)
        return read(lambda: self._registrar.reports(dag_run, session)) or []

    def _reconcile(self, dag_run: Any, end: ExecutionReport, reports: list[Report]) -> None:
        session = api.session_of(dag_run)
        if session is not None:
            reports += reconcile(
                dag_run, session, end.run_key, self._configuration, end.occurred_at
            )
