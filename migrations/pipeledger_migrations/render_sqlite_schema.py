"""The generator of ``pipeledger/store/sqlite_schema.py``.

Run ``python -m pipeledger_migrations.render_sqlite_schema`` when the tables have changed.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

import pipeledger.store
from pipeledger.store import views
from pipeledger.store.tables import metadata
from pipeledger_migrations.schema import head

TARGET = Path(pipeledger.store.__file__).parent / "sqlite_schema.py"
VERSION_TABLE = (
    "CREATE TABLE alembic_version (\n"
    "\tversion_num VARCHAR(32) NOT NULL, \n"
    "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
)


def statements() -> list[str]:
    """The statements that make a fresh SQLite ledger, in order."""
    dialect = sqlite.dialect()
    ddl = [VERSION_TABLE]
    for table in metadata.sorted_tables:
        ddl.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            ddl.append(str(CreateIndex(index).compile(dialect=dialect)).strip())
    ddl += views.statements("sqlite").values()
    return [_tidy(statement) for statement in ddl]


def _tidy(statement: str) -> str:
    lines = [line.replace("\t", "    ").rstrip() for line in statement.splitlines()]
    return "\n".join(line for line in lines if line)


def render() -> str:
    """The text of the module."""
    parts = [
        "# ruff: noqa: E501",
        '"""The statements that make a fresh SQLite ledger, without SQLAlchemy or Alembic.',
        "",
        "Generated from ``pipeledger.store.tables``; a test says when it is behind.",
        "Regenerate with ``python -m pipeledger_migrations.render_sqlite_schema``.",
        '"""',
        "",
        f'REVISION = "{head()}"',
        '"""The schema revision that this version works with, in every kind of database."""',
        "",
        "DDL: tuple[str, ...] = (",
    ]
    for statement in statements():
        assert '"""' not in statement and "\\" not in statement
        parts.append(f'    """{statement}""",')
    return "\n".join([*parts, ")", ""])


if __name__ == "__main__":
    TARGET.write_text(render())
