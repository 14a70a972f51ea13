"""The shortest path is as long as networkx says, and every step of it is an edge that may be seen."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.path import shortest_path
from pipeledger.model.errors import NotFound

from . import graphs
from .graphs import Edge, Graph, alias, name, number, one_ledger_for_all


@one_ledger_for_all
@given(
    edges=graphs.edges,
    source=graphs.node,
    target=graphs.node,
    at=graphs.as_of,
    seen=graphs.namespaces,
)
def test_a_path_is_a_shortest_one(
    graph: Graph,
    edges: list[Edge],
    source: int,
    target: int,
    at: datetime | None,
    seen: Collection[str] | None,
) -> None:
    graph.become(edges)
    model = graphs.model(edges, at, seen)
    answer = shortest_path(graph.reader, name(source), name(target), as_of=at, namespaces=seen)
    assert (answer.source, answer.target, answer.partial) == (name(source), name(target), None)
    if not nx.has_path(model, source, target):
        assert answer.edges is None
        return
    assert answer.edges is not None
    assert len(answer.edges) == nx.shortest_path_length(model, source, target)
    here = source
    for edge in answer.edges:
        assert number(edge.source) == here
        here = number(edge.target)
        assert set(edge.pipelines) == model.edges[number(edge.source), here]["owners"]
    assert here == target


@one_ledger_for_all
@given(edges=graphs.edges, source=graphs.node, target=graphs.node, most=st.integers(1, 12))
def test_a_search_that_was_given_up_says_so(
    graph: Graph, edges: list[Edge], source: int, target: int, most: int
) -> None:
    graph.become(edges)
    model = graphs.model(edges)
    answer = shortest_path(graph.reader, name(source), name(target), most=most)
    if answer.edges is None:
        assert answer.partial == f"stopped after looking at {most} edges" or not nx.has_path(
            model, source, target
        )
    else:
        assert answer.partial is None
        assert len(answer.edges) == nx.shortest_path_length(model, source, target)


def test_a_path_goes_through_names_of_the_same_data(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0, as_alias=2), Edge(1, 4, 0, as_alias=0)])
    answer = shortest_path(graph.reader, name(0), alias(4))
    assert answer.edges is not None and [e.target for e in answer.edges] == [name(1), name(4)]
    with pytest.raises(NotFound):
        shortest_path(graph.reader, name(0), "nowhere")
