"""What a ledger holds, as plain values: the same from the reference model and from a database."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pipeledger.model.record import ExecutionRecord
from pipeledger.model.report import Counts
from pipeledger.model.times import isoformat
from pipeledger.model.watermark import BEGINNING
from pipeledger.store.database import Connection, read_time
from pipeledger.store.statement import Statement
from pipeledger.testing import ModelRecorder

_EXECUTIONS = Statement(
    "SELECT e.run_key, n.name, p.name, q.run_key, e.state, e.start_date, e.end_date, e.state_detail,"
    " e.inserts, e.updates, e.soft_deletes, e.total_rows, e.error_type, e.error_message,"
    " e.execution_metadata, e.attributes, e.attempt, e.previous_run_key, e.configuration_hash,"
    " e.code_version, e.from_order, e.to_order, e.partition_key, e.epoch, e.heartbeat_at, e.succeeded"
    " FROM pipeline_execution e LEFT JOIN pipeline p ON p.id = e.pipeline_id"
    " LEFT JOIN namespace n ON n.id = p.namespace_id"
    " LEFT JOIN pipeline_execution q ON q.id = e.parent_id"
)
_CLOSURE = Statement(
    "SELECT a.run_key, d.run_key, c.depth FROM pipeline_execution_closure c"
    " JOIN pipeline_execution a ON a.id = c.parent_execution_id"
    " JOIN pipeline_execution d ON d.id = c.child_execution_id"
)
_WATERMARKS = Statement(
    "SELECT p.name, w.partition_key, w.value, w.value_order, w.epoch FROM watermark w"
    " JOIN pipeline p ON p.id = w.pipeline_id"
)
_HISTORY = Statement(
    "SELECT p.name, h.partition_key, h.cause, h.epoch, h.run_key, h.old_value, h.new_value"
    " FROM watermark_history h JOIN pipeline p ON p.id = h.pipeline_id ORDER BY h.id"
)
_USES = Statement(
    "SELECT e.run_key, a.namespace, a.name, u.rows, u.bytes, u.data_version FROM {} u"
    " JOIN pipeline_execution e ON e.id = u.execution_id JOIN address a ON a.id = u.address_id"
)
_INPUTS = Statement(_USES.sqlite.format("pipeline_execution_input"))
_OUTPUTS = Statement(_USES.sqlite.format("pipeline_execution_output"))
_PIPELINES = Statement(
    "SELECT p.name, p.configuration_hash, p.schedule, t.name, t.group_name, p.freshness_number,"
    " p.freshness_datepart, p.watermark FROM pipeline p"
    " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id WHERE p.configuration_hash IS NOT NULL"
)
_EDGES = Statement(
    "SELECT p.name, s.namespace, s.name, t.namespace, t.name FROM address_lineage l"
    " JOIN pipeline p ON p.id = l.pipeline_id JOIN address s ON s.id = l.source_address_id"
    " JOIN address t ON t.id = l.target_address_id"
)
_DEPENDENCIES = Statement(
    "SELECT p.name, u.name, d.name FROM pipeline_dependency x JOIN pipeline p ON p.id = x.pipeline_id"
    " JOIN pipeline u ON u.id = x.upstream_pipeline_id JOIN pipeline d ON d.id = x.downstream_pipeline_id"
)


def of_model(model: ModelRecorder) -> dict[str, Any]:
    marks = {
        (ref.name, partition): model.watermark(ref, partition) for ref, partition in model._marks
    }
    held = {
        "executions": {
            key: _row(record, model.parents.get(key)) for key, record in model.executions.items()
        },
        "closure": model.closure(),
        "watermarks": {
            key: (None if w.value is None else w.value.text, w.order, w.epoch)
            for key, w in marks.items()
        },
        "history": {
            (ref.name, partition): [
                (m.cause, m.epoch, m.run_key, m.old, m.new) for m in model.history(ref, partition)
            ]
            for ref, partition in model._marks
            if model.history(ref, partition)
        },
        "inputs": _uses_of_model(model, "inputs"),
        "outputs": _uses_of_model(model, "outputs"),
        "pipelines": {
            ref.name: (
                c.configuration_hash,
                c.schedule,
                c.type,
                c.group,
                c.freshness and c.freshness.number,
                c.freshness and c.freshness.datepart,
                None if (v := model.watermark(ref).value) is None else v.text,
            )
            for ref, c in model.configurations.items()
        },
        "edges": {(ref.name, *s.key, *t.key) for ref, s, t in model.edges()},
        "dependencies": {
            (ref.name, a.name, b.name)
            for ref, c in model.configurations.items()
            for a, b in c.dependencies
        },
    }
    return _without_unspoken(held)


def _uses_of_model(model: ModelRecorder, name: str) -> set[tuple[Any, ...]]:
    return {
        (key, *use.address.key, use.rows, use.bytes, use.data_version)
        for key, record in model.executions.items()
        for use in getattr(record, name)
    }


def _row(record: ExecutionRecord, parent: UUID | None) -> dict[str, Any]:
    error = None if record.error is None else record.error.value
    configuration = record.configuration.value if record.configuration else (None, None)
    scope = record.scope.value if record.scope else (None, None)
    lower, upper = record.lower, record.upper
    return {
        "pipeline": None
        if record.pipeline is None
        else (record.pipeline.namespace, record.pipeline.name),
        "parent": parent,
        "state": str(record.state),
        "started_at": _time(record.started_at),
        "ended_at": _time(record.ended_at),
        "state_detail": record.state_detail,
        "counts": tuple(getattr(record.counts, name) for name in Counts.NAMES),
        "error": None if error is None else (error.type, error.message),
        "metadata": None if record.metadata is None else record.metadata.value,
        "attributes": None if record.attributes is None else record.attributes.value,
        "attempt": record.attempt,
        "previous": record.previous,
        "configuration": configuration,
        "from": None if lower is None else BEGINNING if lower.value is None else lower.value.order,
        "to": None if upper is None else upper.value.order,
        "scope": scope,
        "heartbeat_at": _time(record.heartbeat_at),
        "succeeded": record.succeeded,
    }


def of_database(connection: Connection) -> dict[str, Any]:
    executions = {}
    for r in connection.rows(_EXECUTIONS, {}):
        executions[_uuid(r[0])] = {
            "pipeline": None if r[2] is None else (r[1], r[2]),
            "parent": _uuid(r[3]),
            "state": r[4],
            "started_at": _time(read_time(r[5])),
            "ended_at": _time(read_time(r[6])),
            "state_detail": r[7],
            "counts": tuple(r[8:12]),
            "error": None if r[12] is None else (r[12], r[13]),
            "metadata": _json(r[14]),
            "attributes": _json(r[15]),
            "attempt": r[16],
            "previous": _uuid(r[17]),
            "configuration": (r[18], r[19]),
            "from": r[20],
            "to": r[21],
            "scope": (r[22], r[23]),
            "heartbeat_at": _time(read_time(r[24])),
            "succeeded": bool(r[25]),
        }
    history: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for name, partition, cause, epoch, key, old, new in connection.rows(_HISTORY, {}):
        history.setdefault((name, partition), []).append((cause, epoch, _uuid(key), old, new))
    found = {
        "executions": executions,
        "closure": {(_uuid(a), _uuid(d)): n for a, d, n in connection.rows(_CLOSURE, {})},
        "watermarks": {(n, k): (v, o, e) for n, k, v, o, e in connection.rows(_WATERMARKS, {})},
        "history": history,
        "inputs": {(_uuid(k), *rest) for k, *rest in connection.rows(_INPUTS, {})},
        "outputs": {(_uuid(k), *rest) for k, *rest in connection.rows(_OUTPUTS, {})},
        "pipelines": {name: tuple(rest) for name, *rest in connection.rows(_PIPELINES, {})},
        "edges": set(connection.rows(_EDGES, {})),
        "dependencies": set(connection.rows(_DEPENDENCIES, {})),
    }
    connection.rollback()
    return _without_unspoken(found)


def _without_unspoken(held: dict[str, Any]) -> dict[str, Any]:
    """Leave out rows that nobody reported and that nothing runs in.

    A parent that was named and then overruled leaves one behind when both names came one by one, and
    none when they came together: nothing that reads the ledger shows it, and pruning takes it away.
    """
    executions = held["executions"]
    parents = {row["parent"] for row in executions.values()}
    unspoken = {
        key
        for key, row in executions.items()
        if row["pipeline"] is None and row["parent"] is None and key not in parents
    }
    for key in unspoken:
        del executions[key]
        del held["closure"][key, key]
    return held


def _time(value: Any) -> str | None:
    return None if value is None else isoformat(value)


def _uuid(value: Any) -> UUID | None:
    return None if value is None else UUID(str(value))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
