"""Which pipelines have successes beyond their watermark, so that something may hold it back."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.store.read.spelled import rows, spelled

_HELD = spelled(
    "SELECT DISTINCT w.pipeline_id, p.namespace_id FROM EACH(ids) i"
    " FIRST JOIN pipeline p ON p.id = i.id JOIN watermark w ON w.pipeline_id = p.id"
    " WHERE p.active AND EXISTS (SELECT 1 FROM pipeline_execution e"
    " WHERE e.pipeline_id = w.pipeline_id AND e.partition_key = w.partition_key AND e.succeeded"
    " AND NOT e.absorbed AND e.to_order IS NOT NULL AND e.to_order > w.value_order)"
)
_WITH_WINDOWS = spelled(
    "SELECT DISTINCT e.pipeline_id FROM EACH(ids) i FIRST JOIN pipeline_execution e ON e.id = i.id"
    " WHERE e.to_order IS NOT NULL AND e.pipeline_id IS NOT NULL"
)


def pipelines_with_windows(connection: Connection, ids: Collection[int]) -> list[int]:
    """The pipelines of those of these executions that were asked for a window."""
    return [row[0] for row in rows(connection, _WITH_WINDOWS, {"ids": ids})]


def held(connection: Connection, pipeline_ids: Collection[int]) -> list[tuple[int, int]]:
    """(pipeline, namespace) of the active ones with a success that lies beyond their watermark."""
    return [(p, n) for p, n in rows(connection, _HELD, {"ids": pipeline_ids})]
