"""Cycles of lineage: addresses that are made, by whatever detour, from themselves."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice

from pipeledger.model.lineage_views import Cycle, CyclesView
from pipeledger.store.read import Reader, address_names, edges, whole_graph

MOST_CYCLES = 100
MOST_NAMED = 100
MOST_EDGES = 5_000_000


def cycles(
    reader: Reader,
    *,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
    most: int = MOST_CYCLES,
    most_edges: int = MOST_EDGES,
) -> CyclesView:
    """Every group of addresses each of which is made from each other, and those made from themselves.

    The smallest first, at most ``most`` of them, with at most 100 addresses named of each. Reads
    every edge once, 16 bytes of memory each and a few hundred per address, at most ``most_edges``;
    ``partial`` says what was left.
    """
    with reader.connection() as connection:
        counts = edges.counted(connection, as_of, namespaces)
        stream = whole_graph.edges(connection, counts)
        graph = _Graph(islice(stream, most_edges))
        is_cut = next(stream, None) is not None
        groups = sorted(graph.groups(), key=lambda g: (len(g), g[0]))
        shown = [(group, graph.way_round(group)) for group in groups[:most]]
        wanted = {id_ for group, way in shown for id_ in (*group[:MOST_NAMED], *way)}
        names = address_names.of_ids(connection, wanted)
    found = (
        Cycle(
            len(group),
            tuple(names[id_] for id_ in group[:MOST_NAMED]),
            tuple(names[id_] for id_ in way),
        )
        for group, way in shown
    )
    why = None
    if is_cut:
        why = f"stopped after {most_edges} edges"
    elif len(groups) > most:
        why = f"there are {len(groups)}, {most} are shown"
    return CyclesView(tuple(found), why)


class _Graph:
    """Edges in two arrays of 64-bit ids, by source."""

    def __init__(self, edges: Iterable[tuple[int, int]]) -> None:
        self._sources, self._targets = array("q"), array("q")
        for source, target in edges:
            self._sources.append(source)
            self._targets.append(target)

    def _after(self, id_: int) -> Iterator[int]:
        place = bisect_left(self._sources, id_)
        while place < len(self._sources) and self._sources[place] == id_:
            yield self._targets[place]
            place += 1

    def groups(self) -> Iterator[list[int]]:
        """The strongly connected components with a cycle in them, each in order of ids.

        Tarjan's algorithm, with a stack of its own: a chain may be longer than Python's.
        """
        order: dict[int, int] = {}
        lowest: dict[int, int] = {}
        open_: list[int] = []
        is_open: set[int] = set()
        for i in range(len(self._sources)):
            if self._sources[i] in order:
                continue
            stack = [self._entered(self._sources[i], order, lowest, open_, is_open)]
            while stack:
                id_, following = stack[-1]
                for far in following:
                    if far not in order:
                        stack.append(self._entered(far, order, lowest, open_, is_open))
                        break
                    if far in is_open:
                        lowest[id_] = min(lowest[id_], order[far])
                else:
                    stack.pop()
                    if stack:
                        above = stack[-1][0]
                        lowest[above] = min(lowest[above], lowest[id_])
                    if lowest[id_] == order[id_]:
                        group = [open_.pop()]
                        while group[-1] != id_:
                            group.append(open_.pop())
                        is_open.difference_update(group)
                        if len(group) > 1 or id_ in self._after(id_):
                            yield sorted(group)

    def _entered(
        self,
        id_: int,
        order: dict[int, int],
        lowest: dict[int, int],
        open_: list[int],
        is_open: set[int],
    ) -> tuple[int, Iterator[int]]:
        order[id_] = lowest[id_] = len(order)
        open_.append(id_)
        is_open.add(id_)
        return id_, self._after(id_)

    def way_round(self, group: list[int]) -> list[int]:
        """A shortest way from the first of a group back to it, within the group."""
        inside = set(group)
        start = group[0]
        came: dict[int, int] = {}
        queue = deque([start])
        while queue:
            near = queue.popleft()
            for far in self._after(near):
                if far == start:
                    way = [start]
                    while near != start:
                        way.append(near)
                        near = came[near]
                    return [start, *reversed(way)]
                if far in inside and far not in came:
                    came[far] = near
                    queue.append(far)
        raise AssertionError(f"{start} is in no cycle")
