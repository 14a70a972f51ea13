"""Random lineage, written into the tables of a ledger and kept as a networkx graph beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import networkx as nx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.spans import FOREVER
from pipeledger.store import tables
from pipeledger.store.read import Reader

NODES = 9
ALIASED = frozenset((1, 4, 7))
"""Addresses that also have another name, whose id is 100 more."""
PIPELINES = (
    PipelineRef("p0"), PipelineRef("p1", "sales"), PipelineRef("p2", "sales"), PipelineRef("p3", "ops"),
)  # fmt: skip
NAMESPACES = ("default", "sales", "ops")
NOW = times.now()
MOMENTS = tuple(NOW - timedelta(days=days) for days in (400, 300, 200, 100))
SPANS = (
    (MOMENTS[0], MOMENTS[1]),
    (MOMENTS[0], MOMENTS[2]),
    (MOMENTS[1], MOMENTS[3]),
    (MOMENTS[1], FOREVER),
    (MOMENTS[3], FOREVER),
    (MOMENTS[0], FOREVER),
)


def name(node: int) -> Address:
    return Address("postgres://dwh:5432", f"sales.public.t{node}")


def alias(node: int) -> Address:
    return Address("dagster", f"asset/t{node}")


def number(address: Address) -> int:
    """The node of an address that stands."""
    assert address.namespace == "postgres://dwh:5432", "an answer shows the address that stands"
    return int(address.name.rpartition("t")[2])


@dataclass(frozen=True)
class Edge:
    """``as_alias``: which ends were declared under their other name: 1 the source, 2 the target."""

    source: int
    target: int
    pipeline: int
    span: int = 5
    as_alias: int = 0

    @property
    def ends(self) -> tuple[int, int]:
        """The ids as declared."""
        source_too = self.as_alias & 1 and self.source in ALIASED
        target_too = self.as_alias & 2 and self.target in ALIASED
        return self.source + 100 * bool(source_too), self.target + 100 * bool(target_too)

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.pipeline, *self.ends, SPANS[self.span][0])

    def counts(self, at: datetime, namespaces: Collection[str] | None) -> bool:
        began, ended = SPANS[self.span]
        return began <= at < ended and (
            namespaces is None or PIPELINES[self.pipeline].namespace in namespaces
        )


node = st.integers(0, NODES - 1)
edges = st.lists(
    st.builds(
        Edge,
        node,
        node,
        st.integers(0, len(PIPELINES) - 1),
        st.sampled_from((5, 5, 3, 4, 0, 1, 2)),
        st.integers(0, 3),
    ),
    max_size=30,
    unique_by=lambda edge: edge.key,
)
as_of = st.sampled_from((None, None, *(m + timedelta(days=1) for m in MOMENTS), MOMENTS[1]))
namespaces = st.sampled_from((None, None, ("sales",), ("default", "ops"), (), NAMESPACES))
directions = st.sampled_from(("upstream", "downstream"))
one_ledger_for_all = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def model(
    edges: Iterable[Edge], at: datetime | None = None, namespaces: Collection[str] | None = None
) -> nx.DiGraph[int]:
    """What counts as of a moment for who may see these namespaces."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(NODES))
    for edge in edges:
        if edge.counts(at or NOW, namespaces):
            owners = graph.get_edge_data(edge.source, edge.target, {}).get("owners", set())
            graph.add_edge(edge.source, edge.target, owners=owners | {PIPELINES[edge.pipeline]})
    return graph


class Graph:
    """A ledger whose lineage is replaced as often as one likes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.reader = Reader.open(url)
        self.engine = create_engine(url)
        made = {"created_at": NOW, "updated_at": NOW}
        spaces = {n: i for i, n in enumerate(NAMESPACES, 1)}
        with self.engine.begin() as c:
            for space, id_ in spaces.items():
                c.execute(insert(tables.namespace).values(id=id_, name=space, created_at=NOW))
            for id_, (type_, group) in enumerate(
                (("postgres", "database"), ("dagster", "orchestrator")), 1
            ):
                c.execute(
                    insert(tables.address_type).values(id=id_, name=type_, group_name=group, **made)
                )
            for id_, ref in enumerate(PIPELINES):
                c.execute(
                    insert(tables.pipeline).values(
                        id=id_, namespace_id=spaces[ref.namespace], name=ref.name, **made
                    )
                )
        self._spaces = spaces
        self._added = 0
        self.grow(NODES)
        aliases = [
            {"id": 100 + n, **_key(alias(n)), "address_type_id": 2, "same_as_id": n, **made}
            for n in ALIASED
        ]
        self.insert(tables.address, aliases)

    def grow(self, nodes: int) -> None:
        """Have so many addresses."""
        made = {"created_at": NOW, "updated_at": NOW}
        skipped = range(100, 100 + NODES)
        rows = [
            {"id": n, **_key(name(n)), "address_type_id": 1, **made}
            for n in range(self._added, nodes)
            if n not in skipped
        ]
        self._added = nodes
        self.insert(tables.address, rows)

    def become(self, edges: Iterable[Edge]) -> None:
        """Hold these edges, and what they say of pipelines and addresses, in place of those before."""
        rows: list[dict[str, Any]] = []
        uses: dict[tuple[Any, ...], dict[str, Any]] = {}
        for edge in edges:
            source, target = edge.ends
            began, ended = SPANS[edge.span]
            space = self._spaces[PIPELINES[edge.pipeline].namespace]
            about = {
                "pipeline_id": edge.pipeline, "origin": "declared", "began_at": began,
                "ended_at": ended, "last_seen_at": NOW, "namespace_id": space,
            }  # fmt: skip
            rows.append(
                {**about, "source_address_id": source, "target_address_id": target,
                 "source_id": edge.source, "target_id": edge.target}
            )  # fmt: skip
            for address, same, role in (
                (source, edge.source, "input"),
                (target, edge.target, "output"),
            ):
                key = (edge.pipeline, address, role, began)
                before = uses.get(key, about)
                uses[key] = {
                    **about, "address_id": address, "role": role, "same_id": same,
                    "ended_at": max(ended, before["ended_at"]),
                }  # fmt: skip
        with self.engine.begin() as c:
            c.execute(tables.lineage_edge.delete())
            c.execute(tables.pipeline_address.delete())
        self.insert(tables.lineage_edge, rows)
        self.insert(tables.pipeline_address, list(uses.values()))

    def insert(self, table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self.engine.begin() as c:
                c.execute(insert(table), rows)

    def close(self) -> None:
        self.engine.dispose()


def _key(address: Address) -> dict[str, str]:
    return {"namespace": address.namespace, "name": address.name}
