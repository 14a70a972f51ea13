"""Windows and watermarks inside assets and ops."""

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger.model.errors import WatermarkUnavailable
from pipeledger.model.keys import dagster_step_key
from pipeledger_dagster import PipeledgerResource, watch


def _loader(seen: list[Any], fail_at: str | None = None, swallow: bool = False) -> dg.Definitions:
    """An asset that loads up to the day in the run's tag and notes its window."""

    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource):
        day = context.run.tags["day"]
        try:
            with pipeledger.window(context, next_watermark=day) as window:
                seen.append((window.watermark, window.next_watermark))
                if day == fail_at:
                    raise RuntimeError("the source went away")
        except RuntimeError:
            if not swallow:
                raise
        return dg.MaterializeResult()

    return watch(dg.Definitions(assets=[orders]))


def _run(defs: dg.Definitions, instance: dg.DagsterInstance, day: str) -> dg.ExecuteInProcessResult:
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, tags={"day": day}, raise_on_error=False)


def _day(number: int) -> datetime:
    return datetime(2013, 1, number, tzinfo=timezone.utc)


def test_each_run_gets_what_the_one_before_left_and_a_failed_one_moves_nothing(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    seen: list[Any] = []
    defs = _loader(seen, fail_at="2013-01-03")
    assert _run(defs, instance, "2013-01-02").success
    assert not _run(defs, instance, "2013-01-03").success
    assert _run(defs, instance, "2013-01-04").success
    assert seen == [(None, _day(2)), (_day(2), _day(3)), (_day(2), _day(4))]
    (mark,) = ledger.read.watermarks("orders")
    assert mark.value == "2013-01-04"
    moves = ledger.read.watermark_history("orders").items
    assert [move.new_value for move in moves] == ["2013-01-04", "2013-01-02"]


def test_a_step_that_swallows_what_its_window_raised_succeeds_and_moves_nothing(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = _loader([], fail_at="2013-01-02", swallow=True)
    result = _run(defs, instance, "2013-01-02")
    assert result.success
    assert rows_of(ledger, result.run_id).one("orders").state.value == "success"
    assert ledger.watermark("orders").native is None


def test_the_window_and_the_rows_show_in_the_materialization(
    ledger: Ledger, instance: dg.DagsterInstance, rebuilt: Callable[[str], Ledger]
) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource):
        with pipeledger.window(context, next_watermark=17):
            pipeledger.rows(context, inserts=2)
            pipeledger.rows(context, inserts=1, updates=1)

    defs = watch(dg.Definitions(assets=[orders]))
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    (made,) = result.asset_materializations_for_node("orders")
    assert made.metadata["pipeledger/window"].value == "the beginning → 17"
    assert made.metadata["pipeledger/inserts"].value == 3
    rows = rows_of(ledger, result.run_id)
    assert (rows.one("orders").counts.inserts, rows.one("orders").counts.updates) == (3, 1)
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)


