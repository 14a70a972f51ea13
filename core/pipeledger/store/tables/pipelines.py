"""Namespaces, pipelines with their types, configurations and dependencies."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from pipeledger.store.tables.base import (
    completeness,
    created,
    identifier,
    metadata,
    reference,
    thresholds,
)
from pipeledger.store.types import Id, Json, UtcDateTime

namespace = Table(
    "namespace",
    metadata,
    identifier(),
    Column("name", String(150), nullable=False, unique=True),
    Column("naming_pattern", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

pipeline_type = Table(
    "pipeline_type",
    metadata,
    identifier(),
    reference("namespace_id", "namespace"),
    Column("name", String(150), nullable=False),
    Column("group_name", String(150)),
    *thresholds(),
    *created(),
    UniqueConstraint("namespace_id", "name"),
)

pipeline = Table(
    "pipeline",
    metadata,
    identifier(),
    reference("namespace_id", "namespace"),
    Column("name", String(500), nullable=False),
    Column("pipeline_type_id", Id, ForeignKey("pipeline_type.id"), index=True),
    Column("watermark", Text),
    Column("next_watermark", Text),
    Column("pipeline_metadata", Json),
    Column("last_target_insert", UtcDateTime),
    Column("last_target_update", UtcDateTime),
    Column("last_target_soft_delete", UtcDateTime),
    *thresholds(),
    Column("load_lineage", Boolean, nullable=False, server_default=true()),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("schedule", Text),
    Column("watermark_kind", String(10)),
    Column("code_version", Text),
    Column("configuration_hash", String(64)),
    Column("configured_at", UtcDateTime),
    Column("lineage_hash", String(64)),
    Column("lineage_declared_at", UtcDateTime),
    *created(),
    *completeness(),
    UniqueConstraint("namespace_id", "name"),
)

pipeline_configuration = Table(
    "pipeline_configuration",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    Column("declared_at", UtcDateTime, primary_key=True),
    Column("configuration_hash", String(64), primary_key=True),
    Column("configuration", Json, nullable=False),
    Column("code_version", Text),
    comment="Every configuration a pipeline was declared with; the latest one is in force.",
)

pipeline_dependency = Table(
    "pipeline_dependency",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    reference("upstream_pipeline_id", "pipeline", primary_key=True),
    reference("downstream_pipeline_id", "pipeline", primary_key=True),
    Index("ix_pipeline_dependency_upstream_pipeline_id", "upstream_pipeline_id"),
    Index("ix_pipeline_dependency_downstream_pipeline_id", "downstream_pipeline_id"),
    comment="Which pipeline runs after which, inside the pipeline that declares it.",
)
