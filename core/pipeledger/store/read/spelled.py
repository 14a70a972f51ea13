"""SQL text written once for both databases, for questions whose compiling would take longer than they do.

``EACH(ids)`` is a table with one column ``id``, ``x AMONG(ids)`` is true where x is one of them; both
take a parameter that is a collection of ids, in one parameter however many there are. ``CUT(most)``
ends a recursive query after so many rows where the database needs to be told: SQLite would finish it
before anything reads from it, PostgreSQL works as far as it is read. ``SECONDS(a, b)`` is the time from
a to b; of SQLite, which knows milliseconds, a little more than that. ``NEWEST(a, b)`` is the latest of
moments that may be null.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.store.database import read_time, time_text
from pipeledger.store.statement import Statement

_EACH = re.compile(r"EACH\((\w+)\)")
_CUT = re.compile(r" CUT\((\w+)\)")
_SECONDS = re.compile(r"SECONDS\(((?:[^,()]|\([^()]*\))+), ((?:[^,()]|\([^()]*\))+)\)")
_NEWEST = re.compile(r"NEWEST\(([^()]*)\)")
_AMONG = re.compile(r"AMONG\((\w+)\)")
Value = int | str | datetime | Collection[int] | None


def spelled(sql: str) -> Statement:
    """The statement as each database wants it; ``FIRST JOIN`` keeps SQLite to the order written."""
    sqlite = _EACH.sub(r"(SELECT value AS id FROM json_each(:\1))", sql)
    sqlite = _AMONG.sub(r"IN (SELECT value FROM json_each(:\1))", sqlite)
    sqlite = _NEWEST.sub(_newest_on_sqlite, sqlite)
    sql = _NEWEST.sub(r"GREATEST(\1)", sql)
    sqlite = _SECONDS.sub(r"((julianday(\2) - julianday(\1)) * 86400.0 + 0.002)", sqlite)
    sql = _SECONDS.sub(r"EXTRACT(EPOCH FROM (\2) - (\1))", sql)
    sqlite, sql = _CUT.sub(r" LIMIT :\1", sqlite), _CUT.sub("", sql)
    postgresql = _EACH.sub(r"(SELECT unnest(CAST(:\1 AS bigint[])) AS id)", sql)
    postgresql = _AMONG.sub(r"= ANY(CAST(:\1 AS bigint[]))", postgresql)
    # SQLite knows IS DISTINCT FROM since 3.39 only.
    sqlite = sqlite.replace("IS NOT DISTINCT FROM", "IS").replace("IS DISTINCT FROM", "IS NOT")
    return Statement(
        sqlite.replace("FIRST JOIN", "CROSS JOIN"),
        postgresql=postgresql.replace("FIRST JOIN", "JOIN"),
    )


def _newest_on_sqlite(found: re.Match[str]) -> str:
    each = ", ".join(f"COALESCE({moment.strip()}, '')" for moment in found.group(1).split(","))
    return f"NULLIF(MAX({each}), '')"


def rows(connection: Connection, statement: Statement, values: Mapping[str, Value]) -> Any:
    """A list of the rows that the statement answers, as tuples."""
    is_sqlite = connection.dialect.name == "sqlite"
    bound = {name: _bound(value, is_sqlite) for name, value in values.items()}
    text = statement.sqlite if is_sqlite else statement.postgresql
    result = connection.exec_driver_sql(text, bound)
    assert result.cursor is not None
    # The driver's own tuples: SQLAlchemy's rows are twice the objects, and thousands of them wake
    # Python's garbage collector.
    found = result.cursor.fetchall()
    result.close()
    return found


def moment(value: Any) -> datetime:
    """A time of a row, aware and in UTC."""
    found = read_time(value)
    assert found is not None
    return found


def _bound(value: Value, is_sqlite: bool) -> Any:
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, datetime):
        return time_text(value) if is_sqlite else value
    # As text: PostgreSQL reads an array of a thousand much faster so than as ARRAY[...].
    inside = ",".join(map(str, value))
    return f"[{inside}]" if is_sqlite else f"{{{inside}}}"
