"""A code location that watches its ledger: an asset of its own, and the monitoring job."""

import dagster as dg

from pipeledger_dagster import monitoring_definitions, watch


@dg.asset
def orders() -> None: ...


orders_job = dg.define_asset_job("orders_job", [orders])
defs = watch(
    dg.Definitions.merge(
        dg.Definitions(assets=[orders], jobs=[orders_job]),
        monitoring_definitions(prune_older_than="90d"),
    )
)


def monitoring_job() -> dg.JobDefinition:
    return defs.resolve_job_def("pipeledger_monitoring")
