"""Timeliness: every run against its allowed time, one finding each, mended by its end and the next run."""

from __future__ import annotations

from datetime import timedelta

from pipeledger.model.finding import FindingState
from pipeledger.model.pipeline import Threshold
from pipeledger.model.state import State

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "timeliness"


def test_a_run_is_late_from_the_moment_its_time_is_over(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    runs.run("load", NOW - HOUR)
    assert runs.found(CHECK, now=NOW) == []
    (late,) = runs.found(CHECK, now=NOW + timedelta(microseconds=1))
    assert late.subject_name == "load" and late.since == NOW
    assert late.message == (
        "still running; started 2026-03-10 11:00Z, allowed 1 hour: due 2026-03-10 12:00Z"
    )


def test_a_running_execution_counts_whatever_its_age(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "month"))
    runs.run("load", NOW - 400 * DAY)
    runs.check(CHECK, now=NOW - 380 * DAY)
    assert [f.subject_name for f in runs.found(CHECK)] == ["load"]


def test_a_calendar_month_is_over_when_the_calendar_says_so(runs: Runs) -> None:
    february = NOW.replace(month=2, day=10)
    runs.declare("load", timeliness=Threshold(1, "month"))
    runs.run("load", february)
    assert runs.found(CHECK, now=NOW - MINUTE) == []
    assert len(runs.found(CHECK, now=NOW + MINUTE)) == 1


def test_one_finding_says_how_the_run_ended_and_is_over_with_the_next(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    key = runs.run("load", NOW - 3 * HOUR)
    (first,) = runs.found(CHECK)
    runs.end("load", key, NOW - HOUR)
    (second,) = runs.found(CHECK, now=NOW + MINUTE)
    assert second.id == first.id and second.openings == 1 and second.run_key == key
    assert second.message == (
        "success after 2h, allowed 1 hour; started 2026-03-10 09:00Z, ended 2026-03-10 11:00Z"
    )
    runs.run("load", NOW, NOW + MINUTE)
    assert runs.found(CHECK, now=NOW + HOUR) == []


def test_a_run_that_began_and_ended_late_between_two_looks_is_found(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(10, "minute"))
    runs.check(CHECK, now=NOW)
    runs.run("load", NOW + MINUTE, NOW + HOUR)
    assert len(runs.found(CHECK, now=NOW + 2 * HOUR)) == 1


def test_a_run_that_ran_at_the_last_look_and_ended_late_since_is_found(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    key = runs.run("load", NOW - 30 * MINUTE)
    assert runs.found(CHECK, now=NOW) == []
    runs.end("load", key, NOW + HOUR)
    assert len(runs.found(CHECK, now=NOW + 5 * DAY)) == 1


def test_a_run_that_is_delivered_days_later_is_found(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    runs.check(CHECK, now=NOW)
    runs.run("load", NOW - 2 * DAY, NOW - DAY)
    assert len(runs.found(CHECK, now=NOW + HOUR)) == 1


def test_a_late_end_of_long_ago_is_for_the_record_only(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    runs.check(CHECK, now=NOW - 60 * DAY)
    runs.run("load", NOW - 20 * DAY, NOW - 19 * DAY)
    assert runs.found(CHECK) == []
    with runs.database_reader() as connection:
        (kept,) = runs.every_finding(connection)
    assert kept.state is FindingState.RESOLVED and kept.openings == 0


def test_the_pipelines_own_threshold_beats_its_types(runs: Runs) -> None:
    runs.declare("own", type="loader", timeliness=Threshold(3, "hour"))
    runs.declare("of_type", type="loader")
    runs.set(
        "UPDATE pipeline_type SET timeliness_number = 1, timeliness_datepart = 'hour'"
        " WHERE name = 'loader'"
    )
    for name in ("own", "of_type"):
        runs.run(name, NOW - 2 * HOUR)
    (late,) = runs.found(CHECK)
    assert late.subject_name == "of_type" and late.details["used_child_config"] is False


def test_a_mute_on_either_level_means_not_checked(runs: Runs) -> None:
    for name, type_ in (("muted", "loader"), ("of_muted_type", "quiet"), ("heard", "loader")):
        runs.declare(name, type=type_, timeliness=Threshold(1, "hour"))
        runs.run(name, NOW - 2 * HOUR)
    runs.set("UPDATE pipeline SET mute_timeliness_check = :on WHERE name = 'muted'", on=True)
    runs.set("UPDATE pipeline_type SET mute_timeliness_check = :on WHERE name = 'quiet'", on=True)
    assert [f.subject_name for f in runs.found(CHECK)] == ["heard"]
    runs.set("UPDATE pipeline SET mute_timeliness_check = :on WHERE name = 'heard'", on=True)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_overlapping_runs_each_have_their_own_finding(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    for hours in (2, 3, 4):
        runs.run("load", NOW - hours * HOUR)
    assert len(runs.found(CHECK)) == 3


def test_an_end_before_its_start_from_another_clock_is_not_late(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    runs.run("load", NOW - HOUR, NOW - 2 * HOUR)
    assert runs.found(CHECK) == []


def test_a_failed_run_can_be_late_and_a_skipped_one_cannot(runs: Runs) -> None:
    runs.declare("failed", timeliness=Threshold(1, "hour"))
    runs.declare("skipped", timeliness=Threshold(1, "hour"))
    runs.run("failed", NOW - 3 * HOUR, NOW, State.FAILED)
    runs.run("skipped", NOW - 3 * HOUR, NOW, State.SKIPPED)
    assert [f.subject_name for f in runs.found(CHECK)] == ["failed"]


def test_watchers_log_is_there_to_be_queried(runs: Runs) -> None:
    runs.declare("load", timeliness=Threshold(1, "hour"))
    runs.run("load", NOW - 2 * HOUR)
    runs.check(CHECK)
    rows = runs.query(
        "SELECT duration_seconds, seconds_threshold, timely_number, timely_datepart,"
        " execution_status FROM timeliness_pipeline_execution_log"
    )
    assert [tuple(row) for row in rows] == [(7200, 3600, 1, "hour", "running")]
