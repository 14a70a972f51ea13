"""Walks over lineage edges: what lies upstream or downstream of an address, or of a pipeline.

Breadth first, each address once: diamonds and cycles cost nothing extra, and the first time an
address is met is its least distance. Edges that the asker may not see, or that do not hold at the
moment asked about, are left out while walking: an answer is reachability over the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.lineage_views import (
    DOWNSTREAM,
    UPSTREAM,
    LineageEdge,
    LineageNode,
    LineageView,
)
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read import Connection, Reader, address_names, pipeline_addresses
from pipeledger.store.read import edges as stored
from pipeledger.store.read.edges import Counted
from pipeledger.store.read.reach import Reach, reach

DEPTH = 10
MOST = 1_000
MOST_VISITED = 100_000
"""How many addresses a walk looks at for those that it was asked to show."""
NAMED_AT_ONCE = 5_000

Start = Address | PipelineRef | str


def upstream(
    reader: Reader,
    start: Start,
    *,
    depth: int | None = DEPTH,
    most: int = MOST,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
) -> LineageView:
    """Where the data of an address, or of a pipeline, comes from. See ``walk``."""
    return walk(reader, start, UPSTREAM, depth=depth, most=most, as_of=as_of, namespaces=namespaces)


def downstream(
    reader: Reader,
    start: Start,
    *,
    depth: int | None = DEPTH,
    most: int = MOST,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
) -> LineageView:
    """Where the data of an address, or of a pipeline, goes to. See ``walk``."""
    return walk(
        reader, start, DOWNSTREAM, depth=depth, most=most, as_of=as_of, namespaces=namespaces
    )


def walk(
    reader: Reader,
    start: Start,
    direction: str,
    *,
    depth: int | None = DEPTH,
    most: int = MOST,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
    address_namespaces: Collection[str] = (),
    types: Collection[str] = (),
    with_edges: bool = True,
) -> LineageView:
    """All addresses within ``depth`` steps (None: all the way), at most ``most``, and their edges.

    ``start``: an address as a URL, the end of its name, or an Address; or a PipelineRef: upstream of
    it is what it reads (depth 1) and what that comes from, downstream what it writes, and so on.
    ``as_of``: lineage as it was at a moment. ``namespaces``: only edges of pipelines in these count.
    ``address_namespaces`` and ``types``: only such addresses are shown; the walk goes through the
    others, and depths count them. ``with_edges`` False leaves the edges out: quicker.

    Raises NotFound for an address or pipeline that the ledger does not know, InvalidInput.
    """
    if (depth is not None and depth < 1) or most < 1:
        raise InvalidInput(f"depth {depth} and most {most}: expected both to be 1 or more")
    with reader.connection() as connection:
        counts = stored.counted(connection, as_of, namespaces)
        begin = _begin(connection, start, direction, counts, namespaces)
        shows = _Filter(frozenset(address_namespaces), frozenset(types))
        reached = begin.reach(connection, direction, counts, depth, shows.visits(most))
        ids = list(reached.depths)
        beyond = (
            reached.edge
            if reached.is_exact
            else stored.with_more_beyond(connection, direction, reached.edge, ids, counts)
        )
        names = reached.names or _named(connection, ids)
        shown = [id_ for id_ in ids if shows.shows(names[id_]) and id_ not in begin.hidden]
        left_out = len(shown) > most
        del shown[most:]
        owners = (
            stored.edges_among(connection, [*shown, *begin.hidden], counts) if with_edges else {}
        )
    nodes = (LineageNode(names[id_], reached.depths[id_] + begin.distance) for id_ in shown)
    return LineageView(
        address=begin.address,
        pipeline=begin.pipeline,
        direction=direction,
        nodes=tuple(sorted(nodes, key=lambda node: (node.depth, node.address.key))),
        edges=_edges(owners, names),
        partial=_why(reached, bool(beyond), left_out, depth, most, shows),
        frontier=tuple(sorted((names[id_] for id_ in beyond), key=lambda a: a.key)),
        as_of=as_of,
    )


def stream(
    reader: Reader,
    start: Start,
    direction: str,
    *,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
) -> Iterator[LineageNode]:
    """Everything up- or downstream, the nearest first, however much it is.

    For answers of hundreds of thousands: keeps the ids that it has seen, and a few thousand names
    at a time. Holds a connection until it is exhausted or closed.
    """
    with reader.connection() as connection:
        counts = stored.counted(connection, as_of, namespaces)
        begin = _begin(connection, start, direction, counts, namespaces)
        for level, ids in enumerate(stored.levels(connection, direction, begin.ids, counts)):
            if level == 0 and begin.hidden:
                continue
            for first in range(0, len(ids), NAMED_AT_ONCE):
                part = ids[first : first + NAMED_AT_ONCE]
                for address in address_names.of_ids(connection, part).values():
                    yield LineageNode(address, level + begin.distance)


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a walk begins: at an address, which it does not show, or at those of a pipeline."""

    ids: tuple[int, ...]
    address: Address | None = None
    pipeline: PipelineRef | None = None

    @property
    def hidden(self) -> tuple[int, ...]:
        return () if self.address is None else self.ids

    @property
    def distance(self) -> int:
        """The depth at which the ids themselves are shown."""
        return 0 if self.address is not None else 1

    def reach(
        self, connection: Connection, direction: str, counts: Counted, depth: int | None, most: int
    ) -> Reach:
        """What is within the depth; of a pipeline the addresses it begins with are counted, too."""
        steps = None if depth is None else depth - self.distance
        if self.address is not None:
            return reach(connection, direction, self.ids, counts, depth=steps, most=most)
        if len(self.ids) > most:
            starts = self.ids[:most]
            return Reach(dict.fromkeys(starts, 0), True, starts)
        room = most - len(self.ids)
        return reach(connection, direction, self.ids, counts, depth=steps, most=room)


