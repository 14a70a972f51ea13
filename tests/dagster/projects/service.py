"""A code location for ``dagster dev``: everything that a daemon does with runs."""

import os
import time
from pathlib import Path

import dagster as dg

from pipeledger_dagster import PipeledgerResource, build_reconcile_sensor, watch

FOLDER = Path(os.environ.get("BLOCKING_FOLDER", "."))


@dg.op
def quick() -> int:
    return 1


@dg.op
def waits(context: dg.OpExecutionContext, x: int) -> None:
    name = context.run.tags.get("wait", context.run.run_id)
    (FOLDER / f"{name}.started").write_text(str(os.getpid()))
    while not (FOLDER / f"{name}.release").exists():
        time.sleep(0.05)


@dg.job
def slow():
    waits(quick())


@dg.op
def breaks() -> None:
    raise RuntimeError("always")


@dg.job(tags={"dagster/max_retries": "1"})
def retried():
    breaks()


@dg.job
def ticking():
    quick()


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["EWR", "JFK"]))
def by_origin(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
    with pipeledger.window(context, next_watermark=1):
        pipeledger.rows(context, inserts=2)


defs = watch(
    dg.Definitions(
        assets=[by_origin],
        jobs=[slow, retried, ticking],
        schedules=[
            dg.ScheduleDefinition(
                job=ticking,
                cron_schedule="* * * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            )
        ],
        sensors=[build_reconcile_sensor(minimum_interval_seconds=5)],
        executor=dg.multiprocess_executor.configured({"max_concurrent": 1}),
    ),
    PipeledgerResource(database_url=dg.EnvVar("LEDGER_OF_THE_SERVICE")),
)
