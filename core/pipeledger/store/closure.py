"""The closure of executions: every (ancestor, descendant) pair, kept equal to the parent relation.

Adding a leaf locks its root FOR KEY SHARE, moving a subtree locks both roots FOR UPDATE in id order,
and both look again after locking: under READ COMMITTED a pair is lost for ever otherwise (DESIGN.md,
"Closure of executions"). On SQLite the transaction is the lock.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from pipeledger.model.errors import ParentCycle
from pipeledger.model.record import Ranked
from pipeledger.store.database import Conflict, Connection
from pipeledger.store.statement import Statement

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """An execution in its tree, as one look found it."""

    id: int
    parent_id: int | None
    parent_rank: bytes | None
    root_id: int


_ROOT = (
    "(SELECT c.parent_execution_id FROM pipeline_execution_closure c"
    " WHERE c.child_execution_id = e.id ORDER BY c.depth DESC LIMIT 1)"
)
_LOOK = Statement(
    f"SELECT run_key, id, parent_id, parent_rank, {_ROOT} FROM pipeline_execution e WHERE run_key = :key",
    postgresql=f"SELECT run_key, id, parent_id, parent_rank, {_ROOT} FROM pipeline_execution e"
    " WHERE run_key = ANY(CAST(:keys AS uuid[]))",
)
_LOCK = "SELECT id FROM pipeline_execution WHERE id = ANY(:ids) ORDER BY id"
_LOCK_LEAF = Statement("", postgresql=_LOCK + " FOR KEY SHARE")
_LOCK_RELINK = Statement("", postgresql=_LOCK + " FOR UPDATE")
_ADD_SELF = Statement(
    "INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " VALUES (:id, :id, 0) ON CONFLICT (parent_execution_id, child_execution_id) DO NOTHING"
)
_ADD_SELVES = Statement(
    "",
    postgresql="INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT i, i, 0 FROM unnest(CAST(:ids AS bigint[])) AS i",
)
_ADD_LEAF = Statement(
    "INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT parent_execution_id, :id, depth + 1 FROM pipeline_execution_closure"
    " WHERE child_execution_id = :parent_id"
)
_IS_BELOW = Statement(
    "SELECT 1 FROM pipeline_execution_closure"
    " WHERE parent_execution_id = :upper AND child_execution_id = :lower"
)
_SET_PARENT = Statement(
    "UPDATE pipeline_execution SET parent_id = :parent_id, parent_rank = :rank WHERE id = :id"
)
_CUT = Statement(
    "DELETE FROM pipeline_execution_closure WHERE child_execution_id IN (SELECT child_execution_id"
    " FROM pipeline_execution_closure WHERE parent_execution_id = :id) AND parent_execution_id IN ("
    " SELECT parent_execution_id FROM pipeline_execution_closure WHERE child_execution_id = :id"
    " AND depth > 0)"
)
_GRAFT = Statement(
    "INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT a.parent_execution_id, d.child_execution_id, a.depth + d.depth + 1"
    " FROM pipeline_execution_closure a JOIN pipeline_execution_closure d ON d.parent_execution_id = :id"
    " WHERE a.child_execution_id = :parent_id"
)
_SET_PARENTS = Statement(
    "",
    postgresql="UPDATE pipeline_execution e SET parent_id = l.parent_id, parent_rank = l.rank"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:parent_ids AS bigint[]), CAST(:ranks AS bytea[]))"
    " AS l (id, parent_id, rank) WHERE e.id = l.id",
)
_ADD_LEAVES = Statement(
    "",
    postgresql="INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
    " SELECT a.parent_execution_id, l.id, a.depth + 1"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:parent_ids AS bigint[])) AS l (id, parent_id)"
    " JOIN pipeline_execution_closure a ON a.child_execution_id = l.parent_id",
)


def look(connection: Connection, keys: Iterable[UUID]) -> dict[UUID, Node]:
    """The executions of these keys that exist, with their roots."""
    wanted = [str(key) for key in keys]
    if connection.is_sqlite:
        rows = [row for key in wanted for row in connection.rows(_LOOK, {"key": key})]
    else:
        rows = connection.rows(_LOOK, {"keys": wanted}) if wanted else []
    return {
        UUID(str(key)): Node(int(id_), parent, None if rank is None else bytes(rank), int(root))
        for key, id_, parent, rank, root in rows
    }


def lock_leaf_roots(connection: Connection, roots: Iterable[int]) -> list[int]:
    """Keep these trees from being moved until the transaction ends; their roots may still be updated."""
    return _lock(connection, _LOCK_LEAF, roots)


def lock_relink_roots(connection: Connection, roots: Iterable[int]) -> list[int]:
    """Keep everybody else from changing these trees until the transaction ends."""
    return _lock(connection, _LOCK_RELINK, roots)


def _lock(connection: Connection, statement: Statement, roots: Iterable[int]) -> list[int]:
    ids = sorted(set(roots))
    if (
        ids
        and not connection.is_sqlite
        and len(connection.rows(statement, {"ids": ids})) != len(ids)
    ):
        raise Conflict("an execution was pruned while a run was added below it")
    return ids


def add_self(connection: Connection, id_: int) -> bool:
    """The pair of an execution with itself; whether it was new, and with it the execution."""
    return connection.run(_ADD_SELF, {"id": id_}) == 1


def add_selves(connection: Connection, ids: list[int]) -> None:
    if ids:
        connection.run(_ADD_SELVES, {"ids": ids})


def add_leaf(connection: Connection, id_: int, parent_id: int) -> None:
    """Hang an execution that has nothing below it under its parent."""
    connection.run(_ADD_LEAF, {"id": id_, "parent_id": parent_id})


def relink(connection: Connection, child: Node, parent_id: int, parent: Ranked, key: UUID) -> bool:
    """Move an execution with everything below it under a parent; both trees are locked.

    A parent that lies below the child is refused: the first delivered stays (DESIGN.md, law 2).
    """
    if child.parent_id == parent_id:
        connection.run(_SET_PARENT, {"id": child.id, "parent_id": parent_id, "rank": parent.rank})
        return True
    if connection.rows(_IS_BELOW, {"upper": child.id, "lower": parent_id}):
        warn_cycle(key, parent.value)
        return False
    if child.parent_id is not None:
        connection.run(_CUT, {"id": child.id})
    connection.run(_SET_PARENT, {"id": child.id, "parent_id": parent_id, "rank": parent.rank})
    connection.run(_GRAFT, {"id": child.id, "parent_id": parent_id})
    return True


def link_new(
    connection: Connection,
    links: dict[UUID, tuple[int, int, Ranked]],
    inserted_with_parent: Collection[UUID],
) -> None:
    """Hang new executions, key -> (id, parent's id, parent), under their parents, level by level.

    Those in ``inserted_with_parent`` have their parent already, and lack only their ancestors.
    A new execution has nothing below it but other new ones, so that each level is one statement.
    """
    pending = dict(links)
    while pending:
        ids = {id_ for id_, _, _ in pending.values()}
        level = {key: link for key, link in pending.items() if link[1] not in ids}
        if not level:
            _link_one_by_one(connection, pending)
            return
        bare = [link for key, link in level.items() if key not in inserted_with_parent]
        if bare:
            connection.run(
                _SET_PARENTS,
                {
                    "ids": [id_ for id_, _, _ in bare],
                    "parent_ids": [parent_id for _, parent_id, _ in bare],
                    "ranks": [parent.rank for _, _, parent in bare],
                },
            )
        connection.run(
            _ADD_LEAVES,
            {
                "ids": [id_ for id_, _, _ in level.values()],
                "parent_ids": [parent_id for _, parent_id, _ in level.values()],
            },
        )
        for key in level:
            del pending[key]


def _link_one_by_one(connection: Connection, links: dict[UUID, tuple[int, int, Ranked]]) -> None:
    """What is left runs inside itself: link in key order, and refuse the link that closes the circle."""
    for key, (id_, parent_id, parent) in links.items():
        relink(connection, Node(id_, None, None, id_), parent_id, parent, key)


def warn_cycle(child: UUID, parent: UUID) -> None:
    log.warning("%s", ParentCycle(child, parent), extra={"run_key": str(child)})
