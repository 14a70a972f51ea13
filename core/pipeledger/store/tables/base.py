"""What tables are made of: the metadata they belong to, and columns that several have."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, MetaData, String, false

from pipeledger.store.types import Id, UtcDateTime

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING_CONVENTION)


def thresholds() -> list[Column[object]]:
    return [
        Column("freshness_number", Integer),
        Column("freshness_datepart", String(10)),
        Column("mute_freshness_check", Boolean, nullable=False, server_default=false()),
        Column("timeliness_number", Integer),
        Column("timeliness_datepart", String(10)),
        Column("mute_timeliness_check", Boolean, nullable=False, server_default=false()),
    ]


def completeness() -> list[Column[object]]:
    return [
        Column("completeness_number", Integer, comment="how old a time watermark may become"),
        Column("completeness_datepart", String(10)),
    ]


def created() -> list[Column[object]]:
    return [
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
    ]


def identifier() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def reference(
    name: str, to: str, *, primary_key: bool = False, nullable: bool = False
) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{to}.id"), primary_key=primary_key, nullable=nullable)


def span() -> list[Column[object]]:
    return [
        Column("ended_at", UtcDateTime, nullable=False, comment="9999-01-01: it still holds"),
        Column("last_seen_at", UtcDateTime, nullable=False),
    ]


def origin() -> Column[str]:
    return Column("origin", String(10), primary_key=True, comment="declared, or observed in a run")


def began() -> Column[object]:
    return Column("began_at", UtcDateTime, primary_key=True)


def stands_for(name: str, what: str) -> Column[int]:
    return Column(name, Id, nullable=False, comment=f"the address that stands for {what}")
