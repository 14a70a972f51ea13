"""A code location whose step waits until the test lets it go on."""

import os
import time
from pathlib import Path

import dagster as dg

from pipeledger_dagster import PipeledgerResource, watch

FOLDER = Path(os.environ.get("BLOCKING_FOLDER", "."))


def _wait_until_released() -> None:
    (FOLDER / "started").write_text(str(os.getpid()))
    while not (FOLDER / "release").exists():
        time.sleep(0.05)


@dg.op
def quick() -> int:
    return 1


@dg.op
def waits(x: int) -> int:
    _wait_until_released()
    return x


@dg.op
def load(context: dg.OpExecutionContext, pipeledger: PipeledgerResource, x: int) -> None:
    with pipeledger.window(context, next_watermark=17):
        _wait_until_released()


@dg.job
def slow():
    waits(quick())


@dg.job
def slow_load():
    load(quick())


watched = watch(
    dg.Definitions(jobs=[slow, slow_load]),
    PipeledgerResource(heartbeat_seconds=float(os.environ.get("HEARTBEAT_SECONDS", "60"))),
)
unwatched = dg.Definitions(jobs=[slow])


def watched_job() -> dg.JobDefinition:
    return watched.resolve_job_def("slow_load")


def plain_job() -> dg.JobDefinition:
    return watched.resolve_job_def("slow")


def unwatched_job() -> dg.JobDefinition:
    return unwatched.resolve_job_def("slow")


def main(name: str) -> None:
    """Run one of the jobs in processes of its own, as a run worker does."""
    target = {"watched": watched_job, "plain": plain_job, "unwatched": unwatched_job}[name]
    with dg.DagsterInstance.get() as instance:
        dg.execute_job(dg.reconstructable(target), instance=instance)


if __name__ == "__main__":
    import sys

    from projects import blocking  # children import it by this name

    blocking.main(sys.argv[1])
