"""Each name of Dagster that is not public may go away: runs are recorded by the way round it."""

from collections.abc import Callable
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger_dagster import reconcile_run, watch

IN_PROCESS = {"execution": {"config": {"in_process": {}}}}


@pytest.fixture
def without(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes a method away from Dagster's instances."""

    def take_away(name: str) -> None:
        owners = [c for c in type(instance).__mro__ if name in vars(c)]
        assert owners, f"Dagster has no {name} any more: the way round it is the way now"
        for owner in owners:
            monkeypatch.delattr(owner, name)

    return take_away


def test_without_listeners_the_executors_stream_is_read(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    without: Callable[[str], None],
) -> None:
    without("add_event_listener")
    job = dg.reconstructable(kitchen.kitchen_job)
    with dg.execute_job(job, instance=instance, run_config=IN_PROCESS) as result:
        assert result.success
    live = rows_of(ledger, result.run_id)
    assert live.run.state.value == "running"  # its end is not in the stream
    reconcile_run(instance, result.run_id)
    rows = rows_of(ledger, result.run_id)
    assert rows.run.state.value == "success"
    assert rows.states() == live.states()
    assert ("kitchen.stumble", 2) in rows.states()


@pytest.mark.parametrize("name", ["get_records_for_run", "get_backfill", "get_asset_records"])
def test_without_another_name_the_rows_are_the_same(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    without: Callable[[str], None],
    rebuilt: Callable[[str], Ledger],
    name: str,
) -> None:
    if name != "get_asset_records":  # Dagster itself needs that one to load inputs
        without(name)
    tags = {"dagster/backfill": "bf1"}
    result = kitchen.all_assets_job().execute_in_process(instance=instance, tags=tags)
    if name == "get_asset_records":
        without(name)
    rows = rows_of(ledger, result.run_id)
    assert rows.run.state.value == "success" and len(rows.steps) == 5
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)


def test_without_plan_snapshots_steps_have_their_keys_as_names(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    without: Callable[[str], None],
) -> None:
    without("get_execution_plan_snapshot")
    result = kitchen.defs.resolve_job_def("nested_graph").execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert {s.name for s in rows.steps} == {"nested_graph.inner.one", "nested_graph.inner.double"}


def test_without_the_asset_that_dagster_makes_of_a_source_the_source_stays(
    monkeypatch: pytest.MonkeyPatch, kitchen: ModuleType
) -> None:
    from dagster._core.definitions import external_asset

    monkeypatch.delattr(external_asset, "create_external_asset_from_source_asset")
    defs = watch(dg.Definitions(assets=[kitchen.weather]))
    assert list(defs.assets or ()) == [kitchen.weather]
