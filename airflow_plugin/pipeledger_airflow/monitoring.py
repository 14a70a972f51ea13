"""``monitoring_dag``: the ledger watched by the Airflow that is there, in one DAG."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

from pipeledger.model.finding import CHECKS
from pipeledger.monitoring.round import Plan

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger
    from pipeledger.monitoring.round import Step

TASK_ID = "round"
LONGEST = timedelta(hours=1)
"""What hangs for so long is ended, and the next round begins anew."""
_DOC = """\
One round of upkeep of the Pipeledger ledger: what waits in the spool of this host is delivered, runs
that nobody will end are given up, probes ask their tables, the checks look for what is late, missing,
failed, stale or odd, and alerts are sent. What is found is in the task's log and in
`pipeledger findings`; findings do not fail the task, a step that could not be done does.
"""


def monitoring_dag(
    dag_id: str = "pipeledger_monitoring",
    schedule: Any = "*/5 * * * *",
    *,
    spool: bool = True,
    reap_older_than: str | None = "1h",
    reap_silent_for: str = "7d",
    probes: bool = True,
    checks: Collection[str] | None = CHECKS,
    alerts: bool = True,
    prune_older_than: str | None = None,
    **dag: Any,
) -> DAG:
    """A DAG whose one task does a round of ``pipeledger.monitoring.round``; False or None leaves out.

    One task, because its steps need each other's results and one process, one worker and one row in
    Airflow's database do for all of them; a step that fails stops no other, and fails the task at the
    end. It is not tried again: the next round is. ``prune_older_than`` (``90d``): delete old runs,
    once a day. ``dag``: more for ``DAG``, such as ``default_args={"queue": ...}``.

    The ledger is the one that the plugin records into. Raises InvalidInput.
    """
    plan = Plan(
        spool=spool,
        reap_older_than=reap_older_than,
        reap_silent_for=reap_silent_for,
        probes=probes,
        checks=checks,
        alerts=alerts,
        prune_older_than=prune_older_than,
    )
    options: dict[str, Any] = {
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["pipeledger"],
        "doc_md": _DOC,
        **dag,
    }
    with DAG(dag_id, schedule=schedule, **options) as made:
        MonitoringRound(plan=plan, task_id=TASK_ID, retries=0, execution_timeout=LONGEST)
    return made


class MonitoringRound(BaseOperator):
    """Does a round, and logs what came of each step."""

    ui_color = "#dbe9f6"

    def __init__(self, *, plan: Plan, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    def execute(self, context: Any) -> dict[str, Any]:
        """What came of each step, as JSON. Raises AirflowFailException with one line of reasons."""
        from airflow.sdk.exceptions import AirflowFailException

        from pipeledger.monitoring.round import run

        done = run(_ledger(), self.plan, progress=self._log)
        if done.error is not None:
            raise AirflowFailException(done.error)
        return done.to_json()

    def _log(self, step: Step) -> None:
        say = self.log.info if step.error is None else self.log.error
        for line in str(step).splitlines():
            say("%s", line)


def _ledger() -> Ledger:
    """The ledger that the plugin records into.

    Raises AirflowSkipException where recording was turned off, AirflowFailException where the plugin
    has none.
    """
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from pipeledger.model.errors import PipeledgerError
    from pipeledger_airflow.configuration import Configuration, TurnedOff
    from pipeledger_airflow.listener import ledger_for
    from pipeledger_airflow.versions import api

    try:
        return ledger_for(Configuration.read(os.environ, api.executors()).settings)
    except TurnedOff as off:
        kind = AirflowSkipException if off.wanted else AirflowFailException
        raise kind(f"there is no ledger here to watch: {off}") from None
    except PipeledgerError as error:
        raise AirflowFailException(f"there is no ledger here to watch: {error}") from None
