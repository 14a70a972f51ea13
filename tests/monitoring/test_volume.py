"""The volume check: which executions it finds odd, what it says, and what becomes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from pipeledger.model.finding import FindingState, Severity
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.state import State
from pipeledger.monitoring.check import evaluate
from pipeledger.monitoring.volume import judged
from pipeledger.store.findings import Seen
from pipeledger.store.read import Reader

from .volumes import DAY, HOUR, LOAD, MINUTE, MONDAY, Volumes, steady


@pytest.fixture
def volumes(database_url: str) -> Iterator[Volumes]:
    made = Volumes(database_url)
    yield made
    made.close()


def weeks(number: int) -> list[int]:
    """Mondays around 44,000, other workdays around 30,000, weekends around 9,000."""
    factors = (1, 0.7, 0.7, 0.7, 0.7, 0.2, 0.2)
    return [round(v * factors[n % 7]) for n, v in enumerate(steady(7 * number, 44_000))]


def test_an_odd_run_is_found_with_the_reason_in_words_and_numbers(volumes: Volumes) -> None:
    history = weeks(12)
    today = volumes.daily(history)
    key = volumes.run(today, 1_204)
    (found,) = volumes.open(today + HOUR)
    mondays = history[::7]
    assert found.message.startswith(
        f"1,204 rows inserted; Mondays {min(mondays):,} to {max(mondays):,} in the last 12 weeks"
        " (expected "
    )
    assert (found.metric, found.run_key, found.pipeline) == ("inserts", key, LOAD)
    assert found.severity is Severity.ERROR  # a thirtieth
    assert found.since == today + 10 * MINUTE
    assert found.details["low"] < found.details["expected"] < found.details["high"]
    assert (found.details["slot"], found.details["points"]) == ("Mondays", 12)
    assert found.details["z_score"] is found.details["rule_id"] is None


def test_what_is_found_is_in_watchers_log(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    (found,) = volumes.open(today + HOUR)
    engine = create_engine(volumes.url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT pipeline_execution_id, metric_field, rule_id, violation_value, z_score"
                 " FROM anomaly_detection_result")
        ).all()  # fmt: skip
    engine.dispose()
    assert [tuple(row) for row in rows] == [(found.execution_id, "inserts", None, 9_000.0, None)]


def test_a_usual_run_is_no_finding(volumes: Volumes) -> None:
    today = volumes.daily(steady(41))
    assert (
        volumes.look(today).checks[0].checked == 7
    )  # those of the last seven days, at the first look
    assert volumes.all() == []


def test_looking_again_says_the_same_and_finds_nothing_new(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    (first,) = volumes.open(today + HOUR)
    assert volumes.look(today + 2 * HOUR).checks[0].checked == 0
    (again,) = volumes.open(today + 3 * HOUR)
    assert again == first


def test_a_checker_that_began_before_another_one_saved_sees_what_that_one_found(
    volumes: Volumes,
) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    (found,) = volumes.open(today + HOUR)
    began_with = Seen(None, {}, ())  # read before the other one saved
    reader = Reader.open(volumes.url)
    _, look = evaluate(reader, "volume", now=today + 2 * HOUR, seen=began_with)
    assert [(cause.subject, cause.message) for cause in look.causes if cause.holds] == [
        (f"execution:{found.execution_id}:inserts", found.message)
    ]


def test_two_checkers_at_once_make_one_finding(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda n: volumes.look(today + n * MINUTE), (60, 61)))
    assert {len(outcome.findings) for outcome in outcomes} <= {0, 1}
    (found,) = volumes.all()
    assert (found.state, found.openings) == (FindingState.OPEN, 1)


def test_a_fine_run_resolves_it(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    assert len(volumes.open(today + HOUR)) == 1
    volumes.run(today + DAY, 40_000)
    assert volumes.open(today + DAY + HOUR) == []
    (found,) = volumes.all()
    assert found.state is FindingState.RESOLVED and found.resolved_at == today + DAY + HOUR


def test_a_failed_or_skipped_run_resolves_nothing_and_is_no_point(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    volumes.look(today + HOUR)
    volumes.run(today + DAY, 40_000, state=State.FAILED)
    volumes.run(today + 2 * DAY, 40_000, state=State.SKIPPED)
    volumes.run(today + 3 * DAY, state=State.RUNNING)
    assert len(volumes.open(today + 3 * DAY)) == 1
    assert len(volumes.all()) == 1


def test_a_run_that_ran_at_the_last_look_is_judged_when_it_has_ended(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    key = volumes.run(today, state=State.RUNNING)
    assert volumes.open(today + MINUTE) == []
    volumes.end(key, today, 5_000)
    assert [f.run_key for f in volumes.open(today + HOUR)] == [key]


def test_after_seven_days_it_is_no_news_any_more(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 9_000)
    assert len(volumes.open(today + HOUR)) == 1
    assert len(volumes.open(today + 7 * DAY)) == 1
    assert volumes.open(today + 7 * DAY + HOUR) == []


def test_what_was_over_before_the_first_look_is_kept_and_told_to_nobody(volumes: Volumes) -> None:
    values = steady(40)
    values[36] = 9_000
    today = volumes.daily(values)
    assert volumes.open(today) == []
    (found,) = volumes.all()
    assert (found.state, found.openings) == (FindingState.RESOLVED, 0)


def test_of_several_odd_runs_in_a_row_the_first_is_told_and_one_that_is_worse(
    volumes: Volumes,
) -> None:
    today = volumes.daily(steady(40))
    for day, rows in enumerate([20_000, 21_000, 0, 0]):
        volumes.run(today + day * DAY, rows)
        volumes.look(today + day * DAY + HOUR)
    found = volumes.all()
    assert [(f.state.value, f.severity.value) for f in found] == [
        ("open", "warning"),
        ("resolved", "warning"),
        ("open", "error"),
        ("resolved", "error"),
    ]
    volumes.run(today + 4 * DAY, 40_000)
    assert volumes.open(today + 4 * DAY + HOUR) == []


def test_a_new_level_is_told_once_and_becomes_the_usual_one(volumes: Volumes) -> None:
    today = volumes.daily(steady(60))
    opened = []
    for day, rows in enumerate(steady(12, level=90_000, seed=2)):
        volumes.run(today + day * DAY, rows)
        opened.append(len(volumes.open(today + day * DAY + HOUR)))
    assert opened == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    found = volumes.all()
    assert len(found) == 5
    assert found[4].message.endswith("; 5 in a row: from the next run on this is the usual level")
    assert sum(f.openings for f in found) == 1
    volumes.run(today + 12 * DAY, 40_000)
    assert len(volumes.open(today + 12 * DAY + HOUR)) == 1


def test_what_was_unflagged_teaches(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 90_000)
    (found,) = volumes.open(today + HOUR)
    volumes.unflag(found, today + HOUR)
    assert volumes.open(today + 2 * HOUR) == []
    volumes.run(today + 2 * DAY, 90_000)
    assert volumes.open(today + 2 * DAY + HOUR) == []
    volumes.run(today + 3 * DAY, 200_000)
    assert [f.id for f in volumes.open(today + 3 * DAY + HOUR)] != []


def test_what_was_flagged_does_not_become_the_usual(volumes: Volumes) -> None:
    values = steady(40)
    today = volumes.daily(values)
    for day in range(6):  # every other day
        volumes.run(today + 2 * day * DAY, 12_000)
        volumes.run(today + (2 * day + 1) * DAY, 40_000)
        volumes.look(today + (2 * day + 1) * DAY + HOUR)
    assert len(volumes.all()) == 6


def test_no_rows_where_there_always_were_some_is_an_error_from_the_sixth_run_on(
    volumes: Volumes,
) -> None:
    today = volumes.daily(steady(5))
    volumes.run(today, 0)
    (found,) = volumes.open(today + HOUR)
    assert found.severity is Severity.ERROR
    assert found.message.startswith("0 rows inserted; usually ")
    assert found.message.endswith("none of them without rows")


def test_several_odd_counts_of_one_run_are_one_finding(volumes: Volumes) -> None:
    for day, rows in enumerate(steady(40)):
        volumes.run(MONDAY + day * DAY, rows, updates=rows // 2, total_rows=rows + rows // 2)
    today = MONDAY + 40 * DAY
    volumes.run(today, 0, updates=0, total_rows=0)
    (found,) = volumes.open(today + HOUR)
    assert found.metric == "total_rows"
    assert found.message.endswith("; inserts and updates are odd, too")
    volumes.run(today + DAY, 0, updates=60_000, total_rows=60_000)
    metrics = {f.metric for f in volumes.open(today + DAY + HOUR)}
    assert metrics == {"inserts"}


def test_a_long_run_is_odd_unless_it_had_as_much_more_to_do(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 40_000, took=2 * HOUR)
    (found,) = volumes.open(today + 3 * HOUR)
    assert found.metric == "duration_seconds"
    assert found.message.startswith("took 2h; usually 10m in the last 12 weeks (expected up to ")
    volumes.run(today + DAY, 480_000, took=2 * HOUR)
    assert {f.metric for f in volumes.open(today + DAY + 3 * HOUR)} == {"inserts"}
    assert {f.metric for f in volumes.all()} == {"inserts", "duration_seconds"}
    assert len([f for f in volumes.all() if f.metric == "duration_seconds"]) == 1


def test_a_run_of_milliseconds_more_is_nobodys_business(volumes: Volumes) -> None:
    today = volumes.daily([None] * 40, took=timedelta(milliseconds=10))
    volumes.run(today, took=timedelta(milliseconds=40))
    volumes.run(today + HOUR, took=timedelta(seconds=5))
    assert volumes.open(today + 2 * HOUR) == []


def test_a_pipeline_that_is_switched_off_is_not_looked_at(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 0)
    with volumes.writing() as connection:
        from pipeledger.store.statement import Statement

        connection.run(Statement("UPDATE pipeline SET active = false"), {})
    assert volumes.look(today + HOUR).checks[0].checked == 0
    assert volumes.all() == []


def test_pipelines_are_judged_by_their_own_history(volumes: Volumes) -> None:
    others = [PipelineRef(f"p{n}", "team") for n in range(5)]
    for number, ref in enumerate(others):
        today = volumes.daily(steady(30, 10.0 ** (number + 2), seed=number), pipeline=ref)
    volumes.run(today, 1_000, pipeline=others[1])
    volumes.run(today, 1_000, pipeline=others[3])
    assert [f.pipeline for f in volumes.open(today + HOUR)] == [others[3]]


def test_the_order_in_which_runs_were_delivered_does_not_matter(volumes: Volumes) -> None:
    runs = list(enumerate([*steady(60), 9_000]))
    for day, rows in sorted(runs, key=lambda run: (run[0] * 37) % 61):
        volumes.run(MONDAY + day * DAY, rows)
    other = PipelineRef("in_order")
    for day, rows in runs:
        volumes.run(MONDAY + day * DAY, rows, pipeline=other)
    found = volumes.open(MONDAY + 60 * DAY + HOUR)
    assert {f.pipeline for f in found} == {LOAD, other}
    assert len({f.message for f in found}) == 1


def test_a_run_that_is_delivered_late_is_judged_by_what_was_before_it(volumes: Volumes) -> None:
    today = volumes.daily([*steady(40)])
    volumes.look(today)
    volumes.run(today + DAY, 40_000)
    volumes.look(today + DAY + HOUR)
    volumes.run(today, 5_000)  # yesterday's, from the spool
    assert volumes.open(today + DAY + 2 * HOUR) == []
    (found,) = volumes.all()
    assert (found.state, found.openings) == (FindingState.RESOLVED, 0)


def test_runs_that_overlap_repeat_or_leave_gaps_are_no_alarm(volumes: Volumes) -> None:
    for day, rows in enumerate(steady(60)):
        if day % 9 == 4:
            continue  # nobody ran it
        volumes.run(MONDAY + day * DAY, rows, took=30 * HOUR)
        if day % 10 == 3:
            volumes.run(MONDAY + day * DAY, rows, took=30 * HOUR)
    assert volumes.open(MONDAY + 62 * DAY) == []
    assert volumes.all() == []


def test_a_run_whose_clock_is_a_year_ahead_is_no_point(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today + 365 * DAY, 40_000)
    volumes.run(today, 5_000)
    assert len(volumes.open(today + HOUR)) == 1


def test_an_end_before_its_start_is_no_duration(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    volumes.run(today, 40_000, took=-HOUR)
    assert volumes.open(today + HOUR) == []


def test_an_execution_that_was_pruned_takes_its_finding_along(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    key = volumes.run(today, 5_000)
    assert len(volumes.open(today + HOUR)) == 1
    engine = create_engine(volumes.url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM pipeline_execution_closure WHERE child_execution_id ="
                                " (SELECT MAX(id) FROM pipeline_execution)"))  # fmt: skip
        connection.execute(
            text(
                "DELETE FROM pipeline_execution WHERE id = (SELECT MAX(id) FROM pipeline_execution)"
            )
        )
    engine.dispose()
    assert volumes.open(today + 2 * HOUR) == []
    assert [f.run_key for f in volumes.all()] == [key]


WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
from datetime import datetime, timezone
from pipeledger.monitoring.check import check
from pipeledger.store.database import Database
(done,) = check(Database.parse(sys.argv[1]), ("volume",)).checks
print(done.skipped)
"""


