"""A lineage walk answers what networkx computes on the same graph, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert

from pipeledger.lineage.walk import downstream, upstream, walk
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress, InvalidInput, NotFound
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store import tables
from pipeledger.store.read import Reader

NODES = 9
OWNERS = ("p1", "p2", "p3")
Edge = tuple[int, int, int]


def name(node: int) -> Address:
    return Address("postgres://dwh:5432", f"sales.public.t{node}")


class Graph:
    """Writes edges into one ledger, in place of those before."""

    def __init__(self, url: str) -> None:
        self.reader = Reader.open(url)
        self._engine = create_engine(url)
        now = times.now()
        made = {"created_at": now, "updated_at": now}
        with self._engine.begin() as c:
            c.execute(insert(tables.namespace).values(id=1, name="default", created_at=now))
            c.execute(
                insert(tables.address_type).values(
                    id=1, name="postgres", group_name="database", **made
                )
            )
            for id_, owner in enumerate(OWNERS):
                c.execute(
                    insert(tables.pipeline).values(id=id_, namespace_id=1, name=owner, **made)
                )
        self._added = 0
        self.grow(NODES)

    def grow(self, nodes: int) -> None:
        now = times.now()
        rows = [
            {"id": n, "namespace": name(n).namespace, "name": name(n).name, "address_type_id": 1,
             "created_at": now, "updated_at": now}
            for n in range(self._added, nodes)
        ]  # fmt: skip
        self._added = nodes
        with self._engine.begin() as c:
            c.execute(insert(tables.address), rows)

    def become(self, edges: set[Edge]) -> None:
        with self._engine.begin() as c:
            c.execute(tables.address_lineage.delete())
            self._add(c, edges)

    def _add(self, c: Connection, edges: set[Edge]) -> None:
        now = times.now()
        rows = [
            {"pipeline_id": p, "source_address_id": s, "target_address_id": t,
             "first_seen_at": now, "last_seen_at": now}
            for s, t, p in edges
        ]  # fmt: skip
        if rows:
            c.execute(insert(tables.address_lineage), rows)

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def graph(database_url: str) -> Iterator[Graph]:
    graph = Graph(database_url)
    yield graph
    graph.close()


node = st.integers(0, NODES - 1)
edges = st.sets(st.tuples(node, node, st.integers(0, len(OWNERS) - 1)), max_size=30)
one_ledger_for_all = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@one_ledger_for_all
@given(
    edges=edges,
    start=node,
    depth=st.integers(1, 6),
    direction=st.sampled_from(["upstream", "downstream"]),
)
def test_a_walk_is_reachability_with_least_depths(
    graph: Graph, edges: set[Edge], start: int, depth: int, direction: str
) -> None:
    graph.become(edges)
    model = nx.DiGraph((s, t) for s, t, _ in edges)
    model.add_nodes_from(range(NODES))
    towards = model.reverse() if direction == "upstream" else model
    reached = nx.single_source_shortest_path_length(towards, start, cutoff=depth)
    everything = nx.single_source_shortest_path_length(towards, start)

    answer = walk(graph.reader, name(start), direction, depth=depth)

    assert {(n.address, n.depth) for n in answer.nodes} == {
        (name(n), d) for n, d in reached.items() if n != start
    }
    assert (answer.partial is not None) == (set(everything) != set(reached))
    assert set(answer.frontier) == {
        name(n) for n in reached if any(m not in reached for m in towards.successors(n))
    }
    owners: dict[tuple[int, int], set[str]] = {}
    for s, t, p in edges:
        if s in reached and t in reached:
            owners.setdefault((s, t), set()).add(OWNERS[p])
    assert {(e.source, e.target): {p.name for p in e.pipelines} for e in answer.edges} == {
        (name(s), name(t)): names for (s, t), names in owners.items()
    }


@one_ledger_for_all
@given(edges=edges, start=node, most=st.integers(1, 5))
def test_a_walk_that_was_cut_says_so_and_what_it_has_is_right(
    graph: Graph, edges: set[Edge], start: int, most: int
) -> None:
    graph.become(edges)
    model = nx.DiGraph((s, t) for s, t, _ in edges)
    model.add_node(start)
    whole = {
        n: d for n, d in nx.single_source_shortest_path_length(model, start).items() if n != start
    }

    answer = downstream(graph.reader, name(start), most=most, depth=100)

    shown = {n.address: n.depth for n in answer.nodes}
    assert len(shown) == min(most, len(whole))
    assert shown.items() <= {name(n): d for n, d in whole.items()}.items()
    assert max(shown.values(), default=0) <= min(
        (d for n, d in whole.items() if name(n) not in shown), default=1000
    )
    assert answer.partial == (None if len(whole) <= most else f"stopped after {most} addresses")
    assert bool(answer.frontier) == (answer.partial is not None)


def test_a_wide_step_is_cut_without_being_read_whole(graph: Graph) -> None:
    graph.grow(3000)
    graph.become({(0, n, 0) for n in range(1, 3000)})
    answer = downstream(graph.reader, name(0), most=500)
    assert len(answer.nodes) == 500 and answer.partial == "stopped after 500 addresses"
    assert len(upstream(graph.reader, name(7)).nodes) == 1


def test_a_long_chain_is_followed_to_its_end(graph: Graph) -> None:
    graph.grow(300)
    graph.become({(n, n + 1, 0) for n in range(299)})
    answer = downstream(graph.reader, name(0), depth=1000)
    assert len(answer.nodes) == 299 and answer.partial is None
    answer = downstream(graph.reader, name(0), depth=10)
    assert answer.partial == "stopped at depth 10" and answer.frontier == (name(10),)


def test_an_address_is_found_by_url_and_by_the_end_of_its_name(graph: Graph) -> None:
    graph.become({(1, 2, 0)})
    for text in (
        "postgres://user:secret@dwh/sales.public.t2",
        "sales.public.t2",
        "t2",
        "public.T2",
    ):
        answer = upstream(graph.reader, text)
        assert answer.address == name(2) and [n.address for n in answer.nodes] == [name(1)]
        assert answer.edges[0].pipelines == (PipelineRef("p1"),)


def test_an_address_that_the_ledger_does_not_know_is_named(graph: Graph) -> None:
    with pytest.raises(
        NotFound, match=r"knows no address postgres://dwh:5432/sales\.public\.nothing"
    ):
        upstream(graph.reader, "postgres://dwh/sales.public.nothing")
    with pytest.raises(NotFound, match="ends with, 'nothing'"):
        upstream(graph.reader, "nothing")
    with pytest.raises(InvalidInput, match="several addresses"):
        _two_of_one_ending(graph)
    with pytest.raises(InvalidAddress):
        upstream(graph.reader, "postgres://")
    with pytest.raises(InvalidInput, match="expected both to be 1 or more"):
        upstream(graph.reader, name(1), depth=0)


def _two_of_one_ending(graph: Graph) -> None:
    now = times.now()
    engine = create_engine(graph._engine.url)
    with engine.begin() as c:
        c.execute(
            insert(tables.address).values(
                id=5000,
                namespace="file",
                name="/data/t2",
                address_type_id=1,
                created_at=now,
                updated_at=now,
            )
        )
    engine.dispose()
    upstream(graph.reader, "t2")
