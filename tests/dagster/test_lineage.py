"""Lineage and addresses: where assets' data lies, and what it is made of."""

from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import rows_of

from pipeledger.ledger import Ledger
from pipeledger.lineage import walk
from pipeledger.model.address import Address
from pipeledger_dagster import PipeledgerResource, watch
from pipeledger_dagster.addresses import stated_address

STORES = {
    "postgres": "postgresql://dwh",
    "snowflake": "snowflake://org-account",
    "bigquery": "bigquery",
    "duckdb": "duckdb:////data/lake.duckdb",
}


@pytest.mark.parametrize(
    ("metadata", "kinds", "address"),
    [
        (
            {"pipeledger/address": "postgres://dwh/sales.public.orders"},
            (),
            "postgres://dwh:5432/sales.public.orders",
        ),
        (
            {"pipeledger/address": "s3://lake/a", "dagster/uri": "s3://lake/b"},
            (),
            "s3://lake/a",
        ),
        (
            {
                "dagster/uri": dg.MetadataValue.url(
                    "postgresql+psycopg2://u:secret@db/prod/public.t"
                )
            },
            (),
            "postgres://db:5432/prod.public.t",
        ),
        (
            {"dagster/table_name": dg.MetadataValue.text("sales.public.Orders")},
            ("postgres",),
            "postgres://dwh:5432/sales.public.Orders",
        ),
        (
            {"dagster/table_name": "a.b.c", "dagster/storage_kind": "Snowflake"},
            (),
            "snowflake://org-account/a.b.c",
        ),
        ({"dagster/relation_identifier": "a.b.c"}, ("postgres",), "postgres://dwh:5432/a.b.c"),
        ({"dagster/table_name": "a.b.c"}, ("bigquery",), "bigquery:a.b.c"),
        (
            {"dagster/table_name": "main.orders"},
            ("duckdb",),
            "duckdb:///data/lake.duckdb/main.orders",
        ),
        ({"dagster/table_name": "a.b.c"}, ("teradata",), None),
        ({"path": dg.MetadataValue.path("/data/flights.csv")}, (), "file:/data/flights.csv"),
        ({"path": "relative.csv"}, (), None),
        ({"dagster/uri": "no address at all"}, (), None),
        ({"dagster/uri": 7}, (), None),
        ({}, (), None),
    ],
)
def test_an_address_is_what_the_metadata_states(metadata, kinds, address) -> None:
    found = stated_address(metadata, kinds, STORES)
    assert (None if found is None else str(found)) == address


def _upstream(ledger: Ledger, address: str | Address) -> set[str]:
    return {str(node.address) for node in walk.upstream(ledger.read, address).nodes if node.depth}


def test_declared_dependencies_become_lineage_down_to_the_sources(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    kitchen.all_assets_job().execute_in_process(instance=instance)
    assert _upstream(ledger, Address("dagster", "mart/origins")) == {
        "dagster:mart/carriers",
        "dagster:report",
        "dagster:delays",
        "sqlite:///data/warehouse.db/flights",
        "sqlite:///data/warehouse.db/planes",
    }
    pairs = {(str(d.upstream), str(d.downstream)) for d in ledger.read.dependencies("report")}
    assert pairs == {("delays", "report"), ("report", "marts")}


def test_a_table_that_others_write_is_one_address_with_the_asset_that_reads_it(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    with ledger.execution(
        "load_orders",
        inputs=["sqlite:////data/shop.db/orders"],
        outputs=["postgres://dwh/sales.public.orders"],
    ):
        pass
    orders = dg.AssetSpec(
        "orders", metadata={"dagster/table_name": "sales.public.orders"}, kinds={"postgres"}
    )

    @dg.asset(deps=[orders])
    def revenue() -> None: ...

    defs = watch(
        dg.Definitions(assets=[orders, revenue]), PipeledgerResource(address_namespaces=STORES)
    )
    defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert _upstream(ledger, Address("dagster", "revenue")) == {
        "postgres://dwh:5432/sales.public.orders",
        "sqlite:///data/shop.db/orders",
    }


def test_an_address_that_only_a_materialization_states_is_the_assets_from_then_on(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def source() -> None: ...

    @dg.asset(deps=[source])
    def late():
        return dg.MaterializeResult(metadata={"dagster/uri": "s3://lake/late"})

    @dg.asset(deps=[late])
    def reader() -> None: ...

    defs = watch(dg.Definitions(assets=[source, late, reader]))
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert [str(use.address) for use in rows.one("late").outputs] == ["s3://lake/late"]
    assert [str(use.address) for use in rows.one("reader").inputs] == ["s3://lake/late"]
    assert _upstream(ledger, Address("dagster", "reader")) == {"s3://lake/late", "dagster:source"}


def test_the_file_of_an_io_manager_is_not_the_assets_address_and_a_stated_path_is(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def pickled() -> int:
        return 1

    @dg.asset
    def written():
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path("/data/out.csv")})

    defs = watch(dg.Definitions(assets=[pickled, written]))
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert [str(use.address) for use in rows.one("pickled").outputs] == ["dagster:pickled"]
    assert [str(use.address) for use in rows.one("written").outputs] == ["file:/data/out.csv"]


def test_the_graph_of_a_job_is_its_pipelines_dependencies(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    kitchen.kitchen_job().execute_in_process(instance=instance)
    pairs = {(str(d.upstream), str(d.downstream)) for d in ledger.read.dependencies("kitchen")}
    assert pairs == {
        ("kitchen.fan_out", "kitchen.double"),
        ("kitchen.double", "kitchen.add_up"),
        ("kitchen.add_up", "kitchen.stumble"),
        ("kitchen.nothing_to_do", "kitchen.never_runs"),
    }


def test_a_schedule_is_its_jobs_rhythm_and_unchanged_declarations_are_sent_once(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    for _ in range(2):
        kitchen.all_assets_job().execute_in_process(instance=instance)
    assert ledger.read.pipeline("all_assets").schedule == "0 5 * * *"
    with ledger.read.connection() as connection:
        (count,) = connection.exec_driver_sql(
            "SELECT count(*) FROM pipeline_configuration c JOIN pipeline p ON p.id = c.pipeline_id"
            " WHERE p.name = 'flights'"
        ).one()
    assert count == 1
