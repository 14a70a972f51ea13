"""A code location with a resource that cannot be set up the first time."""

import os
from pathlib import Path

import dagster as dg

from pipeledger_dagster import watch


class Fragile(dg.ConfigurableResource):
    """Cannot be set up the first time."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        marker = Path(os.environ["FRAGILE_FOLDER"]) / "tried"
        if not marker.exists():
            marker.touch()
            raise RuntimeError("not yet")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def use_fragile(fragile: Fragile) -> None: ...


@dg.job
def fragile_job():
    use_fragile()


defs = watch(dg.Definitions(jobs=[fragile_job], resources={"fragile": Fragile()}))


def fragile() -> dg.JobDefinition:
    return defs.resolve_job_def("fragile_job")
