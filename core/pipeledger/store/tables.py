"""The tables: the truth that migrations and the generated SQLite schema are tested against.

Names and columns of what Watcher published are kept (pipeline, pipeline_execution, its closure,
address ...), because people query them; ``store.views`` keeps address_lineage.
"""

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from pipeledger.store.types import ByteOrderedText, Derived, Id, Json, Rank, RunKey, UtcDateTime

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING_CONVENTION)


def _thresholds() -> list[Column[object]]:
    return [
        Column("freshness_number", Integer),
        Column("freshness_datepart", String(10)),
        Column("mute_freshness_check", Boolean, nullable=False, server_default=false()),
        Column("timeliness_number", Integer),
        Column("timeliness_datepart", String(10)),
        Column("mute_timeliness_check", Boolean, nullable=False, server_default=false()),
    ]


def _created() -> list[Column[object]]:
    return [
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
    ]


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _reference(
    name: str, to: str, *, primary_key: bool = False, nullable: bool = False
) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{to}.id"), primary_key=primary_key, nullable=nullable)


namespace = Table(
    "namespace",
    metadata,
    _id(),
    Column("name", String(150), nullable=False, unique=True),
    Column("naming_pattern", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

pipeline_type = Table(
    "pipeline_type",
    metadata,
    _id(),
    _reference("namespace_id", "namespace"),
    Column("name", String(150), nullable=False),
    Column("group_name", String(150)),
    *_thresholds(),
    *_created(),
    UniqueConstraint("namespace_id", "name"),
)

pipeline = Table(
    "pipeline",
    metadata,
    _id(),
    _reference("namespace_id", "namespace"),
    Column("name", String(500), nullable=False),
    Column("pipeline_type_id", Id, ForeignKey("pipeline_type.id"), index=True),
    Column("watermark", Text),
    Column("next_watermark", Text),
    Column("pipeline_metadata", Json),
    Column("last_target_insert", UtcDateTime),
    Column("last_target_update", UtcDateTime),
    Column("last_target_soft_delete", UtcDateTime),
    *_thresholds(),
    Column("load_lineage", Boolean, nullable=False, server_default=true()),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("schedule", Text),
    Column("watermark_kind", String(10)),
    Column("code_version", Text),
    Column("configuration_hash", String(64)),
    Column("configured_at", UtcDateTime),
    Column("lineage_hash", String(64)),
    Column("lineage_declared_at", UtcDateTime),
    *_created(),
    UniqueConstraint("namespace_id", "name"),
)

pipeline_configuration = Table(
    "pipeline_configuration",
    metadata,
    _reference("pipeline_id", "pipeline", primary_key=True),
    Column("declared_at", UtcDateTime, primary_key=True),
    Column("configuration_hash", String(64), primary_key=True),
    Column("configuration", Json, nullable=False),
    Column("code_version", Text),
    comment="Every configuration a pipeline was declared with; the latest one is in force.",
)

pipeline_dependency = Table(
    "pipeline_dependency",
    metadata,
    _reference("pipeline_id", "pipeline", primary_key=True),
    _reference("upstream_pipeline_id", "pipeline", primary_key=True),
    _reference("downstream_pipeline_id", "pipeline", primary_key=True),
    Index("ix_pipeline_dependency_upstream_pipeline_id", "upstream_pipeline_id"),
    Index("ix_pipeline_dependency_downstream_pipeline_id", "downstream_pipeline_id"),
    comment="Which pipeline runs after which, inside the pipeline that declares it.",
)

_DURATION_PG = "EXTRACT(EPOCH FROM (end_date - start_date))::double precision"
_DURATION_SQLITE = "ROUND((julianday(end_date) - julianday(start_date)) * 86400.0, 3)"

pipeline_execution = Table(
    "pipeline_execution",
    metadata,
    _id(),
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
    _reference("parent_execution_id", "pipeline_execution", primary_key=True),
    _reference("child_execution_id", "pipeline_execution", primary_key=True),
    Column("depth", Integer, nullable=False),
    Index("ix_pipeline_execution_closure_child_execution_id_depth", "child_execution_id", "depth"),
    comment="Every (ancestor, descendant) pair with its depth; depth 0 is the execution itself.",
)

watermark = Table(
    "watermark",
    metadata,
    _reference("pipeline_id", "pipeline", primary_key=True),
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
    _id(),
    _reference("pipeline_id", "pipeline"),
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

address_type = Table(
    "address_type",
    metadata,
    _id(),
    Column("name", String(150), nullable=False),
    Column("group_name", String(150), nullable=False),
    *_created(),
    UniqueConstraint("name", "group_name"),
)

address = Table(
    "address",
    metadata,
    _id(),
    Column("namespace", Text, nullable=False, comment="the store, as OpenLineage names it"),
    Column("name", Text, nullable=False),
    _reference("address_type_id", "address_type"),
    Column("database_name", Text),
    Column("schema_name", Text),
    Column("table_name", Text),
    Column("primary_key", Text),
    Column("address_metadata", Json),
    *_created(),
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


def _span() -> list[Column[object]]:
    return [
        Column("ended_at", UtcDateTime, nullable=False, comment="9999-01-01: it still holds"),
        Column("last_seen_at", UtcDateTime, nullable=False),
    ]


def _origin() -> Column[str]:
    return Column("origin", String(10), primary_key=True, comment="declared, or observed in a run")


def _began() -> Column[object]:
    return Column("began_at", UtcDateTime, primary_key=True)


def _stands_for(name: str, what: str) -> Column[int]:
    return Column(name, Id, nullable=False, comment=f"the address that stands for {what}")


lineage_edge = Table(
    "lineage_edge",
    metadata,
    _reference("pipeline_id", "pipeline", primary_key=True),
    _reference("source_address_id", "address", primary_key=True),
    _reference("target_address_id", "address", primary_key=True),
    _origin(),
    _began(),
    *_span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    _stands_for("source_id", "the source and its aliases"),
    _stands_for("target_id", "the target and its aliases"),
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
    _reference("pipeline_id", "pipeline", primary_key=True),
    _reference("target_address_id", "address", primary_key=True),
    Column("target_column", String(500), primary_key=True, comment="'': the whole target"),
    _reference("source_address_id", "address", primary_key=True),
    Column("source_column", String(500), primary_key=True),
    Column("kind", String(20), primary_key=True),
    _origin(),
    _began(),
    *_span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    _stands_for("source_id", "the source and its aliases"),
    _stands_for("target_id", "the target and its aliases"),
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
    _reference("pipeline_id", "pipeline", primary_key=True),
    _reference("address_id", "address", primary_key=True),
    Column("role", String(10), primary_key=True, comment="input or output"),
    _origin(),
    _began(),
    *_span(),
    Column("namespace_id", Id, nullable=False, comment="the pipeline's"),
    _stands_for("same_id", "the address and its aliases"),
    Index("ix_pipeline_address_same_id", "same_id", "role", "ended_at", "pipeline_id"),
    CheckConstraint("origin IN ('declared','observed')", name="origin"),
    CheckConstraint("role IN ('input','output')", name="role"),
    comment="Which pipelines read and write an address, with and without a known other end.",
)

address_column = Table(
    "address_column",
    metadata,
    _reference("address_id", "address", primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("data_type", String(500), primary_key=True, comment="'': not known"),
    Column("ordinal", Integer, primary_key=True, comment="its place, from 1"),
    _began(),
    *_span(),
    comment="The columns of an address and their history: a change ends one span and begins another.",
)

address_alias = Table(
    "address_alias",
    metadata,
    _reference("address_id", "address", primary_key=True),
    _reference("alias_id", "address", primary_key=True),
    Column("is_alias", Boolean, nullable=False, comment="false: it was taken back"),
    Column("occurred_at", UtcDateTime, nullable=False),
    Index("ix_address_alias_alias_id", "alias_id"),
    comment="Two names of the same data, the one that sorts first as address_id.",
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


def _uses(name: str) -> Table:
    return Table(
        name,
        metadata,
        _reference("execution_id", "pipeline_execution", primary_key=True),
        _reference("address_id", "address", primary_key=True),
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
    _reference("pipeline_id", "pipeline", primary_key=True),
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
