"""Lineage in time: edges, column edges, who reads and writes what, the closure of addresses."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Table

from pipeledger.store.tables.base import began, metadata, origin, reference, span, stands_for
from pipeledger.store.types import Id, UtcDateTime

lineage_edge = Table(
    "lineage_edge",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    reference("source_address_id", "address", primary_key=True),
    reference("target_address_id", "address", primary_key=True),
    origin(),
    began(),
    *span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    stands_for("source_id", "the source and its aliases"),
    stands_for("target_id", "the target and its aliases"),
    Column("configuration_hash", String(64), comment="the configuration that declared it"),
    Index(
        "ix_lineage_edge_source_id",
        "source_id",
        "target_id",
        "ended_at",
        "began_at",
        "namespace_id",
    ),
    Index(
        "ix_lineage_edge_target_id",
        "target_id",
        "source_id",
        "ended_at",
        "began_at",
        "namespace_id",
    ),
    CheckConstraint("origin IN ('declared','observed')", name="origin"),
    comment="Data goes from source to target by this pipeline, from began_at until ended_at.",
)

lineage_column_edge = Table(
    "lineage_column_edge",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    reference("target_address_id", "address", primary_key=True),
    Column("target_column", String(500), primary_key=True, comment="'': the whole target"),
    reference("source_address_id", "address", primary_key=True),
    Column("source_column", String(500), primary_key=True),
    Column("kind", String(20), primary_key=True),
    origin(),
    began(),
    *span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    stands_for("source_id", "the source and its aliases"),
    stands_for("target_id", "the target and its aliases"),
    Index(
        "ix_lineage_column_edge_source_id",
        "source_id",
        "source_column",
        "target_id",
        "target_column",
        "ended_at",
    ),
    Index(
        "ix_lineage_column_edge_target_id",
        "target_id",
        "target_column",
        "source_id",
        "source_column",
        "ended_at",
    ),
    CheckConstraint("origin IN ('declared','observed')", name="origin"),
    CheckConstraint(
        "kind IN ('direct','transformed','aggregated','filter','join','group','sort')", name="kind"
    ),
    comment="What a column of the target is made from, or only influenced by.",
)

pipeline_address = Table(
    "pipeline_address",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    reference("address_id", "address", primary_key=True),
    Column("role", String(10), primary_key=True, comment="input or output"),
    origin(),
    began(),
    *span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    stands_for("same_id", "the address and its aliases"),
    Index("ix_pipeline_address_same_id", "same_id", "role", "ended_at", "pipeline_id"),
    CheckConstraint("origin IN ('declared','observed')", name="origin"),
    CheckConstraint("role IN ('input','output')", name="role"),
    comment="Which pipelines read and write an address, with and without a known other end.",
)

address_lineage_closure = Table(
    "address_lineage_closure",
    metadata,
    # Without foreign keys: they would double the time of computing it anew.
    Column("source_address_id", Id, primary_key=True, autoincrement=False),
    Column("target_address_id", Id, primary_key=True, autoincrement=False),
    Column("depth", Integer, nullable=False),
    Index("ix_address_lineage_closure_target_address_id", "target_address_id", "depth"),
    comment="Every (source, target) pair with its least depth, as far as its state says.",
)

address_lineage_closure_state = Table(
    "address_lineage_closure_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("depth", Integer, comment="how deep the pairs go; null: all the way"),
    Column("is_behind", Boolean, nullable=False, comment="edges have changed since"),
    Column("changes", BigInteger, nullable=False, comment="while behind; a rebuild counts as one"),
    Column("built_at", UtcDateTime),
    CheckConstraint("id = 1", name="single"),
    comment="One row: how far address_lineage_closure goes, and whether it is behind.",
)
