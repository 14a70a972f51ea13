"""Walks over lineage edges: what lies upstream or downstream of an address.

Breadth first, one query per level, each address once: diamonds and cycles cost nothing extra, and
the first time an address is met is its least distance. (A recursive query over paths enumerates
them; one over addresses cannot tell depth and stop at a number of addresses.)
"""

from __future__ import annotations

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.views import LineageEdge, LineageNode, LineageView
from pipeledger.store.read import Reader, edges
from pipeledger.store.read.edges import DOWNSTREAM, UPSTREAM

DEPTH = 10
MOST = 1_000


def upstream(
    reader: Reader, address: Address | str, *, depth: int = DEPTH, most: int = MOST
) -> LineageView:
    """Where the data of an address comes from."""
    return walk(reader, address, UPSTREAM, depth=depth, most=most)


def downstream(
    reader: Reader, address: Address | str, *, depth: int = DEPTH, most: int = MOST
) -> LineageView:
    """Where the data of an address goes to."""
    return walk(reader, address, DOWNSTREAM, depth=depth, most=most)


def walk(
    reader: Reader,
    address: Address | str,
    direction: str,
    *,
    depth: int = DEPTH,
    most: int = MOST,
) -> LineageView:
    """All addresses within ``depth`` steps, at most ``most`` of them, and the edges among them.

    ``address``: a URL, the end of a name, or an Address. An answer that was cut says so in
    ``partial``. Raises NotFound for an address that the ledger does not know.
    """
    if depth < 1 or most < 1:
        raise InvalidInput(f"depth {depth} and most {most}: expected both to be 1 or more")
    with reader.connection() as connection:
        start, found = edges.find(connection, address)
        depths = {start: 0}
        frontier, cut = [start], False
        for level in range(1, depth + 1):
            # Of twice the limit at most half is known already: a full answer shows a cut.
            near = edges.neighbours(connection, direction, frontier, 2 * most + 2)
            new = [id_ for id_ in near if id_ not in depths]
            room = most - (len(depths) - 1)
            cut = len(new) > room
            frontier = new[:room]
            depths.update(dict.fromkeys(frontier, level))
            if cut or not frontier:
                break
        beyond = (
            edges.with_more_beyond(connection, direction, list(depths), list(depths))
            if cut or frontier
            else []
        )
        names = edges.addresses(connection, list(depths))
        owners = edges.edges_among(connection, list(depths))
    nodes = sorted(
        (LineageNode(names[id_], at) for id_, at in depths.items() if id_ != start),
        key=lambda node: (node.depth, node.address.key),
    )
    return LineageView(
        address=found,
        direction=direction,
        nodes=tuple(nodes),
        edges=tuple(
            sorted(
                (
                    LineageEdge(names[s], names[t], pipelines)
                    for (s, t), pipelines in owners.items()
                ),
                key=lambda edge: (edge.source.key, edge.target.key),
            )
        ),
        partial=_why(cut, beyond, depth, most),
        frontier=tuple(sorted((names[id_] for id_ in beyond), key=lambda a: a.key)),
    )


def _why(cut: bool, beyond: list[int], depth: int, most: int) -> str | None:
    if not beyond:
        return None
    return f"stopped after {most} addresses" if cut else f"stopped at depth {depth}"
