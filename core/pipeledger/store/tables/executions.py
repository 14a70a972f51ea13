"""Executions, their closure, what they read and wrote, and what remains of pruned ones."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    text,
)

from pipeledger.store.tables.base import identifier, metadata, reference
from pipeledger.store.types import ByteOrderedText, Derived, Id, Json, Rank, RunKey, UtcDateTime

_DURATION_PG = "EXTRACT(EPOCH FROM (end_date - start_date))::double precision"
_DURATION_SQLITE = "ROUND((julianday(end_date) - julianday(start_date)) * 86400.0, 3)"

pipeline_execution = Table(
    "pipeline_execution",
    metadata,
    identifier(),
    Column("run_key", RunKey, nullable=False, unique=True),
    Column("pipeline_id", Id, ForeignKey("pipeline.id")),
    Column("parent_id", Id, ForeignKey("pipeline_execution.id"), index=True),
    Column("state", String(10), nullable=False),
    Column("start_date", UtcDateTime),
    Column("end_date", UtcDateTime),
    Column(
        "date_recorded",
        Date,
        Computed(Derived("date(start_date)", "(start_date AT TIME ZONE 'UTC')::date")),
    ),
    Column(
        "hour_recorded",
        Integer,
        Computed(
            Derived(
                "CAST(strftime('%H', start_date) AS INTEGER)",
                "EXTRACT(HOUR FROM (start_date AT TIME ZONE 'UTC'))::integer",
            )
        ),
    ),
    Column("duration_seconds", Double, Computed(Derived(_DURATION_SQLITE, _DURATION_PG))),
    Column(
        "completed_successfully",
        Boolean,
        Computed(
            Derived(
                "CASE state WHEN 'success' THEN 1 WHEN 'failed' THEN 0 WHEN 'abandoned' THEN 0 END",
                "CASE state WHEN 'success' THEN true WHEN 'failed' THEN false"
                " WHEN 'abandoned' THEN false END",
            )
        ),
        comment="null while it runs, and for a skipped execution, which is neither",
    ),
    Column("inserts", BigInteger),
    Column("updates", BigInteger),
    Column("soft_deletes", BigInteger),
    Column("total_rows", BigInteger),
    Column("watermark", Text),
    Column("next_watermark", Text),
    Column("execution_metadata", Json),
    Column(
        "throughput",
        Double,
        Computed(
            Derived(
                f"total_rows / NULLIF({_DURATION_SQLITE}, 0)",
                f"total_rows / NULLIF({_DURATION_PG}, 0)",
            )
        ),
        comment="total_rows per second",
    ),
    Column("attempt", Integer),
    Column("previous_run_key", RunKey),
    Column("state_detail", Text, comment="the orchestrator's own word for the state"),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("attributes", Json, comment="what it ran as: operator, host, queue ..."),
    Column("heartbeat_at", UtcDateTime),
    Column("configuration_hash", String(64)),
    Column("code_version", Text),
    Column("partition_key", Text),
    Column("epoch", Integer),
    Column(
        "from_order", ByteOrderedText, comment="watermark in sortable form; '' is the beginning"
    ),
    Column("to_order", ByteOrderedText),
    Column("succeeded", Boolean, nullable=False, server_default=false()),
    Column("absorbed", Boolean, nullable=False, server_default=false()),
    Column("end_rank", Rank),
    Column("inserts_rank", Rank),
    Column("updates_rank", Rank),
    Column("soft_deletes_rank", Rank),
    Column("total_rows_rank", Rank),
    Column("error_rank", Rank),
    Column("metadata_rank", Rank),
    Column("attributes_rank", Rank),
    Column("configuration_rank", Rank),
    Column("parent_rank", Rank),
    Column("lower_rank", Rank),
    Column("upper_rank", Rank),
    Column("scope_rank", Rank),
    Index("ix_pipeline_execution_pipeline_id_start_date", "pipeline_id", "start_date"),
    Index("ix_pipeline_execution_start_date", "start_date"),
    Index(
        "ix_pipeline_execution_waiting",
        "pipeline_id",
        "partition_key",
        "to_order",
        sqlite_where=text("succeeded AND NOT absorbed AND to_order IS NOT NULL"),
        postgresql_where=text("succeeded AND NOT absorbed AND to_order IS NOT NULL"),
    ),
    Index(
        "ix_pipeline_execution_running",
        "start_date",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    CheckConstraint("state IN ('running','success','failed','skipped','abandoned')", name="state"),
)

pipeline_execution_closure = Table(
    "pipeline_execution_closure",
    metadata,
    reference("parent_execution_id", "pipeline_execution", primary_key=True),
    reference("child_execution_id", "pipeline_execution", primary_key=True),
    Column("depth", Integer, nullable=False),
    Index("ix_pipeline_execution_closure_child_execution_id_depth", "child_execution_id", "depth"),
    comment="Every (ancestor, descendant) pair with its depth; depth 0 is the execution itself.",
)


def _uses(name: str) -> Table:
    return Table(
        name,
        metadata,
        reference("execution_id", "pipeline_execution", primary_key=True),
        reference("address_id", "address", primary_key=True),
        Column("rows", BigInteger),
        Column("bytes", BigInteger),
        Column("data_version", ByteOrderedText),
        Index(f"ix_{name}_address_id", "address_id"),
    )


pipeline_execution_input = _uses("pipeline_execution_input")
pipeline_execution_output = _uses("pipeline_execution_output")

pipeline_daily = Table(
    "pipeline_daily",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    Column("day", Date, primary_key=True, comment="in UTC, of the start, else of the end"),
    Column("runs", BigInteger, nullable=False),
    Column("successes", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("abandoned", BigInteger, nullable=False),
    Column("inserts", BigInteger),
    Column("updates", BigInteger),
    Column("soft_deletes", BigInteger),
    Column("total_rows", BigInteger),
    Column("timed_runs", BigInteger, nullable=False, comment="runs with a start and an end"),
    Column("duration_seconds", Double, comment="the sum over the timed runs"),
    Column("duration_seconds_max", Double),
    comment="What remains of executions that were pruned: their sums per pipeline and day.",
)
