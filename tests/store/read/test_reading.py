"""What was recorded is read back, on SQLite and on PostgreSQL, with the real recorder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput, UnknownExecution, UnknownPipeline
from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report, RunError
from pipeledger.model.state import Authority, State
from pipeledger.model.views import ExecutionView, Page
from pipeledger.model.watermark import Window
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.read import Reader

NOON = datetime(2013, 1, 5, 12, tzinfo=timezone.utc)
LOAD = PipelineRef("load_flights")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def key(number: int) -> UUID:
    return UUID(int=number << 96 | number)


def start(number: int, minute: float, pipeline: PipelineRef = LOAD, **more: Any) -> ExecutionReport:
    return ExecutionReport(
        key(number),
        at(minute),
        pipeline=pipeline,
        state=State.RUNNING,
        started_at=at(minute),
        **more,
    )


def end(number: int, minute: float, state: State = State.SUCCESS, **more: Any) -> ExecutionReport:
    return ExecutionReport(key(number), at(minute), state=state, ended_at=at(minute), **more)


@pytest.fixture
def record(database_url: str) -> Callable[..., None]:
    recorder = SqlRecorder(Database.parse(database_url), timeout=10)

    def record(*reports: Report) -> None:
        recorder.record(reports)
        recorder.close()

    return record


@pytest.fixture
def reader(database_url: str) -> Reader:
    return Reader.open(database_url)


Record = Callable[..., None]


def test_an_empty_ledger_lists_nothing(reader: Reader) -> None:
    assert reader.pipelines() == Page(())
    assert reader.executions() == Page(())


def test_an_execution_is_read_back_whole(record: Record, reader: Reader) -> None:
    source, target = Address.parse("postgres://ops/flights"), Address.parse("s3://lake/flights")
    record(
        PipelineReport(LOAD, NOON, type="python", group="python"),
        start(
            1,
            0,
            attempt=2,
            previous=key(9),
            window=Window.of(10, 20),
            attributes={"host": "worker-1"},
            inputs=(DatasetUse(source, rows=5),),
        ),
        end(
            1,
            3,
            State.FAILED,
            counts=Counts(inserts=5, total_rows=7),
            error=RunError("ValueError", "no such carrier"),
            metadata={"files": 2},
            outputs=(DatasetUse(target, bytes=100, data_version="v1"),),
        ),
    )
    found = reader.execution(key(1))
    assert found.pipeline == LOAD and found.pipeline_type == "python"
    assert (found.state, found.attempt, found.previous) == (State.FAILED, 2, key(9))
    assert (found.started_at, found.ended_at, found.duration_seconds) == (at(0), at(3), 180.0)
    assert found.counts == Counts(inserts=5, total_rows=7) and found.rows == 7
    assert str(found.window) == "(10, 20]"
    assert found.error == RunError("ValueError", "no such carrier")
    assert found.metadata == {"files": 2} and found.attributes == {"host": "worker-1"}
    assert found.inputs == (DatasetUse(source, rows=5),)
    assert found.outputs == (DatasetUse(target, bytes=100, data_version="v1"),)


def test_the_first_digits_of_a_run_key_are_enough_when_no_other_begins_so(
    record: Record, reader: Reader
) -> None:
    first, second = (
        UUID("aabbccdd-0000-4000-8000-000000000001"),
        UUID("aabbccee-0000-4000-8000-000000000002"),
    )
    for run_key in (first, second):
        record(ExecutionReport(run_key, NOON, pipeline=LOAD, state=State.RUNNING, started_at=NOON))
    assert reader.execution("AABBCCD").run_key == first
    assert reader.execution("aabbccee-00").run_key == second
    with pytest.raises(InvalidInput, match=r"several run keys begin with 'aabb': .*load_flights"):
        reader.execution("aabb")
    with pytest.raises(UnknownExecution, match="no execution '12345678'"):
        reader.execution("12345678")
    with pytest.raises(InvalidInput, match="'banana' is no run key"):
        reader.execution("banana")


def test_executions_come_latest_first_and_every_page_goes_on_where_the_last_one_ended(
    record: Record, reader: Reader
) -> None:
    record(*(start(n, n // 3) for n in range(1, 12)))  # several start at the same moment
    record(
        ExecutionReport(key(50), NOON, pipeline=LOAD, state=State.SKIPPED, ended_at=NOON),
        ExecutionReport(key(51), NOON, pipeline=LOAD, state=State.SKIPPED, ended_at=NOON),
    )
    whole = reader.executions(limit=100)
    assert whole.next_cursor is None and len(whole) == 13
    starts = [e.started_at for e in whole if e.started_at]
    assert starts == sorted(starts, reverse=True) and len(starts) == 11
    assert {e.run_key for e in whole.items[11:]} == {key(50), key(51)}
    pages: list[ExecutionView] = []
    cursor = None
    while True:
        page = reader.executions(limit=2, cursor=cursor)
        pages += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page) == 2
    assert pages == list(whole.items)


def test_executions_are_filtered_by_pipeline_state_since_namespace_and_level(
    record: Record, reader: Reader
) -> None:
    other, theirs = PipelineRef("build_report"), PipelineRef("load_flights", "marketing")
    record(
        start(1, 0),
        start(2, 10),
        end(2, 11, State.FAILED),
        start(3, 20, other, parent=key(1)),
        end(3, 21),
        start(4, 30, theirs),
    )

    def keys(**filters: Any) -> set[UUID]:
        return {e.run_key for e in reader.executions(**filters)}

    assert keys(pipeline="load_flights") == {key(1), key(2), key(4)}
    assert keys(pipeline="load_flights", namespace="marketing") == {key(4)}
    assert keys(namespace="default") == {key(1), key(2), key(3)}
    assert keys(states=[State.FAILED, State.SUCCESS]) == {key(2), key(3)}
    assert keys(states=[State.RUNNING]) == {key(1), key(4)}
    assert keys(since=at(10)) == {key(2), key(3), key(4)}
    assert keys(top_level=True) == {key(1), key(2), key(4)}
    assert keys(pipeline="nothing") == set()


def test_a_cursor_of_another_list_or_a_damaged_one_is_refused(
    record: Record, reader: Reader
) -> None:
    record(start(1, 0), start(2, 1), start(3, 2, PipelineRef("b")))
    cursor = reader.executions(limit=1).next_cursor
    assert cursor is not None
    for wrong in (
        "",
        "x",
        "%%%",
        cursor[:-4],
        "bnVsbA",
        reader.pipelines(limit=1).next_cursor or "",
    ):
        with pytest.raises(InvalidInput, match="does not belong to this list"):
            reader.executions(cursor=wrong)
    with pytest.raises(InvalidInput, match="does not belong to this list"):
        reader.pipelines(cursor=cursor)


def test_the_tree_of_an_execution_is_what_ran_inside_it(record: Record, reader: Reader) -> None:
    record(
        start(3, 2, PipelineRef("c"), parent=key(2)),  # a child before its parent
        start(1, 0, PipelineRef("a")),
        start(2, 1, PipelineRef("b"), parent=key(1)),
        start(4, 1.5, PipelineRef("d"), parent=key(1)),
        start(9, 0, PipelineRef("elsewhere")),
    )
    tree = reader.tree(key(1))
    assert [node.execution.name for node in tree.walk()] == ["a", "b", "c", "d"]
    assert [child.execution.name for child in tree.children] == ["b", "d"]
    assert [n.execution.name for n in reader.tree(key(2)).walk()] == ["b", "c"]
    assert reader.tree(key(3), from_root=True) == tree
    assert [e.name for e in reader.ancestors(key(3))] == ["a", "b"]
    assert reader.ancestors(key(1)) == ()


def test_a_tree_knows_what_its_pipeline_declares_to_run_before_what(
    record: Record, reader: Reader
) -> None:
    dag, extract, load = PipelineRef("dag"), PipelineRef("dag.extract"), PipelineRef("dag.load")
    other = PipelineRef("dag.other")
    record(
        PipelineReport(dag, NOON, dependencies=((extract, load),)),
        start(1, 0, dag),
        start(2, 0, extract, parent=key(1)),
        end(2, 1),
        start(3, 0, other, parent=key(1)),
        end(3, 1.9),
        start(4, 2, load, parent=key(1)),
        end(4, 3),
        end(1, 4),
    )
    tree = reader.tree(key(1))
    assert tree.order == {load: {extract}}
    assert [n.execution.name for n in tree.critical_path] == ["dag", "dag.extract", "dag.load"]


def test_a_tree_that_was_cut_counts_what_is_hidden(record: Record, reader: Reader) -> None:
    record(start(1, 0), *(start(n, n, parent=key(1)) for n in range(2, 12)))
    tree = reader.tree(key(1), most=4)
    assert len(list(tree.walk())) == 4 and tree.hidden == 7
    assert reader.tree(key(1), most=11).hidden == 0


def test_a_parent_that_only_its_children_named_is_shown_as_unknown(
    record: Record, reader: Reader
) -> None:
    record(start(2, 0, parent=key(1)))
    tree = reader.tree(key(1))
    assert tree.execution.name == "(unknown)" and tree.children[0].execution.name == "load_flights"
    assert key(1) not in {e.run_key for e in reader.executions()}


def test_pipelines_show_watermark_and_latest_run(record: Record, reader: Reader) -> None:
    record(
        PipelineReport(LOAD, NOON, type="airflow_task", group="airflow", schedule="@daily"),
        start(1, 0, window=Window.of(None, 10)),
        end(1, 1, counts=Counts(inserts=3)),
        start(2, 5, window=Window.of(10, 20)),
        end(2, 6, State.FAILED),
        ExecutionReport(key(3), NOON, pipeline=LOAD, state=State.SKIPPED, ended_at=at(60)),
    )
    found = reader.pipeline(LOAD)
    assert (found.type, found.group, found.schedule) == ("airflow_task", "airflow", "@daily")
    assert (found.watermark, found.watermark_kind, found.active) == ("10", "integer", True)
    assert found.last_run is not None
    assert (found.last_run.run_key, found.last_run.state) == (key(2), State.FAILED)
    assert reader.pipelines() == Page((found,))


def test_pipelines_are_found_by_glob_and_paged_by_name(record: Record, reader: Reader) -> None:
    names = ["a_1", "a_2", "aX3", "b", "ZETA"]
    record(*(start(n, n, PipelineRef(name)) for n, name in enumerate(names, 1)))
    record(start(9, 0, PipelineRef("a_1", "marketing")))
    assert {p.pipeline.name for p in reader.pipelines(pattern="a_*")} == {"a_1", "a_2"}
    assert {p.pipeline.name for p in reader.pipelines(pattern="zet?")} == {"ZETA"}
    assert [str(p.pipeline) for p in reader.pipelines(namespace="marketing")] == ["marketing/a_1"]
    seen: list[str] = []
    cursor = None
    while True:
        page = reader.pipelines(limit=2, cursor=cursor)
        seen += [str(p.pipeline) for p in page]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted([*names, "marketing/a_1"]) and len(seen) == 6


def test_an_unknown_pipeline_is_named_with_those_that_look_alike(
    record: Record, reader: Reader
) -> None:
    record(start(1, 0, PipelineRef("load_flights_daily")))
    with pytest.raises(UnknownPipeline, match="did you mean load_flights_daily"):
        reader.pipeline("load_flights")
    with pytest.raises(UnknownPipeline, match="no pipeline 'x' in namespace 'default'"):
        reader.watermarks("x")


def test_dependencies_are_read_from_every_end(record: Record, reader: Reader) -> None:
    dag, extract, load = PipelineRef("dag"), PipelineRef("dag.extract"), PipelineRef("dag.load")
    record(PipelineReport(dag, NOON, dependencies=((extract, load),)))
    for ref in (dag, extract, load):
        (found,) = reader.dependencies(ref)
        assert (found.pipeline, found.upstream, found.downstream) == (dag, extract, load)


def test_the_window_that_failed_holds_the_watermark_back_by_name(
    record: Record, reader: Reader
) -> None:
    record(start(1, 0, window=Window.of(None, 10)), end(1, 1))
    record(start(2, 2, window=Window.of(10, 20)), end(2, 3, State.FAILED))
    record(start(3, 4, window=Window.of(20, 30)), end(3, 5))
    (shown,) = reader.watermarks(LOAD)
    assert (shown.value, shown.kind) == ("10", "integer")
    assert [e.run_key for e in shown.held_back_by] == [key(2)]
    assert [e.run_key for e in shown.waiting] == [key(3)]
    assert shown.missing is None
    record(start(4, 6, window=Window.of(10, 20)), end(4, 7))
    (shown,) = reader.watermarks(LOAD)
    assert (shown.value, shown.held_back_by, shown.waiting) == ("30", (), ())


def test_a_stretch_that_nobody_was_asked_to_process_is_named(
    record: Record, reader: Reader
) -> None:
    record(start(1, 0, window=Window.of(None, 10)), end(1, 1))
    record(start(3, 4, window=Window.of(20, 30)), end(3, 5))
    (shown,) = reader.watermarks(LOAD)
    assert str(shown.missing) == "(10, 20]"


def test_a_success_that_somebody_else_reported_still_holds_the_watermark_back(
    record: Record, reader: Reader
) -> None:
    record(
        start(1, 0, window=Window.of(None, 10)),
        end(1, 1, State.SUCCESS, authority=Authority.ORCHESTRATOR),
    )
    (shown,) = reader.watermarks(LOAD)
    assert shown.value is None
    assert [(e.run_key, e.state) for e in shown.held_back_by] == [(key(1), State.SUCCESS)]


def test_windows_from_before_a_rewind_hold_nothing_back(
    record: Record, reader: Reader, database_url: str
) -> None:
    record(start(1, 0, window=Window(None, Window.of(1, 10).upper, True, "", 0)))
    recorder = SqlRecorder(Database.parse(database_url), timeout=10)
    recorder.move_watermark(LOAD, 5, cause="set", reason="starts here")
    recorder.close()
    (shown,) = reader.watermarks(LOAD)
    assert (shown.value, shown.epoch, shown.held_back_by) == ("5", 1, ())


def test_text_watermarks_are_held_back_by_equality(record: Record, reader: Reader) -> None:
    record(start(1, 0, window=Window.of(None, "token-b")), end(1, 1))
    record(start(2, 2, window=Window.of("token-b", "token-a")), end(2, 3, State.FAILED))
    (shown,) = reader.watermarks(LOAD)
    assert (shown.value, shown.kind) == ("token-b", "text")
    assert [e.run_key for e in shown.held_back_by] == [key(2)]


def test_every_partition_has_a_watermark_of_its_own(record: Record, reader: Reader) -> None:
    for number, partition in enumerate(("EWR", "JFK"), 1):
        window = Window.of(None, number * 10, partition)
        record(start(number, number, window=window), end(number, number))
    shown = reader.watermarks(LOAD)
    assert [(w.partition_key, w.value) for w in shown] == [("EWR", "10"), ("JFK", "20")]
    assert reader.pipeline(LOAD).partitions == 2
    assert len(reader.watermark_history(LOAD, partition_key="JFK")) == 1


def test_the_history_names_each_move_with_its_cause(
    record: Record, reader: Reader, database_url: str
) -> None:
    record(start(1, 0, window=Window.of(None, 10)), end(1, 1))
    recorder = SqlRecorder(Database.parse(database_url), timeout=10)
    recorder.move_watermark(LOAD, None, cause="rewind", reason="load it all again")
    recorder.close()
    history = reader.watermark_history(LOAD)
    assert [(m.cause, m.old_value, m.new_value, m.run_key, m.reason) for m in history] == [
        ("rewind", "10", None, None, "load it all again"),
        ("execution", None, "10", key(1), None),
    ]
    first = reader.watermark_history(LOAD, limit=1)
    rest = reader.watermark_history(LOAD, limit=1, cursor=first.next_cursor)
    assert (*first, *rest) == history.items and rest.next_cursor is None


def test_random_keys_are_found_by_the_digits_that_runs_prints(
    record: Record, reader: Reader
) -> None:
    run_key = random_key()
    record(ExecutionReport(run_key, NOON, pipeline=LOAD, state=State.RUNNING, started_at=NOON))
    assert reader.execution(str(run_key)[:13]).run_key == run_key
