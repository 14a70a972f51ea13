"""Pipelines: all of them with watermark and latest execution, one by name, their dependencies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from pipeledger.model.errors import InvalidInput, UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import Dependency, Page, PipelineView
from pipeledger.store.read import cursor as cursors
from pipeledger.store.read import executions
from pipeledger.store.read.among import Among
from pipeledger.store.tables import (
    namespace,
    pipeline,
    pipeline_dependency,
    pipeline_execution,
    pipeline_type,
    watermark,
)

MOST_IN_A_PAGE = 1_000
_CURSOR = "pipelines"

_latest = pipeline_execution.alias("latest")
_LAST_RUN = (
    select(_latest.c.id)
    .where(_latest.c.pipeline_id == pipeline.c.id, _latest.c.start_date.is_not(None))
    .order_by(_latest.c.start_date.desc())
    .limit(1)
    .correlate(pipeline)
    .scalar_subquery()
)
_PARTITIONS = (
    select(func.count())
    .where(watermark.c.pipeline_id == pipeline.c.id, watermark.c.partition_key != "")
    .correlate(pipeline)
    .scalar_subquery()
)
_own = watermark.alias("own")
_SELECT = select(
    pipeline.c.id,
    namespace.c.name.label("namespace_name"),
    pipeline.c.name,
    pipeline_type.c.name.label("type_name"),
    pipeline_type.c.group_name,
    pipeline.c.active,
    pipeline.c.schedule,
    pipeline.c.pipeline_metadata,
    _own.c.value,
    func.coalesce(_own.c.kind, pipeline.c.watermark_kind).label("kind"),
    _PARTITIONS.label("partitions"),
    _LAST_RUN.label("last_run_id"),
).select_from(
    pipeline.join(namespace)
    .outerjoin(pipeline_type, pipeline_type.c.id == pipeline.c.pipeline_type_id)
    .outerjoin(_own, (_own.c.pipeline_id == pipeline.c.id) & (_own.c.partition_key == ""))
)
_ONE = _SELECT.where(
    namespace.c.name == bindparam("namespace"), pipeline.c.name == bindparam("pipeline")
)
_OF_IDS = _SELECT.where(Among(pipeline.c.id, "ids")).order_by(namespace.c.name, pipeline.c.name)
_LIKE = (
    select(pipeline.c.name)
    .join(namespace)
    .where(
        namespace.c.name == bindparam("namespace"),
        func.lower(pipeline.c.name).like(bindparam("pattern"), escape="\\"),
    )
    .order_by(pipeline.c.name)
    .limit(3)
)
_upstream, _downstream, _owner = (
    pipeline.alias("upstream"),
    pipeline.alias("downstream"),
    pipeline.alias("owner"),
)
_upstream_ns, _downstream_ns, _owner_ns = (
    namespace.alias("upstream_ns"),
    namespace.alias("downstream_ns"),
    namespace.alias("owner_ns"),
)
_DEPENDENCIES = (
    select(
        _owner.c.name.label("owner"),
        _owner_ns.c.name.label("owner_ns"),
        _upstream.c.name.label("upstream"),
        _upstream_ns.c.name.label("upstream_ns"),
        _downstream.c.name.label("downstream"),
        _downstream_ns.c.name.label("downstream_ns"),
    )
    .select_from(
        pipeline_dependency.join(_owner, _owner.c.id == pipeline_dependency.c.pipeline_id)
        .join(_owner_ns, _owner_ns.c.id == _owner.c.namespace_id)
        .join(_upstream, _upstream.c.id == pipeline_dependency.c.upstream_pipeline_id)
        .join(_upstream_ns, _upstream_ns.c.id == _upstream.c.namespace_id)
        .join(_downstream, _downstream.c.id == pipeline_dependency.c.downstream_pipeline_id)
        .join(_downstream_ns, _downstream_ns.c.id == _downstream.c.namespace_id)
    )
    .where(
        (pipeline_dependency.c.pipeline_id == bindparam("id"))
        | (pipeline_dependency.c.upstream_pipeline_id == bindparam("id"))
        | (pipeline_dependency.c.downstream_pipeline_id == bindparam("id"))
    )
    .order_by(_owner_ns.c.name, _owner.c.name, _upstream.c.name, _downstream.c.name)
)


def page(
    connection: Connection,
    in_namespace: str | None,
    pattern: str | None,
    limit: int,
    cursor: str | None,
) -> Page[PipelineView]:
    """Pipelines by namespace and name; ``pattern`` is a glob (``sales_*``), upper or lower case."""
    if not 1 <= limit <= MOST_IN_A_PAGE:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to {MOST_IN_A_PAGE}")
    wanted = (
        select(pipeline.c.id)
        .join(namespace)
        .order_by(namespace.c.name, pipeline.c.name)
        .limit(limit + 1)
    )
    if in_namespace is not None:
        wanted = wanted.where(namespace.c.name == in_namespace)
    if pattern is not None:
        wanted = wanted.where(func.lower(pipeline.c.name).like(_like(pattern), escape="\\"))
    if cursor is not None:
        after_namespace, after_name = cursors.decode(_CURSOR, cursor, (str, str))
        wanted = wanted.where(
            (namespace.c.name > after_namespace)
            | ((namespace.c.name == after_namespace) & (pipeline.c.name > after_name))
        )
    # First which ones, then what is known of them: the details of thousands are not computed.
    ids = connection.execute(wanted).scalars().all()
    rows = connection.execute(_OF_IDS, {"ids": ids}).mappings().all()
    following = None
    if len(rows) > limit:
        rows = rows[:limit]
        following = cursors.encode(_CURSOR, [rows[-1]["namespace_name"], rows[-1]["name"]])
    return Page(_views(connection, rows), following)


def find(connection: Connection, ref: PipelineRef) -> tuple[int, PipelineView]:
    """One pipeline, and its id. Raises UnknownPipeline, which names similar ones."""
    names = {"namespace": ref.namespace, "pipeline": ref.name}
    rows = connection.execute(_ONE, names).mappings().all()
    if not rows:
        like = {"namespace": ref.namespace, "pattern": _like(f"*{ref.name[:100]}*")}
        similar = connection.execute(_LIKE, like).scalars().all()
        raise UnknownPipeline(ref.namespace, ref.name, tuple(similar))
    return rows[0]["id"], _views(connection, rows)[0]


def of_ids(connection: Connection, ids: Collection[int]) -> dict[int, PipelineView]:
    """Pipelines by id."""
    rows = connection.execute(_OF_IDS, {"ids": ids}).mappings().all()
    return {row["id"]: view for row, view in zip(rows, _views(connection, rows), strict=True)}


def dependencies(connection: Connection, pipeline_id: int) -> tuple[Dependency, ...]:
    """What the pipeline declares, and what is declared of it."""
    return tuple(
        Dependency(
            PipelineRef(row["owner"], row["owner_ns"]),
            PipelineRef(row["upstream"], row["upstream_ns"]),
            PipelineRef(row["downstream"], row["downstream_ns"]),
        )
        for row in connection.execute(_DEPENDENCIES, {"id": pipeline_id}).mappings()
    )


def _views(connection: Connection, rows: Any) -> tuple[PipelineView, ...]:
    ids = [row["last_run_id"] for row in rows if row["last_run_id"] is not None]
    latest = executions.of_ids(connection, ids)
    return tuple(_view(row, latest.get(row["last_run_id"])) for row in rows)


def _view(row: RowMapping, last_run: Any) -> PipelineView:
    return PipelineView(
        pipeline=PipelineRef(row["name"], row["namespace_name"]),
        type=row["type_name"],
        group=row["group_name"],
        active=bool(row["active"]),
        schedule=row["schedule"],
        watermark=row["value"],
        watermark_kind=row["kind"],
        partitions=row["partitions"],
        last_run=last_run,
        metadata=row["pipeline_metadata"],
    )


def _like(pattern: str) -> str:
    """A glob as a LIKE pattern in lower case: ``*`` and ``?`` are wild, nothing else is."""
    escaped = "".join("\\" + c if c in "\\%_" else c for c in pattern.lower())
    return escaped.replace("*", "%").replace("?", "_")