def test_without_numpy_it_says_what_to_install(sqlite_url: str) -> None:
    out = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY, sqlite_url], capture_output=True, text=True
    )
    assert (out.stdout, out.stderr) == (
        'the volume check needs more libraries: pip install "pipeledger[monitoring]"\n',
        "",
    )


def test_a_zero_on_a_workday_is_told_by_what_its_weekday_has(volumes: Volumes) -> None:
    values = [0 if day % 7 > 4 else rows for day, rows in enumerate(steady(84))]
    today = volumes.daily(values)  # a Monday
    volumes.run(today, 0)
    (found,) = volumes.open(today + HOUR)
    mondays = values[::7]
    assert found.message == (
        f"0 rows inserted; Mondays {min(mondays):,} to {max(mondays):,} in the last 12 weeks,"
        " none of them without rows"
    )
    assert found.severity is Severity.ERROR
    volumes.run(today + DAY, 40_000)
    volumes.run(today + 5 * DAY, 40_000)  # a Saturday
    (found,) = volumes.open(today + 5 * DAY + HOUR)
    assert found.message == "40,000 rows inserted; Saturdays 0 in the last 12 weeks"


def test_what_was_judged_is_remembered_in_ranges() -> None:
    ranges = judged.with_these([], [5, 3, 4, 9, 11, 10], above=3)
    assert ranges == [[4, 5], [9, 11]]
    assert judged.without(range(3, 13), ranges) == [3, 6, 7, 8, 12]
    assert judged.with_these(ranges, [6], above=4) == [[5, 6], [9, 11]]
