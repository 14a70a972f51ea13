"""Mending projections: what is computed from other rows is computed again from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage import standing_of
from pipeledger.store import datasets
from pipeledger.store.database import Connection, read_json
from pipeledger.store.statement import Statement

_UNLIKE_PARENTS = (
    "SELECT e.id FROM pipeline_execution e WHERE e.id > :after AND ("
    "NOT EXISTS (SELECT 1 FROM pipeline_execution_closure c WHERE c.parent_execution_id = e.id"
    " AND c.child_execution_id = e.id AND c.depth = 0)"
    " OR EXISTS (SELECT 1 FROM pipeline_execution_closure a WHERE a.child_execution_id = e.parent_id"
    " AND NOT EXISTS (SELECT 1 FROM pipeline_execution_closure c WHERE c.child_execution_id = e.id"
    " AND c.parent_execution_id = a.parent_execution_id AND c.depth = a.depth + 1))"
    " OR EXISTS (SELECT 1 FROM pipeline_execution_closure c WHERE c.child_execution_id = e.id"
    " AND c.parent_execution_id <> e.id AND NOT EXISTS (SELECT 1 FROM pipeline_execution_closure a"
    " WHERE a.parent_execution_id = c.parent_execution_id AND a.child_execution_id = e.parent_id"
    " AND a.depth = c.depth - 1))) ORDER BY e.id LIMIT :page"
)
_WRONG = Statement(_UNLIKE_PARENTS)
_ROOT = Statement(
    "WITH RECURSIVE above (id, parent_id) AS (SELECT id, parent_id FROM pipeline_execution"
    " WHERE id = :id UNION SELECT e.id, e.parent_id FROM above a JOIN pipeline_execution e"
    " ON e.id = a.parent_id) SELECT id FROM above WHERE parent_id IS NULL"
)
_LOCK_ROOT = Statement(
    "SELECT parent_id FROM pipeline_execution WHERE id = :id",
    postgresql="SELECT parent_id FROM pipeline_execution WHERE id = :id FOR UPDATE",
)
_BELOW = (
    "WITH RECURSIVE below (id) AS (SELECT CAST(:id AS {bigint}) UNION ALL"
    " SELECT e.id FROM below b JOIN pipeline_execution e ON e.parent_id = b.id)"
)
_CLEAR_SQL = (
    _BELOW
    + " DELETE FROM pipeline_execution_closure WHERE child_execution_id IN (SELECT id FROM below)"
)
_CLEAR = Statement(
    _CLEAR_SQL.format(bigint="INTEGER"), postgresql=_CLEAR_SQL.format(bigint="bigint")
)
_FILL_SQL = (
    _BELOW + ", pair (upper, lower, depth) AS (SELECT id, id, 0 FROM below UNION ALL"
    " SELECT p.upper, e.id, p.depth + 1 FROM pair p JOIN pipeline_execution e ON e.parent_id = p.lower)"
    " INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT upper, lower, depth FROM pair"
)
_FILL = Statement(_FILL_SQL.format(bigint="INTEGER"), postgresql=_FILL_SQL.format(bigint="bigint"))
_MIRROR = Statement(
    "UPDATE pipeline SET watermark = (SELECT w.value FROM watermark w WHERE w.pipeline_id = pipeline.id"
    " AND w.partition_key = '') WHERE id > :after AND id <= :last"
    " AND CASE WHEN watermark = (SELECT w.value FROM watermark w WHERE w.pipeline_id = pipeline.id"
    " AND w.partition_key = '') OR (watermark IS NULL AND NOT EXISTS (SELECT 1 FROM watermark w"
    " WHERE w.pipeline_id = pipeline.id AND w.partition_key = '' AND w.value IS NOT NULL))"
    " THEN 0 ELSE 1 END = 1"
)
_PIPELINES = Statement("SELECT id FROM pipeline WHERE id > :after ORDER BY id LIMIT :page")
_CONFIGURATION_SQL = (
    "SELECT (SELECT c.configuration FROM pipeline_configuration c WHERE c.pipeline_id = p.id"
    " AND c.configuration_hash = p.configuration_hash ORDER BY c.declared_at DESC LIMIT 1)"
    " FROM pipeline p WHERE p.id = :id AND p.configuration_hash IS NOT NULL"
)
_CONFIGURATION = Statement(
    _CONFIGURATION_SQL, postgresql=_CONFIGURATION_SQL + " FOR NO KEY UPDATE OF p"
)
_DEPENDENCIES = Statement(
    "SELECT upstream_pipeline_id, downstream_pipeline_id FROM pipeline_dependency WHERE pipeline_id = :id"
)
_DROP = Statement(
    "DELETE FROM pipeline_dependency WHERE pipeline_id = :id"
    " AND upstream_pipeline_id = :upstream AND downstream_pipeline_id = :downstream"
)
_ADD = Statement(
    "INSERT INTO pipeline_dependency (pipeline_id, upstream_pipeline_id, downstream_pipeline_id)"
    " VALUES (:id, :upstream, :downstream)"
)
_FIND = Statement(
    "SELECT p.id FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
    " WHERE n.name = :namespace AND p.name = :name"
)


_ALIASES = Statement(
    "SELECT a.id, b.id, a.namespace, a.name, NULL, NULL, b.namespace, b.name, NULL, NULL"
    " FROM address_alias l JOIN address a ON a.id = l.address_id"
    " JOIN address b ON b.id = l.alias_id WHERE l.is_alias"
)
_STANDING = Statement("SELECT id, same_as_id FROM address WHERE same_as_id IS NOT NULL")
_POINT = tuple(
    Statement(
        f"UPDATE {table} SET {pointer} = (SELECT COALESCE(a.same_as_id, a.id) FROM address a"
        f" WHERE a.id = {table}.{column}) WHERE {pointer} <> (SELECT COALESCE(a.same_as_id, a.id)"
        f" FROM address a WHERE a.id = {table}.{column})"
    )
    for table, pointer, column in datasets.POINTERS
)


def wrong_in_closure(connection: Connection, after: int, page: int) -> list[int]:
    """Executions, by id, whose pairs in the closure are not what their parent's make them."""
    return [int(row[0]) for row in connection.rows(_WRONG, {"after": after, "page": page})]