def test_an_op_has_a_window_of_its_own(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    @dg.op
    def load(context: dg.OpExecutionContext, pipeledger: PipeledgerResource) -> None:
        with pipeledger.window(context, next_watermark=context.run.tags["to"]):
            pipeledger.rows(context, total_rows=9)

    @dg.job
    def nightly() -> None:
        load()

    defs = watch(dg.Definitions(jobs=[nightly]))
    result = defs.resolve_job_def("nightly").execute_in_process(
        instance=instance, tags={"to": "100"}
    )
    assert rows_of(ledger, result.run_id).one("nightly.load").counts.total_rows == 9
    assert ledger.watermark("nightly.load").native == 100


def test_only_the_attempt_that_succeeds_moves_the_watermark(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def orders(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
        with pipeledger.window(context, next_watermark=10 + context.retry_number):
            if context.retry_number == 0:
                raise RuntimeError("not yet")

    defs = watch(dg.Definitions(assets=[orders]))
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    first, second = rows_of(ledger, result.run_id).of("orders")
    assert first.window is not None and first.window.upper == "10"
    assert second.window is not None and second.window.upper == "11"
    assert ledger.watermark("orders").native == 11
    (move,) = ledger.read.watermark_history("orders").items
    assert move.run_key == dagster_step_key(result.run_id, "orders", 2)


def test_time_partitions_give_their_windows_and_move_one_watermark(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    seen: list[Any] = []

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2013-01-01"))
    def daily(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
        with pipeledger.window(context) as window:
            seen.append((window.watermark, window.next_watermark))

    defs = watch(dg.Definitions(assets=[daily]))
    job = defs.resolve_implicit_global_asset_job_def()
    for day in ("2013-01-01", "2013-01-03", "2013-01-02"):
        job.execute_in_process(instance=instance, partition_key=day)
    assert seen == [(None, _day(2)), (_day(3), _day(4)), (_day(2), _day(3))]
    assert ledger.watermark("daily").native == _day(4)


def test_other_partitions_have_watermarks_of_their_own(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset(
        partitions_def=dg.MultiPartitionsDefinition(
            {
                "day": dg.DailyPartitionsDefinition("2013-01-01"),
                "origin": dg.StaticPartitionsDefinition(["EWR", "JFK"]),
            }
        )
    )
    def by_origin(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
        with pipeledger.window(context):
            pass

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["EWR", "JFK"]))
    def static(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
        assert pipeledger.watermark(context).native is None
        with pipeledger.window(context, next_watermark=5):
            pass

    defs = watch(dg.Definitions(assets=[by_origin, static]))
    for key in ({"day": "2013-01-01", "origin": "EWR"}, {"day": "2013-01-02", "origin": "EWR"}):
        defs.resolve_implicit_job_def_def_for_assets([dg.AssetKey("by_origin")]).execute_in_process(
            instance=instance,
            partition_key=dg.MultiPartitionKey(key),
            asset_selection=[dg.AssetKey("by_origin")],
        )
    defs.resolve_implicit_job_def_def_for_assets([dg.AssetKey("static")]).execute_in_process(
        instance=instance, partition_key="JFK", asset_selection=[dg.AssetKey("static")]
    )
    assert ledger.watermark("by_origin", partition_key="EWR").native == _day(3)
    assert ledger.watermark("by_origin", partition_key="JFK").native is None
    assert ledger.watermark("static", partition_key="JFK").native == 5


def test_rows_of_partitions_are_added_up(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2013-01-01"),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def daily(context: dg.AssetExecutionContext) -> None:
        for i, key in enumerate(context.partition_keys):
            context.add_asset_metadata({"dagster/partition_row_count": 10 + i}, partition_key=key)

    defs = watch(dg.Definitions(assets=[daily]))
    tags = {
        "dagster/asset_partition_range_start": "2013-01-01",
        "dagster/asset_partition_range_end": "2013-01-03",
    }
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, tags=tags)
    row = rows_of(ledger, result.run_id).one("daily")
    assert row.counts.total_rows == 33
    assert row.metadata is not None
    assert row.metadata["partitions"] == ["2013-01-01", "2013-01-02", "2013-01-03"]


def test_a_window_is_refused_and_never_guessed_when_the_ledger_is_away(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("PIPELEDGER_DATA_DIR", str(tmp_path / "data"))
    bodies: list[int] = []

    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> None:
        with pipeledger.window(context, next_watermark=17):
            bodies.append(1)

    defs = watch(dg.Definitions(assets=[orders]))
    with pytest.raises(WatermarkUnavailable):
        defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert bodies == []


def test_a_direct_call_in_a_test_of_the_users_asks_without_recording(ledger: Ledger) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipeledger: PipeledgerResource) -> int:
        with pipeledger.window(context, next_watermark=17) as window:
            pipeledger.rows(context, inserts=1)
            return 17 if window.watermark is None else 0

    with ledger.execution("something else"):
        pass
    assert orders(dg.build_asset_context(), PipeledgerResource()) == 17
    assert [view.name for view in ledger.read.executions().items] == ["something else"]
