"""One DAG whose tasks are the cases that the task runner tests run, one by one."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    BaseOperator,
    BaseSensorOperator,
    ObjectStoragePath,
    TaskGroup,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from pipeledger import Ledger
from pipeledger_airflow import current_execution

WAREHOUSE = os.environ.get("CASES_WAREHOUSE", "/tmp/cases.db")
FLIGHTS = Asset(f"sqlite://{WAREHOUSE}/flights")
DAILY = Asset(f"sqlite://{WAREHOUSE}/daily")
LANDED = Asset("file:///landing/flights.csv")
NAMED = Asset("a_name_and_nothing_else")
ALIAS = AssetAlias("whatever_came")


class Later(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "cases.Later", {}

    async def run(self) -> Any:
        yield TriggerEvent({})


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=Later(), method_name="resumed")

    def resumed(self, context: Any, event: Any = None) -> dict[str, int]:
        return {"inserts": 3}


class PokesTwice(BaseSensorOperator):
    def poke(self, context: Any) -> bool:
        return bool(context["task_reschedule_count"])


class OddOperator(BaseOperator):
    """An operator whose attributes raise what must not get out of a hook."""

    ui_color = "#fff"

    @property
    def operator_name(self) -> str:
        if os.environ.get("CASES_ODD") and "pipeledger" in sys._getframe(1).f_code.co_filename:
            sys.exit(3)
        return "OddOperator"

    def execute(self, context: Any) -> None:
        return None


def note_result(context: Any, result: Any) -> None:
    Path(os.environ["CASES_FOLDER"], "result").write_text(str(result))


with DAG(
    "cases",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["tests", "flights"],
    default_args={"owner": "data-team"},
) as dag:

    @task
    def succeeds() -> int:
        return 1

    @task
    def fails() -> None:
        raise ValueError("no such airport: password=hunter2")

    @task(retries=1)
    def fails_once() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("not yet")

    @task
    def fails_for_good() -> None:
        raise AirflowFailException("never again")

    @task
    def exits() -> None:
        sys.exit(3)

    @task(execution_timeout=timedelta(seconds=1))
    def overruns() -> None:
        signal.pause()

    @task
    def skips() -> None:
        raise AirflowSkipException("nothing to do")

    @task
    def doubles(x: int) -> dict[str, int]:
        return {"inserts": x, "total_rows": 10 * x}

    with TaskGroup("group"):

        @task(queue="wide")
        def inside() -> None:
            return None

        inside()

    BashOperator(task_id="bash", bash_command="echo done", post_execute=note_result)

    @task(inlets=[LANDED, NAMED], outlets=[FLIGHTS, DAILY])
    def moves() -> None:
        get_current_context()["outlet_events"][FLIGHTS].extra = {"rows": 9}

    @task(inlets=[FLIGHTS], outlets=[ALIAS])
    def names_its_outlet() -> None:
        events = get_current_context()["outlet_events"]
        events[ALIAS].add(Asset("s3://lake/daily.parquet"), extra={"rows": 4})

    @task
    def copies_a_file() -> None:
        folder = os.environ["CASES_FOLDER"]
        source = ObjectStoragePath(f"file://{folder}/in.txt")
        with source.open("w") as file:
            file.write("one")
        source.copy(ObjectStoragePath(f"file://{folder}/out.txt"))

    SQLExecuteQueryOperator(
        task_id="sql",
        conn_id="warehouse",
        sql="INSERT INTO daily SELECT id, '{{ ds | default('none', true) }}' FROM flights",
        outlets=[DAILY],
        inlets=[FLIGHTS],
    )

    @task
    def uses_a_hook() -> None:
        hook = SqliteHook("warehouse")
        hook.run("UPDATE flights SET id = id + 100 WHERE id > 1")
        hook.get_records("SELECT count(*) FROM flights")
        hook.insert_rows("flights", [(7,), (8,)], target_fields=["id"])

    @task
    def returns_counts() -> dict[str, Any]:
        return {"inserts": 5, "updates": 2, "soft_deletes": 1, "total_rows": 70, "file": "x.csv"}

    @task
    def says_counts() -> dict[str, Any]:
        run = current_execution()
        run.rows(inserts=10)
        run.rows(inserts=1)
        run.metadata(source="ops", batch=4)
        run.metadata(batch=5, api_token="do-not-keep")
        return {"inserts": 5, "updates": 2}

    @task
    def loads_a_window(upto: int = 0) -> None:
        context = get_current_context()
        window = current_execution().window(next_watermark=context["dag_run"].conf["upto"])
        current_execution().metadata(
            began_at=str(window.watermark), ends_at=str(window.next_watermark)
        )
        if context["dag_run"].conf.get("fail"):
            raise RuntimeError("after the window")

    @task
    def forks_while_recorded() -> None:
        window = current_execution().window(next_watermark=1)
        assert window.next_watermark == 1
        child = os.fork()
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0

    @task
    def records_a_step() -> None:
        with Ledger().execution("a_step") as step:
            step.rows(inserts=1)

    @task
    def describes_itself() -> dict[str, str]:
        run = current_execution()
        return {"run_key": str(run.run_key), "pipeline": str(run.pipeline)}

    @task
    def kills_itself() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def lists_imports() -> list[str]:
        return sorted(sys.modules)

    Defers(task_id="defers")
    PokesTwice(task_id="pokes_twice", mode="reschedule", poke_interval=1)
    TriggerDagRunOperator(
        task_id="triggers", trigger_dag_id="child", trigger_run_id="by-{{ run_id }}"
    )
    OddOperator(task_id="odd")

    succeeds()
    fails()
    fails_once()
    fails_for_good()
    exits()
    overruns()
    skips()
    doubles.expand(x=[1, 2])
    moves()
    names_its_outlet()
    copies_a_file()
    uses_a_hook()
    returns_counts()
    says_counts()
    loads_a_window()
    forks_while_recorded()
    records_a_step()
    describes_itself()
    kills_itself()
    lists_imports()


with DAG("left_out", schedule=None, tags=["pipeledger:off"]) as left_out:

    @task
    def works() -> None:
        current_execution().rows(inserts=1)

    @task
    def asks() -> None:
        current_execution().window(next_watermark=1)

    works()
    asks()
