"""Watermarks and their history."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, Text

from pipeledger.store.tables.base import identifier, metadata, reference
from pipeledger.store.types import ByteOrderedText, RunKey, UtcDateTime

watermark = Table(
    "watermark",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    Column("partition_key", String(500), primary_key=True, server_default=""),
    Column("kind", String(10)),
    Column("value", Text),
    Column("value_order", ByteOrderedText, nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("epoch_started_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
)

watermark_history = Table(
    "watermark_history",
    metadata,
    identifier(),
    reference("pipeline_id", "pipeline"),
    Column("partition_key", String(500), nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False),
    Column("cause", String(10), nullable=False),
    Column("run_key", RunKey),
    Column("old_value", Text),
    Column("new_value", Text),
    Column("reason", Text),
    Column("moved_at", UtcDateTime, nullable=False),
    Index("ix_watermark_history_pipeline_id_partition_key", "pipeline_id", "partition_key", "id"),
    CheckConstraint("cause IN ('initial','execution','set','rewind')", name="cause"),
)
