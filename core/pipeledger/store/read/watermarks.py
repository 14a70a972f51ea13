"""Watermarks: where a pipeline stands, what holds it back, how it got there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, or_, select

from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import ExecutionView, WatermarkMove, WatermarkView, WindowView
from pipeledger.model.watermark import TEXT
from pipeledger.store.read.executions import SELECT_VIEW, view
from pipeledger.store.tables import pipeline_execution as execution
from pipeledger.store.tables import watermark, watermark_history

MOST_SHOWN = 20

_OF_PIPELINE = (
    select(watermark)
    .where(watermark.c.pipeline_id == bindparam("pipeline_id"))
    .order_by(watermark.c.partition_key)
)
_WINDOWS = SELECT_VIEW.where(
    execution.c.pipeline_id == bindparam("pipeline_id"),
    execution.c.partition_key == bindparam("partition_key"),
    execution.c.from_order.is_not(None),
    execution.c.to_order.is_not(None),
    or_(
        execution.c.epoch == bindparam("epoch"),
        execution.c.epoch.is_(None)
        & (
            bindparam("epoch_started_at", type_=watermark.c.epoch_started_at.type).is_(None)
            | (
                execution.c.start_date
                >= bindparam("epoch_started_at", type_=watermark.c.epoch_started_at.type)
            )
        ),
    ),
)
_JOINS = (execution.c.from_order <= bindparam("current")) & (
    execution.c.to_order > bindparam("current")
)
_JOINS_TEXT = (execution.c.from_order == bindparam("current")) & (
    execution.c.to_order != bindparam("current")
)


def _latest(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(execution.c.start_date.desc(), execution.c.id.desc()).limit(
        MOST_SHOWN
    )


_HOLDING = _latest(_WINDOWS.where(_JOINS, ~execution.c.succeeded))
_HOLDING_TEXT = _latest(_WINDOWS.where(_JOINS_TEXT, ~execution.c.succeeded))
_WAITING = (
    _WINDOWS.where(
        execution.c.succeeded, ~execution.c.absorbed, execution.c.from_order > bindparam("current")
    )
    .order_by(execution.c.from_order, execution.c.id)
    .limit(MOST_SHOWN)
)
_WAITING_TEXT = (
    _WINDOWS.where(
        execution.c.succeeded, ~execution.c.absorbed, execution.c.from_order != bindparam("current")
    )
    .order_by(execution.c.id)
    .limit(MOST_SHOWN)
)


def show(
    connection: Connection, pipeline_id: int, ref: PipelineRef, kind: str | None
) -> tuple[WatermarkView, ...]:
    """The watermark of every partition key; one without a value where there is none yet."""
    rows = connection.execute(_OF_PIPELINE, {"pipeline_id": pipeline_id}).mappings().all()
    if not rows:
        none_yet: dict[str, Any] = {
            "partition_key": "", "value": None, "value_order": "", "kind": kind, "epoch": 0,
            "epoch_started_at": None, "updated_at": None, "pipeline_id": pipeline_id,
        }  # fmt: skip
        return (_shown(connection, ref, none_yet),)
    return tuple(_shown(connection, ref, dict(row)) for row in rows)


def _shown(connection: Connection, ref: PipelineRef, row: dict[str, Any]) -> WatermarkView:
    about = {
        "pipeline_id": row["pipeline_id"],
        "partition_key": row["partition_key"],
        "epoch": row["epoch"],
        "epoch_started_at": row["epoch_started_at"],
        "current": row["value_order"],
    }
    is_text = row["kind"] == TEXT
    holding = _views(connection, _HOLDING_TEXT if is_text else _HOLDING, about)
    waiting = _views(connection, _WAITING_TEXT if is_text else _WAITING, about)
    return WatermarkView(
        pipeline=ref,
        partition_key=row["partition_key"],
        value=row["value"],
        kind=row["kind"],
        epoch=row["epoch"],
        updated_at=row["updated_at"],
        held_back_by=holding,
        waiting=waiting,
        missing=None if holding or is_text else _missing(row["value"], waiting),
    )


def _missing(value: str | None, waiting: tuple[ExecutionView, ...]) -> WindowView | None:
    """From the watermark to the first waiting window: nobody was asked to process that."""
    if not waiting or waiting[0].window is None:
        return None
    return WindowView(value, waiting[0].window.lower, value is None)


def _views(
    connection: Connection, statement: Select[Any], about: dict[str, Any]
) -> tuple[ExecutionView, ...]:
    return tuple(view(row) for row in connection.execute(statement, about).mappings())


def history(
    connection: Connection,
    pipeline_id: int,
    ref: PipelineRef,
    partition_key: str | None,
    limit: int,
    before_id: int | None,
) -> tuple[tuple[WatermarkMove, ...], int | None]:
    """The moves, the latest first, and the id to go on from."""
    if not 1 <= limit <= 10_000:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to 10000")
    statement = (
        select(watermark_history)
        .where(watermark_history.c.pipeline_id == pipeline_id)
        .order_by(watermark_history.c.id.desc())
        .limit(limit + 1)
    )
    if partition_key is not None:
        statement = statement.where(watermark_history.c.partition_key == partition_key)
    if before_id is not None:
        statement = statement.where(watermark_history.c.id < before_id)
    rows = connection.execute(statement).mappings().all()
    following = rows[limit - 1]["id"] if len(rows) > limit else None
    return tuple(_move(row, ref) for row in rows[:limit]), following


def _move(row: RowMapping, ref: PipelineRef) -> WatermarkMove:
    return WatermarkMove(
        pipeline=ref,
        partition_key=row["partition_key"],
        epoch=row["epoch"],
        cause=row["cause"],
        old_value=row["old_value"],
        new_value=row["new_value"],
        run_key=row["run_key"],
        reason=row["reason"],
        moved_at=row["moved_at"],
    )
