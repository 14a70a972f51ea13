"""Executions: the latest by filters, one by its key, the tree of one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, bindparam, func, select

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput, UnknownExecution
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, DatasetUse, RunError
from pipeledger.model.state import State
from pipeledger.model.tree import ExecutionTree
from pipeledger.model.views import ExecutionView, Page, WindowView
from pipeledger.store.read import cursor as cursors
from pipeledger.store.read.among import Among
from pipeledger.store.tables import (
    address,
    address_type,
    namespace,
    pipeline,
    pipeline_dependency,
    pipeline_execution_input,
    pipeline_execution_output,
    pipeline_type,
)
from pipeledger.store.tables import pipeline_execution as execution
from pipeledger.store.tables import (
    pipeline_execution_closure as closure,
)

MOST_IN_A_TREE = 5_000
MOST_IN_A_PAGE = 1_000
_KEY = re.compile(r"[0-9a-f]{1,32}\Z")
_CURSOR = "executions"
Order = Mapping[PipelineRef, frozenset[PipelineRef]]

parent = execution.alias("parent")

BRIEF = (
    execution.c.id,
    execution.c.pipeline_id,
    execution.c.run_key,
    execution.c.parent_id,
    execution.c.state,
    execution.c.state_detail,
    execution.c.start_date,
    execution.c.end_date,
    execution.c.inserts,
    execution.c.updates,
    execution.c.soft_deletes,
    execution.c.total_rows,
    execution.c.watermark,
    execution.c.next_watermark,
    execution.c.from_order,
    execution.c.partition_key,
    execution.c.epoch,
    execution.c.attempt,
    execution.c.previous_run_key,
    execution.c.error_type,
    execution.c.error_message,
    execution.c.execution_metadata,
    execution.c.attributes,
    execution.c.heartbeat_at,
    execution.c.configuration_hash,
    execution.c.code_version,
    parent.c.run_key.label("parent_run_key"),
    pipeline.c.name.label("pipeline_name"),
    namespace.c.name.label("namespace_name"),
    pipeline_type.c.name.label("type_name"),
)
WITH_NAMES = (
    execution.outerjoin(pipeline, pipeline.c.id == execution.c.pipeline_id)
    .outerjoin(namespace, namespace.c.id == pipeline.c.namespace_id)
    .outerjoin(pipeline_type, pipeline_type.c.id == pipeline.c.pipeline_type_id)
    .outerjoin(parent, parent.c.id == execution.c.parent_id)
)
SELECT_VIEW = select(*BRIEF).select_from(WITH_NAMES)

_OF_KEYS = (
    SELECT_VIEW.where(
        execution.c.run_key >= bindparam("first"), execution.c.run_key <= bindparam("last")
    )
    .order_by(execution.c.run_key)
    .limit(6)
)
_OF_IDS = SELECT_VIEW.where(Among(execution.c.id, "ids"))
_DEPENDENCIES = select(
    pipeline_dependency.c.pipeline_id,
    pipeline_dependency.c.upstream_pipeline_id,
    pipeline_dependency.c.downstream_pipeline_id,
).where(Among(pipeline_dependency.c.pipeline_id, "ids"))
_COUNT_BELOW = select(func.count()).where(closure.c.parent_execution_id == bindparam("id"))
_ROOT = (
    select(closure.c.parent_execution_id)
    .where(closure.c.child_execution_id == bindparam("id"))
    .order_by(closure.c.depth.desc())
    .limit(1)
)
_TREE = (
    SELECT_VIEW.add_columns(closure.c.depth)
    .join(closure, closure.c.child_execution_id == execution.c.id)
    .where(closure.c.parent_execution_id == bindparam("id"))
    .order_by(closure.c.depth, execution.c.start_date, execution.c.id)
    .limit(bindparam("most"))
)
_ANCESTORS = (
    SELECT_VIEW.join(closure, closure.c.parent_execution_id == execution.c.id)
    .where(closure.c.child_execution_id == bindparam("id"), closure.c.depth > 0)
    .order_by(closure.c.depth.desc())
)


def _uses(table: Any) -> Select[Any]:
    return (
        select(
            address.c.namespace,
            address.c.name,
            address_type.c.name.label("type"),
            address_type.c.group_name,
            table.c.rows,
            table.c.bytes,
            table.c.data_version,
        )
        .select_from(table.join(address).join(address_type))
        .where(table.c.execution_id == bindparam("id"))
        .order_by(address.c.namespace, address.c.name)
    )


_INPUTS = _uses(pipeline_execution_input)
_OUTPUTS = _uses(pipeline_execution_output)


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions; None and empty mean any."""

    pipeline: str | None = None
    namespace: str | None = None
    states: Collection[State] = ()
    since: datetime | None = None
    top_level: bool = False
    """Only those that run inside no other."""


