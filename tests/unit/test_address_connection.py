"""Connections: the tables they name become the addresses that everybody else gives them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeledger.model.connection import DatabaseConnection, address_of_table
from pipeledger.model.errors import InvalidAddress


@pytest.mark.parametrize(
    ("url", "table", "key"),
    [
        ("postgresql+psycopg2://u:p@DWH/sales", "orders", ("postgres://dwh:5432", "sales.public.orders")),
        ("postgres://u:p@dwh:6432/sales?options=x", "mart.orders", ("postgres://dwh:6432", "sales.mart.orders")),
        ("postgresql://h/sales?currentSchema=mart", "orders", ("postgres://h:5432", "sales.mart.orders")),
        ("postgresql://h", "sales.mart.orders", ("postgres://h:5432", "sales.mart.orders")),
        ("mysql+pymysql://u:p@h/shop", "orders", ("mysql://h:3306", "shop.orders")),
        ("mssql+pyodbc://sa:p@h/sales?driver=x", "orders", ("mssql://h:1433", "sales.dbo.orders")),
        ("jdbc:sqlserver://h:1433;databaseName=sales;user=u;password=p", "orders",
         ("mssql://h:1433", "sales.dbo.orders")),
        ("jdbc:oracle:thin:@//h:1521/ORCL", "HR.T", ("oracle://h:1521", "ORCL.HR.T")),
        ("oracle+oracledb://u:p@h/?service_name=ORCL", "HR.T", ("oracle://h:1521", "ORCL.HR.T")),
        ("snowflake://u:p@org-acc/DB/S?warehouse=W", "T", ("snowflake://org-acc", "DB.S.T")),
        ("snowflake://u:p@/S?account=org-acc&database=DB", "T", ("snowflake://org-acc", "DB.S.T")),
        ("bigquery://proj/ds", "t", ("bigquery", "proj.ds.t")),
        ("bigquery://proj", "ds.t", ("bigquery", "proj.ds.t")),
        ("trino://u@h/hive/sales", "t", ("trino://h:8080", "hive.sales.t")),
        ("databricks://token:x@h?catalog=main&schema=s&http_path=/p", "t", ("databricks://h", "main.s.t")),
        ("awsathena+rest://h.amazonaws.com:443/sales", "c.d.t", ("awsathena://h.amazonaws.com", "c.d.t")),
        ("redshift+psycopg2://u:p@w.1.eu-west-1.redshift.amazonaws.com:5439/dev", "t",
         ("redshift://w.eu-west-1:5439", "dev.public.t")),
        ("postgresql://u:p@w.1.eu-west-1.redshift.amazonaws.com:5439/dev", "t",
         ("redshift://w.eu-west-1:5439", "dev.public.t")),
        ("clickhouse+native://u:p@h", "t", ("clickhouse://h:8123", "default.t")),
        ("sqlite:////srv/shop", "orders", ("sqlite:///srv/shop", "orders")),
        ("sqlite:////srv/shop.db", "main.orders", ("sqlite:///srv/shop.db", "orders")),
        ("duckdb:////srv/shop.duckdb", "orders", ("duckdb:///srv/shop.duckdb", "main.orders")),
    ],
)  # fmt: skip
def test_a_table_of_a_connection_has_an_address(url: str, table: str, key: tuple[str, str]) -> None:
    address = address_of_table(url, table)
    assert address.key == key
    assert address == address_of_table(url, *table.split("."))


@pytest.mark.parametrize(
    ("arguments", "more", "key"),
    [
        (("postgresql", "DWH", 6432), {"database": "sales"}, ("postgres://dwh:6432", "sales.public.t")),
        (("postgres", "::1"), {"database": "d", "schema": "s"}, ("postgres://[::1]:5432", "d.s.t")),
        (("mysql", "h", None), {"schema": "shop"}, ("mysql://h:3306", "shop.t")),
        (("snowflake", "org-acc"), {"database": "D", "schema": "S"}, ("snowflake://org-acc", "D.S.t")),
        (("bigquery",), {"database": "p", "schema": "d"}, ("bigquery", "p.d.t")),
        (("trino", "h", 443), {"database": "hive", "schema": "s"}, ("trino://h:443", "hive.s.t")),
        (("sqlite",), {"database": "/srv/a?b.db"}, ("sqlite:///srv/a?b.db", "t")),
    ],
)  # fmt: skip
def test_a_connection_is_made_from_its_parts(
    arguments: tuple[Any, ...], more: dict[str, Any], key: tuple[str, str]
) -> None:
    assert DatabaseConnection.of(*arguments, **more).table("t").key == key


@pytest.mark.parametrize(
    ("url", "table"),
    [("postgresql://u:hunter2@h", "orders"), ("trino://u:hunter2@h/hive", "t"), ("s3://bucket", "t"),
     ("sqlite://", "t"), ("postgresql:hunter2", "t"), ("postgresql://u:hunter2", "t"), ("", "t"),
     ("postgresql://h/d", "")],
)  # fmt: skip
def test_a_connection_that_leads_to_no_table_says_what_is_missing(url: str, table: str) -> None:
    with pytest.raises(InvalidAddress, match="expected") as caught:
        address_of_table(url, table)
    assert "hunter2" not in str(caught.value)


def test_a_connection_holds_no_credentials() -> None:
    url = "mssql://u:hunter2@h/sales?password=hunter2&database=sales"
    assert "hunter2" not in repr(DatabaseConnection.parse(url))
