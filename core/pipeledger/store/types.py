"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON as GenericJson
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from pipeledger.model.times import UTC
from pipeledger.store.database import time_text


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time: timestamptz on PostgreSQL; text in UTC on SQLite, whose order is time order."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = (
            DateTime(timezone=True) if dialect.name == "postgresql" else String(26)
        )
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.fromisoformat(value).replace(tzinfo=UTC)


class RunKey(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, text with hyphens on SQLite."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Uuid() if dialect.name == "postgresql" else String(36)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return value if value is None or isinstance(value, UUID) else UUID(value)


Id = BigInteger().with_variant(Integer(), "sqlite")
Json = GenericJson(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
Rank = LargeBinary(16)
ByteOrderedText = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that compares by bytes in every database, whatever its collation."""


class Derived(FunctionElement[Any]):
    """The expression of a generated column, which SQLite and PostgreSQL spell differently."""

    inherit_cache = False

    def __init__(self, on_sqlite: str, on_postgresql: str) -> None:
        super().__init__()
        self.on_sqlite = on_sqlite
        self.on_postgresql = on_postgresql


@compiles(Derived, "sqlite")
def _derived_on_sqlite(element: Derived, compiler: SQLCompiler, **_: Any) -> str:
    return element.on_sqlite


@compiles(Derived, "postgresql")
def _derived_on_postgresql(element: Derived, compiler: SQLCompiler, **_: Any) -> str:
    return element.on_postgresql
