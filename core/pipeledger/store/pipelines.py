"""What code declares about pipelines: their configuration, changed where its content hash is."""

from __future__ import annotations

from datetime import datetime

from pipeledger.model.canonical import canonical_json
from pipeledger.model.errors import InvalidWatermark
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.store.database import Connection, read_time
from pipeledger.store.names import KnownPipeline, Names
from pipeledger.store.statement import Statement

_LOCK = " FOR NO KEY UPDATE"
_STORED = (
    "SELECT configuration_hash, configured_at, watermark_kind,"
    " (SELECT naming_pattern FROM namespace n WHERE n.id = p.namespace_id) FROM pipeline p WHERE id = :id"
)
_STORED_PIPELINE = Statement(_STORED, postgresql=_STORED + _LOCK)
_TOUCH_CONFIGURATION = Statement("UPDATE pipeline SET configured_at = :at WHERE id = :id")
_CONFIGURE = Statement(
    "UPDATE pipeline SET pipeline_type_id = :type_id, pipeline_metadata = :metadata,"
    " freshness_number = :freshness_number, freshness_datepart = :freshness_datepart,"
    " timeliness_number = :timeliness_number, timeliness_datepart = :timeliness_datepart,"
    " completeness_number = :completeness_number, completeness_datepart = :completeness_datepart,"
    " schedule = :schedule, code_version = :code_version, configuration_hash = :hash,"
    " configured_at = :at, load_lineage = :true, updated_at = :now,"
    " watermark_kind = COALESCE(watermark_kind, :kind) WHERE id = :id"
)
_REMEMBER = Statement(
    "INSERT INTO pipeline_configuration (pipeline_id, declared_at, configuration_hash, configuration,"
    " code_version) VALUES (:id, :at, :hash, :configuration, :code_version)"
    " ON CONFLICT (pipeline_id, declared_at, configuration_hash) DO NOTHING"
)
_FIND_TYPE = Statement(
    "SELECT id, group_name FROM pipeline_type WHERE namespace_id = :namespace_id AND name = :name"
)
_ADD_TYPE = Statement(
    "INSERT INTO pipeline_type (namespace_id, name, group_name, created_at, updated_at)"
    " VALUES (:namespace_id, :name, :group_name, :now, :now) ON CONFLICT (namespace_id, name) DO NOTHING"
)
_REGROUP_TYPE = Statement(
    "UPDATE pipeline_type SET group_name = :group_name, updated_at = :now WHERE id = :id"
)
_DEPENDENCIES = Statement(
    "SELECT upstream_pipeline_id, downstream_pipeline_id FROM pipeline_dependency WHERE pipeline_id = :id"
)
_ADD_DEPENDENCY = Statement(
    "INSERT INTO pipeline_dependency (pipeline_id, upstream_pipeline_id, downstream_pipeline_id)"
    " VALUES (:id, :upstream, :downstream)"
    " ON CONFLICT (pipeline_id, upstream_pipeline_id, downstream_pipeline_id) DO NOTHING"
)
_DROP_DEPENDENCY = Statement(
    "DELETE FROM pipeline_dependency WHERE pipeline_id = :id"
    " AND upstream_pipeline_id = :upstream AND downstream_pipeline_id = :downstream"
)
_FIX_KIND = Statement(
    "UPDATE pipeline SET watermark_kind = :kind WHERE id = :id AND watermark_kind IS NULL"
)
_KIND = Statement("SELECT watermark_kind FROM pipeline WHERE id = :id")
_IS_ACTIVE = Statement("SELECT active FROM pipeline WHERE id = :id")
_SET_ACTIVE = Statement("UPDATE pipeline SET active = :active, updated_at = :now WHERE id = :id")


def is_active(connection: Connection, known: KnownPipeline) -> bool:
    """Whether the pipeline is to run, by the word of whoever switched it last."""
    return bool(connection.rows(_IS_ACTIVE, {"id": known.id})[0][0])


def set_active(connection: Connection, known: KnownPipeline, active: bool, now: datetime) -> None:
    """Switch a pipeline on or off. Declarations leave this as it is."""
    parameters = {"id": known.id, "active": active, "now": connection.time(now)}
    connection.run(_SET_ACTIVE, parameters)


