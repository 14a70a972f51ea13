"""Walks over columns: what a column is made from or influenced by, and where it goes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pipeledger.lineage.walk import DEPTH, MOST
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.lineage import WHOLE, checked_column
from pipeledger.model.lineage_views import (
    UPSTREAM,
    ColumnLineageEdge,
    ColumnLineageView,
    ColumnNode,
    ColumnOf,
)
from pipeledger.store.read import Connection, Reader, address_names, column_edges, edges
from pipeledger.store.read.column_edges import Column, Row
from pipeledger.store.read.edges import Counted

MOST_EDGES = 200_000
"""How many edges one step may meet before the answer is cut."""


def walk_columns(
    reader: Reader,
    address: Address | str,
    column: str,
    direction: str,
    *,
    depth: int | None = DEPTH,
    most: int = MOST,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
    values_only: bool = False,
) -> ColumnLineageView:
    """The columns up- or downstream of one, within ``depth`` steps, at most ``most``, and their edges.

    ``column`` as its store spells it. A filter, a join, a grouping or a sort decides which rows an
    address has, and so goes into all of its columns: downstream that is a node whose column is
    empty, and which goes wherever any column of the address goes. ``values_only`` leaves those out:
    what remains is what values are made from. Everything else as in ``walk.walk``.

    Raises NotFound for an address that the ledger does not know, InvalidInput. A column that nobody
    has named in lineage has an empty answer.
    """
    if (depth is not None and depth < 1) or most < 1:
        raise InvalidInput(f"depth {depth} and most {most}: expected both to be 1 or more")
    checked_column(column)
    with reader.connection() as connection:
        counts = edges.counted(connection, as_of, namespaces)
        id_, found = address_names.find(connection, address)
        walk = _Walk(connection, direction, counts, values_only)
        walk.go((id_, column), depth, most)
        names = address_names.of_ids(connection, {id_ for id_, _ in walk.depths})
        pipelines = edges.pipelines(connection, {row[5] for row in walk.met})

    def named(one: Column) -> ColumnOf:
        return ColumnOf(names[one[0]], one[1])

    def made(near: Column, far: Column, some: list[Row]) -> ColumnLineageEdge:
        source, target = (far, near) if direction == UPSTREAM else (near, far)
        owners = {pipelines[row[5]] for row in some}
        return ColumnLineageEdge(
            named(source),
            named(target),
            tuple(sorted({row[4] for row in some})),
            tuple(sorted(owners, key=lambda p: (p.namespace, p.name))),
        )

    nodes = (ColumnNode(named(one), at) for one, at in walk.depths.items() if at)
    among = (made(near, far, some) for (near, far), some in walk.among().items())
    beyond = walk.beyond()
    return ColumnLineageView(
        column=ColumnOf(found, column),
        direction=direction,
        nodes=tuple(sorted(nodes, key=lambda n: (n.depth, n.column.key))),
        edges=tuple(sorted(among, key=lambda e: (e.source.key, e.target.key))),
        partial=walk.cut or (f"stopped at depth {depth}" if beyond else None),
        frontier=tuple(sorted((named(one) for one in beyond), key=lambda c: c.key)),
        as_of=as_of,
    )


class _Walk:
    """Columns with their least depths, and every edge that was met on the way."""

    def __init__(
        self, connection: Connection, direction: str, counts: Counted, values_only: bool
    ) -> None:
        self._connection = connection
        self._upstream = direction == UPSTREAM
        self._direction = direction
        self._counts = counts
        self._values_only = values_only
        self._columns: dict[int, list[Column]] = {}
        self.depths: dict[Column, int] = {}
        self.met: set[Row] = set()
        self.cut: str | None = None

    def go(self, start: Column, depth: int | None, most: int) -> None:
        self._reached(start, 0)
        last, level = [start], 0
        while last and self.cut is None and (depth is None or level < depth):
            level += 1
            new = []
            for row in self._step(last):
                far = self._far(row)
                if far in self.depths:
                    continue
                if len(self.depths) > most:
                    self.cut = f"stopped after {most} columns"
                    break
                self._reached(far, level)
                new.append(far)
            last = new
        if last:
            self._step(last)

    def among(self) -> dict[tuple[Column, Column], list[Row]]:
        """(a column that was reached, one that the next step from it reaches): the edges that do so."""
        found: dict[tuple[Column, Column], list[Row]] = {}
        for row in sorted(self.met):
            if (far := self._far(row)) in self.depths:
                for near in self._near(row):
                    found.setdefault((near, far), []).append(row)
        return found

    def beyond(self) -> set[Column]:
        """The columns that were reached, and from which there is more to reach."""
        return {n for row in self.met if self._far(row) not in self.depths for n in self._near(row)}

    def _reached(self, column: Column, depth: int) -> None:
        self.depths[column] = depth
        self._columns.setdefault(column[0], []).append(column)

    def _step(self, columns: list[Column]) -> list[Row]:
        found = column_edges.touching(
            self._connection,
            self._direction,
            columns,
            self._counts,
            values_only=self._values_only,
            most=MOST_EDGES,
        )
        if len(found) == MOST_EDGES:
            self.cut = f"stopped after {MOST_EDGES} edges of one step"
        self.met.update(found)
        return found

    def _far(self, row: Row) -> Column:
        return row[:2] if self._upstream else row[2:4]

    def _near(self, row: Row) -> list[Column]:
        """The columns that were reached and that the edge is a step from."""
        if self._upstream:
            id_, name = row[2:4]
            return [c for c in self._columns.get(id_, ()) if name in (c[1], WHOLE)]
        id_, name = row[:2]
        return [c for c in self._columns.get(id_, ()) if c[1] in (name, WHOLE)]
