"""Complete up to is the least time watermark of the pipelines upstream, as a plain model computes it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.complete import complete_up_to
from pipeledger.model.watermark import WatermarkValue
from pipeledger.store import tables

from . import graphs, runs
from .graphs import NOW, PIPELINES, Edge, Graph, alias, name, number, one_ledger_for_all
from .runs import Run, key

Marks = dict[str, object]
DAY = datetime(2026, 1, 1, tzinfo=NOW.tzinfo)
value = st.sampled_from((None, 1, 2, 3))
"""A watermark as days after DAY."""
pipeline = st.fixed_dictionaries(
    {
        "declared": st.sampled_from((None, "time", "integer")),
        "kind": st.sampled_from(("time", "time", "integer")),
        "partitions": st.dictionaries(st.sampled_from(("", "EWR", "JFK")), value, max_size=2),
        "active": st.sampled_from((True, True, False)),
    }
)


def day(number: int) -> datetime:
    return DAY + timedelta(days=number)


def mark(graph: Graph, drawn: list[Marks]) -> None:
    """Give the pipelines these watermarks, in place of those before."""
    with graph.engine.begin() as c:
        c.execute(tables.watermark.delete())
        for id_, about in enumerate(drawn):
            c.execute(
                tables.pipeline.update()
                .where(tables.pipeline.c.id == id_)
                .values(watermark_kind=about["declared"], active=about["active"])
            )
    rows = []
    for id_, about in enumerate(drawn):
        partitions = about["partitions"]
        assert isinstance(partitions, dict)
        for partition, number_ in partitions.items():
            is_time = about["kind"] == "time"
            v = None if number_ is None else WatermarkValue.of(day(number_) if is_time else number_)
            rows.append(
                {"pipeline_id": id_, "partition_key": partition, "kind": about["kind"],
                 "value": v and v.text, "value_order": v.order if v else "", "updated_at": NOW}
            )  # fmt: skip
    graph.insert(tables.watermark, rows)


@one_ledger_for_all
@given(
    edges=graphs.edges,
    start=graphs.node,
    drawn=st.lists(pipeline, min_size=len(PIPELINES), max_size=len(PIPELINES)),
    seen=graphs.namespaces,
)
def test_complete_up_to_is_the_least_watermark_upstream(
    graph: Graph,
    edges: list[Edge],
    start: int,
    drawn: list[Marks],
    seen: Collection[str] | None,
) -> None:
    graph.become(edges)
    mark(graph, drawn)
    model = graphs.model(edges, None, seen)
    reached = nx.single_source_shortest_path_length(model.reverse(), start)
    writers: dict[int, int] = {}
    for edge in edges:
        if edge.counts(NOW, seen) and edge.target in reached:
            distance = reached[edge.target]
            writers[edge.pipeline] = min(distance, writers.get(edge.pipeline, distance))
    timed, without, inactive = {}, set(), set()
    for id_, distance in writers.items():
        about = drawn[id_]
        partitions = about["partitions"]
        assert isinstance(partitions, dict)
        of_time = list(partitions.values()) if about["kind"] == "time" else []
        if about["declared"] != "time" and not of_time:
            without.add(PIPELINES[id_])
        elif not about["active"]:
            inactive.add(PIPELINES[id_])
        else:
            least = min((v or 0 for v in of_time), default=0)
            timed[PIPELINES[id_]] = (day(least) if least else None, distance)

    answer = complete_up_to(graph.reader, name(start), namespaces=seen)

    assert (answer.address, answer.addresses) == (name(start), len(reached))
    assert answer.partial is None
    assert {m.pipeline: (m.up_to, m.distance) for m in answer.marks} == timed
    assert set(answer.without) == without
    assert {m.pipeline for m in answer.inactive} == inactive
    assert answer.is_known == bool(timed)
    if timed:
        least_of_all = min(timed.values(), key=lambda found: (found[0] or DAY, found[1]))
        assert answer.up_to == least_of_all[0]
        assert answer.held_back_by is not None
        assert timed[answer.held_back_by.pipeline] == least_of_all
        furthest = max((up_to or DAY) for up_to, _ in timed.values())
        assert {m.pipeline for m in answer.late} == {
            ref for ref, (up_to, _) in timed.items() if (up_to or DAY) < furthest
        }
    else:
        assert answer.up_to is None and answer.held_back_by is None


def test_the_one_that_holds_it_back_is_named_with_partition_distance_and_latest_run(
    graph: Graph,
) -> None:
    graph.become([Edge(0, 1, 0), Edge(1, 2, 1, as_alias=1), Edge(2, 3, 2), Edge(8, 7, 3)])
    on = {"declared": None, "kind": "time", "active": True}
    mark(
        graph,
        [
            {**on, "partitions": {"EWR": 2, "JFK": 1}},
            {**on, "partitions": {"": 3}},
            {**on, "declared": None, "partitions": {}},
            {**on, "partitions": {"": None}},
        ],
    )
    runs.record(graph, [Run(0, 1), Run(0, 5, state="failed"), Run(1, 3)])
    answer = complete_up_to(graph.reader, name(3))
    held = answer.held_back_by
    assert held is not None and answer.up_to == day(1)
    assert (held.pipeline, held.partition_key, held.distance, number(held.writes)) == (
        PIPELINES[0], "JFK", 2, 1,
    )  # fmt: skip
    assert held.last_run is not None and held.last_run.run_key == key(1)
    assert held.last_run.state.value == "failed"
    assert answer.without == (PIPELINES[2],)
    assert [m.pipeline for m in answer.late] == [PIPELINES[0]]
    assert complete_up_to(graph.reader, alias(1)).up_to == day(1)
    nothing_yet = complete_up_to(graph.reader, name(7))
    assert nothing_yet.is_known and nothing_yet.up_to is None


def test_an_answer_that_was_cut_is_an_upper_bound_and_says_so(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0), Edge(1, 2, 1), Edge(2, 3, 2)])
    answer = complete_up_to(graph.reader, name(3), most=1)
    assert answer.partial is not None and answer.partial.startswith("stopped after 1 addresses")
    assert answer.addresses == 2
