"""A code location with one of everything that steps can do, watched by one line."""

import os
import signal

import dagster as dg

from pipeledger_dagster import PipeledgerResource, watch

WAREHOUSE = "sqlite:////data/warehouse.db"


@dg.asset(metadata={"dagster/uri": f"{WAREHOUSE}/flights"}, group_name="landing")
def flights(
    context: dg.AssetExecutionContext, pipeledger: PipeledgerResource
) -> dg.MaterializeResult:
    with pipeledger.window(context, next_watermark="2013-01-02"):
        pipeledger.rows(context, inserts=5)
    return dg.MaterializeResult(metadata={"dagster/row_count": 42})


@dg.asset(deps=[flights, dg.AssetKey("planes")], owners=["ann@example.com"], kinds={"python"})
def delays() -> int:
    return 1


@dg.asset
def report(delays: int) -> int:
    return delays + 1


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["mart", "carriers"], deps=[report]),
        dg.AssetSpec(["mart", "origins"], deps=[dg.AssetKey(["mart", "carriers"])]),
    ],
    can_subset=True,
)
def marts(context: dg.AssetExecutionContext):
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": len(key.path[-1])})


@dg.asset_check(asset=delays)
def delays_are_known() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.observable_source_asset(metadata={"dagster/uri": f"{WAREHOUSE}/weather"})
def weather() -> dg.DataVersion:
    return dg.DataVersion("7")


planes = dg.AssetSpec("planes", metadata={"dagster/uri": f"{WAREHOUSE}/planes"})
dashboard = dg.AssetSpec("dashboard", deps=[report])


@dg.op(out=dg.DynamicOut())
def fan_out():
    for i in range(2):
        yield dg.DynamicOutput(i, mapping_key=f"k{i}")


@dg.op
def double(x: int) -> int:
    return 2 * x


@dg.op
def add_up(xs: list[int]) -> int:
    return sum(xs)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def stumble(context: dg.OpExecutionContext, total: int) -> int:
    if context.retry_number == 0:
        if context.run.tags.get("kill") == "stumble":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("the first try always fails")
    return total


@dg.op(out={"more": dg.Out(is_required=False)})
def nothing_to_do():
    return
    yield


@dg.op
def never_runs(more) -> None: ...


@dg.job(tags={"team": "ops"})
def kitchen():
    stumble(add_up(fan_out().map(double).collect()))
    never_runs(nothing_to_do())


@dg.op
def one() -> int:
    return 1


@dg.op
def fails(context: dg.OpExecutionContext, x: int) -> None:
    if context.run.tags.get("kill") == "fails":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("password=hunter2 was refused")


@dg.op
def after_failure(x) -> None: ...


@dg.job
def failing():
    after_failure(fails(one()))


@dg.graph
def inner():
    return double(one())


@dg.job(executor_def=dg.in_process_executor)
def nested_graph():
    inner()


observe = dg.define_asset_job("observe", dg.AssetSelection.assets("weather"))
landing = dg.define_asset_job("landing", [flights, delays])
all_assets = dg.define_asset_job(
    "all_assets", dg.AssetSelection.all() - dg.AssetSelection.assets("weather")
)

defs = watch(
    dg.Definitions(
        assets=[flights, delays, report, marts, planes, dashboard, weather],
        asset_checks=[delays_are_known],
        jobs=[kitchen, failing, nested_graph, all_assets, landing, observe],
        schedules=[dg.ScheduleDefinition(job=all_assets, cron_schedule="0 5 * * *")],
    )
)


def kitchen_job() -> dg.JobDefinition:
    return defs.resolve_job_def("kitchen")


def failing_job() -> dg.JobDefinition:
    return defs.resolve_job_def("failing")


def landing_job() -> dg.JobDefinition:
    return defs.resolve_job_def("landing")


def all_assets_job() -> dg.JobDefinition:
    return defs.resolve_job_def("all_assets")


def nested_graph_job() -> dg.JobDefinition:
    return defs.resolve_job_def("nested_graph")


def weather_job() -> dg.JobDefinition:
    return defs.resolve_job_def("observe")
