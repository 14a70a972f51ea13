"""What is reported from the scheduler and the API server: DAG runs, and tasks that others ended.

Hooks get rows of Airflow's database in the middle of its transaction. Plain values are copied out,
through the row's own session and only by reading; the reports go to the spool, and a thread of the
ledger's delivers them. A hook that talked to a database here would stop every DAG while it waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.report import ExecutionReport, Report, RunError
from pipeledger.model.report_table import ReportTable
from pipeledger.model.state import State
from pipeledger_airflow.backfills import backfill_ended, backfill_started
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.dag_runs import dag_run_report, forerunners, run_key
from pipeledger_airflow.fence import attribute, guarded, read
from pipeledger_airflow.reconciliation import ends_of, reconcile, reports_of
from pipeledger_airflow.registration import Registrar
from pipeledger_airflow.tags import tags_of
from pipeledger_airflow.versions import api

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger

MOST_DESCRIBED = 10_000


class Component:
    """Reports what happens in a process of Airflow's own."""

    def __init__(self, ledger: Ledger, configuration: Configuration) -> None:
        self._ledger = ledger
        self._configuration = configuration
        self._registrar = Registrar(configuration)
        self._described: dict[UUID, None] = {}
        """The runs whose start was reported from this process, the last thousands."""

    def dag_run_running(self, dag_run: Any) -> None:
        """A DAG run starts, or starts again after a clear."""
        if not self._is_recorded(dag_run):
            return
        reports = self._declarations(dag_run)
        declared = self._registrar.configuration_hash(dag_run.dag_id)
        start = dag_run_report(dag_run, State.RUNNING, self._configuration, declared=declared)
        reports.append(start)
        guarded("a backfill", self._backfill, backfill_started, dag_run, start, reports)
        self._ledger.append(*reports)
        self._described[start.run_key] = None
        if len(self._described) > MOST_DESCRIBED:
            del self._described[next(iter(self._described))]

    def dag_run_ended(self, dag_run: Any, state: State, message: str) -> None:
        """A DAG run ends: its end, its cleared forerunners' ends, the states of all its tries."""
        if not self._is_recorded(dag_run):
            return
        reports = self._declarations(dag_run)
        declared = self._registrar.configuration_hash(dag_run.dag_id)
        key = run_key(dag_run.dag_id, dag_run.run_id, dag_run.clear_number, self._configuration)
        described = key in self._described
        end = dag_run_report(
            dag_run,
            state,
            self._configuration,
            message=message,
            declared=declared,
            described=described,
        )
        reports += [end, *forerunners(dag_run, state, self._configuration)]
        tries: list[ReportTable] = []
        # The run's own end must not be lost with a row that cannot be read.
        guarded("reconciliation", self._reconcile, dag_run, end, tries)
        guarded("a backfill", self._backfill, backfill_ended, dag_run, end, reports)
        self._ledger.append(*reports, *tries)

    def task_ended(self, ti: Any, word: str, error: object = None) -> None:
        """A task's state was set by the scheduler (its process is lost) or by a person.

        ``try_number`` is still the lost try's, though the row's id is the next one's already.
        """
        dag_run = read(lambda: ti.dag_run)
        session = api.session_of(ti)
        # A scheduler's row has its task at hand, the API server's has not.
        dag = attribute(ti, "task.dag") or read(lambda: api.stored_dag(ti.dag_id, session))
        tags = frozenset() if dag is None else tags_of(dag)
        if not self._configuration.records(ti.dag_id, tags):
            return
        clear_number = getattr(dag_run, "clear_number", 0) or 0
        parent = run_key(ti.dag_id, ti.run_id, clear_number, self._configuration)
        row = api.row_of(ti, word)
        table = ends_of([row], ti.dag_id, ti.run_id, parent, self._configuration, times.now())
        for report in reports_of(table):
            if error is not None:
                text = error if isinstance(error, BaseException) else str(error)
                report = replace(report, error=RunError.of(text))
            self._ledger.append(report)

    def _is_recorded(self, dag_run: Any) -> bool:
        tags = read(lambda: tags_of(dag_run.dag)) or frozenset()
        return self._configuration.records(dag_run.dag_id, tags)

    def _declarations(self, dag_run: Any) -> list[Report]:
        session = api.session_of(dag_run)
        return read(lambda: self._registrar.reports(dag_run, session)) or []

    def _backfill(
        self, tell: Any, dag_run: Any, report: ExecutionReport, reports: list[Report]
    ) -> None:
        if dag_run.backfill_id is not None:
            session = api.session_of(dag_run)
            reports += tell(dag_run, session, self._configuration, report.occurred_at)

    def _reconcile(self, dag_run: Any, end: ExecutionReport, tries: list[ReportTable]) -> None:
        session = api.session_of(dag_run)
        if session is not None:
            tries.append(
                reconcile(dag_run, session, end.run_key, self._configuration, end.occurred_at)
            )
