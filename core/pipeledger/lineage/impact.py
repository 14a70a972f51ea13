"""The blast radius of an execution that failed, or was wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from pipeledger.model.errors import UnknownExecution
from pipeledger.model.impact import AffectedPipeline, Consumer, ImpactView
from pipeledger.model.lineage_views import DOWNSTREAM, LineageNode
from pipeledger.store.read import (
    Connection,
    Reader,
    address_names,
    consumers,
    edges,
    executions,
    pipeline_addresses,
)
from pipeledger.store.read.consumers import Consumption, Product
from pipeledger.store.read.edges import Counted
from pipeledger.store.read.reach import reach

MOST = 10_000
MOST_READ = 200_000
"""How many inputs of executions one step may read before the answer is cut."""


def impact(
    reader: Reader,
    key: UUID | str,
    *,
    namespaces: Collection[str] | None = None,
    most: int = MOST,
) -> ImpactView:
    """Who consumed what an execution wrote, and what lies downstream of it, the nearest first.

    ``key``: the run key or its first digits. What ran inside it is part of it. An execution consumed
    it that read one of its outputs, under any name of the data, and started after the writer did;
    where both know the version of the data it must be the same. And so on from the consumer's own
    outputs. Addresses and pipelines downstream are by lineage, from what it wrote and what its
    pipelines are known to write. ``namespaces``: only their executions, pipelines and edges count.
    At most ``most`` executions and ``most`` addresses; ``partial`` says what was left out.

    Raises UnknownExecution, InvalidInput where several keys begin so.
    """
    with reader.connection() as connection:
        counts = edges.counted(connection, None, namespaces)
        id_, view = executions.find(connection, str(key))
        if namespaces is not None and (
            view.pipeline is None or view.pipeline.namespace not in namespaces
        ):
            raise UnknownExecution(str(key))
        own = consumers.inside(connection, id_)
        pipelines = {pipeline for pipeline in own.values() if pipeline is not None}
        wrote = {p.address_id for p in consumers.products(connection, [id_], counts.namespaces)}
        wrote.update(
            pipeline_addresses.addresses_of(
                connection, pipelines, pipeline_addresses.OUTPUT, counts
            )
        )
        search = _Search(connection, counts, frozenset(own), most)
        search.go(id_)
        reached = reach(connection, DOWNSTREAM, sorted(wrote), counts, depth=None, most=most)
        readers = _readers(connection, reached.depths, counts, pipelines)
        refs = edges.pipelines(connection, readers)
        through = {hit.address_id for hit in search.hits.values()}
        names = address_names.of_ids(connection, through | set(reached.depths))
        views = executions.of_ids(connection, search.hits)
    affected = (
        Consumer(views[e], hit.distance, names[hit.address_id]) for e, hit in search.hits.items()
    )
    nodes = (LineageNode(names[i], depth) for i, depth in reached.depths.items() if depth)
    below = (AffectedPipeline(refs[p], d, names[a]) for p, (d, a) in readers.items())
    why = [search.cut] if search.cut else []
    if reached.is_cut:
        why.append(f"stopped after {most} addresses downstream")
    return ImpactView(
        execution=view,
        outputs=tuple(sorted((names[i] for i in wrote), key=lambda a: a.key)),
        consumers=tuple(sorted(affected, key=_when)),
        addresses=tuple(sorted(nodes, key=lambda n: (n.depth, n.address.key))),
        pipelines=tuple(
            sorted(below, key=lambda p: (p.distance, p.pipeline.namespace, p.pipeline.name))
        ),
        partial="; ".join(why) or None,
    )


@dataclass(frozen=True, slots=True)
class _Hit:
    distance: int
    address_id: int


class _Search:
    """Consumers, and consumers of what they wrote, each execution once, the nearest first."""

    def __init__(
        self, connection: Connection, counts: Counted, own: frozenset[int], most: int
    ) -> None:
        self._connection = connection
        self._counts = counts
        self._own = own
        self._most = most
        self.hits: dict[int, _Hit] = {}
        self.cut: str | None = None

    def go(self, start: int) -> None:
        last, distance = [start], 0
        while last and self.cut is None:
            distance += 1
            products = consumers.products(self._connection, last, self._counts.namespaces)
            last = []
            for found in self._consumptions(products):
                if found.execution_id in self._own or found.execution_id in self.hits:
                    continue
                if len(self.hits) == self._most:
                    self.cut = f"stopped after {self._most} executions"
                    break
                self.hits[found.execution_id] = _Hit(distance, found.address_id)
                last.append(found.execution_id)

    def _consumptions(self, products: set[Product]) -> list[Consumption]:
        if not products:
            return []
        of: dict[int, list[Product]] = {}
        for product in products:
            of.setdefault(product.address_id, []).append(product)
        found = consumers.consumptions(
            self._connection,
            of,
            min(product.since for product in products),
            self._counts.namespaces,
            MOST_READ,
        )
        if len(found) == MOST_READ:
            self.cut = f"stopped after {MOST_READ} inputs of executions"
        return [c for c in found if any(c.takes(product) for product in of[c.address_id])]


def _readers(
    connection: Connection, depths: dict[int, int], counts: Counted, own: set[int]
) -> dict[int, tuple[int, int]]:
    """Pipelines that read any of these, with the distance and the nearest address that each reads."""
    nearest: dict[int, tuple[int, int]] = {}
    users = pipeline_addresses.users(connection, depths, pipeline_addresses.INPUT, counts)
    for pipeline, address in users:
        here = (depths[address] + 1, address)
        if pipeline not in own and here < nearest.get(pipeline, (here[0] + 1, 0)):
            nearest[pipeline] = here
    return nearest


def _when(consumer: Consumer) -> tuple[object, ...]:
    execution = consumer.execution
    started = execution.started_at or execution.ended_at
    return (consumer.distance, started is None, started, str(execution.run_key))
