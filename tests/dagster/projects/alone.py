"""A code location whose definitions hold the resource and no ``watch``."""

import dagster as dg

from pipeledger_dagster import PipeledgerResource


@dg.asset
def with_it(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
    with pipeledger.window(context, next_watermark=17):
        pipeledger.rows(context, inserts=2)


@dg.asset(deps=[with_it])
def without_it() -> None: ...


mixed = dg.define_asset_job("mixed", [with_it, without_it])
defs = dg.Definitions(
    assets=[with_it, without_it], jobs=[mixed], resources={"pipeledger": PipeledgerResource()}
)


def mixed_job() -> dg.JobDefinition:
    return defs.resolve_job_def("mixed")
