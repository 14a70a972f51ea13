"""Watermarks: the rule of ``model.watermark``, under the lock of the watermark's own row.

The lock is not the pipeline's: inserts of executions hold that one FOR KEY SHARE by foreign key, and
two that then want FOR UPDATE deadlock (seen). Locks are taken in the order execution, watermark,
pipeline, by everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeledger.model.errors import InvalidWatermark
from pipeledger.model.watermark import BEGINNING, TEXT, Watermark, WatermarkValue
from pipeledger.store.database import Connection, read_time
from pipeledger.store.names import KnownPipeline
from pipeledger.store.statement import Statement

_ROW = (
    "SELECT kind, value, value_order, epoch, epoch_started_at FROM watermark"
    " WHERE pipeline_id = :pipeline_id AND partition_key = :partition_key"
)
_READ = Statement(_ROW)
_LOCK = Statement(_ROW, postgresql=_ROW + " FOR UPDATE")
_ADD = Statement(
    "INSERT INTO watermark (pipeline_id, partition_key, kind, updated_at)"
    " VALUES (:pipeline_id, :partition_key, :kind, :now) ON CONFLICT (pipeline_id, partition_key) DO NOTHING"
)
_OF_EPOCH = (
    "(e.epoch = :epoch OR (e.epoch IS NULL AND (CAST(:epoch_started_at AS {time}) IS NULL"
    " OR e.start_date >= CAST(:epoch_started_at AS {time}))))"
)
_WAITING = (
    "e.pipeline_id = :pipeline_id AND e.partition_key = :partition_key AND e.succeeded"
    " AND NOT e.absorbed AND e.to_order IS NOT NULL AND " + _OF_EPOCH
)
_NEXT = (
    "SELECT e.id, e.run_key, e.to_order, e.next_watermark FROM pipeline_execution e WHERE "
    + _WAITING
    + " AND e.from_order <= :current AND e.to_order > :current ORDER BY e.to_order DESC, e.id LIMIT 1"
)
_NEXT_TEXT = (
    "SELECT e.id, e.run_key, e.to_order, e.next_watermark FROM pipeline_execution e WHERE "
    + _WAITING
    + " AND e.from_order = :current AND e.to_order <> :current ORDER BY e.id LIMIT 1"
)
_NEXT_ORDERED = Statement(_NEXT.format(time="TEXT"), postgresql=_NEXT.format(time="timestamptz"))
_NEXT_TEXTUAL = Statement(
    _NEXT_TEXT.format(time="TEXT"), postgresql=_NEXT_TEXT.format(time="timestamptz")
)
_ABSORB = Statement("UPDATE pipeline_execution SET absorbed = :true WHERE id = :id")
_MOVE = Statement(
    "UPDATE watermark SET kind = :kind, value = :value, value_order = :value_order, updated_at = :now"
    " WHERE pipeline_id = :pipeline_id AND partition_key = :partition_key"
)
_MIRROR = Statement("UPDATE pipeline SET watermark = :value WHERE id = :pipeline_id")
_HISTORY = Statement(
    "INSERT INTO watermark_history (pipeline_id, partition_key, epoch, cause, run_key, old_value,"
    " new_value, reason, moved_at) VALUES (:pipeline_id, :partition_key, :epoch, :cause, :run_key,"
    " :old_value, :new_value, :reason, :now)"
)
_ADVANCE = Statement(
    "",
    # The whole cover and every write of it in one round trip.
    postgresql="WITH RECURSIVE move (step, id, run_key, to_order, value, old_value) AS ("
    " (SELECT 1, n.id, n.run_key, n.to_order, n.next_watermark, CAST(:old_value AS text) FROM ("
    + _NEXT.format(time="timestamptz")
    + ") n) UNION ALL SELECT m.step + 1, n.id, n.run_key, n.to_order, n.next_watermark, m.value"
    " FROM move m CROSS JOIN LATERAL ("
    + _NEXT.format(time="timestamptz").replace(":current", "m.to_order")
    + ") n), last AS (SELECT to_order, value FROM move ORDER BY step DESC LIMIT 1),"
    " history AS (INSERT INTO watermark_history (pipeline_id, partition_key, epoch, cause, run_key,"
    " old_value, new_value, moved_at) SELECT :pipeline_id, :partition_key, :epoch, 'execution', run_key,"
    " old_value, value, CAST(:now AS timestamptz) FROM move ORDER BY step),"
    " moved AS (UPDATE watermark w SET kind = :kind, value = last.value, value_order = last.to_order,"
    " updated_at = CAST(:now AS timestamptz) FROM last WHERE w.pipeline_id = :pipeline_id"
    " AND w.partition_key = :partition_key),"
    " mirrored AS (UPDATE pipeline p SET watermark = last.value FROM last"
    " WHERE p.id = :pipeline_id AND CAST(:partition_key AS text) = '')"
    " SELECT count(*) FROM move",
)
_RAISE_EPOCH = Statement(
    "UPDATE watermark SET kind = :kind, value = :value, value_order = :value_order, epoch = :epoch,"
    " epoch_started_at = :now, updated_at = :now"
    " WHERE pipeline_id = :pipeline_id AND partition_key = :partition_key"
)


@dataclass(frozen=True, slots=True)
class _State:
    kind: str | None
    value: str | None
    order: str
    epoch: int
    epoch_started_at: datetime | None


def read(connection: Connection, pipeline: KnownPipeline, partition_key: str) -> Watermark:
    """How far the pipeline has got; without locking, nothing is created."""
    state = _state(connection, _READ, pipeline.id, partition_key)
    if state is None:
        return Watermark(None, pipeline.kind, 0, partition_key)
    value = (
        None
        if state.value is None or state.kind is None
        else WatermarkValue(state.kind, state.value, state.order)
    )
    return Watermark(value, state.kind or pipeline.kind, state.epoch, partition_key)


def advance(
    connection: Connection, pipeline_id: int, partition_key: str, kind: str, now: datetime
) -> None:
    """Move the watermark over every success that joins on to it. Flushes, does not commit."""
    state = _locked(connection, pipeline_id, partition_key, kind, now)
    parameters = {
        "pipeline_id": pipeline_id,
        "partition_key": partition_key,
        "kind": kind,
        "epoch": state.epoch,
        "epoch_started_at": connection.time(state.epoch_started_at),
        "current": state.order,
        "old_value": state.value,
        "now": connection.time(now),
        "true": True,
    }
    if not connection.is_sqlite and kind != TEXT:
        connection.rows(_ADVANCE, parameters)
        return
    following = _NEXT_TEXTUAL if kind == TEXT else _NEXT_ORDERED
    while rows := connection.rows(following, parameters):
        id_, run_key, order, value = rows[0]
        connection.run(
            _HISTORY,
            {
                **parameters,
                "cause": "execution",
                "run_key": str(run_key),
                "new_value": value,
                "reason": None,
            },
        )
        if kind == TEXT:  # ordered values cannot come twice, text can
            connection.run(_ABSORB, {**parameters, "id": id_})
        parameters.update(current=order, old_value=value, value=value, value_order=order)
    if "value" in parameters:
        connection.run(_MOVE, parameters)
        if not partition_key:
            connection.run(_MIRROR, parameters)


def assign(
    connection: Connection,
    pipeline: KnownPipeline,
    partition_key: str,
    value: WatermarkValue | None,
    *,
    cause: str,
    reason: str,
    now: datetime,
) -> Watermark:
    """Set or rewind (``cause``) to a value, None for the beginning; raises the epoch.

    Raises InvalidWatermark when a set would go back or a rewind forward.
    """
    kind = pipeline.kind
    state = _locked(connection, pipeline.id, partition_key, kind, now)
    order = BEGINNING if value is None else value.order
    if kind != TEXT:
        if cause == "rewind" and order > state.order:
            raise InvalidWatermark(
                f"a rewind goes back, {value} lies after the watermark {state.value}: use `watermark set`"
            )
        if cause == "set" and order < state.order:
            raise InvalidWatermark(
                f"{value or 'the beginning'} lies before the watermark {state.value}: use `watermark rewind`"
            )
    parameters = {
        "pipeline_id": pipeline.id,
        "partition_key": partition_key,
        "kind": kind,
        "value": None if value is None else value.text,
        "value_order": order,
        "epoch": state.epoch + 1,
        "now": connection.time(now),
        "cause": cause,
        "run_key": None,
        "old_value": state.value,
        "new_value": None if value is None else value.text,
        "reason": reason,
    }
    connection.run(_RAISE_EPOCH, parameters)
    connection.run(_HISTORY, parameters)
    if not partition_key:
        connection.run(_MIRROR, parameters)
    return Watermark(value, kind, state.epoch + 1, partition_key)


def _locked(
    connection: Connection, pipeline_id: int, partition_key: str, kind: str | None, now: datetime
) -> _State:
    state = _state(connection, _LOCK, pipeline_id, partition_key)
    if state is None:
        parameters = {"pipeline_id": pipeline_id, "partition_key": partition_key, "kind": kind}
        connection.run(_ADD, {**parameters, "now": connection.time(now)})
        state = _state(connection, _LOCK, pipeline_id, partition_key)
        assert state is not None
    return state


def _state(
    connection: Connection, statement: Statement, pipeline_id: int, partition_key: str
) -> _State | None:
    rows = connection.rows(statement, {"pipeline_id": pipeline_id, "partition_key": partition_key})
    if not rows:
        return None
    kind, value, order, epoch, started = rows[0]
    return _State(kind, value, order, int(epoch), read_time(started))
