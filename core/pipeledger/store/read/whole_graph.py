"""Questions to all addresses and edges at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.store.read.edges import HOLDS, SEEN, Counted, Variants
from pipeledger.store.read.spelled import rows, spelled
from pipeledger.store.statement import Statement

AT_A_TIME = 100_000

_edges = Variants(
    "SELECT DISTINCT e.source_id, e.target_id FROM lineage_edge e"
    " WHERE e.source_id > :after AND e.source_id <= :upto AND {counts}"
    " ORDER BY e.source_id, e.target_id"
)
_NEXT_SOURCES = spelled(
    "SELECT MAX(source_id), COUNT(*) FROM (SELECT source_id FROM lineage_edge"
    " WHERE source_id > :after ORDER BY source_id LIMIT :most) s"
)
_STANDING = (
    "SELECT a.namespace, a.name, t.name, t.group_name FROM address a"
    " JOIN address_type t ON t.id = a.address_type_id WHERE COALESCE(a.same_as_id, a.id) = a.id"
    " AND (a.namespace > :namespace OR (a.namespace = :namespace AND a.name > :name))"
    " AND {condition} ORDER BY a.namespace, a.name LIMIT :most"
)
_EDGE = "EXISTS (SELECT 1 FROM lineage_edge e WHERE e.{end}_id = a.id AND {counts})"
_USE = (
    "EXISTS (SELECT 1 FROM pipeline_address u WHERE u.same_id = a.id AND u.role = '{role}'"
    " AND {counts})"
)
ORPHANS, UNREAD, UNWRITTEN = "orphans", "unread", "unwritten"


def _condition(which: str, seen: bool) -> str:
    def edge(end: str) -> str:
        counts = (HOLDS + (SEEN if seen else "")).format(e="e")
        return _EDGE.format(end=end, counts=counts)

    def use(role: str) -> str:
        counts = (HOLDS + (SEEN if seen else "")).format(e="u")
        return _USE.format(role=role, counts=counts)

    if which == ORPHANS:
        return f"NOT {edge('source')} AND NOT {edge('target')}"
    has, lacks = ("output", "input") if which == UNREAD else ("input", "output")
    return f"{use(has)} AND NOT {use(lacks)}"


_ENDS: dict[tuple[str, bool], Statement] = {
    (which, seen): spelled(_STANDING.format(condition=_condition(which, seen)))
    for which in (ORPHANS, UNREAD, UNWRITTEN)
    for seen in (False, True)
}


def edges(connection: Connection, counted: Counted) -> Iterator[tuple[int, int]]:
    """Every edge that counts, by source; read some sources at a time, so that few are held."""
    after = -1
    while True:
        upto, count = rows(connection, _NEXT_SOURCES, {"after": after, "most": AT_A_TIME})[0]
        if not count:
            return
        values = {"after": after, "upto": upto, **counted.values}
        yield from rows(connection, _edges.of(counted), values)
        after = upto


def ends(
    connection: Connection, which: str, counted: Counted, after: Collection[Any], most: int
) -> list[Address]:
    """Addresses that are orphans, unread or unwritten, by namespace and name, after one of them."""
    namespace, name = after
    statement = _ENDS[which, counted.namespaces is not None]
    values = {"namespace": namespace, "name": name, "most": most, **counted.values}
    return [Address(*row) for row in rows(connection, statement, values)]
