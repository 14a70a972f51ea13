"""What SQL of every kind and dialect reads and writes."""

from __future__ import annotations

import pytest

from pipeledger.sql import dialects

from .case_table import Case, cases, lines

CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_case_reads_and_writes_what_it_says(case: Case) -> None:
    assert sorted(set(lines(case.parse()))) == sorted(set(case.expected))


def test_the_table_covers_the_dialects_of_the_stores() -> None:
    wanted = (
        "postgres redshift snowflake bigquery mysql tsql oracle sqlite duckdb trino athena spark"
    )
    wanted += " databricks hive clickhouse teradata"
    assert set(wanted.split()) <= {case.settings["dialect"] for case in CASES}
    assert len(CASES) > 150


@pytest.mark.parametrize("name", dialects.known())
def test_every_dialect_reads_plain_sql(name: str) -> None:
    from pipeledger.sql import parse

    script = parse("INSERT INTO t (x) SELECT a FROM s WHERE b = 'c;' -- ;\n", dialect=name)
    assert [str(t).lower() for t in (*script.inputs, *script.outputs)] == ["s", "t"]
    assert not script.partial
