"""Monitoring: findings with a life, what each check saw last, what is expected, alerts that were sent."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from pipeledger.store.tables.base import completeness, created, identifier, metadata, reference
from pipeledger.store.types import Id, Json, RunKey, UtcDateTime

finding = Table(
    "finding",
    metadata,
    identifier(),
    Column("check_name", String(20), nullable=False),
    Column("subject", String(200), nullable=False, comment="one cause: the same in every look"),
    reference("namespace_id", "namespace", nullable=True),
    reference("pipeline_id", "pipeline", nullable=True),
    Column("pipeline_execution_id", Id, comment="may have been pruned since"),
    Column("run_key", RunKey),
    reference("address_id", "address", nullable=True),
    Column("metric", String(20), nullable=False, server_default=""),
    Column("severity", String(10), nullable=False),
    Column("state", String(12), nullable=False),
    Column("message", Text, nullable=False),
    Column("details", Json, nullable=False),
    Column("since", UtcDateTime, nullable=False, comment="when the cause began"),
    Column("openings", Integer, nullable=False, comment="1, and one more each time it came back"),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", Text),
    Column("muted_until", UtcDateTime),
    Column("unflagged_at", UtcDateTime, comment="somebody said that this was in order"),
    Column("note", Text, comment="the reason given with ack, mute or unflag"),
    UniqueConstraint("check_name", "subject"),
    Index(
        "ix_finding_unresolved",
        "check_name",
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index("ix_finding_pipeline_id", "pipeline_id", "check_name", "opened_at"),
    Index("ix_finding_address_id", "address_id"),
    Index("ix_finding_opened_at", "opened_at"),
    Index("ix_finding_resolved_at", "resolved_at"),
    CheckConstraint("state IN ('open','acknowledged','resolved')", name="state"),
    CheckConstraint("severity IN ('warning','error','critical')", name="severity"),
    comment="What a check found: late, missing, failed, held back, stale, changed or odd.",
)

monitoring_check = Table(
    "monitoring_check",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("checked_at", UtcDateTime, nullable=False),
    Column("checked", Integer, nullable=False, comment="how many pipelines, runs or addresses"),
    Column("state", Json, nullable=False, comment="where the next look starts from"),
    comment="When each check last looked, and up to where.",
)

pipeline_expectation = Table(
    "pipeline_expectation",
    metadata,
    reference("pipeline_id", "pipeline", primary_key=True),
    Column("source", String(10), nullable=False, comment="declared, learned or none"),
    Column("rhythm", Text),
    Column("expected_at", UtcDateTime, comment="when the next run is expected to start"),
    Column("grace_seconds", Integer, nullable=False, server_default="0"),
    Column("look_at", UtcDateTime, nullable=False, index=True),
    Column("configuration_hash", String(64), comment="the configuration this was read from"),
    Column("details", Json),
    CheckConstraint("source IN ('declared','learned','none')", name="source"),
    comment="When each pipeline is expected next, and when to look whether it came.",
)

address_expectation = Table(
    "address_expectation",
    metadata,
    reference("address_id", "address", primary_key=True),
    Column("freshness_number", Integer),
    Column("freshness_datepart", String(10)),
    *completeness(),
    Column("mute", Boolean, nullable=False, server_default=false()),
    *created(),
    comment="How old the data of an address may become, and its complete-up-to.",
)

anomaly_detection_rule = Table(
    "anomaly_detection_rule",
    metadata,
    identifier(),
    reference("pipeline_id", "pipeline"),
    Column("metric_field", String(20), nullable=False),
    Column("z_threshold", Double, nullable=False, server_default="3"),
    Column("lookback_days", Integer, nullable=False, server_default="30"),
    Column("minimum_executions", Integer, nullable=False, server_default="30"),
    Column("active", Boolean, nullable=False, server_default=true()),
    *created(),
    UniqueConstraint("pipeline_id", "metric_field"),
    CheckConstraint(
        "metric_field IN ('duration_seconds','inserts','updates','soft_deletes','total_rows',"
        "'throughput')",
        name="metric_field",
    ),
    comment="Mean and standard deviations at the same hour of day, for a metric of a pipeline.",
)

alert = Table(
    "alert",
    metadata,
    identifier(),
    reference("finding_id", "finding"),
    Column("opening", Integer, nullable=False, comment="the finding's openings when it was told"),
    Column("route", String(100), nullable=False),
    Column("event", String(10), nullable=False),
    Column("number", Integer, nullable=False, comment="of the reminder; 0 for the other events"),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column(
        "claimed_until",
        UtcDateTime,
        comment="until then one checker is sending it, or nobody tries again",
    ),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("error", Text),
    UniqueConstraint("finding_id", "opening", "route", "event", "number"),
    Index(
        "ix_alert_undelivered",
        "route",
        sqlite_where=text("state IN ('sending','failed')"),
        postgresql_where=text("state IN ('sending','failed')"),
    ),
    CheckConstraint("event IN ('opened','resolved','reminder')", name="event"),
    CheckConstraint("state IN ('sending','sent','failed','given up')", name="state"),
    comment="Each message about a finding to a route: sent once, however many checkers there are.",
)
