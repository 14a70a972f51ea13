"""The cases that only a scheduler shows, one DAG for each thing that happens to a whole run."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, Asset, BaseOperator, BaseSensorOperator, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeledger_airflow import current_execution

GATES = Path(os.environ["COVERAGE_GATES"])
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
LANDED = Asset("file:///coverage/landed.csv")
LOADED = Asset("file:///coverage/loaded.csv")
SHARED: dict[str, Any] = {"schedule": None, "start_date": START, "catchup": False}


def wait_at(gate: str) -> None:
    """Until the test opens the gate, or kills the task."""
    while not (GATES / gate).exists():
        time.sleep(0.1)


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=5)), method_name="resumed")

    def resumed(self, context: Any, event: Any = None) -> None:
        return None


class PokesTwice(BaseSensorOperator):
    def poke(self, context: Any) -> bool:
        return bool(context["task_reschedule_count"])


with DAG(
    "tasks",
    **SHARED,
    tags=["coverage", "pipeledger:timeliness=2 hours"],
    description="one task for each way to end",
) as tasks:

    @task
    def succeeds() -> dict[str, int]:
        return {"inserts": 3}

    @task
    def fails() -> None:
        raise ValueError("broken")

    @task(execution_timeout=timedelta(seconds=1))
    def overruns() -> None:
        signal.pause()

    @task
    def exits() -> None:
        sys.exit(3)

    @task(retries=2)
    def fails_for_good() -> None:
        raise AirflowFailException("never again")

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fails_once() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("not yet")

    @task
    def skips() -> None:
        raise AirflowSkipException("nothing to do")

    @task.branch
    def branches() -> str:
        return "chosen"

    @task.short_circuit
    def stops_here() -> bool:
        return False

    @task
    def doubles(x: int) -> int:
        return 2 * x

    @task
    def numbers() -> list[int]:
        return [1, 2]

    @task
    def no_numbers() -> list[int]:
        return []

    @task
    def kills_itself() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def leaves_without_a_word() -> None:
        os._exit(0)

    @task
    def loads() -> None:
        current_execution().window(next_watermark=10)

    empty = EmptyOperator(task_id="empty")
    EmptyOperator(task_id="empty_with_outlet", outlets=[LOADED], inlets=[LANDED])
    succeeds() >> empty
    fails() >> EmptyOperator(task_id="after_a_failure")
    overruns()
    exits()
    fails_for_good()
    fails_once()
    skips() >> EmptyOperator(task_id="after_a_skip")
    branches() >> [EmptyOperator(task_id="chosen"), EmptyOperator(task_id="not_chosen")]
    stops_here() >> EmptyOperator(task_id="not_reached")
    doubles.expand(x=numbers())
    doubles.override(task_id="doubles_nothing").expand(x=no_numbers())
    Defers(task_id="defers")
    # Long enough for the executor to have said that the first part is over: a try that is queued again
    # before that is failed by the scheduler as a mismatch of states (seen, 3.3.2).
    PokesTwice(task_id="pokes_twice", mode="reschedule", poke_interval=5, timeout=60)
    kills_itself()
    leaves_without_a_word()
    loads()


with DAG("marked", **SHARED) as marked:

    @task
    def waits(gate: str) -> None:
        wait_at(gate)

    waits.override(task_id="to_be_failed")("never") >> EmptyOperator(task_id="after_failed")
    waits.override(task_id="to_be_succeeded")("never") >> EmptyOperator(task_id="after_success")


with DAG("run_marked", **SHARED) as run_marked:
    # No task behind it: Airflow skips what has not started, and a scheduler that looks at the run
    # in that moment calls it a success if only skipped tasks are at its end (seen, 3.3.2).
    waits("never")


with DAG("overtime", **SHARED, dagrun_timeout=timedelta(seconds=6)) as overtime:
    waits("never") >> EmptyOperator(task_id="after")


with DAG("cleared", **SHARED) as cleared:

    @task
    def first() -> None:
        return None

    @task
    def second() -> None:
        if get_current_context()["dag_run"].clear_number == 0:
            raise RuntimeError("only the second time")

    first() >> second()


with DAG("cleared_while_running", **SHARED) as cleared_while_running:

    @task
    def quick() -> None:
        return None

    quick() >> waits("finish_cleared")


with DAG("lost", **SHARED) as lost:

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def loses_its_worker() -> None:
        if get_current_context()["ti"].try_number == 1:
            # The supervisor above this process, then this process: nobody is left to say anything.
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    loses_its_worker()


with DAG("triggering", **SHARED) as triggering:
    TriggerDagRunOperator(task_id="and_goes_on", trigger_dag_id="triggered")
    TriggerDagRunOperator(
        task_id="and_waits", trigger_dag_id="triggered", wait_for_completion=True, poke_interval=1
    )
    TriggerDagRunOperator(
        task_id="and_defers",
        trigger_dag_id="triggered",
        wait_for_completion=True,
        deferrable=True,
        poke_interval=1,
    )


with DAG("triggered", **SHARED) as triggered:
    quick.override(task_id="quick")()


with DAG("on_asset", start_date=START, schedule=[LOADED]) as on_asset:
    quick.override(task_id="quick")()


with DAG("opted_out", **SHARED, tags=["pipeledger:off"]) as opted_out:
    quick.override(task_id="quick")() >> EmptyOperator(task_id="empty")


with DAG(
    "opted_out_by_param", **SHARED, params={"pipeledger": {"off": True}}
) as opted_out_by_param:
    quick.override(task_id="quick")() >> EmptyOperator(task_id="empty")


with DAG(
    "says_it_by_param",
    **SHARED,
    tags=["pipeledger:type=overruled"],
    params={
        "pipeledger": {"type": "load", "freshness": "1 day", "watermark_kind": "text", "typo": 1},
        "region": "west",
    },
) as says_it_by_param:
    quick.override(task_id="quick")()


with DAG(
    "backfilled",
    schedule=timedelta(days=1),
    start_date=START,
    end_date=START + timedelta(days=3),  # over: nothing but a backfill makes a run of it
    catchup=False,
) as backfilled:
    quick.override(task_id="quick")()


def note(task_id: str, what: str) -> None:
    with (GATES / f"times of {task_id}").open("a") as file:
        file.write(f"{what} {time.time()}\n")


class DefersTwice(BaseOperator):
    """Runs for a second, waits for four, twice, and runs for another second."""

    def execute(self, context: Any, event: Any = None) -> None:
        self._part("resumed_once")

    def resumed_once(self, context: Any, event: Any = None) -> None:
        current_execution().metadata(said="in the second part")
        self._part("resumed_twice")

    def resumed_twice(self, context: Any, event: Any = None) -> None:
        note(self.task_id, "began")
        time.sleep(1)
        note(self.task_id, "stopped")

    def _part(self, then: str) -> None:
        note(self.task_id, "began")
        time.sleep(1)
        note(self.task_id, "stopped")
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=4)), method_name=then)


class PokesThrice(BaseSensorOperator):
    """Looks for a second, three times."""

    def poke(self, context: Any) -> bool:
        note(self.task_id, "began")
        time.sleep(1)
        note(self.task_id, "stopped")
        return bool(context["task_reschedule_count"] == 2)


with DAG("waiting", **SHARED) as waiting:
    DefersTwice(task_id="defers_twice")
    PokesThrice(task_id="pokes_thrice", mode="reschedule", poke_interval=5, timeout=90)