def register(connection: Connection, names: Names, report: PipelineReport, now: datetime) -> None:
    """Store a declaration, if it is the one that occurred last; unchanged content changes nothing.

    Of an unchanged one only the time is kept, without which an older, different declaration that is
    delivered late would win. Does not commit.
    Raises InvalidName when the pipeline is new and does not follow its namespace's naming rule: one
    that was declared before there was a rule stays up to date, and `pipeledger names check` lists it.
    """
    known = names.pipeline(connection, report.pipeline, now)
    digest = report.configuration_hash
    (stored,) = connection.rows(_STORED_PIPELINE, {"id": known.id})
    stored_hash, stored_at, kind, pattern = stored
    if pattern is not None and stored_hash is None:
        from pipeledger.model.naming import NamingRule  # a ledger without rules does not pay for it

        NamingRule.of(pattern).check(report.pipeline)
    if not is_later(report.occurred_at, digest, read_time(stored_at), stored_hash):
        return
    at = connection.time(report.occurred_at)
    if digest == stored_hash:
        connection.run(_TOUCH_CONFIGURATION, {"id": known.id, "at": at})
        return
    if report.watermark_kind is not None and kind not in (None, report.watermark_kind):
        raise InvalidWatermark(
            f"pipeline {report.pipeline} declares watermarks of kind {report.watermark_kind}, its values so"
            f" far are of kind {kind}: declare {kind}, or give the pipeline a new name"
        )
    parameters = {
        "id": known.id,
        "type_id": _type_id(connection, names, report, now),
        "metadata": canonical_json(dict(report.metadata)),
        "schedule": report.schedule,
        "code_version": report.code_version,
        "hash": digest,
        "at": at,
        "true": True,
        "now": connection.time(now),
        "kind": report.watermark_kind,
        **_threshold("freshness", report.freshness),
        **_threshold("timeliness", report.timeliness),
        **_threshold("completeness", report.completeness),
    }
    connection.run(_CONFIGURE, parameters)
    if report.watermark_kind is not None:
        known = names.of_kind(known, report.watermark_kind)
    connection.run(
        _REMEMBER,
        {
            "id": known.id,
            "at": at,
            "hash": digest,
            "configuration": canonical_json(report.configuration),
            "code_version": report.code_version,
        },
    )
    _replace_dependencies(connection, names, known, report, now)


def fix_kind(
    connection: Connection, names: Names, known: KnownPipeline, kind: str
) -> KnownPipeline:
    """The pipeline with the kind of its watermark: the stored one, else ``kind`` from now on."""
    if known.kind is not None:
        return known
    connection.run(_FIX_KIND, {"id": known.id, "kind": kind})
    return names.of_kind(known, str(connection.rows(_KIND, {"id": known.id})[0][0]))


def is_later(
    at: datetime, digest: str, stored_at: datetime | None, stored_hash: str | None
) -> bool:
    """Whether a declaration occurred after the stored one; of two at one moment the larger hash."""
    return stored_at is None or (at, digest) > (stored_at, stored_hash or "")


def _threshold(name: str, threshold: Threshold | None) -> dict[str, object]:
    return {
        f"{name}_number": None if threshold is None else threshold.number,
        f"{name}_datepart": None if threshold is None else threshold.datepart,
    }


def _type_id(connection: Connection, names: Names, report: PipelineReport, now: datetime) -> int:
    parameters: dict[str, object] = {
        "namespace_id": names.namespace(connection, report.pipeline.namespace, now),
        "name": report.type,
        "group_name": report.group,
        "now": connection.time(now),
    }
    rows = connection.rows(_FIND_TYPE, parameters)
    if not rows:
        connection.run(_ADD_TYPE, parameters)
        rows = connection.rows(_FIND_TYPE, parameters)
    type_id, group_name = rows[0]
    if report.group is not None and group_name != report.group:
        connection.run(_REGROUP_TYPE, {**parameters, "id": type_id})
    return int(type_id)


def _replace_dependencies(
    connection: Connection,
    names: Names,
    known: KnownPipeline,
    report: PipelineReport,
    now: datetime,
) -> None:
    refs: list[PipelineRef] = [ref for pair in report.dependencies for ref in pair]
    ids = names.pipelines(connection, refs, now)
    declared = {(ids[a].id, ids[b].id) for a, b in report.dependencies}
    stored = {(int(a), int(b)) for a, b in connection.rows(_DEPENDENCIES, {"id": known.id})}
    for upstream, downstream in sorted(stored - declared):
        connection.run(
            _DROP_DEPENDENCY, {"id": known.id, "upstream": upstream, "downstream": downstream}
        )
    for upstream, downstream in sorted(declared - stored):
        connection.run(
            _ADD_DEPENDENCY, {"id": known.id, "upstream": upstream, "downstream": downstream}
        )
