"""Addresses: every way of writing one place in a store gives one (namespace, name)."""

from __future__ import annotations

import pytest

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress, InvalidName


@pytest.mark.parametrize(
    ("text", "namespace", "name"),
    [
        ("postgres://etl:pw@dwh/sales.public.orders", "postgres://dwh:5432", "sales.public.orders"),
        ("postgresql+psycopg2://u:p@db:6432/prod/public.t", "postgres://db:6432", "prod.public.t"),
        ("mysql://h/shop.users", "mysql://h:3306", "shop.users"),
        ("redshift://c.eu-west-1:5439/db.s.t", "redshift://c.eu-west-1:5439", "db.s.t"),
        ("snowflake://org-acc/DB.PUBLIC.T", "snowflake://org-acc", "DB.PUBLIC.T"),
        ("trino://h/cat.s.t", "trino://h:8080", "cat.s.t"),
        ("bigquery:proj.ds.t", "bigquery", "proj.ds.t"),
        ("bigquery://proj/ds/t", "bigquery", "proj.ds.t"),
        ("s3://Bucket/A/b.parquet", "s3://Bucket", "A/b.parquet"),
        ("s3a://bucket/k", "s3://bucket", "k"),
        ("gs://bucket/k", "gs://bucket", "k"),
        ("abfss://c@acc.dfs.core.windows.net/p", "abfss://c@acc.dfs.core.windows.net", "p"),
        ("file:///data/a.csv", "file", "/data/a.csv"),
        ("file:/data/a.csv", "file", "/data/a.csv"),
        ("kafka://broker/topic", "kafka://broker:9092", "topic"),
        ("sqlite:///srv/wh.db/flights", "sqlite:///srv/wh.db", "flights"),
        ("sqlite:/srv/wh.db/flights", "sqlite:///srv/wh.db", "flights"),
        ("duckdb:///srv/wh.duckdb/main.t", "duckdb:///srv/wh.duckdb", "main.t"),
        ("dagster:marts/orders", "dagster", "marts/orders"),
        ("hdfs://nn:8020/a/b", "hdfs://nn:8020", "a/b"),
    ],
)
def test_a_url_of_a_store_is_read(text: str, namespace: str, name: str) -> None:
    address = Address.parse(text)
    assert address.key == (namespace, name)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "orders", "postgres://h", "postgres:///db.s.t", "s3://bucket", "sqlite:///srv/wh.db",
     "bigquery:a.b", "file:///", "postgres://h:port/x", ":x", "x:"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidAddress, match="expected"):
        Address.parse(text)


def test_no_message_about_an_address_holds_its_password() -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address.parse("postgres://u:hunter2@h:port/x")
    assert "hunter2" not in str(caught.value)


def test_names_keep_their_case() -> None:
    assert Address.parse("s3://Bucket/A") != Address.parse("s3://bucket/a")


@pytest.mark.parametrize(("namespace", "name"), [("", "x"), ("s3://b", ""), ("s3://b", "a\x00")])
def test_an_address_without_a_name_is_refused(namespace: str, name: str) -> None:
    with pytest.raises(InvalidName):
        Address(namespace, name)


def test_type_and_group_come_from_the_store_unless_they_are_given() -> None:
    address = Address.parse("postgres://h/d.s.t")
    assert (address.type_name, address.group_name) == ("postgres", "database")
    assert Address("x", "y", "view", "database").type_name == "view"
