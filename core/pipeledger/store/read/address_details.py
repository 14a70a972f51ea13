"""What is recorded of one address: its columns in time, its users, the execution that wrote it last."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.store.read.edges import Counted, Variants
from pipeledger.store.read.spelled import moment, rows, spelled

Span = tuple[int, str, str, int, datetime, datetime, datetime]
"""(address, column, type, ordinal, began, ended, last seen)"""
Use = tuple[int, str, str, datetime, datetime]
"""(pipeline, role, origin, since, last seen)"""

_COLUMNS = spelled(
    "SELECT c.address_id, c.name, c.data_type, c.ordinal, c.began_at, c.ended_at, c.last_seen_at"
    " FROM EACH(ids) i FIRST JOIN address_column c ON c.address_id = i.id"
    " ORDER BY c.began_at, c.address_id, c.ordinal, c.name, c.data_type"
)
_uses = Variants(
    "SELECT u.pipeline_id, u.role, u.origin, MIN(u.began_at), MAX(u.last_seen_at)"
    " FROM pipeline_address u WHERE u.same_id = :id AND {counts}"
    " GROUP BY u.pipeline_id, u.role, u.origin ORDER BY u.pipeline_id, u.role, u.origin",
    alias="u",
)
_LAST_WRITTEN = (
    "SELECT e.id FROM EACH(ids) i FIRST JOIN pipeline_execution_output o ON o.address_id = i.id"
    " JOIN pipeline_execution e ON e.id = o.execution_id JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE 1 = 1{visible} ORDER BY COALESCE(e.end_date, e.start_date) IS NULL,"
    " COALESCE(e.end_date, e.start_date) DESC, e.id DESC LIMIT 1"
)
_last_written = {
    seen: spelled(
        _LAST_WRITTEN.format(visible=" AND p.namespace_id AMONG(namespaces)" if seen else "")
    )
    for seen in (False, True)
}


def columns(connection: Connection, address_ids: Collection[int]) -> list[Span]:
    """Every span of every column of these addresses, in order of time."""
    return [
        (a, name, kind, ordinal, moment(began), moment(ended), moment(seen))
        for a, name, kind, ordinal, began, ended, seen in rows(
            connection, _COLUMNS, {"ids": address_ids}
        )
    ]


def uses(connection: Connection, address_id: int, counted: Counted) -> list[Use]:
    """Which pipelines read and write the address, under any of its names."""
    found = rows(connection, _uses.of(counted), {"id": address_id, **counted.values})
    return [
        (p, role, origin, moment(since), moment(seen)) for p, role, origin, since, seen in found
    ]


def last_written(
    connection: Connection, address_ids: Collection[int], namespaces: tuple[int, ...] | None
) -> int | None:
    """The execution that has these among its outputs and ended last, or runs since."""
    if namespaces is None:
        found = rows(connection, _last_written[False], {"ids": address_ids})
    else:
        values = {"ids": address_ids, "namespaces": namespaces}
        found = rows(connection, _last_written[True], values)
    return found[0][0] if found else None
