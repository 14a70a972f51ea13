"""The first schema: pipelines, executions with their closure, watermarks, addresses and edges.

Shaped by the record algebra: every group of an execution's fields that is merged by itself has its
rank beside it. Names and columns that Watcher published are kept.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
run_key = sa.Uuid().with_variant(sa.String(36), "sqlite")
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
byte_ordered_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
rank = sa.LargeBinary(16)


def _derived(on_sqlite: str, on_postgresql: str) -> sa.Computed:
    """A generated column: computed on reading in SQLite; stored in PostgreSQL, the only way before 18."""
    if op.get_context().dialect.name == "postgresql":
        return sa.Computed(on_postgresql, persisted=True)
    return sa.Computed(on_sqlite)


def upgrade() -> None:
    op.create_table(
        "address_type",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("group_name", sa.String(length=150), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_type")),
        sa.UniqueConstraint("name", "group_name", name=op.f("uq_address_type_name_group_name")),
    )
    op.create_table(
        "namespace",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("naming_pattern", sa.Text(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_namespace")),
        sa.UniqueConstraint("name", name=op.f("uq_namespace_name")),
    )
    op.create_table(
        "address",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column(
            "namespace", sa.Text(), nullable=False, comment="the store, as OpenLineage names it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address_type_id", identifier, nullable=False),
        sa.Column("database_name", sa.Text(), nullable=True),
        sa.Column("schema_name", sa.Text(), nullable=True),
        sa.Column("table_name", sa.Text(), nullable=True),
        sa.Column("primary_key", sa.Text(), nullable=True),
        sa.Column("address_metadata", json, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["address_type_id"], ["address_type.id"], name=op.f("fk_address_address_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("namespace", "name", name=op.f("uq_address_namespace_name")),
    )
    op.create_index("ix_address_name", "address", ["name"], unique=False)
    op.create_table(
        "pipeline_type",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("namespace_id", identifier, nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("group_name", sa.String(length=150), nullable=True),
        sa.Column("freshness_number", sa.Integer(), nullable=True),
        sa.Column("freshness_datepart", sa.String(length=10), nullable=True),
        sa.Column("mute_freshness_check", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("timeliness_number", sa.Integer(), nullable=True),
        sa.Column("timeliness_datepart", sa.String(length=10), nullable=True),
        sa.Column("mute_timeliness_check", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespace.id"], name=op.f("fk_pipeline_type_namespace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_type")),
        sa.UniqueConstraint(
            "namespace_id", "name", name=op.f("uq_pipeline_type_namespace_id_name")
        ),
    )
    op.create_table(
        "pipeline",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("namespace_id", identifier, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("pipeline_type_id", identifier, nullable=True),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("next_watermark", sa.Text(), nullable=True),
        sa.Column("pipeline_metadata", json, nullable=True),
        sa.Column("last_target_insert", moment, nullable=True),
        sa.Column("last_target_update", moment, nullable=True),
        sa.Column("last_target_soft_delete", moment, nullable=True),
        sa.Column("freshness_number", sa.Integer(), nullable=True),
        sa.Column("freshness_datepart", sa.String(length=10), nullable=True),
        sa.Column("mute_freshness_check", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("timeliness_number", sa.Integer(), nullable=True),
        sa.Column("timeliness_datepart", sa.String(length=10), nullable=True),
        sa.Column("mute_timeliness_check", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("load_lineage", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("watermark_kind", sa.String(length=10), nullable=True),
        sa.Column("code_version", sa.Text(), nullable=True),
        sa.Column("configuration_hash", sa.String(length=64), nullable=True),
        sa.Column("configured_at", moment, nullable=True),
        sa.Column("lineage_hash", sa.String(length=64), nullable=True),
        sa.Column("lineage_declared_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespace.id"], name=op.f("fk_pipeline_namespace_id")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_type_id"], ["pipeline_type.id"], name=op.f("fk_pipeline_pipeline_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline")),
        sa.UniqueConstraint("namespace_id", "name", name=op.f("uq_pipeline_namespace_id_name")),
    )
    op.create_index(
        op.f("ix_pipeline_pipeline_type_id"), "pipeline", ["pipeline_type_id"], unique=False
    )
    op.create_table(
        "address_lineage",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("source_address_id", identifier, nullable=False),
        sa.Column("target_address_id", identifier, nullable=False),
        sa.Column("first_seen_at", moment, nullable=False),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_address_lineage_pipeline_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_address_id"], ["address.id"], name=op.f("fk_address_lineage_source_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_address_id"], ["address.id"], name=op.f("fk_address_lineage_target_address_id")
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id", "source_address_id", "target_address_id", name=op.f("pk_address_lineage")
        ),
        comment="An edge belongs to the pipeline that moves the data; several may own the same edge.",
    )
    op.create_index(
        "ix_address_lineage_source_address_id_target_address_id",
        "address_lineage",
        ["source_address_id", "target_address_id"],
        unique=False,
    )
    op.create_index(
        "ix_address_lineage_target_address_id_source_address_id",
        "address_lineage",
        ["target_address_id", "source_address_id"],
        unique=False,
    )
    op.create_table(
        "pipeline_configuration",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("declared_at", moment, nullable=False),
        sa.Column("configuration_hash", sa.String(length=64), nullable=False),
        sa.Column("configuration", json, nullable=False),
        sa.Column("code_version", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_configuration_pipeline_id")
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id",
            "declared_at",
            "configuration_hash",
            name=op.f("pk_pipeline_configuration"),
        ),
        comment="Every configuration a pipeline was declared with; the latest one is in force.",
    )
    op.create_table(
        "pipeline_daily",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column(
            "day", sa.Date(), nullable=False, comment="in UTC, of the start, else of the end"
        ),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("successes", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("abandoned", sa.BigInteger(), nullable=False),
        sa.Column("inserts", sa.BigInteger(), nullable=True),
        sa.Column("updates", sa.BigInteger(), nullable=True),
        sa.Column("soft_deletes", sa.BigInteger(), nullable=True),
        sa.Column("total_rows", sa.BigInteger(), nullable=True),
        sa.Column(
            "timed_runs", sa.BigInteger(), nullable=False, comment="runs with a start and an end"
        ),
        sa.Column(
            "duration_seconds", sa.Double(), nullable=True, comment="the sum over the timed runs"
        ),
        sa.Column("duration_seconds_max", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_daily_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "day", name=op.f("pk_pipeline_daily")),
        comment="What remains of executions that were pruned: their sums per pipeline and day.",
    )
    op.create_table(
        "pipeline_dependency",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("upstream_pipeline_id", identifier, nullable=False),
        sa.Column("downstream_pipeline_id", identifier, nullable=False),
        sa.ForeignKeyConstraint(
            ["downstream_pipeline_id"],
            ["pipeline.id"],
            name=op.f("fk_pipeline_dependency_downstream_pipeline_id"),
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_dependency_pipeline_id")
        ),
        sa.ForeignKeyConstraint(
            ["upstream_pipeline_id"],
            ["pipeline.id"],
            name=op.f("fk_pipeline_dependency_upstream_pipeline_id"),
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id",
            "upstream_pipeline_id",
            "downstream_pipeline_id",
            name=op.f("pk_pipeline_dependency"),
        ),
        comment="Which pipeline runs after which, inside the pipeline that declares it.",
    )
    op.create_index(
        "ix_pipeline_dependency_downstream_pipeline_id",
        "pipeline_dependency",
        ["downstream_pipeline_id"],
        unique=False,
    )
    op.create_index(
        "ix_pipeline_dependency_upstream_pipeline_id",
        "pipeline_dependency",
        ["upstream_pipeline_id"],
        unique=False,
    )
    op.create_table(
        "pipeline_execution",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("run_key", run_key, nullable=False),
        sa.Column("pipeline_id", identifier, nullable=True),
        sa.Column("parent_id", identifier, nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("start_date", moment, nullable=True),
        sa.Column("end_date", moment, nullable=True),
        sa.Column(
            "date_recorded",
            sa.Date(),
            _derived("date(start_date)", "(start_date AT TIME ZONE 'UTC')::date"),
            nullable=True,
        ),
        sa.Column(
            "hour_recorded",
            sa.Integer(),
            _derived(
                "CAST(strftime('%H', start_date) AS INTEGER)",
                "EXTRACT(HOUR FROM (start_date AT TIME ZONE 'UTC'))::integer",
            ),
            nullable=True,
        ),
        sa.Column(
            "duration_seconds",
            sa.Double(),
            _derived(
                "ROUND((julianday(end_date) - julianday(start_date)) * 86400.0, 3)",
                "EXTRACT(EPOCH FROM (end_date - start_date))::double precision",
            ),
            nullable=True,
        ),
        sa.Column(
            "completed_successfully",
            sa.Boolean(),
            _derived(
                "CASE state WHEN 'success' THEN 1 WHEN 'failed' THEN 0 WHEN 'abandoned' THEN 0 END",
                "CASE state WHEN 'success' THEN true WHEN 'failed' THEN false WHEN 'abandoned' THEN false END",
            ),
            nullable=True,
            comment="null while it runs, and for a skipped execution, which is neither",
        ),
        sa.Column("inserts", sa.BigInteger(), nullable=True),
        sa.Column("updates", sa.BigInteger(), nullable=True),
        sa.Column("soft_deletes", sa.BigInteger(), nullable=True),
        sa.Column("total_rows", sa.BigInteger(), nullable=True),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("next_watermark", sa.Text(), nullable=True),
        sa.Column("execution_metadata", json, nullable=True),
        sa.Column(
            "throughput",
            sa.Double(),
            _derived(
                "total_rows / NULLIF(ROUND((julianday(end_date) - julianday(start_date)) * 86400.0, 3), 0)",
                "total_rows / NULLIF(EXTRACT(EPOCH FROM (end_date - start_date))::double precision, 0)",
            ),
            nullable=True,
            comment="total_rows per second",
        ),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("previous_run_key", run_key, nullable=True),
        sa.Column(
            "state_detail",
            sa.Text(),
            nullable=True,
            comment="the orchestrator's own word for the state",
        ),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "attributes", json, nullable=True, comment="what it ran as: operator, host, queue ..."
        ),
        sa.Column("heartbeat_at", moment, nullable=True),
        sa.Column("configuration_hash", sa.String(length=64), nullable=True),
        sa.Column("code_version", sa.Text(), nullable=True),
        sa.Column("partition_key", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column(
            "from_order",
            byte_ordered_text,
            nullable=True,
            comment="watermark in sortable form; '' is the beginning",
        ),
        sa.Column("to_order", byte_ordered_text, nullable=True),
        sa.Column("succeeded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("absorbed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("end_rank", rank, nullable=True),
        sa.Column("inserts_rank", rank, nullable=True),
        sa.Column("updates_rank", rank, nullable=True),
        sa.Column("soft_deletes_rank", rank, nullable=True),
        sa.Column("total_rows_rank", rank, nullable=True),
        sa.Column("error_rank", rank, nullable=True),
        sa.Column("metadata_rank", rank, nullable=True),
        sa.Column("attributes_rank", rank, nullable=True),
        sa.Column("configuration_rank", rank, nullable=True),
        sa.Column("parent_rank", rank, nullable=True),
        sa.Column("lower_rank", rank, nullable=True),
        sa.Column("upper_rank", rank, nullable=True),
        sa.Column("scope_rank", rank, nullable=True),
        sa.CheckConstraint(
            "state IN ('running','success','failed','skipped','abandoned')",
            name=op.f("ck_pipeline_execution_state"),
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["pipeline_execution.id"], name=op.f("fk_pipeline_execution_parent_id")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_execution_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_execution")),
        sa.UniqueConstraint("run_key", name=op.f("uq_pipeline_execution_run_key")),
    )
    op.create_index(
        op.f("ix_pipeline_execution_parent_id"), "pipeline_execution", ["parent_id"], unique=False
    )
    op.create_index(
        "ix_pipeline_execution_pipeline_id_start_date",
        "pipeline_execution",
        ["pipeline_id", "start_date"],
        unique=False,
    )
    op.create_index(
        "ix_pipeline_execution_running",
        "pipeline_execution",
        ["start_date"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_pipeline_execution_start_date", "pipeline_execution", ["start_date"], unique=False
    )
    op.create_index(
        "ix_pipeline_execution_waiting",
        "pipeline_execution",
        ["pipeline_id", "partition_key", "to_order"],
        unique=False,
        sqlite_where=sa.text("succeeded AND NOT absorbed AND to_order IS NOT NULL"),
        postgresql_where=sa.text("succeeded AND NOT absorbed AND to_order IS NOT NULL"),
    )
    op.create_table(
        "watermark",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("partition_key", sa.String(length=500), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("value_order", byte_ordered_text, server_default="", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("epoch_started_at", moment, nullable=True),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_watermark_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "partition_key", name=op.f("pk_watermark")),
    )
    op.create_table(
        "watermark_history",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("partition_key", sa.String(length=500), server_default="", nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=10), nullable=False),
        sa.Column("run_key", run_key, nullable=True),
        sa.Column("old_value", sa.Text(), nullable=True),
        sa.Column("new_value", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("moved_at", moment, nullable=False),
        sa.CheckConstraint(
            "cause IN ('initial','execution','set','rewind')",
            name=op.f("ck_watermark_history_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_watermark_history_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watermark_history")),
    )
    op.create_index(
        "ix_watermark_history_pipeline_id_partition_key",
        "watermark_history",
        ["pipeline_id", "partition_key", "id"],
        unique=False,
    )
    op.create_table(
        "pipeline_execution_closure",
        sa.Column("parent_execution_id", identifier, nullable=False),
        sa.Column("child_execution_id", identifier, nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_execution_id"],
            ["pipeline_execution.id"],
            name=op.f("fk_pipeline_execution_closure_child_execution_id"),
        ),
        sa.ForeignKeyConstraint(
            ["parent_execution_id"],
            ["pipeline_execution.id"],
            name=op.f("fk_pipeline_execution_closure_parent_execution_id"),
        ),
        sa.PrimaryKeyConstraint(
            "parent_execution_id", "child_execution_id", name=op.f("pk_pipeline_execution_closure")
        ),
        comment="Every (ancestor, descendant) pair with its depth; depth 0 is the execution itself.",
    )
    op.create_index(
        "ix_pipeline_execution_closure_child_execution_id_depth",
        "pipeline_execution_closure",
        ["child_execution_id", "depth"],
        unique=False,
    )
    op.create_table(
        "pipeline_execution_input",
        sa.Column("execution_id", identifier, nullable=False),
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("data_version", byte_ordered_text, nullable=True),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_pipeline_execution_input_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["pipeline_execution.id"],
            name=op.f("fk_pipeline_execution_input_execution_id"),
        ),
        sa.PrimaryKeyConstraint(
            "execution_id", "address_id", name=op.f("pk_pipeline_execution_input")
        ),
    )
    op.create_index(
        "ix_pipeline_execution_input_address_id",
        "pipeline_execution_input",
        ["address_id"],
        unique=False,
    )
    op.create_table(
        "pipeline_execution_output",
        sa.Column("execution_id", identifier, nullable=False),
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("data_version", byte_ordered_text, nullable=True),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_pipeline_execution_output_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["pipeline_execution.id"],
            name=op.f("fk_pipeline_execution_output_execution_id"),
        ),
        sa.PrimaryKeyConstraint(
            "execution_id", "address_id", name=op.f("pk_pipeline_execution_output")
        ),
    )
    op.create_index(
        "ix_pipeline_execution_output_address_id",
        "pipeline_execution_output",
        ["address_id"],
        unique=False,
    )
    # ### end Alembic commands ###


def downgrade() -> None:
    op.drop_table("pipeline_execution_output")
    op.drop_table("pipeline_execution_input")
    op.drop_table("pipeline_execution_closure")
    op.drop_table("watermark_history")
    op.drop_table("watermark")
    op.drop_table("pipeline_execution")
    op.drop_table("pipeline_dependency")
    op.drop_table("pipeline_daily")
    op.drop_table("pipeline_configuration")
    op.drop_table("address_lineage")
    op.drop_table("pipeline")
    op.drop_table("pipeline_type")
    op.drop_table("address")
    op.drop_table("namespace")
    op.drop_table("address_type")
