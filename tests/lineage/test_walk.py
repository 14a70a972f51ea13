"""A walk answers what networkx computes on the same graph, of what the asker may see, as of a moment."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import datetime

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.walk import downstream, stream, upstream, walk
from pipeledger.model.errors import InvalidAddress, InvalidInput, NotFound, UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store import tables

from . import graphs
from .graphs import NODES, NOW, PIPELINES, Edge, Graph, name, number, one_ledger_for_all


def reached(
    found: nx.DiGraph[int], starts: Collection[int], direction: str, depth: int | None = None
) -> dict[int, int]:
    """Every address that is reached, with its least distance from any of the starts."""
    towards = found.reverse() if direction == "upstream" else found
    found_at = nx.multi_source_dijkstra_path_length(towards, set(starts), cutoff=depth)
    return {node: int(at) for node, at in found_at.items()}


@one_ledger_for_all
@given(
    edges=graphs.edges,
    start=graphs.node,
    depth=st.sampled_from((1, 2, 3, 6, 7, 9, None)),
    direction=graphs.directions,
    at=graphs.as_of,
    seen=graphs.namespaces,
)
def test_a_walk_is_reachability_with_least_depths_over_what_the_asker_may_see(
    graph: Graph,
    edges: list[Edge],
    start: int,
    depth: int | None,
    direction: str,
    at: datetime | None,
    seen: Collection[str] | None,
) -> None:
    graph.become(edges)
    model = graphs.model(edges, at, seen)
    towards = model.reverse() if direction == "upstream" else model
    within = reached(model, [start], direction, depth)
    whole = reached(model, [start], direction)

    answer = walk(graph.reader, name(start), direction, depth=depth, as_of=at, namespaces=seen)

    assert {(number(n.address), n.depth) for n in answer.nodes} == {
        (n, d) for n, d in within.items() if n != start
    }
    assert (answer.partial is not None) == (set(whole) != set(within))
    assert {number(a) for a in answer.frontier} == {
        n for n in within if any(m not in within for m in towards.successors(n))
    }
    owners = nx.get_edge_attributes(model, "owners")
    assert {(number(e.source), number(e.target)): set(e.pipelines) for e in answer.edges} == {
        ends: names for ends, names in owners.items() if within.keys() >= set(ends)
    }


@one_ledger_for_all
@given(
    edges=graphs.edges,
    start=graphs.node,
    most=st.integers(1, 5),
    depth=st.sampled_from((3, 6, 100, None)),
    direction=graphs.directions,
    at=graphs.as_of,
    seen=graphs.namespaces,
)
def test_a_walk_that_was_cut_says_so_and_what_it_has_is_right(
    graph: Graph,
    edges: list[Edge],
    start: int,
    most: int,
    depth: int | None,
    direction: str,
    at: datetime | None,
    seen: Collection[str] | None,
) -> None:
    graph.become(edges)
    model = graphs.model(edges, at, seen)
    towards = model.reverse() if direction == "upstream" else model
    whole = reached(model, [start], direction, depth)
    del whole[start]

    answer = walk(
        graph.reader, name(start), direction, most=most, depth=depth, as_of=at, namespaces=seen
    )

    shown = {number(n.address): n.depth for n in answer.nodes}
    assert len(shown) == min(most, len(whole))
    assert shown.items() <= whole.items()
    assert max(shown.values(), default=0) <= min(
        (d for n, d in whole.items() if n not in shown), default=1000
    )
    if len(whole) > most:
        assert answer.partial == f"stopped after {most} addresses"
    elif set(reached(model, [start], direction)) == {start, *whole}:
        assert answer.partial is None
    else:
        assert answer.partial == f"stopped at depth {depth}"
    here = {start, *shown}
    assert {number(a) for a in answer.frontier} == {
        n for n in here if any(m not in here for m in towards.successors(n))
    }


@one_ledger_for_all
@given(
    edges=graphs.edges,
    owner=st.sampled_from(range(len(PIPELINES))),
    depth=st.sampled_from((1, 2, 8, None)),
    most=st.sampled_from((1, 2, 3, 100)),
    direction=graphs.directions,
    at=graphs.as_of,
)
def test_of_a_pipeline_the_walk_begins_with_what_it_reads_or_writes(
    graph: Graph,
    edges: list[Edge],
    owner: int,
    depth: int | None,
    most: int,
    direction: str,
    at: datetime | None,
) -> None:
    graph.become(edges)
    own = [e for e in edges if e.pipeline == owner and e.counts(at or NOW, None)]
    starts = {e.source if direction == "upstream" else e.target for e in own}
    model = graphs.model(edges, at)
    whole = {n: d + 1 for n, d in reached(model, starts, direction).items()} if starts else {}
    within = {n: d for n, d in whole.items() if depth is None or d <= depth}

    answer = walk(graph.reader, PIPELINES[owner], direction, depth=depth, most=most, as_of=at)

    shown = {number(n.address): n.depth for n in answer.nodes}
    assert (answer.address, answer.pipeline) == (None, PIPELINES[owner])
    assert len(shown) == min(most, len(within)) and shown.items() <= within.items()
    if len(within) > most:
        assert answer.partial == f"stopped after {most} addresses"
    else:
        assert (answer.partial is None) == (set(within) == set(whole))
    assert bool(answer.frontier) or len(within) > most or answer.partial is None


@one_ledger_for_all
@given(
    edges=graphs.edges,
    start=graphs.node,
    direction=graphs.directions,
    at=graphs.as_of,
    seen=graphs.namespaces,
)
def test_a_stream_is_the_whole_walk_the_nearest_first(
    graph: Graph,
    edges: list[Edge],
    start: int,
    direction: str,
    at: datetime | None,
    seen: Collection[str] | None,
) -> None:
    graph.become(edges)
    nodes = list(stream(graph.reader, name(start), direction, as_of=at, namespaces=seen))
    whole = reached(graphs.model(edges, at, seen), [start], direction)
    del whole[start]
    assert {number(n.address): n.depth for n in nodes} == whole
    assert len(nodes) == len(whole)
    assert [n.depth for n in nodes] == sorted(whole.values())


def test_filters_choose_what_is_shown_and_do_not_cut_the_walk(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0), Edge(1, 2, 0), Edge(2, 3, 0)])
    graph.engine.dispose()
    with graph.engine.begin() as c:
        other = tables.address.update().where(tables.address.c.id.in_([1, 3]))
        c.execute(other.values(namespace="s3://lake", address_type_id=2))

    answer = walk(graph.reader, name(0), "downstream", types=["dagster"])
    assert [(n.address.name, n.depth) for n in answer.nodes] == [
        (name(1).name, 1),
        (name(3).name, 3),
    ]
    assert answer.partial is None
    answer = walk(graph.reader, name(0), "downstream", address_namespaces=["postgres://dwh:5432"])
    assert [(n.address, n.depth) for n in answer.nodes] == [(name(2), 2)]
    answer = walk(graph.reader, name(0), "downstream", types=["dagster"], most=1)
    assert len(answer.nodes) == 1 and answer.partial == "stopped after 1 addresses"
    answer = walk(graph.reader, name(0), "downstream", types=["dagster"], depth=2)
    assert len(answer.nodes) == 1 and answer.partial == "stopped at depth 2"


def test_a_wide_step_is_cut_without_being_read_whole(graph: Graph) -> None:
    graph.grow(3000)
    graph.become([Edge(0, n, 0) for n in range(1, 3000) if not 100 <= n < 100 + NODES])
    for depth in (3, 10):
        answer = downstream(graph.reader, name(0), most=500, depth=depth)
        assert len(answer.nodes) == 500 and answer.partial == "stopped after 500 addresses"
        assert answer.frontier == (name(0),)
    assert len(upstream(graph.reader, name(7)).nodes) == 1


def test_a_long_chain_is_followed_to_its_end(graph: Graph) -> None:
    graph.grow(300)
    chain = [n for n in range(300) if not 100 <= n < 100 + NODES]
    graph.become([Edge(s, t, 0) for s, t in itertools.pairwise(chain)])
    answer = downstream(graph.reader, name(0), depth=1000)
    assert len(answer.nodes) == len(chain) - 1 and answer.partial is None
    assert downstream(graph.reader, name(0), depth=None).nodes == answer.nodes
    for depth in (4, 10):
        answer = downstream(graph.reader, name(0), depth=depth)
        assert answer.partial == f"stopped at depth {depth}" and answer.frontier == (name(depth),)


def test_many_ways_to_the_same_addresses_do_not_multiply(graph: Graph) -> None:
    """Twenty diamonds one after the other are a million paths, and sixty addresses."""
    graph.grow(61)
    diamonds = []
    for n in range(0, 60, 3):
        diamonds += [(n, n + 1), (n, n + 2), (n + 1, n + 3), (n + 2, n + 3), (n, n + 3)]
    graph.become([Edge(s, t, 0) for s, t in diamonds])
    answer = downstream(graph.reader, name(0), depth=None)
    assert len(answer.nodes) == 60 and answer.partial is None
    assert {n.depth for n in answer.nodes if n.address == name(60)} == {20}


def test_an_address_is_found_by_any_of_its_names(graph: Graph) -> None:
    graph.become([Edge(1, 4, 0)])
    for text in (
        "postgres://user:secret@dwh/sales.public.t4",
        "sales.public.t4",
        "public.T4",
        "dagster:asset/t4",
        "asset/t4",
        "t4",
    ):
        answer = upstream(graph.reader, text)
        assert answer.address == name(4) and [n.address for n in answer.nodes] == [name(1)]
        assert answer.edges[0].pipelines == (PipelineRef("p0"),)


def test_an_address_that_the_ledger_does_not_know_is_named(graph: Graph) -> None:
    with pytest.raises(
        NotFound, match=r"knows no address postgres://dwh:5432/sales\.public\.nothing"
    ):
        upstream(graph.reader, "postgres://dwh/sales.public.nothing")
    with pytest.raises(NotFound, match="ends with, 'nothing'"):
        upstream(graph.reader, "nothing")
    with pytest.raises(InvalidAddress):
        upstream(graph.reader, "postgres://")
    with pytest.raises(InvalidInput, match="expected both to be 1 or more"):
        upstream(graph.reader, name(1), depth=0)
    other = {"id": 5000, "namespace": "file", "name": "/data/t2", "address_type_id": 1}
    graph.insert(tables.address, [{**other, "created_at": NOW, "updated_at": NOW}])
    with pytest.raises(InvalidInput, match="several addresses"):
        upstream(graph.reader, "t2")


def test_a_pipeline_of_a_namespace_that_the_asker_may_not_see_is_not_there(graph: Graph) -> None:
    assert upstream(graph.reader, PIPELINES[1], namespaces=["sales"]).nodes == ()
    with pytest.raises(UnknownPipeline):
        upstream(graph.reader, PIPELINES[1], namespaces=["ops"])
    with pytest.raises(UnknownPipeline):
        upstream(graph.reader, PipelineRef("nobody"))
