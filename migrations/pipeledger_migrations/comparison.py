"""How Alembic's comparison of tables and database is told what means the same."""

from __future__ import annotations

from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Column, Table
from sqlalchemy.schema import SchemaItem

from pipeledger.store.tables import metadata


def compare_type(
    context: MigrationContext,
    inspected_column: Column[Any],
    metadata_column: Column[Any],
    inspected_type: Any,
    metadata_type: Any,
) -> bool | None:
    """Whether a column's type differs: by what each would be called in this database's DDL."""
    dialect = context.dialect
    if dialect is None:
        return None
    ours = metadata_type.compile(dialect=dialect)
    theirs = inspected_type.compile(dialect=dialect)
    return bool(_spelling(ours) != _spelling(theirs))


def _spelling(ddl: str) -> str:
    name = ddl.upper().replace("DOUBLE PRECISION", "DOUBLE")
    return name.partition(" COLLATE ")[0]


def include_object(
    item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None
) -> bool:
    """Other tables in the same database are none of our business."""
    if kind == "table" and reflected and compare_to is None:
        return name in metadata.tables
    if kind == "index" and reflected and compare_to is None:
        table = getattr(item, "table", None)
        return isinstance(table, Table) and table.name in metadata.tables
    return True
