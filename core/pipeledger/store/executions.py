"""Executions: the merge of ``model.record``, done by the database in one statement.

``INSERT ... ON CONFLICT (run_key) DO UPDATE`` serves start, finish and heartbeat; its SET ranks each
group of fields by itself. The parent is not merged there: linking changes the closure and needs
locks, so ``save`` looks first and ``closure`` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pipeledger.model.canonical import canonical_json
from pipeledger.model.record import ExecutionRecord, Ranked
from pipeledger.model.report import Counts, RunError
from pipeledger.model.watermark import BEGINNING
from pipeledger.store import closure
from pipeledger.store.database import Conflict, Connection
from pipeledger.store.statement import Statement

_GROUPS: dict[str, tuple[str, ...]] = {
    "end_rank": ("state", "end_date", "state_detail"),
    **{f"{name}_rank": (name,) for name in Counts.NAMES},
    "error_rank": ("error_type", "error_message"),
    "metadata_rank": ("execution_metadata",),
    "attributes_rank": ("attributes",),
    "configuration_rank": ("configuration_hash", "code_version"),
    "lower_rank": ("watermark", "from_order"),
    "upper_rank": ("next_watermark", "to_order"),
    "scope_rank": ("partition_key", "epoch"),
}
_GREATEST = ("heartbeat_at", "attempt", "previous_run_key")
RANKS = (*_GROUPS, "parent_rank")
"""The rank columns: all null in a row of which nobody has reported anything."""

COLUMNS: tuple[str, ...] = (
    "run_key",
    "pipeline_id",
    "parent_id",
    "parent_rank",
    "start_date",
    "succeeded",
    *_GREATEST,
    *(column for group in _GROUPS.values() for column in group),
    *_GROUPS,
)


def _merge_clauses() -> str:
    """The SET of the upsert, for both databases: t is the stored row, excluded the new one."""
    clauses = [
        "pipeline_id = COALESCE(t.pipeline_id, excluded.pipeline_id)",
        "start_date = CASE WHEN t.start_date IS NULL OR excluded.start_date < t.start_date"
        " THEN COALESCE(excluded.start_date, t.start_date) ELSE t.start_date END",
        "succeeded = t.succeeded OR excluded.succeeded",
    ]
    clauses += [
        f"{c} = CASE WHEN t.{c} IS NULL OR excluded.{c} > t.{c}"
        f" THEN COALESCE(excluded.{c}, t.{c}) ELSE t.{c} END"
        for c in _GREATEST
    ]
    for rank, group in _GROUPS.items():
        newer = f"excluded.{rank} > t.{rank} OR (t.{rank} IS NULL AND excluded.{rank} IS NOT NULL)"
        clauses += [
            f"{c} = CASE WHEN {newer} THEN excluded.{c} ELSE t.{c} END" for c in (*group, rank)
        ]
    return ", ".join(clauses)


_INSERT = f"INSERT INTO pipeline_execution AS t ({', '.join(COLUMNS)})"
_MERGE = f" ON CONFLICT (run_key) DO UPDATE SET {_merge_clauses()}"
_SAVED = (
    "id, pipeline_id, parent_rank, partition_key, from_order, to_order, epoch, succeeded, absorbed"
)
_LOAD_LINEAGE = "(SELECT load_lineage FROM pipeline p WHERE p.id = {0}.pipeline_id)"

_UPSERT = Statement(
    f"{_INSERT} VALUES ({', '.join(':' + c for c in COLUMNS)}){_MERGE}"
    f" RETURNING {_SAVED}, {_LOAD_LINEAGE.format('pipeline_execution')}",
    # One round trip: the row, its closure, and the root its parent has now (to compare with the locked one).
    postgresql=f"WITH e AS ({_INSERT} VALUES ({', '.join(':' + c for c in COLUMNS)}){_MERGE}"
    f" RETURNING {_SAVED}, xmax = 0 AS inserted),"
    " c AS (INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT a.parent_execution_id, e.id, a.depth + 1 FROM e JOIN pipeline_execution_closure a"
    " ON a.child_execution_id = :parent_id WHERE e.inserted"
    " UNION ALL SELECT e.id, e.id, 0 FROM e WHERE e.inserted)"
    f" SELECT {_SAVED}, {_LOAD_LINEAGE.format('e')}, inserted,"
    " (SELECT a.parent_execution_id FROM pipeline_execution_closure a"
    " WHERE a.child_execution_id = :parent_id ORDER BY a.depth DESC LIMIT 1) FROM e",
)
_UPSERT_KNOWN = Statement(
    "",
    # For what is there already nearly always: a finish. Without the closure it costs a quarter less.
    postgresql=f"{_INSERT} VALUES ({', '.join(':' + c for c in COLUMNS)}){_MERGE}"
    f" RETURNING {_SAVED}, {_LOAD_LINEAGE.format('t')}, xmax = 0",
)
_TYPES = dict.fromkeys(COLUMNS, "text") | {
    "run_key": "uuid", "pipeline_id": "bigint", "parent_id": "bigint", "start_date": "timestamptz",
    "succeeded": "boolean", "heartbeat_at": "timestamptz", "attempt": "integer",
    "previous_run_key": "uuid", "end_date": "timestamptz", "epoch": "integer",
    **dict.fromkeys(Counts.NAMES, "bigint"),
    **dict.fromkeys((*_GROUPS, "parent_rank"), "bytea"),
}  # fmt: skip
_JSON = ("execution_metadata", "attributes")
_UPSERT_MANY = Statement(
    "",
    # One parameter for all rows: half the time of VALUES, whose every cell is parsed as an expression.
    postgresql=f"{_INSERT} SELECT {', '.join(c + '::jsonb' if c in _JSON else c for c in COLUMNS)}"
    f" FROM json_to_recordset(:rows) AS r ({', '.join(f'{c} {t}' for c, t in _TYPES.items())})"
    f"{_MERGE} RETURNING {_SAVED}, true, xmax = 0, run_key",
)
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Saved:
    """The merged row, as far as the next steps need it."""

    id: int
    pipeline_id: int | None
    parent_rank: bytes | None
    partition_key: str | None
    from_order: str | None
    to_order: str | None
    epoch: int | None
    succeeded: bool
    absorbed: bool
    load_lineage: bool

    @property
    def may_advance(self) -> bool:
        """Whether a success with a whole window is there that may move the watermark."""
        return (
            self.succeeded
            and not self.absorbed
            and self.pipeline_id is not None
            and self.from_order is not None
            and self.to_order is not None
        )


def save(
    connection: Connection, record: ExecutionRecord, pipeline_id: int | None, *, look_first: bool
) -> Saved:
    """Merge one record into its row, in the transaction of the caller.

    A finish repeats the parent that its start has linked. So a finish is written without looking,
    unless told to ``look_first``, and what it finds must be linked already.
    Raises Conflict when another transaction changed what this one had looked at, or when looking
    first turns out to be needed: start over.
    """
    if record.parent is None:
        return _upsert(connection, record, pipeline_id, None)[0]
    if look_first or not record.state.is_end or connection.is_sqlite:
        return _save_linked(connection, record, pipeline_id, record.parent)
    saved = _upsert(connection, record, pipeline_id, None)[0]
    if saved.parent_rank is None or saved.parent_rank < record.parent.rank:
        raise Conflict("an execution's end came before its start")
    return saved


def _save_linked(
    connection: Connection, record: ExecutionRecord, pipeline_id: int | None, parent: Ranked
) -> Saved:
    nodes = closure.look(connection, (record.run_key, parent.value))
    child, upper = nodes.get(record.run_key), nodes.get(parent.value)
    if record.run_key == parent.value:
        closure.warn_cycle(record.run_key, parent.value)
        return _upsert(connection, record, pipeline_id, None)[0]
    if child is None:
        if upper is None:
            parent_id = root = placeholder(connection, parent.value)
        else:
            parent_id, root = upper.id, upper.root_id
            closure.lock_leaf_roots(connection, (root,))
        saved, inserted, seen_root = _upsert(
            connection, record, pipeline_id, (parent_id, parent.rank)
        )
        if not connection.is_sqlite and (not inserted or seen_root != root):
            raise Conflict("the tree of executions changed while a run was added to it")
        return saved
    if child.parent_rank is not None and child.parent_rank >= parent.rank:
        saved, inserted, _ = _upsert(connection, record, pipeline_id, None)
        if inserted:
            raise Conflict("an execution was pruned while something was reported of it")
        return saved
    closure.lock_relink_roots(connection, [n.root_id for n in (child, upper) if n is not None])
    if closure.look(connection, (record.run_key, parent.value)) != nodes:
        raise Conflict("the tree of executions changed while a run was moved in it")
    parent_id = placeholder(connection, parent.value) if upper is None else upper.id
    saved = _upsert(connection, record, pipeline_id, None)[0]
    closure.relink(connection, child, parent_id, parent, record.run_key)
    return saved


def placeholder(connection: Connection, run_key: UUID) -> int:
    """The id of a row that stands for an execution nobody has reported yet."""
    return _upsert(connection, ExecutionRecord(run_key), None, None)[0].id


def _upsert(
    connection: Connection,
    record: ExecutionRecord,
    pipeline_id: int | None,
    link: tuple[int, bytes] | None,
) -> tuple[Saved, bool, int | None]:
    """The saved row, whether it is new, and the root above its parent as this statement saw it."""
    parameters = _parameters(connection, record, pipeline_id, link)
    if record.state.is_end and link is None and not connection.is_sqlite:
        row = connection.rows(_UPSERT_KNOWN, parameters)[0]
        if row[10]:
            closure.add_self(connection, int(row[0]))
        return Saved(*_columns(row)), bool(row[10]), None
    row = connection.rows(_UPSERT, parameters)[0]
    if connection.is_sqlite:
        inserted = closure.add_self(connection, int(row[0]))
        if inserted and link is not None:
            closure.add_leaf(connection, int(row[0]), link[0])
        return Saved(*_columns(row)), inserted, None
    return Saved(*_columns(row)), bool(row[10]), row[11]


def _columns(row: Sequence[Any]) -> tuple[Any, ...]:
    rank = row[2]
    return (
        row[0], row[1], None if rank is None else bytes(rank), row[3], row[4], row[5], row[6],
        bool(row[7]), bool(row[8]), bool(row[9]),
    )  # fmt: skip


def save_many(
    connection: Connection,
    records: Sequence[tuple[ExecutionRecord, int | None]],
    *,
    look_first: bool,
) -> list[Saved]:
    """Merge records (one per run key, in run-key order), each with its pipeline's id.

    On PostgreSQL set-based; the result is that of ``save`` for one after the other.
    """
    if connection.is_sqlite or len(records) == 1:
        return [save(connection, record, id_, look_first=look_first) for record, id_ in records]
    links = {r.run_key: r.parent for r, _ in records if r.parent is not None}
    nodes = closure.look(connection, {*links, *(p.value for p in links.values())})
    wanted = {
        key: parent
        for key, parent in links.items()
        if key not in nodes or (nodes[key].parent_rank or b"") < parent.rank
    }
    moved = [key for key in wanted if key in nodes]
    relink_roots = [
        nodes[k].root_id for key in moved for k in (key, wanted[key].value) if k in nodes
    ]
    leaf_roots = [nodes[p.value].root_id for p in wanted.values() if p.value in nodes]
    if moved:
        closure.lock_relink_roots(connection, relink_roots)
    if leaf_roots:
        closure.lock_leaf_roots(connection, leaf_roots)
    if wanted and closure.look(connection, {*links, *(p.value for p in links.values())}) != nodes:
        raise Conflict("the tree of executions changed while runs were added to it")
    reported = {r.run_key for r, _ in records}
    unknown = {p.value for p in wanted.values()} - reported - nodes.keys()
    all_records = sorted(
        [*records, *((ExecutionRecord(key), None) for key in unknown)],
        key=lambda pair: pair[0].run_key,
    )
    # Their parents are there and locked: inserted with them, instead of being updated a moment later.
    # Not where something moves as well: then all links are made one after the other, in key order.
    known = {
        key: (nodes[parent.value].id, parent.rank)
        for key, parent in wanted.items()
        if not moved and parent.value in nodes
    }
    values = [
        {
            column: "\\x" + value.hex() if isinstance(value, bytes) else value
            for column, value in _parameters(
                connection, record, pipeline_id, known.get(record.run_key)
            ).items()
            if value is not None
        }
        for record, pipeline_id in all_records
    ]
    rows = [
        row
        for first in range(0, len(values), _ROWS_AT_ONCE)
        for row in connection.rows(
            _UPSERT_MANY, {"rows": canonical_json(values[first : first + _ROWS_AT_ONCE])}
        )
    ]
    saved: dict[UUID, Saved] = {}
    new: dict[UUID, int] = {}
    for row in rows:
        key = UUID(str(row[11]))
        saved[key] = Saved(*_columns(row))
        if row[10]:
            new[key] = saved[key].id
    if any(key in new for key in nodes) or any(
        key not in new for key in wanted if key not in nodes
    ):
        raise Conflict("the tree of executions changed while runs were added to it")
    closure.add_selves(connection, list(new.values()))
    hung = {
        key: (_id(saved, nodes, key), _id(saved, nodes, p.value), p) for key, p in wanted.items()
    }
    if moved:
        # A subtree that moves may land below a new execution: one after the other, in key order.
        for key, (id_, parent_id, parent) in hung.items():
            child = nodes.get(key) or closure.Node(id_, None, None, id_)
            closure.relink(connection, child, parent_id, parent, key)
    else:
        closure.link_new(connection, hung, known)
    return [saved[record.run_key] for record, _ in records]


def _id(saved: dict[UUID, Saved], nodes: dict[UUID, closure.Node], key: UUID) -> int:
    return saved[key].id if key in saved else nodes[key].id


def _parameters(
    connection: Connection,
    record: ExecutionRecord,
    pipeline_id: int | None,
    link: tuple[int, bytes] | None,
) -> dict[str, Any]:
    """The row of a record, in the order of COLUMNS."""
    time = connection.time
    end, error = record.end, record.error
    reason: RunError | None = None if error is None else error.value
    lower, upper = record.lower, record.upper
    state, ended_at, detail = ("running", None, None) if end is None else end.value
    configuration_hash, code_version = (
        record.configuration.value if record.configuration else (None, None)
    )
    partition_key, epoch = record.scope.value if record.scope else (None, None)
    return {
        "run_key": str(record.run_key),
        "pipeline_id": pipeline_id,
        "parent_id": None if link is None else link[0],
        "parent_rank": None if link is None else link[1],
        "start_date": time(record.started_at),
        "succeeded": record.succeeded,
        "heartbeat_at": time(record.heartbeat_at),
        "attempt": record.attempt,
        "previous_run_key": None if record.previous is None else str(record.previous),
        "state": str(state),
        "end_date": time(ended_at),
        "state_detail": detail,
        **{name: _value(getattr(record, name)) for name in Counts.NAMES},
        "error_type": None if reason is None else reason.type,
        "error_message": None if reason is None else reason.message,
        "execution_metadata": None
        if record.metadata is None
        else canonical_json(record.metadata.value),
        "attributes": None
        if record.attributes is None
        else canonical_json(record.attributes.value),
        "configuration_hash": configuration_hash,
        "code_version": code_version,
        "watermark": None if lower is None or lower.value is None else lower.value.text,
        "from_order": None
        if lower is None
        else BEGINNING
        if lower.value is None
        else lower.value.order,
        "next_watermark": None if upper is None else upper.value.text,
        "to_order": None if upper is None else upper.value.order,
        "partition_key": partition_key,
        "epoch": epoch,
        "end_rank": _rank(end),
        **{f"{name}_rank": _rank(getattr(record, name)) for name in Counts.NAMES},
        "error_rank": _rank(error),
        "metadata_rank": _rank(record.metadata),
        "attributes_rank": _rank(record.attributes),
        "configuration_rank": _rank(record.configuration),
        "lower_rank": _rank(lower),
        "upper_rank": _rank(upper),
        "scope_rank": _rank(record.scope),
    }


def _value(ranked: Ranked | None) -> Any:
    return None if ranked is None else ranked.value


def _rank(ranked: Ranked | None) -> bytes | None:
    return None if ranked is None else ranked.rank
