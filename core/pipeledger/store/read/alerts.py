"""What was told of findings, and what their executions and addresses have to do with each other."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.model.alert import Alert, AlertKey
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.database import read_time
from pipeledger.store.read.edges import Counted, Variants
from pipeledger.store.read.spelled import Value, moment, rows, spelled

_COLUMNS = (
    "a.finding_id, a.opening, a.route, a.event, a.number, a.state, a.attempts, a.created_at,"
    " a.claimed_until, a.sent_at, a.error"
)
_OF_OPEN = spelled(
    f"SELECT {_COLUMNS} FROM finding f JOIN alert a ON a.finding_id = f.id AND a.opening = f.openings"
    " WHERE f.state <> 'resolved' AND f.state = 'open'"
)
# What somebody was told of and is over; what was muted when it ended stays quiet.
_OF_RESOLVED = spelled(
    f"SELECT {_COLUMNS} FROM finding f JOIN alert a ON a.finding_id = f.id AND a.opening = f.openings"
    " WHERE f.state = 'resolved' AND f.resolved_at >= :since"
    " AND (f.muted_until IS NULL OR f.muted_until <= f.resolved_at)"
)
_LIST = (
    f"SELECT {_COLUMNS}, f.check_name, n.name, p.name, d.namespace, d.name FROM alert a"
    " JOIN finding f ON f.id = a.finding_id LEFT JOIN pipeline p ON p.id = f.pipeline_id"
    " LEFT JOIN namespace n ON n.id = p.namespace_id LEFT JOIN address d ON d.id = f.address_id"
    " WHERE {where} ORDER BY a.id DESC LIMIT :most"
)
_INSIDE = spelled(
    "SELECT c.parent_execution_id, c.child_execution_id FROM EACH(ids) i"
    " FIRST JOIN pipeline_execution_closure c ON c.child_execution_id = i.id"
    " WHERE c.depth > 0 AND c.parent_execution_id AMONG(ids)"
)
_PIPELINES_INSIDE = spelled(
    "SELECT DISTINCT c.parent_execution_id, e.pipeline_id FROM EACH(ids) i"
    " FIRST JOIN pipeline_execution_closure c ON c.parent_execution_id = i.id"
    " JOIN pipeline_execution e ON e.id = c.child_execution_id"
    " WHERE e.pipeline_id IS NOT NULL LIMIT :most"
)
_USES = Variants(
    "SELECT DISTINCT u.pipeline_id, u.same_id, u.role FROM EACH(ids) i"
    " FIRST JOIN pipeline_address u ON u.pipeline_id = i.id WHERE {counts} LIMIT :most",
    alias="u",
)
_STANDING = spelled(
    "SELECT a.id, COALESCE(a.same_as_id, a.id) FROM address a WHERE a.id AMONG(ids)"
)


def of_open(connection: Connection) -> list[Alert]:
    """What was told of the findings that are open, in this opening."""
    return [_alert(row) for row in rows(connection, _OF_OPEN, {})]


def of_resolved(connection: Connection, since: datetime) -> list[Alert]:
    """What was told of the findings that were resolved since then, in their last opening."""
    return [_alert(row) for row in rows(connection, _OF_RESOLVED, {"since": since})]


def latest(
    connection: Connection, *, route: str | None, undelivered: bool, limit: int
) -> list[Alert]:
    """Messages, the last first. ``undelivered``: only those that nobody was told."""
    where, values = ["1 = 1"], {"most": limit}
    wanted: dict[str, Value] = {**values}
    if route is not None:
        where.append("a.route = :route")
        wanted["route"] = route
    if undelivered:
        where.append("a.state <> 'sent'")
    found = rows(connection, spelled(_LIST.format(where=" AND ".join(where))), wanted)
    return [_alert(row[:11], row[11], _subject(*row[12:])) for row in found]


def inside(connection: Connection, execution_ids: Collection[int]) -> set[tuple[int, int]]:
    """(ancestor, descendant) among these executions."""
    return set(rows(connection, _INSIDE, {"ids": execution_ids}))


def pipelines_inside(
    connection: Connection, execution_ids: Collection[int], most: int
) -> list[tuple[int, int]]:
    """(one of these executions, a pipeline that ran inside it, its own included)."""
    values: dict[str, Value] = {"ids": execution_ids, "most": most}
    found: list[tuple[int, int]] = rows(connection, _PIPELINES_INSIDE, values)
    return found


def uses(
    connection: Connection, pipeline_ids: Collection[int], counted: Counted, most: int
) -> list[tuple[int, int, str]]:
    """(pipeline, the address that stands for one it uses, ``input`` or ``output``)."""
    values: dict[str, Value] = {"ids": pipeline_ids, "most": most, **counted.values}
    found: list[tuple[int, int, str]] = rows(connection, _USES.of(counted), values)
    return found


def standing(connection: Connection, address_ids: Collection[int]) -> dict[int, int]:
    """For each address the one that stands for it."""
    return dict(rows(connection, _STANDING, {"ids": address_ids}))


def _alert(row: Any, check: str = "", subject: str = "") -> Alert:
    return Alert(
        AlertKey(int(row[0]), *row[1:5]), row[5], row[6], moment(row[7]), read_time(row[8]),
        read_time(row[9]), row[10], check, subject,
    )  # fmt: skip


def _subject(
    namespace: str | None, pipeline: str | None, store: str | None, name: str | None
) -> str:
    if pipeline is not None and namespace is not None:
        return str(PipelineRef(pipeline, namespace))
    return "" if store is None or name is None else str(Address(store, name))