def rebuild_closure(connection: Connection, id_: int) -> bool:
    """Compute the closure of the tree that an execution belongs to; False where it has no root.

    The root is locked, so that nobody adds to the tree meanwhile.
    """
    roots = connection.rows(_ROOT, {"id": id_})
    if not roots:
        return False  # parents that form a cycle: nothing here can say which of them is wrong
    root = int(roots[0][0])
    if connection.rows(_LOCK_ROOT, {"id": root}) != [(None,)]:
        return True  # moved or pruned meanwhile, by somebody who keeps the closure
    connection.run(_CLEAR, {"id": root})
    connection.run(_FILL, {"id": root})
    return True


def pipeline_ids(connection: Connection, after: int, page: int) -> list[int]:
    return [int(row[0]) for row in connection.rows(_PIPELINES, {"after": after, "page": page})]


def mirror_watermarks(connection: Connection, after: int, last: int) -> int:
    """Show the watermarks' values at their pipelines again; how many were wrong."""
    return connection.run(_MIRROR, {"after": after, "last": last})


def restore_dependencies(connection: Connection, pipeline_id: int) -> bool:
    """Make a pipeline's dependencies those of its configuration; whether they were not."""
    rows = connection.rows(_CONFIGURATION, {"id": pipeline_id})
    configuration = read_json(rows[0][0]) if rows else None
    if configuration is None:
        return False
    declared = set(_ids(connection, configuration.get("dependencies", ())))
    stored = {(int(u), int(d)) for u, d in connection.rows(_DEPENDENCIES, {"id": pipeline_id})}
    for statement, pairs in ((_DROP, stored - declared), (_ADD, declared - stored)):
        for upstream, downstream in sorted(pairs):
            connection.run(
                statement, {"id": pipeline_id, "upstream": upstream, "downstream": downstream}
            )
    return stored != declared


def _ids(connection: Connection, pairs: Sequence[Any]) -> Iterator[tuple[int, int]]:
    for upstream_space, upstream, downstream_space, downstream in pairs:
        found = [
            connection.rows(_FIND, {"namespace": space, "name": name})
            for space, name in ((upstream_space, upstream), (downstream_space, downstream))
        ]
        if all(found):
            yield int(found[0][0][0]), int(found[1][0][0])


def restore_standing(connection: Connection, now: Any) -> int:
    """Make every address name the one that stands for it, and every fact those of its ends; how many
    were wrong."""
    datasets.lock(connection, change=True)
    wrong = 0
    pairs, addresses = [], {}
    for first, second, *names in connection.rows(_ALIASES, {}):
        one, other = Address(*names[:4]), Address(*names[4:])
        addresses[one], addresses[other] = int(first), int(second)
        pairs.append((one, other))
    said = {addresses[a]: addresses[s] for a, s in standing_of(pairs).items() if a != s}
    held = {int(row[0]): int(row[1]) for row in connection.rows(_STANDING, {})}
    for id_ in sorted(said.keys() | held.keys()):
        if said.get(id_) != held.get(id_):
            parameters = {"id": id_, "standing": said.get(id_), "now": connection.time(now)}
            connection.run(datasets.STAND, parameters)
            wrong += 1
    for statement in _POINT:
        wrong += connection.run(statement, {})
    return wrong
