"""Monitoring: findings, what each check saw last, what is expected when, alerts that were sent.

A finding is one row with a life of its own; what Watcher keeps in logs of its own
(timeliness_pipeline_execution_log, freshness_pipeline_log, anomaly_detection_result) are views of
findings under those names. A pipeline may say how old its time watermark may become.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")
run_key = sa.Uuid().with_variant(sa.String(36), "sqlite")
document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

LOGS = {
    "timeliness_pipeline_execution_log": (
        "SELECT f.pipeline_execution_id, f.pipeline_id, {duration_seconds:integer},"
        " {seconds_threshold:bigint}, {execution_status:text}, {timely_number:integer},"
        " {timely_datepart:text}, {used_child_config:boolean}, f.opened_at AS created_at"
        " FROM finding f WHERE f.check_name = 'timeliness'"
    ),
    "freshness_pipeline_log": (
        "SELECT f.id, f.pipeline_id, {last_dml_timestamp:timestamptz},"
        " f.opened_at AS evaluation_timestamp, {freshness_number:integer}, {freshness_datepart:text},"
        " {used_child_config:boolean}"
        " FROM finding f WHERE f.check_name = 'freshness' AND f.pipeline_id IS NOT NULL"
    ),
    "anomaly_detection_result": (
        "SELECT f.pipeline_execution_id, f.pipeline_id, f.metric AS metric_field, {rule_id:bigint},"
        " {violation_value:double precision}, {z_score:double precision},"
        " {historical_mean:double precision}, {std_deviation_value:double precision},"
        " {z_threshold:double precision}, {threshold_min_value:double precision},"
        " {threshold_max_value:double precision}, f.details AS context, f.opened_at AS detected_at"
        " FROM finding f WHERE f.check_name = 'volume' AND f.unflagged_at IS NULL"
    ),
}
DETAIL = re.compile(r"\{(\w+):([\w ]+)\}")
AS_EACH_WRITES_IT = {
    "sqlite": r"json_extract(f.details, '$.\1') AS \1",
    "postgresql": r"(f.details ->> '\1')::\2 AS \1",
}


def upgrade() -> None:
    op.create_table(
        "monitoring_check",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("checked_at", moment, nullable=False),
        sa.Column(
            "checked", sa.Integer(), nullable=False, comment="how many pipelines, runs or addresses"
        ),
        sa.Column("state", document, nullable=False, comment="where the next look starts from"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_monitoring_check")),
        comment="When each check last looked, and up to where.",
    )
    op.create_table(
        "address_expectation",
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("freshness_number", sa.Integer(), nullable=True),
        sa.Column("freshness_datepart", sa.String(length=10), nullable=True),
        sa.Column(
            "completeness_number",
            sa.Integer(),
            nullable=True,
            comment="how old a time watermark may become",
        ),
        sa.Column("completeness_datepart", sa.String(length=10), nullable=True),
        sa.Column("mute", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_address_expectation_address_id")
        ),
        sa.PrimaryKeyConstraint("address_id", name=op.f("pk_address_expectation")),
        comment="How old the data of an address may become, and its complete-up-to.",
    )
    op.create_table(
        "anomaly_detection_rule",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("metric_field", sa.String(length=20), nullable=False),
        sa.Column("z_threshold", sa.Double(), server_default="3", nullable=False),
        sa.Column("lookback_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column("minimum_executions", sa.Integer(), server_default="30", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.CheckConstraint(
            "metric_field IN ('duration_seconds','inserts','updates','soft_deletes','total_rows','throughput')",
            name=op.f("ck_anomaly_detection_rule_metric_field"),
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_anomaly_detection_rule_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anomaly_detection_rule")),
        sa.UniqueConstraint(
            "pipeline_id",
            "metric_field",
            name=op.f("uq_anomaly_detection_rule_pipeline_id_metric_field"),
        ),
        comment="Mean and standard deviations at the same hour of day, for a metric of a pipeline.",
    )
    op.create_table(
        "finding",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("check_name", sa.String(length=20), nullable=False),
        sa.Column(
            "subject",
            sa.String(length=200),
            nullable=False,
            comment="one cause: the same in every look",
        ),
        sa.Column("namespace_id", identifier, nullable=True),
        sa.Column("pipeline_id", identifier, nullable=True),
        sa.Column(
            "pipeline_execution_id", identifier, nullable=True, comment="may have been pruned since"
        ),
        sa.Column("run_key", run_key, nullable=True),
        sa.Column("address_id", identifier, nullable=True),
        sa.Column("metric", sa.String(length=20), server_default="", nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("details", document, nullable=False),
        sa.Column("since", moment, nullable=False, comment="when the cause began"),
        sa.Column(
            "openings",
            sa.Integer(),
            nullable=False,
            comment="1, and one more each time it came back",
        ),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("resolved_at", moment, nullable=True),
        sa.Column("acknowledged_at", moment, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("muted_until", moment, nullable=True),
        sa.Column(
            "unflagged_at", moment, nullable=True, comment="somebody said that this was in order"
        ),
        sa.Column(
            "note", sa.Text(), nullable=True, comment="the reason given with ack, mute or unflag"
        ),
        sa.CheckConstraint(
            "severity IN ('warning','error','critical')", name=op.f("ck_finding_severity")
        ),
        sa.CheckConstraint(
            "state IN ('open','acknowledged','resolved')", name=op.f("ck_finding_state")
        ),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"], name=op.f("fk_finding_address_id")),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespace.id"], name=op.f("fk_finding_namespace_id")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_finding_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("check_name", "subject", name=op.f("uq_finding_check_name_subject")),
        comment="What a check found: late, missing, failed, held back, stale, changed or odd.",
    )
    op.create_index("ix_finding_address_id", "finding", ["address_id"])
    op.create_index("ix_finding_opened_at", "finding", ["opened_at"])
    op.create_index("ix_finding_pipeline_id", "finding", ["pipeline_id", "check_name", "opened_at"])
    op.create_index("ix_finding_resolved_at", "finding", ["resolved_at"])
    op.create_index(
        "ix_finding_unresolved",
        "finding",
        ["check_name"],
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )

    op.create_table(
        "pipeline_expectation",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column(
            "source", sa.String(length=10), nullable=False, comment="declared, learned or none"
        ),
        sa.Column("rhythm", sa.Text(), nullable=True),
        sa.Column(
            "expected_at", moment, nullable=True, comment="when the next run is expected to start"
        ),
        sa.Column("grace_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("look_at", moment, nullable=False),
        sa.Column(
            "configuration_hash",
            sa.String(length=64),
            nullable=True,
            comment="the configuration this was read from",
        ),
        sa.Column("details", document, nullable=True),
        sa.CheckConstraint(
            "source IN ('declared','learned','none')", name=op.f("ck_pipeline_expectation_source")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_expectation_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("pipeline_id", name=op.f("pk_pipeline_expectation")),
        comment="When each pipeline is expected next, and when to look whether it came.",
    )
    op.create_index("ix_pipeline_expectation_look_at", "pipeline_expectation", ["look_at"])

    op.create_table(
        "alert",
        sa.Column("id", identifier, autoincrement=True, nullable=False),
        sa.Column("finding_id", identifier, nullable=False),
        sa.Column(
            "opening",
            sa.Integer(),
            nullable=False,
            comment="the finding's openings when it was told",
        ),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=10), nullable=False),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="of the reminder; 0 for the other events",
        ),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "claimed_until",
            moment,
            nullable=True,
            comment="until then one checker is sending it, or nobody tries again",
        ),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "event IN ('opened','resolved','reminder')", name=op.f("ck_alert_event")
        ),
        sa.CheckConstraint(
            "state IN ('sending','sent','failed','given up')", name=op.f("ck_alert_state")
        ),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_alert_finding_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint(
            "finding_id",
            "opening",
            "route",
            "event",
            "number",
            name=op.f("uq_alert_finding_id_opening_route_event_number"),
        ),
        comment="Each message about a finding to a route: sent once, however many checkers there are.",
    )
    op.create_index(
        "ix_alert_undelivered",
        "alert",
        ["route"],
        sqlite_where=sa.text("state IN ('sending','failed')"),
        postgresql_where=sa.text("state IN ('sending','failed')"),
    )

    op.create_index("ix_address_column_began_at", "address_column", ["began_at"])
    op.create_index("ix_address_column_ended_at", "address_column", ["ended_at"])

    op.add_column(
        "pipeline",
        sa.Column(
            "completeness_number",
            sa.Integer(),
            nullable=True,
            comment="how old a time watermark may become",
        ),
    )
    op.add_column(
        "pipeline", sa.Column("completeness_datepart", sa.String(length=10), nullable=True)
    )

    detail = AS_EACH_WRITES_IT[op.get_context().dialect.name]
    for name, sql in LOGS.items():
        op.execute(sa.text(f"CREATE VIEW {name} AS {DETAIL.sub(detail, sql)}".replace(":", "\\:")))


def downgrade() -> None:
    for name in LOGS:
        op.execute(f"DROP VIEW {name}")
    op.drop_column("pipeline", "completeness_datepart")
    op.drop_column("pipeline", "completeness_number")

    op.drop_index("ix_address_column_ended_at", "address_column")
    op.drop_index("ix_address_column_began_at", "address_column")

    op.drop_index(
        "ix_alert_undelivered",
        "alert",
        sqlite_where=sa.text("state IN ('sending','failed')"),
        postgresql_where=sa.text("state IN ('sending','failed')"),
    )

    op.drop_table("alert")
    op.drop_index("ix_pipeline_expectation_look_at", "pipeline_expectation")

    op.drop_table("pipeline_expectation")
    op.drop_index(
        "ix_finding_unresolved",
        "finding",
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.drop_index("ix_finding_pipeline_id", "finding")
    op.drop_index("ix_finding_resolved_at", "finding")
    op.drop_index("ix_finding_opened_at", "finding")
    op.drop_index("ix_finding_address_id", "finding")

    op.drop_table("finding")
    op.drop_table("anomaly_detection_rule")
    op.drop_table("address_expectation")
    op.drop_table("monitoring_check")
