"""Rules of mean and standard deviations: those that people set for a metric of a pipeline."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read.spelled import rows, spelled

_FIELDS = "r.id, r.z_threshold, r.lookback_days, r.minimum_executions, r.active, r.metric_field"
_ACTIVE = spelled(
    f"SELECT r.pipeline_id, {_FIELDS} FROM anomaly_detection_rule r"
    " WHERE r.active AND r.pipeline_id AMONG(ids)"
)
_ALL = spelled(
    f"SELECT n.name, p.name, {_FIELDS} FROM anomaly_detection_rule r"
    " JOIN pipeline p ON p.id = r.pipeline_id JOIN namespace n ON n.id = p.namespace_id"
    " WHERE (CAST(:namespace AS TEXT) IS NULL OR n.name = :namespace)"
    " AND (CAST(:pipeline AS TEXT) IS NULL OR p.name = :pipeline)"
    " ORDER BY n.name, p.name, r.metric_field"
)


def active(
    connection: Connection, pipelines: Collection[int]
) -> dict[tuple[int, str], tuple[int, AnomalyRule]]:
    """The rules in force of these pipelines, each with its id, by pipeline and metric."""
    return {
        (int(pipeline), metric): (int(id_), AnomalyRule(metric, z, days, least, bool(is_active)))
        for pipeline, id_, z, days, least, is_active, metric in rows(
            connection, _ACTIVE, {"ids": pipelines}
        )
    }


def listed(
    connection: Connection, namespace: str | None = None, pipeline: str | None = None
) -> list[tuple[PipelineRef, int, AnomalyRule]]:
    """Every rule, or those of a namespace or pipeline, with pipeline and id, by name."""
    values = {"namespace": namespace, "pipeline": pipeline}
    return [
        (PipelineRef(name, space), int(id_), AnomalyRule(metric, z, days, least, bool(is_active)))
        for space, name, id_, z, days, least, is_active, metric in rows(connection, _ALL, values)
    ]
