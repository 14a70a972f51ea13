"""The one function: what it remembers, what it refuses, and how its names become addresses."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeledger import sql
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress, InvalidSetting
from pipeledger.sql import Location, Script, TableName, address_of, cache, dialects, parse


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that sqlglot is asked to parse."""
    from pipeledger.sql import syntax

    asked: list[str] = []
    real = syntax.parse

    def counted(text: str, dialect: dialects.Dialect) -> object:
        asked.append(text)
        return real(text, dialect)

    monkeypatch.setattr(syntax, "parse", counted)
    yield asked


def test_the_same_text_is_read_once(readings: list[str]) -> None:
    first = parse("INSERT INTO t SELECT a FROM s")
    assert parse("INSERT INTO t SELECT a FROM s") is first
    assert len(readings) == 1


def test_another_dialect_or_default_is_another_reading(readings: list[str]) -> None:
    text = "INSERT INTO t SELECT a FROM s"
    parse(text)
    assert parse(text, "snowflake").outputs == (TableName("T"),)
    assert parse(text, default_schema="m").outputs == (TableName("t", "m"),)
    assert parse(text, default_catalog="d", default_schema="m").outputs[0] == TableName(
        "t", "m", "d"
    )
    assert len(readings) == 4


def test_a_schema_that_answers_otherwise_is_another_reading(readings: list[str]) -> None:
    text = "INSERT INTO t SELECT * FROM s"
    schema = {TableName("s"): ["a", "b"]}
    assert len(parse(text, schema=schema).column_edges) == 2
    assert len(parse(text, schema=dict(schema)).column_edges) == 2
    assert len(readings) == 1
    schema[TableName("s")] = ["a", "b", "c"]
    assert len(parse(text, schema=schema).column_edges) == 3
    assert len(parse(text).column_edges) == 1
    assert len(readings) == 3


def test_what_is_kept_is_bounded(readings: list[str]) -> None:
    for i in range(cache.MOST_SCRIPTS + 10):
        parse(f"SELECT {i}")
    parse(f"SELECT {cache.MOST_SCRIPTS + 9}")
    assert len(readings) == cache.MOST_SCRIPTS + 10
    parse("SELECT 0")
    assert len(readings) == cache.MOST_SCRIPTS + 11


def test_a_script_with_very_many_edges_is_not_kept(
    readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_EDGES", 8)
    for _ in range(2):
        parse("INSERT INTO t SELECT a, b, c FROM s")
    assert len(readings) == 2


def test_a_forked_process_can_read_though_the_lock_was_held() -> None:
    context = multiprocessing.get_context("fork")
    with cache._lock:
        child = context.Process(target=parse, args=("SELECT a FROM s",))
        child.start()
    child.join(60)
    assert child.exitcode == 0


def test_an_unknown_dialect_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidSetting, match=r"one of .*postgres.*snowflake"):
        parse("SELECT 1", dialect="cobol")


def test_sqlglot_logs_nothing_of_what_it_cannot_take_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, logger="sqlglot"):
        parse("UNLOAD (SELECT a FROM s) TO 's3://b/k'", dialect="athena")
        parse("CREATE STREAM x ON TABLE t", dialect="snowflake")
        assert caplog.records == []
        logging.getLogger("sqlglot").warning("of somebody else")
    assert [r.message for r in caplog.records] == ["of somebody else"]


def test_no_secret_of_a_statement_is_in_a_problem() -> None:
    script = parse(
        "COPY t FROM 's3://b' CREDENTIALS 'aws_secret_access_key=hunter2' ? ! 'hunter2' ("
    )
    assert script.partial and "hunter2" not in str(script.to_json())


WITHOUT = """
import sys
sys.modules["sqlglot"] = None
import pipeledger.sql
from pipeledger.model.errors import PipeledgerError
assert pipeledger.sql.TableName("t")
try:
    pipeledger.sql.parse("SELECT 1")
except PipeledgerError as error:
    print(error)
"""


def test_without_sqlglot_one_sentence_says_what_to_do() -> None:
    out = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert out.stdout == (
        "lineage from SQL needs sqlglot, which is not installed: pip install 'pipeledger[sql]'\n"
    )


def test_importing_the_package_imports_no_sqlglot() -> None:
    code = "import sys, pipeledger.sql as s; s.parse; s.Script; print('sqlglot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"


@pytest.mark.parametrize(
    ("dataset", "address"),
    [
        (TableName("t", "s", "d"), Address("postgres://dwh:5432", "d.s.t")),
        (TableName("t"), Address("postgres://dwh:5432", "t")),
        (Location("s3://bucket/a/b"), Address("s3://bucket", "a/b")),
        (Location("/data/x.csv"), Address("file", "/data/x.csv")),
        (Location("@stage/x"), Address("postgres://dwh:5432", "@stage/x")),
    ],
)
def test_a_name_becomes_an_address(dataset: TableName | Location, address: Address) -> None:
    found = address_of(dataset, "postgres://dwh:5432")
    assert (found.namespace, found.name) == (address.namespace, address.name)


def test_a_name_with_a_template_in_it_is_no_address() -> None:
    (table,) = parse("SELECT a FROM {{ schema }}.t").inputs
    assert isinstance(table, TableName) and table.is_templated
    with pytest.raises(InvalidAddress, match="without a template"):
        address_of(table, "postgres://dwh:5432")


def test_the_public_names_are_what_can_be_imported() -> None:
    assert sorted(sql.__all__) == sql.__all__
    for name in sql.__all__:
        assert getattr(sql, name) is not None
    with pytest.raises(AttributeError):
        sql.nothing_of_that_name  # noqa: B018


def test_inputs_are_what_was_read_before_it_was_written() -> None:
    script: Script = parse(
        "INSERT INTO b SELECT x FROM a; INSERT INTO c SELECT x FROM b; INSERT INTO a SELECT x FROM c"
    )
    assert [str(t) for t in script.inputs] == ["a"]
    assert [str(t) for t in script.outputs] == ["b", "c", "a"]
    assert [(str(e.source), str(e.target)) for e in script.edges] == [
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
    ]