def page(
    connection: Connection, wanted: ExecutionFilter, limit: int, cursor: str | None
) -> Page[ExecutionView]:
    """The latest by start; those whose start nobody reported come last."""
    if not 1 <= limit <= MOST_IN_A_PAGE:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to {MOST_IN_A_PAGE}")
    after: list[Any] | None = None
    if cursor is not None:
        after = cursors.decode(_CURSOR, cursor, (str, int))
    rows: list[RowMapping] = []
    if after is None or after[0]:
        rows += connection.execute(_started(wanted, after, limit + 1)).mappings()
    if len(rows) <= limit and wanted.since is None:
        last_id = after[1] if after is not None and not after[0] else None
        rows += connection.execute(_unstarted(wanted, last_id, limit + 1 - len(rows))).mappings()
    following = None
    if len(rows) > limit:
        rows = rows[:limit]
        started = rows[-1]["start_date"]
        following = cursors.encode(
            _CURSOR, ["" if started is None else times.isoformat(started), rows[-1]["id"]]
        )
    return Page(tuple(view(row) for row in rows), following)


def _started(wanted: ExecutionFilter, after: list[Any] | None, limit: int) -> Select[Any]:
    statement = _filtered(wanted).where(execution.c.start_date.is_not(None))
    if after is not None:
        moment = times.parse(after[0], "cursor")
        statement = statement.where(
            execution.c.start_date <= moment,
            (execution.c.start_date < moment) | (execution.c.id < after[1]),
        )
    if wanted.since is not None:
        statement = statement.where(execution.c.start_date >= wanted.since)
    return statement.order_by(execution.c.start_date.desc(), execution.c.id.desc()).limit(limit)


def _unstarted(wanted: ExecutionFilter, last_id: int | None, limit: int) -> Select[Any]:
    statement = _filtered(wanted).where(
        execution.c.start_date.is_(None), execution.c.pipeline_id.is_not(None)
    )
    if last_id is not None:
        statement = statement.where(execution.c.id < last_id)
    return statement.order_by(execution.c.id.desc()).limit(limit)


def _filtered(wanted: ExecutionFilter) -> Select[Any]:
    statement = SELECT_VIEW
    if wanted.pipeline is not None or wanted.namespace is not None:
        ids = select(pipeline.c.id)
        if wanted.pipeline is not None:
            ids = ids.where(pipeline.c.name == wanted.pipeline)
        if wanted.namespace is not None:
            ids = ids.join(namespace).where(namespace.c.name == wanted.namespace)
        # One pipeline: an equality lets the index give its runs in the order of their start.
        one = wanted.pipeline is not None and wanted.namespace is not None
        of = execution.c.pipeline_id
        statement = statement.where(of == ids.scalar_subquery() if one else of.in_(ids))
    if wanted.states:
        names = sorted({State(state).value for state in wanted.states})
        if names == [State.RUNNING.value]:
            statement = statement.where(execution.c.state == State.RUNNING.value)
        else:
            statement = statement.where(execution.c.state.in_(names))
    if wanted.top_level:
        # Not IS NULL: the index over parents would be used, and all top-level runs be sorted.
        statement = statement.where(func.coalesce(execution.c.parent_id, 0) == 0)
    return statement


def find(connection: Connection, key: str) -> tuple[int, ExecutionView]:
    """The execution with this run key, or with the only run key that begins so; and its id.

    Raises UnknownExecution, InvalidInput where several begin so.
    """
    digits = key.strip().lower().replace("-", "")
    if not _KEY.match(digits):
        raise InvalidInput(
            f"{key[:80]!r} is no run key: expected a UUID or its first digits, as"
            " `pipeledger runs` prints"
        )
    bounds = {"first": UUID(digits.ljust(32, "0")), "last": UUID(digits.ljust(32, "f"))}
    rows = connection.execute(_OF_KEYS, bounds).mappings().all()
    if not rows:
        raise UnknownExecution(key)
    if len(rows) > 1:
        several = ", ".join(f"{row['run_key']} ({view(row).name})" for row in rows[:5])
        more = " and others" if len(rows) > 5 else ""
        raise InvalidInput(
            f"several run keys begin with {key!r}: {several}{more}; pass more digits"
        )
    return rows[0]["id"], view(rows[0])


def of_ids(connection: Connection, ids: Collection[int]) -> dict[int, ExecutionView]:
    """Executions by id."""
    return {r["id"]: view(r) for r in connection.execute(_OF_IDS, {"ids": ids}).mappings()}


