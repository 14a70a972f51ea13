"""Random executions with what they read and wrote, written into the tables of a ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from pipeledger.store import tables

from .graphs import ALIASED, NOW, PIPELINES, Graph

FIRST = NOW - timedelta(days=1)
Use = tuple[int, bool, str | None]
"""(address, under its other name, version of the data)"""


@dataclass(frozen=True)
class Run:
    """``inside``: the number of the execution it ran inside; its number is its place in the list."""

    pipeline: int
    minute: int
    inputs: tuple[Use, ...] = ()
    outputs: tuple[Use, ...] = ()
    inside: int | None = None
    state: str = "success"

    @property
    def started(self) -> datetime:
        return FIRST + timedelta(minutes=self.minute)


use = st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from((None, None, "1", "2")))
uses = st.lists(use, max_size=2, unique_by=lambda u: (u[0], u[1] and u[0] in ALIASED)).map(tuple)


@st.composite
def drawn(draw: st.DrawFn) -> list[Run]:
    """Up to eight executions, each inside none or an earlier one."""
    runs: list[Run] = []
    for n in range(draw(st.integers(1, 8))):
        inside = draw(st.sampled_from((None, None, *range(n))))
        pipeline = draw(st.integers(0, len(PIPELINES) - 1))
        runs.append(Run(pipeline, draw(st.integers(0, 6)), draw(uses), draw(uses), inside))
    return runs


def key(number: int) -> UUID:
    return UUID(int=(number + 1) << 96)


def within(runs: list[Run], number: int) -> set[int]:
    """The execution and all that ran inside it."""
    inner = {n for n, run in enumerate(runs) if run.inside == number}
    return {number}.union(*(within(runs, n) for n in inner))


def record(graph: Graph, runs: list[Run]) -> None:
    """Hold these executions, in place of those before."""
    order = (
        tables.pipeline_execution_input, tables.pipeline_execution_output,
        tables.pipeline_execution_closure, tables.pipeline_execution,
    )  # fmt: skip
    with graph.engine.begin() as c:
        for table in order:
            c.execute(table.delete())
    for n, run in enumerate(runs):
        row = {
            "id": n, "run_key": key(n), "pipeline_id": run.pipeline, "parent_id": run.inside,
            "state": run.state, "start_date": run.started, "end_date": run.started,
        }  # fmt: skip
        graph.insert(tables.pipeline_execution, [row])
    graph.insert(
        tables.pipeline_execution_closure,
        [
            {"parent_execution_id": n, "child_execution_id": m, "depth": int(n != m)}
            for n in range(len(runs))
            for m in within(runs, n)
        ],
    )
    for table, name in ((order[0], "inputs"), (order[1], "outputs")):
        graph.insert(table, list(_rows(runs, name)))


def _rows(runs: list[Run], name: str) -> Iterable[dict[str, object]]:
    for n, run in enumerate(runs):
        for address, as_alias, version in getattr(run, name):
            id_ = address + 100 * (as_alias and address in ALIASED)
            yield {"execution_id": n, "address_id": id_, "data_version": version}
