"""What is known of an address, under whichever of its names it was reported."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeledger.lineage.addresses import describe
from pipeledger.model.errors import NotFound
from pipeledger.model.spans import FOREVER
from pipeledger.store import tables

from . import runs
from .graphs import MOMENTS, NOW, PIPELINES, Edge, Graph, alias, name
from .runs import Run, key


def column(
    address: int, name: str, type_: str, place: int, began: datetime, ended: datetime = FOREVER
) -> dict[str, object]:
    return {
        "address_id": address, "name": name, "data_type": type_, "ordinal": place,
        "began_at": began, "ended_at": ended, "last_seen_at": NOW,
    }  # fmt: skip


def test_an_address_is_described_with_columns_names_users_and_last_write(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0, as_alias=2), Edge(1, 2, 1), Edge(1, 3, 1), Edge(1, 5, 3, span=0)])
    graph.insert(
        tables.address_column,
        [
            column(1, "id", "INTEGER", 1, MOMENTS[0], MOMENTS[2]),
            column(1, "id", "BIGINT", 1, MOMENTS[2]),
            column(1, "at", "", 2, MOMENTS[1]),
            column(101, "at", "DATETIME", 1, MOMENTS[1]),
            column(2, "other", "TEXT", 1, MOMENTS[0]),
        ],
    )
    runs.record(
        graph,
        [
            Run(0, 9, outputs=((1, True, None),)),
            Run(2, 4, outputs=((1, False, None),), state="failed"),
            Run(0, 99, inputs=((1, True, None),)),
        ],
    )
    for text in (str(name(1)), str(alias(1)), "t1"):
        found = describe(graph.reader, text)
        assert (found.address, found.aliases) == (name(1), (alias(1),))
        assert [(c.address, c.name, c.type, c.ordinal) for c in found.columns] == [
            (alias(1), "at", "DATETIME", 1),
            (name(1), "id", "BIGINT", 1),
            (name(1), "at", None, 2),
        ]
        first = found.history[0]
        assert (first.name, first.type, first.ended_at) == ("id", "INTEGER", MOMENTS[2])
        assert len(found.history) == 4
        assert [u.pipeline for u in found.writers] == [PIPELINES[0]]
        assert [(u.pipeline, u.origins) for u in found.readers] == [(PIPELINES[1], ("declared",))]
        assert found.last_written_by is not None and found.last_written_by.run_key == key(0)


def test_only_what_the_asker_may_see_is_named(graph: Graph) -> None:
    graph.become([Edge(0, 1, 0), Edge(1, 2, 1)])
    runs.record(
        graph,
        [Run(0, 9, outputs=((1, False, None),)), Run(1, 4, outputs=((1, False, None),))],
    )
    found = describe(graph.reader, name(1), namespaces=["sales"])
    assert found.writers == () and [u.pipeline for u in found.readers] == [PIPELINES[1]]
    assert found.last_written_by is not None and found.last_written_by.run_key == key(1)
    nothing = describe(graph.reader, name(8))
    assert (nothing.history, nothing.readers, nothing.last_written_by) == ((), (), None)
    with pytest.raises(NotFound):
        describe(graph.reader, "nowhere")
