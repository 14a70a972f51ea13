"""Which addresses an execution read and wrote, and what its loads say of the pipeline's data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeledger.model.report import DatasetUse
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

_MERGE = " ON CONFLICT (execution_id, address_id) DO UPDATE SET " + ", ".join(
    f"{c} = CASE WHEN t.{c} IS NULL OR excluded.{c} > t.{c}"
    f" THEN COALESCE(excluded.{c}, t.{c}) ELSE t.{c} END"
    for c in ("rows", "bytes", "data_version")
)


def _statement(table: str) -> Statement:
    columns = "(execution_id, address_id, rows, bytes, data_version)"
    return Statement(
        f"INSERT INTO {table} AS t {columns}"
        f" VALUES (:execution_id, :address_id, :rows, :bytes, :data_version){_MERGE}",
    )


_INPUT = _statement("pipeline_execution_input")
_OUTPUT = _statement("pipeline_execution_output")
_STAMPS = ("last_target_insert", "last_target_update", "last_target_soft_delete")
_LATER = ", ".join(
    f"{c} = CASE WHEN {c} IS NULL OR CAST(:{c} AS {{time}}) > {c}"
    f" THEN COALESCE(CAST(:{c} AS {{time}}), {c}) ELSE {c} END"
    for c in _STAMPS
)
_STAMP_SQL = (
    f"UPDATE pipeline SET {_LATER}, load_lineage = load_lineage AND NOT CAST(:loaded AS BOOLEAN)"
    " WHERE id = :pipeline_id"
)
_STAMP = Statement(_STAMP_SQL.format(time="TEXT"), postgresql=_STAMP_SQL.format(time="timestamptz"))


def save(
    connection: Connection,
    execution_id: int,
    inputs: Sequence[DatasetUse],
    outputs: Sequence[DatasetUse],
    address_ids: dict[tuple[str, str], int],
) -> None:
    """Merge what an execution read and wrote; of several figures for one address the largest."""
    for statement, uses in ((_INPUT, inputs), (_OUTPUT, outputs)):
        for use in uses:
            connection.run(
                statement,
                {
                    "execution_id": execution_id,
                    "address_id": address_ids[use.address.key],
                    "rows": use.rows,
                    "bytes": use.bytes,
                    "data_version": use.data_version,
                },
            )


def stamp(
    connection: Connection, pipeline_id: int, changed_at: Sequence[datetime | None], loaded: bool
) -> None:
    """Keep when a pipeline last inserted, updated and soft-deleted, which freshness reads.

    ``loaded``: a success, after which the pipeline's lineage need not be posted again.
    """
    parameters = {name: connection.time(at) for name, at in zip(_STAMPS, changed_at, strict=True)}
    connection.run(_STAMP, {**parameters, "loaded": loaded, "pipeline_id": pipeline_id})
