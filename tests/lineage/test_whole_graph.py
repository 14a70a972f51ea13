"""Cycles, orphans and dead ends are those that networkx finds."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import datetime

import networkx as nx
import pytest
from hypothesis import given

from pipeledger.lineage.cycles import cycles
from pipeledger.lineage.ends import ends
from pipeledger.model.errors import InvalidInput
from pipeledger.model.spans import FOREVER
from pipeledger.store import tables
from pipeledger.store.read import whole_graph

from . import graphs
from .graphs import MOMENTS, NODES, NOW, Edge, Graph, name, number, one_ledger_for_all


@one_ledger_for_all
@given(edges=graphs.edges, at=graphs.as_of, seen=graphs.namespaces)
def test_cycles_are_the_strongly_connected_components(
    graph: Graph, edges: list[Edge], at: datetime | None, seen: Collection[str] | None
) -> None:
    graph.become(edges)
    model = graphs.model(edges, at, seen)
    wanted = {
        frozenset(group)
        for group in nx.strongly_connected_components(model)
        if len(group) > 1 or model.has_edge(*group, *group)
    }
    answer = cycles(graph.reader, as_of=at, namespaces=seen)
    assert answer.partial is None
    assert {frozenset(map(number, c.addresses)) for c in answer.cycles} == wanted
    assert [c.size for c in answer.cycles] == sorted(map(len, wanted))
    for cycle in answer.cycles:
        way = [number(a) for a in cycle.way]
        assert way[0] == way[-1] == number(cycle.addresses[0])
        assert len(set(way)) == len(way) - 1
        assert all(model.has_edge(s, t) for s, t in itertools.pairwise(way))


def test_cycles_are_found_in_a_graph_that_is_read_in_parts(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_graph, "AT_A_TIME", 3)
    graph.grow(3000)
    ring = [n for n in range(3000) if not 100 <= n < 100 + NODES]
    graph.become([Edge(s, t, 0) for s, t in zip(ring, [*ring[1:], 0], strict=True)])
    answer = cycles(graph.reader)
    (found,) = answer.cycles
    assert (found.size, len(found.addresses), len(found.way)) == (len(ring), 100, len(ring) + 1)
    assert cycles(graph.reader, most_edges=2000).partial == "stopped after 2000 edges"
    graph.become([Edge(n, n, 0) for n in range(5)])
    answer = cycles(graph.reader, most=2)
    assert [c.way for c in answer.cycles] == [(name(0), name(0)), (name(1), name(1))]
    assert answer.partial == "there are 5, 2 are shown"


@one_ledger_for_all
@given(edges=graphs.edges, at=graphs.as_of, seen=graphs.namespaces)
def test_ends_are_addresses_without_edges_without_readers_or_without_writers(
    graph: Graph, edges: list[Edge], at: datetime | None, seen: Collection[str] | None
) -> None:
    graph.become(edges)
    model = graphs.model(edges, at, seen)

    def found(which: str) -> set[int]:
        answer = ends(graph.reader, which, as_of=at, namespaces=seen)
        assert answer.next_cursor is None
        return {number(a) for a in answer}

    read, written = dict(model.out_degree()), dict(model.in_degree())
    assert found("orphans") == {n for n in model if not read[n] and not written[n]}
    assert found("unread") == {n for n in model if written[n] and not read[n]}
    assert found("unwritten") == {n for n in model if read[n] and not written[n]}


def test_what_a_pipeline_reads_without_a_known_other_end_is_not_unread(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0)])
    use = {
        "pipeline_id": 2, "address_id": 101, "same_id": 1, "role": "input", "origin": "observed",
        "began_at": MOMENTS[0], "ended_at": FOREVER, "last_seen_at": NOW, "namespace_id": 2,
    }  # fmt: skip
    assert list(ends(graph.reader, "unread")) == [name(1)]
    graph.insert(tables.pipeline_address, [use])
    assert list(ends(graph.reader, "unread")) == []
    assert list(ends(graph.reader, "unread", namespaces=["default"])) == [name(1)]


def test_ends_come_a_page_at_a_time(graph: Graph) -> None:
    seen, cursor = [], None
    while True:
        page = ends(graph.reader, "orphans", limit=4, cursor=cursor)
        seen += [number(a) for a in page]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page) == 4
    assert seen == list(range(NODES))
    with pytest.raises(InvalidInput, match="is no kind of end"):
        ends(graph.reader, "odds")
    with pytest.raises(InvalidInput, match="cursor"):
        ends(graph.reader, "unread", cursor="nonsense")
    with pytest.raises(InvalidInput, match="limit 0"):
        ends(graph.reader, "unread", limit=0)
