"""Pruning deletes what is old and over, keeps what is needed, and counts what it deletes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from drawn_reports import FUTURE, PAST, executions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_snapshot import of_database
from whole_ledger import emptied

from pipeledger.housekeeping.prune import Pruned, prune
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording.port import WindowRequest
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database, read_time
from pipeledger.store.statement import Statement

NOW = datetime(2024, 6, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
OLD = NOW - 100 * DAY
LOAD, DAG = PipelineRef("load"), PipelineRef("dag")
EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_DAILY = Statement(
    "SELECT p.name, d.day, d.runs, d.successes, d.failures, d.skipped, d.abandoned, d.inserts,"
    " d.updates, d.soft_deletes, d.total_rows, d.timed_runs, d.duration_seconds, d.duration_seconds_max"
    " FROM pipeline_daily d JOIN pipeline p ON p.id = d.pipeline_id"
)
_ROWS = Statement(
    "SELECT id, run_key, state, end_rank, start_date, end_date, heartbeat_at, succeeded, absorbed,"
    " to_order, epoch, partition_key, pipeline_id, parent_id FROM pipeline_execution"
)
_MARKS = Statement(
    "SELECT pipeline_id, partition_key, value_order, epoch, epoch_started_at FROM watermark"
)


def key(number: int) -> UUID:
    return UUID(int=number)


def run(number: int, at: datetime, state: State = State.SUCCESS, **more: Any) -> ExecutionReport:
    """A run of a minute, in one report."""
    more.setdefault("pipeline", LOAD)
    is_end = state is not State.RUNNING
    return ExecutionReport(
        key(number), at, state=state, started_at=at,
        ended_at=at + timedelta(minutes=1) if is_end else None, **more,
    )  # fmt: skip


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    with closing(SqlRecorder(Database.parse(database_url), 30)) as made:
        yield made


def pruned(url: str, keep_last: int = 0, **more: Any) -> Pruned:
    return prune(Database.parse(url), older_than=90 * DAY, keep_last=keep_last, now=NOW, **more)


def snapshot(url: str) -> dict[str, Any]:
    with closing(Database.parse(url).connect()) as connection:
        return of_database(connection)


def left(url: str) -> set[UUID]:
    return set(snapshot(url)["executions"])


def daily(url: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    with closing(Database.parse(url).connect()) as connection:
        return {(n, str(day)): tuple(rest) for n, day, *rest in connection.rows(_DAILY, {})}


def test_old_runs_go_and_later_ones_stay(database_url: str, recorder: SqlRecorder) -> None:
    recorder.record([run(1, OLD), run(2, NOW - 89 * DAY)])
    assert pruned(database_url) == Pruned(1, 1, 0)
    assert left(database_url) == {key(2)}


def test_a_tree_goes_only_when_all_of_it_is_old_and_ended(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record(
        [
            run(1, OLD, pipeline=DAG), run(2, OLD, parent=key(1)), run(3, OLD, parent=key(2)),
            run(11, OLD, pipeline=DAG), run(12, OLD, parent=key(11)), run(13, NOW, parent=key(12)),
            run(21, OLD, pipeline=DAG), run(22, OLD, State.RUNNING, parent=key(21)),
            run(31, OLD), ExecutionReport(key(31), OLD, pipeline=LOAD, heartbeat_at=NOW),
        ]
    )  # fmt: skip
    assert pruned(database_url) == Pruned(1, 3, 3)
    assert left(database_url) == {key(n) for n in (11, 12, 13, 21, 22, 31)}


def test_a_tree_whose_root_nobody_reported_goes_by_the_age_of_what_ran_in_it(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([run(2, OLD, parent=key(1)), run(4, NOW, parent=key(3))])
    assert pruned(database_url) == Pruned(1, 2, 1)
    assert left(database_url) == {key(3), key(4)}


def test_what_nobody_reported_and_nothing_runs_in_goes_whatever_its_age(
    database_url: str, recorder: SqlRecorder
) -> None:
    """The parent that a child was first said to have, before the one it has."""
    recorder.record([run(3, NOW, parent=key(1), parent_derived=True)])
    recorder.record([run(3, NOW, parent=key(2))])
    with closing(Database.parse(database_url).connect()) as connection:
        keys = [{str(row[1]) for row in connection.rows(_ROWS, {})}]
        connection.rollback()
        assert pruned(database_url).executions == 1
        keys.append({str(row[1]) for row in connection.rows(_ROWS, {})})
    assert keys[0] - keys[1] == {str(key(1))}
    assert left(database_url) == {key(2), key(3)}


def test_the_last_runs_of_every_pipeline_stay_with_their_trees(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([run(n, OLD + n * timedelta(hours=1)) for n in range(1, 6)])
    recorder.record([run(10, OLD, pipeline=DAG), run(11, OLD, parent=key(10))])
    # The child is the first run of its pipeline by far, the parent the only one of its own.
    assert pruned(database_url, keep_last=2).executions == 3
    assert left(database_url) == {key(n) for n in (4, 5, 10, 11)}


def test_a_success_that_waits_for_its_watermark_stays_and_still_moves_it(
    database_url: str, recorder: SqlRecorder
) -> None:
    windows = {1: Window.of(None, 10), 3: Window.of(20, 30), 4: Window.of(5, 7)}
    recorder.record([run(n, OLD, window=window) for n, window in windows.items()])
    assert pruned(database_url).executions == 2
    assert left(database_url) == {key(3)}
    recorder.record([run(2, NOW, window=Window.of(10, 20))])
    assert recorder.watermark(LOAD).native == 30


def test_a_success_of_an_epoch_that_is_over_waits_for_nothing(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([run(1, OLD, window=Window.of(20, 30))])
    recorder.move_watermark(LOAD, 5, cause="set", reason="test")
    assert pruned(database_url).executions == 1


def test_an_old_success_that_comes_again_moves_no_watermark_twice(
    database_url: str, recorder: SqlRecorder
) -> None:
    reports: list[Report] = [run(1, OLD, window=Window.of(None, 10))]
    recorder.record(reports)
    before = snapshot(database_url)
    pruned(database_url)
    recorder.record(reports)
    after = snapshot(database_url)
    assert (after["watermarks"], after["history"]) == (before["watermarks"], before["history"])


def test_a_run_that_comes_back_gets_a_place_under_a_parent_that_is_gone(
    database_url: str, recorder: SqlRecorder
) -> None:
    reports: list[Report] = [run(1, OLD, pipeline=DAG), run(2, OLD, parent=key(1))]
    recorder.record(reports)
    pruned(database_url)
    late = ExecutionReport(key(2), OLD, state=State.SUCCESS, ended_at=OLD, parent=key(1))
    recorder.record([late])
    found = snapshot(database_url)
    assert found["executions"][key(2)]["parent"] == key(1)
    assert found["closure"] == {(key(1), key(1)): 0, (key(2), key(2)): 0, (key(1), key(2)): 1}
    recorder.record(reports)
    assert snapshot(database_url)["executions"][key(1)]["pipeline"] == ("default", "dag")


def test_inputs_and_outputs_go_with_their_runs_and_lineage_addresses_and_pipelines_stay(
    database_url: str, recorder: SqlRecorder
) -> None:
    use = (DatasetUse(Address("file", "/a"), 5),)
    recorder.record([run(1, OLD, inputs=use, outputs=use), run(2, NOW, inputs=use)])
    pruned(database_url)
    found = snapshot(database_url)
    assert {k for k, *_ in found["inputs"]} == {key(2)} and not found["outputs"]


def test_daily_sums_tell_what_was_deleted_and_add_up_over_several_prunings(
    database_url: str, recorder: SqlRecorder
) -> None:
    at = datetime(2024, 1, 5, 23, 59, tzinfo=timezone.utc)
    recorder.record(
        [
            run(1, at, counts=Counts(inserts=2, total_rows=2**63 - 1)),
            run(2, at, State.FAILED, counts=Counts(inserts=3, total_rows=2**63 - 1)),
            run(3, at, State.SKIPPED),
            run(4, at + DAY, State.ABANDONED, pipeline=DAG),
        ]
    )
    pruned(database_url)
    largest = 2**63 - 1
    assert daily(database_url) == {
        ("load", "2024-01-05"): (3, 1, 1, 1, 0, 5, None, None, largest, 3, 180.0, 60.0),
        ("dag", "2024-01-06"): (1, 0, 0, 0, 1, None, None, None, None, 1, 60.0, 60.0),
    }
    recorder.record([run(5, at, counts=Counts(inserts=10, updates=1))])
    pruned(database_url)
    assert daily(database_url)["load", "2024-01-05"][:8] == (4, 2, 1, 1, 0, 15, 1, None)


def test_a_dry_run_says_the_same_and_changes_nothing(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([run(n, OLD) for n in range(1, 8)] + [run(9, NOW)])
    before = snapshot(database_url)
    assert pruned(database_url, keep_last=2, dry_run=True) == Pruned(6, 6, 1)
    assert snapshot(database_url) == before
    assert pruned(database_url, keep_last=2) == Pruned(6, 6, 1)


def test_every_batch_is_committed_and_a_tree_is_never_split(
    database_url: str, recorder: SqlRecorder
) -> None:
    for root in range(100, 1000, 100):
        recorder.record([run(root, OLD + root * timedelta(seconds=1), pipeline=DAG)])
        recorder.record([run(root + n, OLD, parent=key(root)) for n in range(1, 4)])

    class Stopped(Exception):
        pass

    def stop_after_two(done: Pruned) -> None:
        if done.executions >= 16:
            raise Stopped

    with pytest.raises(Stopped):
        pruned(database_url, batch=8, progress=stop_after_two)
    assert len(left(database_url)) == 36 - 16
    assert pruned(database_url, batch=1) == Pruned(5, 20, 0)


@pytest.mark.parametrize("arguments", [{"batch": 0}, {"batch": 10**6}, {"keep_last": -1}])
def test_a_batch_or_a_number_to_keep_that_makes_no_sense_is_refused(
    sqlite_url: str, arguments: dict[str, int]
) -> None:
    with pytest.raises(InvalidInput, match="cannot be used"):
        pruned(sqlite_url, **arguments)


@EXAMPLES
@given(
    reports=st.lists(executions(), max_size=14),
    keep_last=st.integers(0, 2),
    batch=st.integers(1, 4),
    set_to=st.none() | st.sampled_from([5, 15]),
)
def test_pruning_takes_exactly_the_trees_that_nothing_holds_and_leaves_the_rest_as_it_was(
    recorder: SqlRecorder,
    database_url: str,
    reports: list[ExecutionReport],
    keep_last: int,
    batch: int,
    set_to: int | None,
) -> None:
    emptied(recorder)
    for report in reports:
        recorder.record([report])
    if set_to is not None:
        recorder.open_window(WindowRequest(PipelineRef("numbers"), None))
        recorder.move_watermark(PipelineRef("numbers"), None, cause="rewind", reason="test")
        recorder.move_watermark(PipelineRef("numbers"), set_to, cause="set", reason="test")
    before = snapshot(database_url)
    cutoff = PAST + timedelta(seconds=3)
    going = _expected(database_url, cutoff, keep_last)
    done = prune(
        Database.parse(database_url),
        older_than=FUTURE - cutoff,
        keep_last=keep_last,
        batch=batch,
        now=FUTURE,
    )
    after = snapshot(database_url)
    assert set(after["executions"]) == set(before["executions"]) - going
    assert done.executions == len(going)
    assert after["executions"] == {k: v for k, v in before["executions"].items() if k not in going}
    for name in ("inputs", "outputs"):
        assert after[name] == {use for use in before[name] if use[0] not in going}
    assert after["closure"] == {
        pair: depth for pair, depth in before["closure"].items() if pair[1] not in going
    }
    for name in ("watermarks", "history", "pipelines", "edges", "dependencies"):
        assert after[name] == before[name]
    for report in reports:  # and what comes again finds a ledger in order
        recorder.record([report])
    again = snapshot(database_url)
    parents = {k: row["parent"] for k, row in again["executions"].items()}
    assert again["closure"] == _closure(parents)
    for (name, _), mark in before["watermarks"].items():
        # Opaque text may lead back to where it was, and a start that lies in the future belongs to
        # whichever epoch is in force.
        if name != "tokens" and set_to is None:
            assert again["watermarks"][name, _] == mark


def _closure(parents: dict[UUID, UUID | None]) -> dict[tuple[UUID, UUID], int]:
    pairs = {}
    for child in parents:
        above: UUID | None = child
        depth = 0
        while above is not None:
            pairs[above, child] = depth
            above, depth = parents[above], depth + 1
    return pairs


def _expected(url: str, cutoff: datetime, keep_last: int) -> set[UUID]:
    """What pruning has to take, read from the rows in plain Python."""
    names = [
        "id", "run_key", "state", "end_rank", "start", "end", "beat", "succeeded", "absorbed", "to",
        "epoch", "partition", "pipeline", "parent",
    ]  # fmt: skip
    with closing(Database.parse(url).connect()) as connection:
        rows = [dict(zip(names, row, strict=True)) for row in connection.rows(_ROWS, {})]
        marks = {(p, k): rest for p, k, *rest in connection.rows(_MARKS, {})}
    by_id = {row["id"]: row for row in rows}
    trees: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        root = row
        while root["parent"] is not None:
            root = by_id[root["parent"]]
        trees.setdefault(root["id"], []).append(row)
    newest: set[int] = set()
    for pipeline in {row["pipeline"] for row in rows if row["pipeline"] is not None}:
        started = [r for r in rows if r["pipeline"] == pipeline and r["start"] is not None]
        started.sort(key=lambda r: (read_time(r["start"]), r["id"]), reverse=True)
        newest |= {r["id"] for r in started[:keep_last]}

    def holds(row: dict[str, Any]) -> bool:
        seen = [t for t in map(read_time, (row["start"], row["end"], row["beat"])) if t is not None]
        if row["state"] == "running" and row["end_rank"] is not None:
            return True
        if row["id"] in newest or any(t >= cutoff for t in seen):
            return True
        if not row["succeeded"] or row["absorbed"] or row["to"] is None:
            return False
        order, epoch, since = marks.get((row["pipeline"], row["partition"]), ("", 0, None))
        start, since = read_time(row["start"]), read_time(since)
        is_of_epoch = row["epoch"] == epoch or (
            row["epoch"] is None and (since is None or (start is not None and start >= since))
        )
        return is_of_epoch and (row["to"][0] == "t" or row["to"] > order)

    going = set()
    for tree in trees.values():
        is_dated = any(row[name] is not None for row in tree for name in ("start", "end", "beat"))
        if is_dated and not any(holds(row) for row in tree):
            going |= {UUID(str(row["run_key"])) for row in tree}
    for tree in trees.values():
        (row, *others) = tree
        if not others and row["pipeline"] is None:
            going.add(UUID(str(row["run_key"])))
    return going


def test_pruning_is_safe_while_runs_and_late_reports_are_recorded(database_url: str) -> None:
    """Recorders add leaves and late ends to the very trees that are being pruned, and move them."""
    database = Database.parse(database_url)
    roots = [random_key() for _ in range(150)]
    children = {root: [random_key() for _ in range(3)] for root in roots}
    with closing(SqlRecorder(database, 30)) as recorder:
        for root in roots:
            recorder.record(
                [ExecutionReport(root, OLD, pipeline=DAG, state=State.SUCCESS, started_at=OLD)]
                + [_child(c, root) for c in children[root]]
            )
    late = {root: [random_key() for _ in range(2)] for root in roots}
    errors: list[BaseException] = []

    def record(part: int) -> None:
        try:
            with closing(SqlRecorder(database, 30)) as recorder:
                for root in roots:
                    recorder.record(
                        [_child(late[root][part], root), _child(children[root][0], root)]
                    )
                    beat = OLD + timedelta(seconds=part)
                    recorder.record(
                        [ExecutionReport(children[root][1], OLD, heartbeat_at=beat, parent=root)]
                    )
        except BaseException as error:
            errors.append(error)

    above = {root: random_key() for root in roots[::3]}

    def move() -> None:
        """Trees are moved under a parent that is new, or that came while they were pruned."""
        try:
            with closing(SqlRecorder(database, 30)) as recorder:
                for root, parent in above.items():
                    recorder.record([ExecutionReport(root, OLD, pipeline=DAG, parent=parent)])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=record, args=(part,)) for part in range(2)]
    threads.append(threading.Thread(target=move))
    for thread in threads:
        thread.start()
    total = Pruned()
    while any(thread.is_alive() for thread in threads):
        total += pruned(database_url, batch=20)
    for thread in threads:
        thread.join()
    assert errors == []
    found = snapshot(database_url)
    parents = {k: row["parent"] for k, row in found["executions"].items()}
    assert found["closure"] == _closure(parents)
    of_root = {c: root for root in roots for c in [*children[root], *late[root]]}
    of_root |= above
    assert all(
        # A root that was pruned after it was moved comes back without the report that moved it.
        parents[k] == of_root.get(k) or (k in above and parents[k] is None)
        for k in parents
    ), "a late report lost its parent"
    total += pruned(database_url)
    assert total.executions > 100


def _child(child: UUID, root: UUID) -> ExecutionReport:
    return ExecutionReport(
        child, OLD, pipeline=LOAD, state=State.SUCCESS, started_at=OLD, ended_at=OLD, parent=root
    )