def uses(connection: Connection, execution_id: int) -> tuple[tuple[DatasetUse, ...], ...]:
    """What an execution read, and what it wrote."""
    return tuple(
        tuple(
            DatasetUse(
                Address(row["namespace"], row["name"], row["type"], row["group_name"]),
                row["rows"],
                row["bytes"],
                row["data_version"],
            )
            for row in connection.execute(statement, {"id": execution_id}).mappings()
        )
        for statement in (_INPUTS, _OUTPUTS)
    )


def ancestors(connection: Connection, execution_id: int) -> tuple[ExecutionView, ...]:
    """What an execution runs inside, the outermost first."""
    return tuple(view(r) for r in connection.execute(_ANCESTORS, {"id": execution_id}).mappings())


def tree(connection: Connection, execution_id: int, *, from_root: bool, most: int) -> ExecutionTree:
    """All that ran inside an execution, or inside its outermost ancestor, in one query."""
    if from_root:
        execution_id = connection.execute(_ROOT, {"id": execution_id}).scalar() or execution_id
    rows = connection.execute(_TREE, {"id": execution_id, "most": most + 1}).mappings().all()
    hidden = 0
    if len(rows) > most:
        rows, hidden = rows[:most], _count_below(connection, execution_id) - most
    return _assembled(rows, hidden, _orders(connection, rows))


def _orders(connection: Connection, rows: Sequence[RowMapping]) -> dict[int, Order]:
    """For each pipeline that declares dependencies: what runs before what inside it."""
    names = {
        row["pipeline_id"]: PipelineRef(row["pipeline_name"], row["namespace_name"])
        for row in rows
        if row["pipeline_name"] is not None
    }
    orders: dict[int, dict[PipelineRef, set[PipelineRef]]] = {}
    for owner, before, after in connection.execute(_DEPENDENCIES, {"ids": list(names)}):
        if before in names and after in names:
            orders.setdefault(owner, {}).setdefault(names[after], set()).add(names[before])
    return {
        owner: {name: frozenset(before) for name, before in order.items()}
        for owner, order in orders.items()
    }


def _count_below(connection: Connection, execution_id: int) -> int:
    return int(connection.execute(_COUNT_BELOW, {"id": execution_id}).scalar_one())


def _assembled(
    ordered: Sequence[RowMapping], hidden: int, orders: Mapping[int, Order]
) -> ExecutionTree:
    """Rows come parents first; build from the leaves up, so that depth is no recursion."""
    children: dict[int, list[ExecutionTree]] = {}
    node: ExecutionTree | None = None
    for row in reversed(ordered):
        below = sorted(children.pop(row["id"], []), key=_by_start)
        is_root = row is ordered[0]
        order = orders.get(row["pipeline_id"], {})
        node = ExecutionTree(view(row), tuple(below), hidden if is_root else 0, order)
        if not is_root:
            children.setdefault(row["parent_id"], []).append(node)
    assert node is not None
    return node


def _by_start(node: ExecutionTree) -> tuple[datetime, str, int]:
    e = node.execution
    return (e.started_at or e.ended_at or times.FIRST, e.name, e.attempt or 0)


def view(row: RowMapping) -> ExecutionView:
    """The value of one row of ``SELECT_VIEW``."""
    known = row["pipeline_name"] is not None
    return ExecutionView(
        run_key=row["run_key"],
        pipeline=PipelineRef(row["pipeline_name"], row["namespace_name"]) if known else None,
        pipeline_type=row["type_name"],
        state=State(row["state"]),
        state_detail=row["state_detail"],
        started_at=row["start_date"],
        ended_at=row["end_date"],
        counts=Counts(row["inserts"], row["updates"], row["soft_deletes"], row["total_rows"]),
        window=_window(row),
        attempt=row["attempt"],
        parent=row["parent_run_key"],
        previous=row["previous_run_key"],
        error=None
        if row["error_type"] is None
        else RunError(row["error_type"], row["error_message"] or ""),
        metadata=row["execution_metadata"],
        attributes=row["attributes"],
        heartbeat_at=row["heartbeat_at"],
        configuration_hash=row["configuration_hash"],
        code_version=row["code_version"],
    )


def _window(row: RowMapping) -> WindowView | None:
    from_beginning = row["from_order"] == ""
    if row["watermark"] is None and row["next_watermark"] is None and not from_beginning:
        return None
    return WindowView(
        row["watermark"],
        row["next_watermark"],
        from_beginning,
        row["partition_key"] or "",
        row["epoch"],
    )
