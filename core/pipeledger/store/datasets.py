"""The columns of an address, and which of its names are the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage import DatasetReport, standing
from pipeledger.model.spans import FOREVER, holding, lacking
from pipeledger.store.database import Connection, read_time
from pipeledger.store.pipelines import is_later
from pipeledger.store.spans import TEXT, Change, Held, SpanTable
from pipeledger.store.statement import Statement

Pair = tuple[int, int]

COLUMNS = SpanTable(
    "address_column",
    "address_id",
    {"name": TEXT, "data_type": TEXT, "ordinal": "integer"},
    origin=False,
)

_LOCK_KEY = 0x616C6961
"""The key of PostgreSQL's advisory lock around aliases ("alia" in ASCII)."""
_HOLD = Statement("", postgresql=f"SELECT pg_advisory_xact_lock_shared({_LOCK_KEY})")
_CHANGE = Statement("", postgresql=f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")

_STORED_SQL = "SELECT schema_hash, schema_seen_at FROM address WHERE id = :id"
_STORED = Statement(_STORED_SQL, postgresql=_STORED_SQL + " FOR NO KEY UPDATE")
_TOUCH = Statement(
    "UPDATE address SET schema_hash = :hash, schema_seen_at = :at, updated_at = :now WHERE id = :id"
)

_NEWER = "excluded.occurred_at > t.occurred_at OR (excluded.occurred_at = t.occurred_at"
_ALIAS = Statement(
    "INSERT INTO address_alias AS t (address_id, alias_id, is_alias, occurred_at)"
    " VALUES (:first, :second, :is_alias, :at) ON CONFLICT (address_id, alias_id) DO UPDATE"
    " SET is_alias = excluded.is_alias, occurred_at = excluded.occurred_at"
    f" WHERE {_NEWER} AND t.is_alias AND NOT excluded.is_alias)"
)
_SAME_SQL = (
    "WITH RECURSIVE same (id) AS (SELECT {value} FROM {rows} UNION"
    " SELECT CASE WHEN a.address_id = s.id THEN a.alias_id ELSE a.address_id END FROM same s"
    " JOIN address_alias a ON (a.address_id = s.id OR a.alias_id = s.id) AND a.is_alias)"
    " SELECT d.id, d.namespace, d.name, t.name, t.group_name, d.same_as_id FROM same s"
    " JOIN address d ON d.id = s.id JOIN address_type t ON t.id = d.address_type_id"
)
_SAME = Statement(
    _SAME_SQL.format(value="value", rows="json_each(:ids)"),
    postgresql=_SAME_SQL.format(
        value="CAST(value AS bigint)", rows="jsonb_array_elements_text(CAST(:ids AS jsonb))"
    ),
)
STAND = Statement("UPDATE address SET same_as_id = :standing, updated_at = :now WHERE id = :id")
POINTERS = (
    ("lineage_edge", "source_id", "source_address_id"),
    ("lineage_edge", "target_id", "target_address_id"),
    ("lineage_column_edge", "source_id", "source_address_id"),
    ("lineage_column_edge", "target_id", "target_address_id"),
    ("pipeline_address", "same_id", "address_id"),
)
"""(table, column that names what stands for an address, column with that address)."""
_POINT = tuple(
    Statement(f"UPDATE {table} SET {pointer} = :standing WHERE {column} = :id")
    for table, pointer, column in POINTERS
)
_EDGES_OF = Statement(
    "SELECT source_address_id, target_address_id, source_id, target_id FROM lineage_edge"
    " WHERE source_address_id = :id OR target_address_id = :id"
)


def lock(connection: Connection, *, change: bool) -> None:
    """Keep aliases as they are until the transaction ends, or (``change``) keep others from using
    them: an edge written meanwhile would name an address that no longer stands for it.

    To be called first of all in a transaction. SQLite has one writer anyway.
    """
    if not connection.is_sqlite:
        connection.rows(_CHANGE if change else _HOLD, {})


def save_schema(connection: Connection, report: DatasetReport, id_: int, now: Any) -> bool:
    """Keep the columns of an address, if this report occurred last; whether they changed.

    A report that comes late changes nothing: the history of a schema is as it was learned.
    """
    if report.columns is None:
        return False
    digest, at = report.schema_hash, report.occurred_at
    stored_hash, stored_at = connection.rows(_STORED, {"id": id_})[0]
    if not is_later(at, digest, read_time(stored_at), stored_hash):
        return False
    connection.run(
        _TOUCH, {"id": id_, "hash": digest, "at": connection.time(at), "now": connection.time(now)}
    )
    if digest == stored_hash:
        return False
    keys = {(c.name, c.type or "", place) for place, c in enumerate(report.columns, 1)}
    held = COLUMNS.since(connection, id_, at)
    changes = {}
    for key in keys | held.keys():
        before = held.get(key, Held())
        spans = (holding if key in keys else lacking)(before.spans, at, FOREVER)
        if spans != before.spans:
            seen = {began: before.seen(began) or at for began, _ in spans}
            changes[key] = Change(before, Held(spans, seen))
    COLUMNS.write(connection, id_, changes)
    return bool(changes)


def save_aliases(
    connection: Connection, report: DatasetReport, ids: Mapping[tuple[str, str], int], now: Any
) -> tuple[set[Pair], set[Pair]]:
    """Keep which names are the same data. Every fact names the address that stands for the reported
    one, and is told here.

    Returns the edges with an end that something else stands for now: as they were reported, and
    between the addresses that stood for their ends before.
    """
    own, touched = report.address, set()
    for others, is_alias in ((report.aliases, True), (report.not_aliases, False)):
        for other in others:
            first, second = sorted((own, other), key=lambda a: a.key)
            touched |= {ids[first.key], ids[second.key]}
            connection.run(
                _ALIAS,
                {
                    "first": ids[first.key],
                    "second": ids[second.key],
                    "is_alias": is_alias,
                    "at": connection.time(report.occurred_at),
                },
            )
    edges: set[Pair] = set()
    left: set[Pair] = set()
    for members in _components(connection, touched):
        chosen = standing(address for address, _ in members.values())
        standing_id = next(i for i, (address, _) in members.items() if address == chosen)
        for id_, (_, stands) in sorted(members.items()):
            if (stands or id_) == standing_id:
                continue
            stored = None if id_ == standing_id else standing_id
            at = connection.time(now)
            for source, target, stood_source, stood_target in connection.rows(
                _EDGES_OF, {"id": id_}
            ):
                edges.add((int(source), int(target)))
                left.add((int(stood_source), int(stood_target)))
            connection.run(STAND, {"id": id_, "standing": stored, "now": at})
            for statement in _POINT:
                connection.run(statement, {"id": id_, "standing": standing_id})
    return edges, left


def _components(
    connection: Connection, touched: Iterable[int]
) -> Iterable[dict[int, tuple[Address, int | None]]]:
    """The sets of names of the same data that these addresses are in now."""
    left = set(touched)
    while left:
        rows = connection.rows(_SAME, {"ids": f"[{min(left)}]"})
        members = {
            int(row[0]): (Address(*row[1:5]), None if row[5] is None else int(row[5]))
            for row in rows
        }
        left -= members.keys()
        yield members
