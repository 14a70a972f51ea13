"""Data itself: an asset and its table are one address, with columns and what these are made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipeledger.ledger import Ledger
from pipeledger.lineage.addresses import describe
from pipeledger.lineage.columns import walk_columns
from pipeledger.lineage.walk import upstream
from pipeledger.model.address import Address
from pipeledger_dagster import PipeledgerResource, build_reconcile_sensor, watch
from pipeledger_dagster.addresses import asset_address

STORES = {"postgres": "postgres://dwh:5432"}
ORDERS = "postgres://dwh:5432/sales.public.orders"
REVENUE = "postgres://dwh:5432/sales.public.revenue"

Reconciled = Callable[[dg.Definitions], Ledger]


@pytest.fixture
def reconciled(instance: dg.DagsterInstance, tmp_path: Path) -> Reconciled:
    """A ledger that saw no run, after one tick of the reconcile sensor."""

    def tick(defs: dg.Definitions) -> Ledger:
        url = f"sqlite:///{tmp_path}/reconciled.db"
        resource = PipeledgerResource(database_url=url, address_namespaces=STORES)
        context = dg.build_sensor_context(
            instance=instance,
            resources={"pipeledger": resource},
            repository_def=defs.get_repository_def(),
        )
        build_reconcile_sensor().evaluate_tick(context)
        return Ledger(url)

    return tick


def _watched(**definitions: Any) -> dg.Definitions:
    return watch(dg.Definitions(**definitions), PipeledgerResource(address_namespaces=STORES))


def _run(defs: dg.Definitions, instance: dg.DagsterInstance, **options: Any) -> None:
    job = defs.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance, **options).success


def _names(ledger: Ledger, address: Address | str) -> set[str]:
    """All names of the data, found by one of them."""
    view = describe(ledger.read, address)
    return {str(view.address), *(str(alias) for alias in view.aliases)}


def _columns(ledger: Ledger, address: Address | str) -> list[tuple[str, str | None]]:
    return [(c.name, c.type) for c in describe(ledger.read, address).columns]


def _made_from(ledger: Ledger, address: Address | str, column: str) -> set[tuple[str, str]]:
    view = walk_columns(ledger.read, address, column, "upstream")
    return {(str(node.column.address), node.column.name) for node in view.nodes}


def _schema(*columns: tuple[str, str]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns])


def _lineage(**columns: list[tuple[str, str]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(key), source) for key, source in deps]
            for column, deps in columns.items()
        }
    )


orders_table = dg.AssetSpec(
    "orders",
    metadata={
        "dagster/table_name": "sales.public.orders",
        "dagster/column_schema": _schema(("id", "bigint"), ("amount", "numeric")),
    },
    kinds={"postgres"},
)


def test_an_asset_and_the_table_that_it_becomes_are_one_address(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    with ledger.execution("load_orders", inputs=["s3://lake/orders"], outputs=[ORDERS]):
        pass

    @dg.asset(
        deps=[orders_table],
        metadata={"dagster/table_name": "sales.public.revenue"},
        kinds={"postgres"},
    )
    def revenue() -> None: ...

    defs = _watched(assets=[orders_table, revenue])
    _run(defs, instance)
    for found in (ledger, reconciled(defs)):
        assert _names(found, Address("dagster", "orders")) == {"dagster:orders", ORDERS}
        assert _names(found, REVENUE) == {"dagster:revenue", REVENUE}
    seen = upstream(ledger.read, Address("dagster", "revenue"))
    assert str(seen.address) == REVENUE
    assert {str(node.address) for node in seen.nodes} == {ORDERS, "s3://lake/orders"}


def test_an_address_that_only_a_materialization_states_is_the_assets_and_moves_with_it(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    @dg.asset
    def late(context: dg.AssetExecutionContext):
        return dg.MaterializeResult(metadata={"dagster/uri": context.run.tags["uri"]})

    defs = _watched(assets=[late])
    _run(defs, instance, tags={"uri": "s3://lake/first"})
    assert _names(ledger, Address("dagster", "late")) == {"dagster:late", "s3://lake/first"}
    _run(defs, instance, tags={"uri": "s3://lake/second"})
    for found in (ledger, reconciled(defs)):
        assert _names(found, Address("dagster", "late")) == {"dagster:late", "s3://lake/second"}
        assert _names(found, "s3://lake/first") == {"s3://lake/first"}


def test_the_place_of_one_partition_is_not_the_assets(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    days = dg.DailyPartitionsDefinition("2013-01-01")

    @dg.asset(partitions_def=days)
    def daily(context: dg.AssetExecutionContext):
        uri = f"s3://lake/daily/{context.partition_key}"
        return dg.MaterializeResult(metadata={"dagster/uri": uri})

    @dg.asset(partitions_def=days, metadata={"dagster/uri": "s3://lake/whole"})
    def whole(context: dg.AssetExecutionContext):
        uri = f"s3://lake/whole/{context.partition_key}"
        return dg.MaterializeResult(metadata={"dagster/uri": uri})

    defs = _watched(assets=[daily, whole])
    for day in ("2013-01-01", "2013-01-02"):
        _run(defs, instance, partition_key=day)
    for found in (ledger, reconciled(defs)):
        assert _names(found, "s3://lake/daily/2013-01-01") == {"s3://lake/daily/2013-01-01"}
        assert _names(found, "s3://lake/daily/2013-01-02") == {"s3://lake/daily/2013-01-02"}
        assert _names(found, Address("dagster", "whole")) == {"dagster:whole", "s3://lake/whole"}


def test_columns_are_the_materializations_else_the_definitions(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    @dg.asset(
        deps=[orders_table],
        metadata={"dagster/column_schema": _schema(("day", "date"), ("declared", "int"))},
    )
    def revenue(context: dg.AssetExecutionContext):
        columns = [("day", "date"), *((name, "numeric") for name in context.run.tags["columns"])]
        return dg.MaterializeResult(metadata={"dagster/column_schema": _schema(*columns)})

    @dg.asset(metadata={"dagster/column_schema": _schema(("x", "int"))})
    def silent() -> None: ...

    defs = _watched(assets=[orders_table, revenue, silent])
    for columns in ("a", "a", "ab"):
        _run(defs, instance, tags={"columns": columns})
    for found in (ledger, reconciled(defs)):
        assert _columns(found, ORDERS) == [("id", "bigint"), ("amount", "numeric")]
        assert _columns(found, Address("dagster", "silent")) == [("x", "int")]
        assert _columns(found, Address("dagster", "revenue")) == [
            ("day", "date"),
            ("a", "numeric"),
            ("b", "numeric"),
        ]
    history = describe(ledger.read, Address("dagster", "revenue")).history
    # The definition's until the first run had told better; then nothing came back.
    assert [c.name for c in history if c.ended_at is not None] == ["declared"]
    assert sorted(c.name for c in history) == ["a", "b", "day", "declared"]


def test_columns_are_made_from_columns_as_definitions_and_materializations_say(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    @dg.asset(
        deps=[orders_table],
        metadata={"dagster/column_lineage": _lineage(net=[("orders", "amount")])},
    )
    def declared() -> None: ...

    @dg.asset(deps=[declared, orders_table])
    def told():
        made_from = _lineage(total=[("declared", "net"), ("orders", "amount")])
        return dg.MaterializeResult(metadata={"dagster/column_lineage": made_from})

    defs = _watched(assets=[orders_table, declared, told])
    for _ in range(2):
        _run(defs, instance)
    for found in (ledger, reconciled(defs)):
        assert _made_from(found, Address("dagster", "declared"), "net") == {(ORDERS, "amount")}
        assert _made_from(found, Address("dagster", "told"), "total") == {
            ("dagster:declared", "net"),
            (ORDERS, "amount"),
        }


def test_a_schema_that_cannot_be_kept_costs_no_run_and_nothing_else_of_it(
    ledger: Ledger, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    @dg.asset
    def odd():
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": "s3://lake/odd",
                "dagster/column_schema": _schema(("x" * 600, "int")),
            }
        )

    _run(_watched(assets=[odd]), instance)
    assert _names(ledger, "s3://lake/odd") == {"dagster:odd", "s3://lake/odd"}
    assert _columns(ledger, "s3://lake/odd") == []
    assert "a column schema is not recorded" in caplog.text


def test_an_observation_tells_the_columns_of_a_source(
    ledger: Ledger, instance: dg.DagsterInstance, reconciled: Reconciled
) -> None:
    @dg.asset
    def looks_at_it(context: dg.AssetExecutionContext) -> None:
        context.log_event(
            dg.AssetObservation(
                "source",
                metadata={
                    "dagster/uri": "s3://lake/source",
                    "dagster/column_schema": _schema(("id", "int")),
                },
            )
        )

    defs = _watched(assets=[looks_at_it])
    _run(defs, instance)
    for found in (ledger, reconciled(defs)):
        assert _names(found, Address("dagster", "source")) == {"dagster:source", "s3://lake/source"}
        assert _columns(found, "s3://lake/source") == [("id", "int")]


def test_the_same_asset_key_in_another_deployment_is_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = asset_address("shop/orders")
    monkeypatch.setenv("PIPELEDGER_DEPLOYMENT", "Staging")
    there = asset_address("shop/orders")
    assert here.key == ("dagster", "shop/orders")
    assert there.key == ("dagster://staging", "shop/orders")
    assert there.group_name == "orchestrator"
    assert Address.parse(str(there)) == there
