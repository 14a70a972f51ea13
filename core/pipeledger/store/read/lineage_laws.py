"""The laws of lineage as questions to the database, beside those of executions (``laws``).

The closure of addresses needs no recursion either: its pairs of depth 1 are the edges; every deeper
pair rests on an edge and a pair one step shorter; an edge before a pair makes a pair at most one step
longer. By induction over the depth these three say that it holds the least depths. They are asked
only where the closure is not marked as behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from pipeledger.model.address import Address
from pipeledger.model.lineage import standing_of
from pipeledger.store.datasets import POINTERS
from pipeledger.store.read.question import EXAMPLES, Broken, Question

_FACTS = {
    "lineage_edge": "pipeline_id, source_address_id, target_address_id, origin",
    "lineage_column_edge": "pipeline_id, target_address_id, target_column, source_address_id,"
    " source_column, kind, origin",
    "pipeline_address": "pipeline_id, address_id, role, origin",
    "address_column": "address_id, name, data_type, ordinal",
}
_BUILT = "EXISTS (SELECT 1 FROM address_lineage_closure_state z WHERE NOT z.is_behind)"
_NAMES = "s.namespace || ' ' || s.name AS source, t.namespace || ' ' || t.name AS target"
_PAIR = (
    "address_lineage_closure c JOIN address s ON s.id = c.source_address_id"
    " JOIN address t ON t.id = c.target_address_id"
)
_EDGE = "lineage_edge e JOIN address s ON s.id = e.source_id JOIN address t ON t.id = e.target_id"
CLOSURE = (
    Question(
        "address_closure_edges",
        "an edge that holds is a pair of depth 1, and the other way round",
        f"SELECT {_NAMES} FROM {_EDGE} WHERE {_BUILT} AND e.source_id <> e.target_id"
        " AND e.ended_at > CURRENT_TIMESTAMP AND NOT EXISTS (SELECT 1 FROM address_lineage_closure c"
        " WHERE c.source_address_id = e.source_id AND c.target_address_id = e.target_id"
        f" AND c.depth = 1) UNION ALL SELECT {_NAMES} FROM {_PAIR} WHERE {_BUILT} AND c.depth = 1"
        " AND NOT EXISTS (SELECT 1 FROM lineage_edge e WHERE e.source_id = c.source_address_id"
        " AND e.target_id = c.target_address_id"
        # One that has not been seen for long ends by itself; the next refresh takes it out.
        " AND (e.ended_at > CURRENT_TIMESTAMP OR e.origin = 'observed'))",
        True,
    ),
    Question(
        "address_closure_rests",
        "a pair rests on an edge and a pair that is one step shorter",
        f"SELECT {_NAMES}, c.depth FROM {_PAIR} WHERE {_BUILT} AND c.depth > 1 AND NOT EXISTS"
        " (SELECT 1 FROM address_lineage_closure a JOIN address_lineage_closure b"
        " ON b.source_address_id = a.target_address_id WHERE a.source_address_id ="
        " c.source_address_id AND a.depth = 1 AND b.target_address_id = c.target_address_id"
        " AND b.depth = c.depth - 1)",
        True,
    ),
    Question(
        "address_closure_missing",
        "an edge before a pair makes a pair at most one step longer",
        f"SELECT {_NAMES} FROM address_lineage_closure a JOIN address_lineage_closure b"
        " ON b.source_address_id = a.target_address_id JOIN address s ON s.id = a.source_address_id"
        " JOIN address t ON t.id = b.target_address_id JOIN address_lineage_closure_state z"
        " ON NOT z.is_behind WHERE a.depth = 1 AND b.depth + 1 <= COALESCE(z.depth, b.depth + 1)"
        " AND NOT EXISTS (SELECT 1 FROM address_lineage_closure c WHERE c.source_address_id ="
        " a.source_address_id AND c.target_address_id = b.target_address_id"
        " AND c.depth <= b.depth + 1)",
        True,
    ),
)


_ALIASES = text(
    "SELECT a.namespace, a.name, b.namespace, b.name FROM address_alias l"
    " JOIN address a ON a.id = l.address_id JOIN address b ON b.id = l.alias_id WHERE l.is_alias"
)
_STANDING = text(
    "SELECT a.namespace, a.name, s.namespace, s.name FROM address a"
    " JOIN address s ON s.id = a.same_as_id"
)


def aliases(connection: Connection) -> Iterator[Broken]:
    """Addresses for which another one stands than their aliases say."""
    pairs = ((Address(*row[:2]), Address(*row[2:])) for row in connection.execute(_ALIASES))
    said = {a.key: s.key for a, s in standing_of(pairs).items() if a != s}
    held = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(_STANDING)}
    wrong = sorted(key for key in said.keys() | held.keys() if said.get(key) != held.get(key))
    if wrong:
        yield Broken(
            "address_same_as",
            "an address names the one that stands for it and its aliases",
            len(wrong),
            tuple(" ".join(key) for key in wrong[:EXAMPLES]),
            True,
        )


def questions() -> Iterator[Question]:
    """Every law of lineage."""
    for table, pointer, column in POINTERS:
        yield Question(
            f"{table}_{pointer}",
            f"{table}.{pointer} names the address that stands for {column}",
            f"SELECT a.namespace, a.name FROM {table} f JOIN address a ON a.id = f.{column}"
            f" WHERE f.{pointer} <> COALESCE(a.same_as_id, a.id)",
            True,
        )
    for table, fact in _FACTS.items():
        yield Question(
            f"{table}_spans",
            f"the spans of a fact in {table} are not empty, and neither meet nor overlap",
            "SELECT x.fact, x.began_at, x.ended_at FROM (SELECT"
            f" {fact.replace(', ', chr(32) + '||' + chr(39) + ' ' + chr(39) + '||' + chr(32))}"
            " AS fact, began_at, ended_at, lag(ended_at) OVER"
            f" (PARTITION BY {fact} ORDER BY began_at) AS before FROM {table}) x"
            " WHERE x.ended_at <= x.began_at OR x.began_at <= x.before",
        )
    yield from CLOSURE
