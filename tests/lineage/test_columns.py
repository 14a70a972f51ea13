"""A walk over columns is reachability in networkx, where a filter goes into every column of its target."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.columns import walk_columns
from pipeledger.model.errors import InvalidReport, NotFound
from pipeledger.store import tables

from . import graphs
from .graphs import ALIASED, NOW, PIPELINES, SPANS, Graph, name, number, one_ledger_for_all

COLUMNS = ("a", "B b", 'ü"')
VALUES = ("direct", "transformed", "aggregated")
Row = tuple[int, str, int, str, str, int, int]
node = st.integers(0, 4)
rows = st.lists(
    st.tuples(
        node,
        st.sampled_from(COLUMNS),
        node,
        st.sampled_from((*COLUMNS, "")),
        st.sampled_from(("direct", "aggregated", "filter")),
        st.integers(0, 3),
        st.sampled_from((5, 5, 3, 0)),
    ),
    max_size=25,
    unique=True,
)


def become(graph: Graph, drawn: list[Row]) -> None:
    spaces = {"default": 1, "sales": 2, "ops": 3}
    written: dict[tuple[Any, ...], dict[str, Any]] = {}
    for source, column, target, target_column, kind, pipeline, span in drawn:
        began, ended = SPANS[span]
        row = {
            "pipeline_id": pipeline, "target_address_id": target + 100 * (target in ALIASED),
            "target_column": target_column, "source_address_id": source, "source_column": column,
            "kind": kind, "origin": "observed", "began_at": began,
        }  # fmt: skip
        key = tuple(row.values())
        before = written.get(key, {"ended_at": ended})
        written[key] = {
            **row, "ended_at": max(ended, before["ended_at"]), "last_seen_at": NOW, "source_id": source,
            "target_id": target, "namespace_id": spaces[PIPELINES[pipeline].namespace],
        }  # fmt: skip
    with graph.engine.begin() as c:
        c.execute(tables.lineage_column_edge.delete())
    graph.insert(tables.lineage_column_edge, list(written.values()))


@one_ledger_for_all
@given(
    drawn=rows,
    start=st.tuples(node, st.sampled_from(COLUMNS)),
    depth=st.sampled_from((1, 2, None)),
    most=st.sampled_from((1, 3, 100, 100)),
    direction=graphs.directions,
    values_only=st.booleans(),
    at=graphs.as_of,
    seen=graphs.namespaces,
)
def test_a_walk_over_columns_is_reachability(
    graph: Graph,
    drawn: list[Row],
    start: tuple[int, str],
    depth: int | None,
    most: int,
    direction: str,
    values_only: bool,
    at: datetime | None,
    seen: Collection[str] | None,
) -> None:
    become(graph, drawn)
    towards: nx.DiGraph[tuple[int, str]] = nx.DiGraph()
    towards.add_node(start)
    for source, column, target, target_column, kind, pipeline, span in drawn:
        began, ended = SPANS[span]
        if not began <= (at or NOW) < ended or (values_only and kind not in VALUES):
            continue
        if seen is not None and PIPELINES[pipeline].namespace not in seen:
            continue
        if direction == "upstream":
            for into in [target_column] if target_column else COLUMNS:
                towards.add_edge((target, into), (source, column))
        else:
            towards.add_edge((source, column), (target, target_column))
            towards.add_edge((source, ""), (target, target_column))
    whole = nx.single_source_shortest_path_length(towards, start)
    within = {c: d for c, d in whole.items() if d and (depth is None or d <= depth)}

    answer = walk_columns(
        graph.reader, name(start[0]), start[1], direction, depth=depth, most=most, as_of=at,
        namespaces=seen, values_only=values_only,
    )  # fmt: skip

    shown = {(number(n.column.address), n.column.name): n.depth for n in answer.nodes}
    assert shown.items() <= within.items()
    assert len(shown) == min(most, len(within))
    here = {start, *shown}
    assert {(number(c.address), c.name) for c in answer.frontier} == {
        c for c in here if any(far not in here for far in towards.successors(c))
    }
    if len(within) > most:
        assert answer.partial == f"stopped after {most} columns"
    else:
        assert (answer.partial is None) == (set(whole) == here)
    ends = {
        tuple((number(c.address), c.name) for c in (edge.source, edge.target))
        for edge in answer.edges
    }
    wanted = {(near, far) for near, far in towards.edges if near in here and far in here}
    assert ends == ({(f, n) for n, f in wanted} if direction == "upstream" else wanted)


def test_an_edge_of_columns_names_its_kinds_and_pipelines(graph: Graph) -> None:
    become(graph, [(0, "a", 1, "a", "direct", 0, 5), (0, "a", 1, "", "filter", 1, 5)])
    answer = walk_columns(graph.reader, "asset/t1", "a", "upstream")
    assert answer.column.address == name(1)
    (edge,) = answer.edges
    assert edge.kinds == ("direct", "filter") and edge.pipelines == PIPELINES[:2]
    (edge,) = walk_columns(graph.reader, name(1), "a", "upstream", values_only=True).edges
    assert edge.kinds == ("direct",)
    assert walk_columns(graph.reader, name(1), "nobody", "downstream").nodes == ()
    with pytest.raises(NotFound):
        walk_columns(graph.reader, "nowhere", "a", "upstream")
    with pytest.raises(InvalidReport):
        walk_columns(graph.reader, name(1), "", "upstream")
