"""Where one statement ends and the next begins."""

from __future__ import annotations

import pytest

from pipeledger.sql import Limits, dialects
from pipeledger.sql.split import split


def texts(sql: str, dialect: str = "postgres") -> list[str]:
    return [p.text for p in split(sql, dialects.of(dialect), Limits())]


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT 'a;''b;'"),
        ("postgres", 'SELECT "a;""b;"'),
        ("postgres", "SELECT 1 /* ; /* ; */ ; */ + 2"),
        ("postgres", "SELECT $$ ; $$, $x$ ; $$ ; $x$"),
        ("postgres", r"SELECT E'it\'s; one'"),
        ("mysql", r"SELECT 'it\'s;', `a;b`, "
         + r'"x\";"'),
        ("bigquery", "SELECT '''a;'b;''', r'\\', `p;q`"),
        ("tsql", "SELECT [a;]]b], 'x;', N'y;'"),
        ("oracle", "SELECT q'[it's; one]' FROM dual"),
        ("snowflake", "SELECT 'it\\'s;', $$ ; $$"),
        ("clickhouse", "SELECT 'a\\';', `b;`"),
    ],
)  # fmt: skip
def test_a_semicolon_in_quotes_or_comments_separates_nothing(dialect: str, sql: str) -> None:
    assert texts(sql + "; SELECT 2", dialect) == [sql, "SELECT 2"]


@pytest.mark.parametrize(
    ("dialect", "comment"),
    [("postgres", "-- ;\n"), ("mysql", "# ;\n"), ("snowflake", "// ;\n"), ("tsql", "/* ; */")],
)
def test_a_comment_between_statements_belongs_to_none(dialect: str, comment: str) -> None:
    assert texts(f"SELECT 1;{comment} SELECT 2", dialect) == ["SELECT 1", "SELECT 2"]


def test_lines_are_those_of_the_whole_text() -> None:
    sql = "\n-- one\nSELECT 1;\n\nSELECT\n2;CREATE FUNCTION f() RETURNS int AS $$\nSELECT 3;\nSELECT 4 $$"
    pieces = list(split(sql, dialects.of("postgres"), Limits()))
    assert [(p.text, p.line) for p in pieces] == [
        ("SELECT 1", 3), ("SELECT\n2", 5), ("SELECT 3", 7), ("SELECT 4", 8),
    ]  # fmt: skip


def test_lines_stay_right_behind_literals_that_are_left_out() -> None:
    rows = ",\n".join("(1, 2)" for _ in range(3000))
    pieces = list(
        split(f"INSERT INTO t VALUES {rows};\nSELECT 1", dialects.of("postgres"), Limits())
    )
    assert pieces[1].line == 3001 and pieces[0].text.count("(") == 8


def test_a_batch_without_semicolons_is_taken_apart() -> None:
    sql = """
        DECLARE @n int = 1
        SET NOCOUNT ON
        SELECT a FROM s WHERE b IN (SELECT c FROM u) UNION ALL SELECT d FROM v
        INSERT INTO t (x) SELECT a FROM s
        UPDATE t SET x = CASE WHEN y = 1 THEN 2 ELSE 3 END WHERE z = 1
        WITH c AS (SELECT 1 AS a) DELETE FROM t WHERE x IN (SELECT a FROM c)
        MERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (2);
        SELECT a FROM t WITH (NOLOCK) OPTION (RECOMPILE)
        TRUNCATE TABLE t
        EXEC p
    """
    assert [t.split()[0] for t in texts(sql, "tsql")] == [
        "SET", "SELECT", "INSERT", "UPDATE", "WITH", "MERGE", "SELECT", "TRUNCATE", "EXEC",
    ]  # fmt: skip


def test_go_and_slash_end_a_batch_only_on_a_line_of_their_own() -> None:
    assert texts("SELECT go FROM a\nGO 5\nSELECT 2", "tsql") == ["SELECT go FROM a", "SELECT 2"]
    assert texts("SELECT 4 / 2 FROM a\n/\nSELECT 2 FROM b", "oracle") == [
        "SELECT 4 / 2 FROM a",
        "SELECT 2 FROM b",
    ]


def test_a_transaction_is_no_body() -> None:
    pieces = list(split("BEGIN; SELECT 1; COMMIT; SELECT 2", dialects.of("postgres"), Limits()))
    assert [(p.text, p.is_body) for p in pieces if "SELECT" in p.text] == [
        ("SELECT 1", False),
        ("SELECT 2", False),
    ]


def test_what_follows_a_body_is_outside_it() -> None:
    sql = "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; END IF; CASE x WHEN 1 THEN SELECT 2; END CASE; END; SELECT 3"
    pieces = list(split(sql, dialects.of("bigquery"), Limits()))
    assert [(p.text, p.is_body) for p in pieces] == [
        ("SELECT 1", True),
        ("SELECT 2", True),
        ("SELECT 3", False),
    ]
