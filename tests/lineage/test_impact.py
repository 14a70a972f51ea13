"""The blast radius is what a plain model of who read what after whom says, on both databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.impact import impact
from pipeledger.model.errors import UnknownExecution
from pipeledger.model.impact import CSV_COLUMNS

from . import graphs, runs
from .graphs import PIPELINES, Edge, Graph, name, number, one_ledger_for_all
from .runs import Run, key


def consumers(drawn: list[Run], wrong: int, namespaces: Collection[str] | None) -> dict[int, int]:
    """The executions that consumed what one wrote, with their distances."""
    visible = [namespaces is None or PIPELINES[r.pipeline].namespace in namespaces for r in drawn]
    takes: nx.DiGraph[int] = nx.DiGraph()
    takes.add_node(wrong)
    for n in range(len(drawn)):
        for writer in runs.within(drawn, n):
            for reader, run in enumerate(drawn):
                if reader in runs.within(drawn, wrong) or run.minute <= drawn[writer].minute:
                    continue
                if (
                    visible[writer]
                    and visible[reader]
                    and any(
                        written == read and (v == w or None in (v, w))
                        for written, _, v in drawn[writer].outputs
                        for read, _, w in run.inputs
                    )
                ):
                    takes.add_edge(n, reader)
    found = nx.single_source_shortest_path_length(takes, wrong)
    return {n: d for n, d in found.items() if d}


@one_ledger_for_all
@given(
    drawn=runs.drawn(),
    edges=graphs.edges,
    data=st.data(),
    seen=graphs.namespaces,
    most=st.sampled_from((100, 100, 2)),
)
def test_the_blast_radius_is_who_consumed_it_and_what_lies_downstream(
    graph: Graph,
    drawn: list[Run],
    edges: list[Edge],
    data: st.DataObject,
    seen: Collection[str] | None,
    most: int,
) -> None:
    graph.become(edges)
    runs.record(graph, drawn)
    wrong = data.draw(st.integers(0, len(drawn) - 1))
    if seen is not None and PIPELINES[drawn[wrong].pipeline].namespace not in seen:
        with pytest.raises(UnknownExecution):
            impact(graph.reader, key(wrong), namespaces=seen)
        return

    answer = impact(graph.reader, key(wrong), namespaces=seen, most=most)

    wanted = consumers(drawn, wrong, seen)
    found = {(c.execution.run_key.int >> 96) - 1: c.distance for c in answer.consumers}
    if len(wanted) <= most:
        assert found == wanted
    else:
        assert len(found) == most and found.items() <= wanted.items()
        assert answer.partial and "stopped after 2 executions" in answer.partial
    assert [c.distance for c in answer.consumers] == sorted(found.values())

    inside = runs.within(drawn, wrong)
    own = {drawn[n].pipeline for n in inside}
    model = graphs.model(edges, None, seen)
    counting = [e for e in edges if e.counts(graphs.NOW, seen)]
    wrote = {
        a
        for n in inside
        for a, _, _ in drawn[n].outputs
        if seen is None or PIPELINES[drawn[n].pipeline].namespace in seen
    }
    wrote |= {e.target for e in counting if e.pipeline in own}
    assert {number(a) for a in answer.outputs} == wrote
    found_at = nx.multi_source_dijkstra_path_length(model, wrote) if wrote else {}
    reached = {n: int(d) for n, d in found_at.items()}
    below = {n: d for n, d in reached.items() if d}
    shown = {number(n.address): n.depth for n in answer.addresses}
    assert shown.items() <= below.items() and len(shown) == min(most, len(below))
    if len(below) <= most:
        readers: dict[str, int] = {}
        for edge in counting:
            if edge.source in reached and edge.pipeline not in own:
                name_ = PIPELINES[edge.pipeline].name
                readers[name_] = min(readers.get(name_, 99), reached[edge.source] + 1)
        assert {p.pipeline.name: p.distance for p in answer.pipelines} == readers
    assert (answer.partial is None) == (len(wanted) <= most and len(below) <= most)


def test_versions_of_data_tell_who_read_the_wrong_one(graph: Graph) -> None:
    drawn = [
        Run(0, 0, outputs=((1, False, "1"),), state="failed"),
        Run(0, 2, outputs=((1, False, "2"),)),
        Run(1, 1, inputs=((1, True, "1"),), outputs=((2, False, None),)),
        Run(1, 3, inputs=((1, True, "2"),), outputs=((2, False, None),)),
        Run(2, 4, inputs=((1, False, None),)),
        Run(3, 5, inputs=((2, False, None),)),
    ]
    runs.record(graph, drawn)
    answer = impact(graph.reader, str(key(0))[:8])
    assert [(c.execution.run_key, c.distance, c.through) for c in answer.consumers] == [
        (key(2), 1, name(1)),
        (key(4), 1, name(1)),
        (key(5), 2, name(2)),
    ]


def test_the_rows_of_a_csv_are_what_the_answer_holds(graph: Graph) -> None:
    graph.become([Edge(1, 2, 1), Edge(2, 3, 3)])
    runs.record(graph, [Run(0, 0, outputs=((1, False, None),)), Run(1, 1, ((1, True, None),))])
    answer = impact(graph.reader, key(0))
    out = io.StringIO()
    csv.writer(out).writerows([CSV_COLUMNS, *answer.rows()])
    header, *found = csv.reader(io.StringIO(out.getvalue()))
    assert [dict(zip(header, row, strict=True)) for row in found] == [
        {"what": "execution", "distance": "1", "namespace": "sales", "name": "p1",
         "state": "success", "started_at": found[0][5], "ended_at": found[0][6],
         "run_key": str(key(1)), "through": str(name(1))},
        *({"what": "address", "distance": str(n - 1), "namespace": name(n).namespace,
           "name": name(n).name, "state": "", "started_at": "", "ended_at": "", "run_key": "",
           "through": ""} for n in (2, 3)),
        {"what": "pipeline", "distance": "1", "namespace": "sales", "name": "p1", "state": "",
         "started_at": "", "ended_at": "", "run_key": "", "through": str(name(1))},
        {"what": "pipeline", "distance": "2", "namespace": "ops", "name": "p3", "state": "",
         "started_at": "", "ended_at": "", "run_key": "", "through": str(name(2))},
    ]  # fmt: skip
