"""The laws of the ledger: the SQL recorder holds what the reference model holds, in every order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from drawn_reports import PIPELINES, declarations, executions, lineages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_snapshot import of_database, of_model
from whole_ledger import emptied

from pipeledger.model.errors import InvalidWatermark, UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.port import WindowRequest
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.testing import ModelRecorder

EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    made = SqlRecorder(Database.parse(database_url))
    yield made
    made.close()


def snapshot(recorder: SqlRecorder) -> dict[str, Any]:
    assert recorder._connection is not None
    return of_database(recorder._connection)


anything = st.one_of(executions(), executions(), executions(), declarations, lineages)
batches = st.lists(st.lists(anything, min_size=1, max_size=6), min_size=1, max_size=8)
moves = st.tuples(
    st.sampled_from(list(PIPELINES)),
    st.sampled_from(["set", "rewind"]),
    st.sampled_from(["", "p"]),
    st.integers(0, 3),
)


@EXAMPLES
@given(steps=st.lists(st.one_of(st.lists(anything, min_size=1, max_size=6), moves), max_size=10))
def test_the_database_holds_what_the_model_holds_after_every_sequence_of_deliveries(
    recorder: SqlRecorder, steps: list[object]
) -> None:
    model, sql = ModelRecorder(), emptied(recorder)
    for step in steps:
        if isinstance(step, list):
            model.record(step)
            sql.record(step)
        else:
            assert _move(model, step) == _move(sql, step)
    assert snapshot(sql) == of_model(model)


def _move(recorder: ModelRecorder | SqlRecorder, step: object) -> object:
    name, cause, partition, number = step  # type: ignore[misc]
    value = {
        "numbers": [None, 5, 15, 60],
        "days": [None, "2013-01-01", "2013-01-02", "2013-03-01"],
        "tokens": [None, "a", "b", "z"],
    }[name][number]
    try:
        return recorder.move_watermark(
            PipelineRef(name), value, cause=cause, reason="test", partition_key=partition
        )
    except (InvalidWatermark, UnknownPipeline) as error:
        return type(error)


@EXAMPLES
@given(
    reports=st.lists(
        st.one_of(
            executions(contradicting=False), executions(contradicting=False), declarations, lineages
        ),
        max_size=12,
    ),
    data=st.data(),
)
def test_every_order_of_delivery_and_every_duplicate_gives_one_result(
    recorder: SqlRecorder, reports: list[object], data: st.DataObject
) -> None:
    model = ModelRecorder()
    for report in reports:
        model.record([report])  # type: ignore[list-item]
    again = data.draw(st.lists(st.sampled_from(reports), max_size=4)) if reports else []
    shuffled = data.draw(st.permutations([*reports, *again]))
    cut = data.draw(st.integers(0, len(shuffled)))
    sql = emptied(recorder)
    sql.record(shuffled[:cut])
    for report in shuffled[cut:]:
        sql.record([report])
    expected, found = (
        without_overruled_parents(of_model(model)),
        without_overruled_parents(snapshot(sql)),
    )
    # How the watermark got there depends on the order; that it got there does not.
    del expected["history"], found["history"]
    assert found == expected


def without_overruled_parents(found: dict[str, Any]) -> dict[str, Any]:
    """Without the rows that stand for a parent which nobody reported and which another one overruled:
    whether there is one depends on whether it was delivered before the other."""
    parents = {row["parent"] for row in found["executions"].values()}
    overruled = {
        key
        for key, row in found["executions"].items()
        if row["pipeline"] is None and key not in parents
    }
    kept = {key: row for key, row in found["executions"].items() if key not in overruled}
    closure = {pair: d for pair, d in found["closure"].items() if pair[1] not in overruled}
    return {**found, "executions": kept, "closure": closure}


@EXAMPLES
@given(batch=st.lists(st.lists(executions(), min_size=1, max_size=5), min_size=1, max_size=5))
def test_the_history_of_a_watermark_ends_at_the_watermark_and_never_goes_back(
    recorder: SqlRecorder, batch: list[list[object]]
) -> None:
    sql = emptied(recorder)
    for reports in batch:
        sql.record(reports)  # type: ignore[arg-type]
    found = snapshot(sql)
    for key, history in found["history"].items():  # type: ignore[attr-defined]
        values = [history[0][3], *(move[4] for move in history)]
        assert [move[3] for move in history] == values[:-1]
        assert found["watermarks"][key][0] == values[-1]  # type: ignore[index]
        # Once to each end: a stated bound that comes after a derived one gives a run another end.
        moved = [(move[2], move[4]) for move in history]
        assert len(moved) == len(set(moved)), "a success moved the watermark twice"


@EXAMPLES
@given(numbers=st.permutations([0, 1, 2, 3, 4]), failed=st.none() | st.integers(0, 4))
def test_contiguous_windows_end_at_the_end_of_their_cover_in_every_order(
    recorder: SqlRecorder, numbers: list[int], failed: int | None
) -> None:
    from datetime import datetime, timezone
    from uuid import UUID

    from pipeledger.model.report import ExecutionReport
    from pipeledger.model.state import State
    from pipeledger.model.watermark import Window

    sql, at = emptied(recorder), datetime(2024, 1, 1, tzinfo=timezone.utc)
    for n in numbers:
        state = State.FAILED if n == failed else State.SUCCESS
        window = Window.of(n * 10 if n else None, n * 10 + 10)
        sql.record(
            [
                ExecutionReport(
                    UUID(int=n + 1), at, pipeline=PipelineRef("load"), state=state, window=window
                )
            ]
        )
    reached = sql.watermark(PipelineRef("load")).native
    covered = 5 if failed is None else failed
    assert reached == (covered * 10 or None)


def test_a_window_is_issued_from_the_watermark_with_its_epoch(recorder: SqlRecorder) -> None:
    load = PipelineRef("load")
    first = recorder.open_window(WindowRequest(load, 10))
    assert (first.watermark, first.next_watermark, first.epoch) == (None, 10, 0)
    recorder.move_watermark(load, 7, cause="set", reason="loaded by hand")
    second = recorder.open_window(WindowRequest(load, 10))
    assert (second.watermark, second.next_watermark, second.epoch) == (7, 10, 1)
