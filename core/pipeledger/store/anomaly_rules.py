"""Rules of mean and standard deviations, as they are written."""

from __future__ import annotations

from datetime import datetime

from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.model.errors import UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

_PIPELINE = Statement(
    "SELECT p.id FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
    " WHERE n.name = :namespace AND p.name = :pipeline"
)
_SET = Statement(
    "INSERT INTO anomaly_detection_rule (pipeline_id, metric_field, z_threshold, lookback_days,"
    " minimum_executions, active, created_at, updated_at) VALUES (:pipeline, :metric, :z, :days,"
    " :least, :active, :now, :now) ON CONFLICT (pipeline_id, metric_field) DO UPDATE SET"
    " z_threshold = excluded.z_threshold, lookback_days = excluded.lookback_days,"
    " minimum_executions = excluded.minimum_executions, active = excluded.active,"
    " updated_at = excluded.updated_at RETURNING id"
)
_REMOVE = Statement(
    "DELETE FROM anomaly_detection_rule WHERE pipeline_id = :pipeline AND metric_field = :metric"
)


def put(connection: Connection, pipeline: PipelineRef, rule: AnomalyRule, now: datetime) -> int:
    """Set the rule of a metric of a pipeline, in place of the one before; its id.

    Raises UnknownPipeline.
    """
    values = {
        "pipeline": _id_of(connection, pipeline),
        "metric": rule.metric,
        "z": rule.z_threshold,
        "days": rule.lookback_days,
        "least": rule.minimum_executions,
        "active": rule.active,
        "now": connection.time(now),
    }
    return int(connection.rows(_SET, values)[0][0])


def remove(connection: Connection, pipeline: PipelineRef, metric: str) -> bool:
    """Take a rule away; false: there was none. Raises UnknownPipeline."""
    values = {"pipeline": _id_of(connection, pipeline), "metric": metric}
    return bool(connection.run(_REMOVE, values))


def _id_of(connection: Connection, pipeline: PipelineRef) -> int:
    found = connection.rows(_PIPELINE, {"namespace": pipeline.namespace, "pipeline": pipeline.name})
    if not found:
        raise UnknownPipeline(pipeline.namespace, pipeline.name)
    return int(found[0][0])
