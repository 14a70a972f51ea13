"""Views: what people query under names that are kept, while the tables behind them move on."""

from __future__ import annotations

import re

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, String, Table, Text

from pipeledger.store.types import Id, Json, UtcDateTime

_CURRENT = (
    "CREATE VIEW address_lineage AS"
    " SELECT e.pipeline_id, e.source_address_id, e.target_address_id,"
    " MIN(e.began_at) AS first_seen_at,"
    " MAX(CASE WHEN e.origin = 'declared' AND p.lineage_declared_at > e.last_seen_at"
    " THEN p.lineage_declared_at ELSE e.last_seen_at END) AS last_seen_at"
    " FROM lineage_edge e JOIN pipeline p ON p.id = e.pipeline_id WHERE e.began_at <= {now} AND e.ended_at > {now}"
    " GROUP BY e.pipeline_id, e.source_address_id, e.target_address_id"
)
_TIMELINESS = (
    "CREATE VIEW timeliness_pipeline_execution_log AS"
    " SELECT f.pipeline_execution_id, f.pipeline_id, {duration_seconds:integer},"
    " {seconds_threshold:bigint}, {execution_status:text}, {timely_number:integer},"
    " {timely_datepart:text}, {used_child_config:boolean}, f.opened_at AS created_at"
    " FROM finding f WHERE f.check_name = 'timeliness'"
)
_FRESHNESS = (
    "CREATE VIEW freshness_pipeline_log AS"
    " SELECT f.id, f.pipeline_id, {last_dml_timestamp:timestamptz},"
    " f.opened_at AS evaluation_timestamp, {freshness_number:integer}, {freshness_datepart:text},"
    " {used_child_config:boolean}"
    " FROM finding f WHERE f.check_name = 'freshness' AND f.pipeline_id IS NOT NULL"
)
_ANOMALIES = (
    "CREATE VIEW anomaly_detection_result AS"
    " SELECT f.pipeline_execution_id, f.pipeline_id, f.metric AS metric_field, {rule_id:bigint},"
    " {violation_value:double precision}, {z_score:double precision},"
    " {historical_mean:double precision}, {std_deviation_value:double precision},"
    " {z_threshold:double precision}, {threshold_min_value:double precision},"
    " {threshold_max_value:double precision}, f.details AS context, f.opened_at AS detected_at"
    " FROM finding f WHERE f.check_name = 'volume' AND f.unflagged_at IS NULL"
)
_DETAIL = re.compile(r"\{(\w+):([\w ]+)\}")
_SQLITE_DETAIL = r"json_extract(f.details, '$.\1') AS \1"
_POSTGRESQL_DETAIL = r"(f.details ->> '\1')::\2 AS \1"
_MONITORING = {
    "timeliness_pipeline_execution_log": _TIMELINESS,
    "freshness_pipeline_log": _FRESHNESS,
    "anomaly_detection_result": _ANOMALIES,
}
SQLITE = {
    "address_lineage": _CURRENT.format(now="strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"),
    **{name: _DETAIL.sub(_SQLITE_DETAIL, sql) for name, sql in _MONITORING.items()},
}
POSTGRESQL = {
    "address_lineage": _CURRENT.format(now="now()"),
    **{name: _DETAIL.sub(_POSTGRESQL_DETAIL, sql) for name, sql in _MONITORING.items()},
}

metadata = MetaData()

address_lineage = Table(
    "address_lineage",
    metadata,
    Column("pipeline_id", Id),
    Column("source_address_id", Id),
    Column("target_address_id", Id),
    Column("first_seen_at", UtcDateTime),
    Column("last_seen_at", UtcDateTime),
    comment="The edges that hold now, each with the pipeline that moves the data.",
)

timeliness_pipeline_execution_log = Table(
    "timeliness_pipeline_execution_log",
    metadata,
    Column("pipeline_execution_id", Id),
    Column("pipeline_id", Id),
    Column("duration_seconds", Integer, comment="when it was found, or at its end"),
    Column("seconds_threshold", BigInteger),
    Column("execution_status", Text),
    Column("timely_number", Integer),
    Column("timely_datepart", Text),
    Column("used_child_config", Boolean, comment="the pipeline's own threshold, not its type's"),
    Column("created_at", UtcDateTime),
    comment="Executions that took longer than allowed, one row each.",
)

freshness_pipeline_log = Table(
    "freshness_pipeline_log",
    metadata,
    Column("id", Id),
    Column("pipeline_id", Id),
    Column("last_dml_timestamp", UtcDateTime, comment="null: it never changed anything"),
    Column("evaluation_timestamp", UtcDateTime),
    Column("freshness_number", Integer),
    Column("freshness_datepart", Text),
    Column("used_child_config", Boolean),
    comment="Pipelines whose data became older than allowed.",
)

anomaly_detection_result = Table(
    "anomaly_detection_result",
    metadata,
    Column("pipeline_execution_id", Id),
    Column("pipeline_id", Id),
    Column("metric_field", String(20)),
    Column("rule_id", Id, comment="null: the default detector"),
    Column("violation_value", Double),
    Column("z_score", Double),
    Column("historical_mean", Double),
    Column("std_deviation_value", Double),
    Column("z_threshold", Double),
    Column("threshold_min_value", Double),
    Column("threshold_max_value", Double),
    Column("context", Json),
    Column("detected_at", UtcDateTime),
    comment="Odd volumes and durations that nobody has unflagged.",
)


def statements(dialect: str) -> dict[str, str]:
    """What makes each view, by name. ``dialect``: sqlite or postgresql."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
