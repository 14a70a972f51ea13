"""What is reached from addresses: the nearest, with their least distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.store.read.edges import Counted, Variants, neighbours, pairs
from pipeledger.store.read.spelled import rows

AT_ONCE = 6
"""To this depth a walk is one statement that gives depths. Deeper, its rows (address, depth) are many
more than the addresses: then one gives the addresses, and their edges the depths (measured at a
million edges; a statement per level takes twice as long)."""
MOST_AT_ONCE = 20_000
"""For more addresses a walk goes level by level, without holding their edges."""
EDGES_EACH = 50

# Everything that a walk asks, in one statement: who has more beyond it, and the names.
_at_once = Variants(
    "WITH RECURSIVE walk (id, depth) AS (SELECT id, 0 FROM EACH(ids) i"
    " UNION SELECT e.{far}, w.depth + 1 FROM walk w JOIN lineage_edge e ON e.{near} = w.id"
    " WHERE w.depth < :depth AND {counts} CUT(most)),"
    " few AS MATERIALIZED (SELECT id, depth FROM walk LIMIT :most),"
    " reached AS MATERIALIZED (SELECT id, MIN(depth) AS depth FROM few GROUP BY id)"
    " SELECT r.id, r.depth, CASE WHEN r.depth = :depth THEN (SELECT 1 FROM lineage_edge e"
    " WHERE e.{near} = r.id AND {counts} AND e.{far} NOT IN (SELECT id FROM reached) LIMIT 1) END,"
    " (SELECT COUNT(*) FROM few), a.namespace, a.name, t.name, t.group_name"
    " FROM reached r JOIN address a ON a.id = r.id JOIN address_type t ON t.id = a.address_type_id"
    " ORDER BY r.depth, r.id"
)
_first = Variants(
    "WITH RECURSIVE walk (id) AS (SELECT id FROM EACH(ids) i"
    " UNION SELECT e.{far} FROM walk w JOIN lineage_edge e ON e.{near} = w.id"
    " WHERE {counts} CUT(most)) SELECT id FROM walk LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What was reached: addresses with their least depths, the nearest first, where it began at 0.

    ``is_cut``: there were more within the depth than could be taken. ``edge``: those from which the
    walk did not go on, empty when it came to its end; where ``is_exact``, each has more beyond it.
    ``names``: of all of them, where they came along; else empty.
    """

    depths: dict[int, int]
    is_cut: bool
    edge: tuple[int, ...]
    is_exact: bool = False
    names: dict[int, Address] = field(default_factory=dict)


def reach(
    connection: Connection,
    direction: str,
    starts: Sequence[int],
    counted: Counted,
    *,
    depth: int | None,
    most: int,
) -> Reach:
    """The nearest ``most`` addresses within ``depth`` steps of the starts, which are not counted."""
    found = None
    if depth is not None and depth <= AT_ONCE and most <= MOST_AT_ONCE:
        found = _all(connection, direction, starts, counted, depth, most)
    if found is None and most <= MOST_AT_ONCE:
        found = _in_order(connection, direction, starts, counted, depth, most)
    return found or _by_levels(connection, direction, starts, counted, depth, most)


def _all(
    connection: Connection,
    direction: str,
    starts: Sequence[int],
    counted: Counted,
    depth: int,
    most: int,
) -> Reach | None:
    """All within the depth, by one statement; None where that is too much."""
    limit = 2 * most + len(starts) + 1
    values = {"ids": starts, "depth": depth, "most": limit, **counted.values}
    found = rows(connection, _at_once.of(counted, direction), values)
    if not found:
        return Reach({}, False, ())
    if found[0][3] == limit or len(found) > most + len(starts):
        return None
    depths = {row[0]: row[1] for row in found}
    beyond = tuple(row[0] for row in found if row[2])
    names = {row[0]: Address(*row[4:]) for row in found}
    return Reach(depths, False, beyond, True, names)


def _in_order(
    connection: Connection,
    direction: str,
    starts: Sequence[int],
    counted: Counted,
    depth: int | None,
    most: int,
) -> Reach | None:
    """One statement for the addresses, one for their edges; None where those are too many.

    Both databases work through such a query level by level, so that the first rows are the nearest
    addresses: among them are all that lie on the shortest ways to them.
    """
    room = len(starts) + most
    values = {"ids": starts, "most": room + 1, **counted.values}
    ids = [row[0] for row in rows(connection, _first.of(counted, direction), values)]
    limit = EDGES_EACH * (len(ids) + 100)
    found = pairs(connection, direction, ids, counted, limit)
    if len(found) == limit:
        return None
    after: dict[int, list[int]] = {}
    for near, far in found:
        after.setdefault(near, []).append(far)
    taken, depths = set(ids), dict.fromkeys(starts, 0)
    last, level = list(starts), 0
    while last and (depth is None or level < depth):
        level += 1
        new = []
        for near in last:
            for far in after.get(near, ()):
                if far in taken and far not in depths:
                    depths[far] = level
                    new.append(far)
        last = new
    is_cut = len(depths) > room
    if is_cut:
        del depths[ids[-1]]
    edge = {near for near, far in found if near in depths and far not in depths}
    return Reach(depths, is_cut, tuple(edge), is_exact=True)


def _by_levels(
    connection: Connection,
    direction: str,
    starts: Sequence[int],
    counted: Counted,
    depth: int | None,
    most: int,
) -> Reach:
    """A statement per level, however many there are."""
    depths = dict.fromkeys(starts, 0)
    last: list[int] = list(starts)
    before: list[int] = []
    level = 0
    while last and (depth is None or level < depth):
        level += 1
        # Of so many at most those known already are not new: a full answer shows a cut.
        near = neighbours(connection, direction, last, counted, most + len(starts) + 1)
        new = [id_ for id_ in near if id_ not in depths]
        room = most - (len(depths) - len(starts))
        is_cut = len(new) > room
        before, last = last, new[:room]
        depths.update(dict.fromkeys(last, level))
        if is_cut:
            return Reach(depths, True, (*before, *last))
    return Reach(depths, False, tuple(last))
