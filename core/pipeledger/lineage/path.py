"""The shortest way that data takes from one address to another."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.lineage_views import DOWNSTREAM, UPSTREAM, LineageEdge, PathView
from pipeledger.store.read import Connection, Reader, address_names, edges
from pipeledger.store.read.edges import Counted

MOST_LOOKED_AT = 100_000


def shortest_path(
    reader: Reader,
    source: Address | str,
    target: Address | str,
    *,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
    most: int = MOST_LOOKED_AT,
) -> PathView:
    """A shortest path from ``source`` to ``target``, in the direction of the data.

    ``edges`` of the answer is None where there is none, and empty from an address to itself. Searched
    from both ends, at most ``most`` edges; where that was not enough, ``partial`` says so.
    Raises NotFound for an address that the ledger does not know, InvalidInput.
    """
    with reader.connection() as connection:
        counts = edges.counted(connection, as_of, namespaces)
        first, begin = address_names.find(connection, source)
        last, end = address_names.find(connection, target)
        search = _Search(connection, counts, first, last, most)
        way = search.way()
        found = None
        if way is not None:
            names = address_names.of_ids(connection, way)
            owners = edges.edges_among(connection, way, counts)
            found = tuple(
                LineageEdge(names[s], names[t], owners[s, t]) for s, t in itertools.pairwise(way)
            )
    partial = f"stopped after looking at {most} edges" if search.is_cut else None
    return PathView(begin, end, found, partial, as_of)


class _Side:
    """What was reached from one end: each address with the one it was reached from."""

    def __init__(self, start: int, direction: str) -> None:
        self.direction = direction
        self.reached: dict[int, int | None] = {start: None}
        self.last = [start]

    def way(self, id_: int | None) -> list[int]:
        """From an address back to the end where this side began."""
        way = []
        while id_ is not None:
            way.append(id_)
            id_ = self.reached[id_]
        return way


class _Search:
    """Breadth first from both ends, a level of the smaller side at a time."""

    def __init__(
        self, connection: Connection, counts: Counted, first: int, last: int, most: int
    ) -> None:
        self._connection = connection
        self._counts = counts
        self._room = most
        self._down, self._up = _Side(first, DOWNSTREAM), _Side(last, UPSTREAM)
        self.is_cut = False

    def way(self) -> list[int] | None:
        """The ids from the first to the last; None: none was found."""
        meeting = self._down.reached.keys() & self._up.reached.keys()
        while not meeting and self._down.last and self._up.last:
            side = min(self._down, self._up, key=lambda one: len(one.last))
            other = self._up if side is self._down else self._down
            if not self._step(side):
                return None
            # Everything nearer was looked at before: wherever they meet now is equally near.
            meeting = side.reached.keys() & other.reached.keys()
        if not meeting:
            return None
        middle = min(meeting)
        return [*reversed(self._down.way(middle)), *self._up.way(middle)[1:]]

    def _step(self, side: _Side) -> bool:
        found = edges.pairs(
            self._connection, side.direction, side.last, self._counts, self._room + 1
        )
        if len(found) > self._room:
            self.is_cut = True
            return False
        self._room -= len(found)
        new = []
        for near, far in sorted(found):
            if far not in side.reached:
                side.reached[far] = near
                new.append(far)
        side.last = new
        return True
