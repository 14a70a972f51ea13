"""However large or deep SQL is, there is an answer or a sentence, and the others are read."""

from __future__ import annotations

import sys
import threading

import pytest

from pipeledger.sql import Limits, Script, parse

PATIENT = Limits(seconds=3600)
"""However busy the machine: these tests are of size and depth, not of time."""


def only(script: Script) -> str:
    (problem,) = script.problems
    return problem.reason


def test_a_megabyte_of_statements_is_read_or_said_to_be_cut() -> None:
    text = "".join(f"INSERT INTO t{i} SELECT a, b FROM s{i};\n" for i in range(28_000))
    assert len(text) > 1_000_000
    script = parse(text, limits=Limits(seconds=4))
    done = len(script.outputs)
    if done < 28_000:
        assert only(script) == "not parsed: what stands from here on, after 4 seconds"
        assert script.problems[0].line == done + 1


def test_what_is_left_when_the_time_is_over_is_said() -> None:
    script = parse("SELECT 1;\nSELECT 2", limits=Limits(seconds=-1))
    assert only(script) == "not parsed: what stands from here on, after -1 seconds"
    assert script.problems[0].line == 1 and not script.statements


def test_a_megabyte_of_values_is_one_insert() -> None:
    text = "INSERT INTO t (a, b) VALUES " + ", ".join("(1.5, 'x;')" for _ in range(90_000))
    script = parse(text + "; INSERT INTO u SELECT a FROM s", limits=PATIENT)
    assert [str(t) for t in script.outputs] == ["t", "u"] and not script.partial


def test_values_that_read_a_table_are_not_lost_among_literals() -> None:
    rows = ["(1, 'x')"] * 3000
    rows[2000] = "((SELECT max(c) FROM s), 2)"
    script = parse("INSERT INTO t (a, b) VALUES " + ", ".join(rows), limits=PATIENT)
    assert [str(t) for t in script.inputs] == ["s"] and not script.partial


def test_a_long_list_of_ids_is_cut_and_what_stands_behind_it_is_not() -> None:
    ids = ", ".join(str(i) for i in range(150_000))
    script = parse(f"INSERT INTO t SELECT a FROM s WHERE b IN ({ids}) AND c = 1", limits=PATIENT)
    assert [(e.source_column, e.kind.value) for e in script.column_edges] == [
        ("a", "direct"), ("b", "filter"), ("c", "filter"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "f(" * 5000 + "a" + ")" * 5000,
        "[" * 5000 + "a" + "]" * 5000,
        "not " * 5000 + "a",
        "case when a then " * 5000 + "a" + " end" * 5000,
        "(select " * 5000 + "a" + ")" * 5000,
    ],
    ids=["brackets", "calls", "arrays", "not", "case", "subqueries"],
)
def test_what_is_nested_too_deep_is_not_parsed_and_keeps_its_tables(expression: str) -> None:
    script = parse(
        f"INSERT INTO t SELECT {expression} FROM s; INSERT INTO u SELECT b FROM v", limits=PATIENT
    )
    assert only(script).startswith("not parsed: ") and "deep" in only(script)
    assert [str(t) for t in script.outputs] == ["t", "u"]
    assert [str(t) for t in script.inputs] == ["s", "v"]


def test_a_deep_caller_does_not_change_the_answer() -> None:
    text = "INSERT INTO t SELECT " + "(" * 30 + "a" + ")" * 30 + " FROM s"

    def deep(levels: int) -> Script:
        return parse(text, limits=PATIENT) if levels == 0 else deep(levels - 1)

    script = deep(sys.getrecursionlimit() - 200)
    assert [e.source_column for e in script.column_edges] == ["a"] and not script.partial


def test_ten_thousand_columns() -> None:
    columns = ", ".join(f"s.c{i} AS d{i}" for i in range(10_000))
    script = parse(f"INSERT INTO t SELECT {columns} FROM s", limits=PATIENT)
    assert len(script.column_edges) == 10_000 and not script.partial


@pytest.mark.parametrize("operator", [" OR ", " || ", " + ", " AND "])
def test_three_thousand_terms_in_a_row(operator: str) -> None:
    terms = operator.join(f"c{i}" for i in range(3000))
    script = parse(f"INSERT INTO t SELECT {terms} AS x FROM s", limits=PATIENT)
    assert len(script.column_edges) == 3000 and not script.partial


def test_a_thousand_branches_of_a_union() -> None:
    branches = " UNION ALL ".join(f"SELECT a FROM s{i}" for i in range(1000))
    script = parse(f"INSERT INTO t {branches}", limits=PATIENT)
    assert len(script.inputs) == 1000 and not script.partial


def test_ctes_that_double_sixty_times_stay_small() -> None:
    chain = "WITH c0 AS (SELECT a, b FROM s)" + "".join(
        f", c{i} AS (SELECT x.a, y.b FROM c{i - 1} x JOIN c{i - 1} y ON x.a = y.b)"
        for i in range(1, 60)
    )
    script = parse(f"{chain} INSERT INTO t SELECT * FROM c59", limits=PATIENT)
    assert len(script.column_edges) == 4 and not script.partial


def test_more_column_edges_than_the_limit_leave_the_tables() -> None:
    text = "INSERT INTO t SELECT a + b + c AS x, a + b + c AS y FROM s"
    script = parse(text, limits=Limits(edges=1))
    assert "its tables alone are kept" in only(script)
    assert [str(t) for t in (*script.inputs, *script.outputs)] == ["s", "t"]


def test_a_statement_of_too_many_words_is_not_parsed_and_keeps_its_tables() -> None:
    columns = ", ".join(f"coalesce(a{i}, b{i})" for i in range(20_000))
    script = parse(f"INSERT INTO t SELECT {columns} FROM s; SELECT 1 FROM v", limits=PATIENT)
    assert "words in one statement, more than 100000" in only(script)
    assert [str(t) for t in (*script.inputs, *script.outputs)] == ["s", "v", "t"]


def test_a_text_beyond_the_limit_is_not_read_at_all() -> None:
    script = parse("SELECT 1;" * 10, limits=Limits(characters=20))
    assert only(script) == "not parsed: 90 characters, more than 20" and not script.statements


@pytest.mark.parametrize(
    "text",
    ["", ";" * 1000, "\x00\xff\ud800", "'" * 9999, "/*" * 9999, "{{" * 9999, "$" * 9999, "begin " * 999,
     "if " * 999, "(" * 99, ")" * 99, "with " * 999, "create " * 999, "select", "insert into", "--", "/",
     "copy", "unload ('", "merge into", "alter table", "load data into", "rename", "exchange tables"],
)  # fmt: skip
@pytest.mark.parametrize("dialect", ["postgres", "tsql", "snowflake", "oracle", "mysql"])
def test_odd_text_raises_nothing(text: str, dialect: str) -> None:
    parse(text, dialect=dialect)


def test_threads_may_read_at_the_same_time() -> None:
    found: list[int] = []

    def read(start: int) -> None:
        for i in range(start, start + 20):
            found.append(
                len(
                    parse(
                        f"INSERT INTO t SELECT a{i % 5} FROM s{i % 5}", limits=PATIENT
                    ).column_edges
                )
            )

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 80
