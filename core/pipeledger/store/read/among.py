"""``column = any of these ids``: one statement with one parameter, however many ids there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Ids(TypeDecorator[Iterable[int]]):
    """A list of ids: an array on PostgreSQL (psycopg2 adapts lists), JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> Any:
        ids = list(value or ())
        return json.dumps(ids) if dialect.name == "sqlite" else ids


class Among(FunctionElement[bool]):
    """True where the column is among the ids of the parameter ``name``."""

    type = Boolean()
    inherit_cache = True
    # Without it SQLAlchemy writes `(...) = 1` on SQLite, and no index is used (a test looks at it).
    _is_implicitly_boolean = True

    def __init__(self, column: ColumnElement[int], name: str) -> None:
        super().__init__(column, bindparam(name, type_=_Ids()))


@compiles(Among, "sqlite")
def _on_sqlite(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = element.clauses
    return (
        f"{compiler.process(column, **options)} IN"
        f" (SELECT value FROM json_each({compiler.process(ids, **options)}))"
    )


@compiles(Among, "postgresql")
def _on_postgresql(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = element.clauses
    return (
        f"{compiler.process(column, **options)} = ANY"
        f"(CAST({compiler.process(ids, **options)} AS BIGINT[]))"
    )