@dataclass(frozen=True, slots=True)
class _Filter:
    address_namespaces: frozenset[str]
    types: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.address_namespaces or self.types)

    def visits(self, most: int) -> int:
        return max(most, MOST_VISITED) if self else most

    def shows(self, address: Address) -> bool:
        return (not self.address_namespaces or address.namespace in self.address_namespaces) and (
            not self.types or address.type_name in self.types
        )


def _begin(
    connection: Connection,
    start: Start,
    direction: str,
    counts: Counted,
    namespaces: Collection[str] | None,
) -> _Begin:
    if not isinstance(start, PipelineRef):
        id_, address = address_names.find(connection, start)
        return _Begin((id_,), address)
    id_, ref = pipeline_addresses.visible(connection, start, namespaces)
    role = pipeline_addresses.INPUT if direction == UPSTREAM else pipeline_addresses.OUTPUT
    ids = pipeline_addresses.addresses_of(connection, [id_], role, counts)
    return _Begin(tuple(ids), None, ref)


def _named(connection: Connection, ids: list[int]) -> dict[int, Address]:
    names: dict[int, Address] = {}
    for first in range(0, len(ids), NAMED_AT_ONCE):
        names.update(address_names.of_ids(connection, ids[first : first + NAMED_AT_ONCE]))
    return names


def _edges(
    owners: dict[tuple[int, int], tuple[PipelineRef, ...]], names: dict[int, Address]
) -> tuple[LineageEdge, ...]:
    found = (
        LineageEdge(names[source], names[target], pipelines)
        for (source, target), pipelines in owners.items()
    )
    return tuple(sorted(found, key=lambda edge: (edge.source.key, edge.target.key)))


def _why(
    reached: Reach, beyond: bool, left_out: bool, depth: int | None, most: int, shows: _Filter
) -> str | None:
    if left_out or (reached.is_cut and not shows):
        return f"stopped after {most} addresses"
    if reached.is_cut:
        return f"stopped after looking at {MOST_VISITED} addresses"
    return f"stopped at depth {depth}" if beyond else None
