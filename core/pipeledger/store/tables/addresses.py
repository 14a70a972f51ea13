"""Addresses: their types, their columns over time, their aliases."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from pipeledger.store.tables.base import began, created, identifier, metadata, reference, span
from pipeledger.store.types import Id, Json, UtcDateTime

address_type = Table(
    "address_type",
    metadata,
    identifier(),
    Column("name", String(150), nullable=False),
    Column("group_name", String(150), nullable=False),
    *created(),
    UniqueConstraint("name", "group_name"),
)

address = Table(
    "address",
    metadata,
    identifier(),
    Column("namespace", Text, nullable=False, comment="the store, as OpenLineage names it"),
    Column("name", Text, nullable=False),
    reference("address_type_id", "address_type"),
    Column("database_name", Text),
    Column("schema_name", Text),
    Column("table_name", Text),
    Column("primary_key", Text),
    Column("address_metadata", Json),
    *created(),
    Column("schema_hash", String(64)),
    Column("schema_seen_at", UtcDateTime),
    Column(
        "same_as_id",
        Id,
        index=True,
        comment="the address that stands for this one and its aliases; null: itself",
    ),
    UniqueConstraint("namespace", "name"),
    Index("ix_address_name", "name"),
)

address_column = Table(
    "address_column",
    metadata,
    reference("address_id", "address", primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("data_type", String(500), primary_key=True, comment="'': not known"),
    Column("ordinal", Integer, primary_key=True, comment="its place, from 1"),
    began(),
    *span(),
    Index("ix_address_column_began_at", "began_at"),
    Index("ix_address_column_ended_at", "ended_at"),
    comment="The columns of an address and their history: a change ends one span and begins another.",
)

address_alias = Table(
    "address_alias",
    metadata,
    reference("address_id", "address", primary_key=True),
    reference("alias_id", "address", primary_key=True),
    Column("is_alias", Boolean, nullable=False, comment="false: it was taken back"),
    Column("occurred_at", UtcDateTime, nullable=False),
    Index("ix_address_alias_alias_id", "alias_id"),
    comment="Two names of the same data, the one that sorts first as address_id.",
)
