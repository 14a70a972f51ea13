"""The rhythm in which jobs and assets are expected, as schedules and automation conditions state it."""

from typing import Any

import dagster as dg
import pytest

from pipeledger.ledger import Ledger
from pipeledger_dagster import build_reconcile_sensor, watch
from pipeledger_dagster.rhythm import of_condition

DAYS = dg.DailyPartitionsDefinition("2013-01-01", timezone="Europe/Berlin")


def _rhythm(ledger: Ledger, pipeline: str) -> tuple[str | None, Any]:
    """The pipeline's schedule and its cron texts with their time zones."""
    view = ledger.read.pipeline(pipeline)
    return view.schedule, [(t["cron"], t["timezone"]) for t in view.metadata.get("rhythm", ())]


@dg.op
def work() -> None: ...


def test_several_schedules_of_a_job_are_one_rhythm_with_all_their_time_zones(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.job
    def often() -> None:
        work()

    @dg.job
    def zoned() -> None:
        work()

    defs = watch(
        dg.Definitions(
            jobs=[often, zoned],
            schedules=[
                dg.ScheduleDefinition(job=often, cron_schedule=["0 6 * * 1", "0 5 * * *"]),
                dg.ScheduleDefinition(
                    name="in_berlin",
                    job=zoned,
                    cron_schedule="0 9 * * *",
                    execution_timezone="Europe/Berlin",
                ),
                dg.ScheduleDefinition(
                    name="in_new_york",
                    job=zoned,
                    cron_schedule="0 9 * * *",
                    execution_timezone="America/New_York",
                ),
            ],
        )
    )
    for name in ("often", "zoned"):
        assert defs.resolve_job_def(name).execute_in_process(instance=instance).success
    assert _rhythm(ledger, "often") == (
        "0 5 * * *; 0 6 * * 1",
        [("0 5 * * *", "UTC"), ("0 6 * * 1", "UTC")],
    )
    assert _rhythm(ledger, "zoned") == (
        "0 9 * * * America/New_York; 0 9 * * * Europe/Berlin",
        [("0 9 * * *", "America/New_York"), ("0 9 * * *", "Europe/Berlin")],
    )


def test_a_schedule_that_follows_the_partitions_of_its_job_is_its_rhythm(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset(partitions_def=DAYS)
    def daily() -> None: ...

    @dg.job(partitions_def=dg.HourlyPartitionsDefinition("2013-01-01-00:00"))
    def hourly() -> None:
        work()

    days = dg.define_asset_job("days", [daily])
    defs = watch(
        dg.Definitions(
            assets=[daily],
            jobs=[days, hourly],
            schedules=[
                dg.build_schedule_from_partitioned_job(days, hour_of_day=4, minute_of_hour=30),
                dg.build_schedule_from_partitioned_job(hourly, minute_of_hour=15),
            ],
        )
    )
    for name, partition in (("days", "2013-01-02"), ("hourly", "2013-01-02-03:00")):
        job = defs.resolve_job_def(name)
        assert job.execute_in_process(instance=instance, partition_key=partition).success
    assert _rhythm(ledger, "days") == ("30 4 * * *", [("30 4 * * *", "Europe/Berlin")])
    assert _rhythm(ledger, "hourly") == ("15 * * * *", [("15 * * * *", "UTC")])


def test_a_schedule_that_targets_assets_is_the_rhythm_of_the_job_it_makes(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def numbers() -> None: ...

    weekly = dg.ScheduleDefinition(name="weekly", target=[numbers], cron_schedule="@weekly")
    defs = watch(dg.Definitions(assets=[numbers], schedules=[weekly]))
    job_name = defs.get_repository_def().get_schedule_def("weekly").job_name
    assert defs.resolve_job_def(job_name).execute_in_process(instance=instance).success
    assert _rhythm(ledger, job_name) == ("@weekly", [("@weekly", "UTC")])
    assert _rhythm(ledger, "numbers") == (None, [])


def test_an_automation_condition_with_a_cron_is_its_assets_rhythm(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    on_cron = dg.AutomationCondition.on_cron("0 7 * * *", "Europe/Berlin")

    @dg.asset(automation_condition=on_cron)
    def mornings() -> None: ...

    @dg.asset(automation_condition=dg.AutomationCondition.eager(), deps=[mornings])
    def eager() -> None: ...

    @dg.multi_asset(
        specs=[
            dg.AssetSpec("first", automation_condition=on_cron),
            dg.AssetSpec(
                "second", automation_condition=dg.AutomationCondition.on_cron("0 * * * *")
            ),
        ]
    )
    def both():
        yield dg.MaterializeResult(asset_key="first")
        yield dg.MaterializeResult(asset_key="second")

    defs = watch(dg.Definitions(assets=[mornings, eager, both]))
    job = defs.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance).success
    assert _rhythm(ledger, "mornings") == ("0 7 * * *", [("0 7 * * *", "Europe/Berlin")])
    assert _rhythm(ledger, "eager") == (None, [])
    assert _rhythm(ledger, "both") == (
        "0 * * * * UTC; 0 7 * * * Europe/Berlin",
        [("0 * * * *", "UTC"), ("0 7 * * *", "Europe/Berlin")],
    )


@pytest.mark.parametrize(
    ("condition", "rhythm"),
    [
        (dg.AutomationCondition.cron_tick_passed("@daily"), "@daily"),
        (dg.AutomationCondition.eager() | dg.AutomationCondition.on_cron("@hourly"), "@hourly"),
        (~dg.AutomationCondition.cron_tick_passed("@daily"), None),
        (
            dg.AutomationCondition.any_deps_match(
                dg.AutomationCondition.cron_tick_passed("@daily")
            ),
            None,
        ),
        (
            dg.AutomationCondition.missing().since(
                dg.AutomationCondition.cron_tick_passed("@daily")
            ),
            None,
        ),
        (dg.AutomationCondition.all_deps_updated_since_cron("@daily"), None),
        (dg.AutomationCondition.on_missing(), None),
        (None, None),
    ],
)
def test_only_a_tick_that_makes_the_condition_true_is_a_rhythm(
    condition: Any, rhythm: str | None
) -> None:
    found = of_condition(condition)
    assert (None if found is None else str(found)) == rhythm


def test_a_sensor_gives_no_rhythm_and_the_reconcile_sensor_registers_the_same_ones(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset(automation_condition=dg.AutomationCondition.on_cron("0 7 * * *"))
    def mornings() -> None: ...

    @dg.job
    def launched() -> None:
        work()

    @dg.sensor(job=launched)
    def files(context):
        return dg.RunRequest()

    defs = watch(dg.Definitions(assets=[mornings], jobs=[launched], sensors=[files]))
    assert defs.resolve_job_def("launched").execute_in_process(instance=instance).success
    assert _rhythm(ledger, "launched") == (None, [])
    context = dg.build_sensor_context(
        instance=instance, resources=defs.resources, repository_def=defs.get_repository_def()
    )
    build_reconcile_sensor().evaluate_tick(context)
    assert _rhythm(ledger, "mornings") == ("0 7 * * *", [("0 7 * * *", "UTC")])
