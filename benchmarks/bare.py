"""The baseline: a driver alone, sending statements that were written down. Nothing of ours is imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a driver: a statement with its parameters, or ``begin`` and ``commit``."""

    what: str
    sql: str = ""
    parameters: Mapping[str, Any] | None = None
    answer: Any = None
    """The first cell of the first row, which is the id of what was saved."""


def connect(dsn: str) -> Any:
    """A connection to a libpq URI or a SQLite file, set up as ours is."""
    if dsn.startswith("postgresql:"):
        import psycopg2

        return psycopg2.connect(dsn)
    connection = sqlite3.connect(dsn, timeout=30, isolation_level=None, cached_statements=64)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def replay(connection: Any, calls: Sequence[Call], run_key: str | None = None) -> None:
    """Send captured calls with nothing but the driver; for another execution, if one is named.

    SQLite's closure statements name the id that the first statement returned: the new one then.
    """
    cursor = connection.cursor()
    is_sqlite = not hasattr(connection, "dsn")
    ids: dict[Any, Any] = {}
    for call in calls:
        parameters = call.parameters
        if run_key is not None and parameters is not None:
            parameters = {k: _renamed(k, v, run_key, ids) for k, v in parameters.items()}
        if call.what == "rows":
            cursor.execute(call.sql, parameters)
            rows = cursor.fetchall()
            if run_key is not None and rows and call.answer is not None:
                ids[call.answer] = rows[0][0]
        elif call.what == "run":
            cursor.execute(call.sql, parameters)
        elif call.what == "begin":
            cursor.execute("BEGIN IMMEDIATE")
        elif is_sqlite:
            cursor.execute("COMMIT")
        else:
            connection.commit()


def _renamed(name: str, value: Any, run_key: str, ids: Mapping[Any, Any]) -> Any:
    if name == "run_key":
        return run_key
    return ids.get(value, value) if name in ("id", "execution_id") else value
