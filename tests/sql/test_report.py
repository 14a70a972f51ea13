"""SQL as a report of lineage, with the columns that the ledger knows."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from pipeledger import Address, Column, DatasetReport, Ledger, PipelineRef
from pipeledger.lineage.schemas import columns_in
from pipeledger.sql import lineage_report, parse

AT = datetime(2024, 1, 1, tzinfo=timezone.utc)
DWH = "postgres://dwh:5432"
LOAD = PipelineRef("load", "team")


def table(name: str) -> Address:
    return Address(DWH, f"shop.public.{name}")


def test_a_script_becomes_the_observed_lineage_of_the_pipeline_that_runs_it() -> None:
    script = parse(
        "CREATE TEMP TABLE today AS SELECT id, amount FROM orders WHERE day > 5;"
        "INSERT INTO totals (id, total) SELECT id, sum(amount) FROM today GROUP BY id;"
        "COPY totals TO 's3://lake/totals.csv'",
        default_catalog="shop",
        default_schema="public",
    )
    report = lineage_report(script, LOAD, "postgresql://user:secret@dwh", occurred_at=AT)
    assert report.observed and report.pipeline == LOAD
    assert set(report.edges) == {
        (table("orders"), table("totals")),
        (table("totals"), Address.parse("s3://lake/totals.csv")),
    }
    found = {(c.source_column, c.target_column, c.kind) for c in report.columns}
    assert {("id", "id", "direct"), ("amount", "total", "aggregated")} <= found
    assert ("day", "", "filter") in found
    assert "secret" not in str(report)


def test_what_has_no_name_yet_is_left_out() -> None:
    script = parse("INSERT INTO t SELECT * FROM {{ params.table }} JOIN u ON true")
    report = lineage_report(script, LOAD, DWH, occurred_at=AT)
    assert {source.name for source, _ in report.edges} == {"u"}
    assert all("*" not in (c.source_column, c.target_column) for c in report.columns)


def test_a_star_is_the_columns_that_the_ledger_knows_now(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    columns = (Column("id", "bigint"), Column("amount"))
    ledger.record(
        DatasetReport(table("orders"), AT, columns=(Column("gone"), *columns)),
        DatasetReport(Address("default", "orders"), AT, aliases=(table("orders"),)),
    )
    ledger.record(DatasetReport(table("orders"), AT.replace(day=2), columns=columns))
    schema = columns_in(ledger.read, DWH)
    script = parse("INSERT INTO shop.public.copy SELECT * FROM shop.public.orders", schema=schema)
    found = {(c.source_column, c.target_column) for c in script.column_edges}
    assert found == {("id", "id"), ("amount", "amount")}
    report = lineage_report(script, LOAD, DWH, occurred_at=AT)
    ledger.record(report)
    assert len(report.columns) == 2
