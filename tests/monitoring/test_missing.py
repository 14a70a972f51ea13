"""Missing runs: expected as declared or as learned, told once, over when one comes; never a false alarm."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest

from pipeledger.monitoring import learning
from pipeledger.monitoring.missing import GIVEN_UP

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "missing"
UTC = timezone.utc
SIX = NOW.replace(hour=6)


def daily(runs: Runs, name: str, *, last: datetime, days: int = 20, **more: object) -> None:
    """Runs at the same time every day, the last one at ``last``."""
    for day in range(days):
        start = last - day * DAY
        runs.run(name, start, start + 10 * MINUTE, **more)


def test_a_run_is_missing_once_its_time_and_its_grace_are_over(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    runs.run("load", SIX - DAY, SIX - DAY + MINUTE)
    assert runs.found(CHECK, now=SIX + 59 * MINUTE) == []
    (missing,) = runs.found(CHECK, now=SIX + 61 * MINUTE)
    assert missing.since == SIX
    assert missing.message == (
        "expected 2026-03-10 06:00Z, nothing started since 2026-03-09 06:00Z (0 6 * * *)"
    )


def test_one_finding_counts_the_runs_that_did_not_come_and_is_over_when_one_does(
    runs: Runs,
) -> None:
    runs.declare("load", schedule="0 * * * *")
    runs.run("load", SIX - HOUR)
    (first,) = runs.found(CHECK, now=SIX + 10 * MINUTE)
    (later,) = runs.found(CHECK, now=SIX + 3 * HOUR + 10 * MINUTE)
    assert later.id == first.id and "4 expected runs in a row" in later.message
    runs.run("load", SIX + 3 * HOUR + 20 * MINUTE)
    assert runs.found(CHECK, now=SIX + 3 * HOUR + 30 * MINUTE) == []
    (again,) = runs.found(CHECK, now=SIX + 4 * HOUR + 30 * MINUTE)
    assert again.id != first.id and again.since == SIX + 4 * HOUR


def test_a_pipeline_that_has_long_been_missing_says_so_without_counting_on(runs: Runs) -> None:
    runs.declare("load", schedule="* * * * *")
    runs.run("load", SIX - DAY, SIX - DAY + MINUTE)
    (first,) = runs.found(CHECK, now=SIX)
    assert "more than 100 expected runs in a row" in first.message
    (later,) = runs.found(CHECK, now=SIX + DAY)
    assert (later.id, later.updated_at) == (first.id, first.updated_at)


def test_a_run_a_little_early_is_the_expected_one(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    runs.run("load", SIX - DAY)
    runs.check(CHECK, now=SIX - DAY + HOUR)
    runs.run("load", SIX - 2 * MINUTE)
    assert runs.found(CHECK, now=SIX + 5 * HOUR) == []


def test_a_run_by_hand_in_between_does_not_stand_for_the_expected_one(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    runs.run("load", SIX - DAY)
    runs.check(CHECK, now=SIX - DAY + HOUR)
    runs.run("load", SIX - 8 * HOUR)
    assert len(runs.found(CHECK, now=SIX + 2 * HOUR)) == 1


def test_a_run_that_outlasts_its_period_is_named_as_the_reason(runs: Runs) -> None:
    runs.declare("load", schedule="0 * * * *")
    long = runs.run("load", SIX)
    (missing,) = runs.found(CHECK, now=SIX + 70 * MINUTE)
    assert "nothing started since 2026-03-10 06:00Z, and that run has not ended" in missing.message
    runs.end("load", long, SIX + 75 * MINUTE)
    runs.run("load", SIX + 75 * MINUTE, SIX + 80 * MINUTE)
    assert runs.found(CHECK, now=SIX + 90 * MINUTE) == []


def test_runs_that_overlap_or_come_twice_are_each_the_expected_one(runs: Runs) -> None:
    runs.declare("load", schedule="0 * * * *")
    for hour in range(4):
        for minute in (0, 1):
            runs.run("load", SIX + hour * HOUR + minute * MINUTE, SIX + (hour + 3) * HOUR)
    assert runs.found(CHECK, now=SIX + 3 * HOUR + 30 * MINUTE) == []


def test_a_pipeline_that_never_ran_is_missing(runs: Runs) -> None:
    runs.declare("load", at=SIX - 2 * DAY + HOUR, schedule="0 6 * * *")
    (missing,) = runs.found(CHECK)
    assert missing.since == SIX - DAY
    assert "it has never run; 2 expected runs in a row" in missing.message


def test_a_declaration_that_is_repeated_or_changed_elsewhere_takes_nothing_back(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    runs.run("load", SIX - DAY)
    (first,) = runs.found(CHECK, now=SIX + 2 * HOUR)
    runs.declare("load", at=SIX + 3 * HOUR, schedule="0 6 * * *")
    runs.declare("load", at=SIX + 3 * HOUR, schedule="0 6 * * *", metadata={"owner": "jo"})
    (second,) = runs.found(CHECK, now=SIX + 4 * HOUR)
    assert second.id == first.id and second.since == SIX


def test_another_schedule_counts_from_when_it_was_declared(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    runs.run("load", SIX - DAY)
    assert len(runs.found(CHECK, now=SIX + 2 * HOUR)) == 1
    runs.declare("load", at=SIX + 3 * HOUR, schedule="0 18 * * *")
    assert runs.found(CHECK, now=SIX + 4 * HOUR) == []
    (missing,) = runs.found(CHECK, now=SIX + 14 * HOUR)
    assert missing.since == SIX + 12 * HOUR


def test_a_schedule_that_has_ended_is_not_waited_for(runs: Runs) -> None:
    said = {"rhythm": [{"cron": "0 6 * * *"}], "rhythm_until": "2026-03-10T00:00:00Z"}
    runs.declare("load", schedule="0 6 * * *", metadata=said)
    runs.run("load", SIX - DAY, SIX - DAY + MINUTE)
    assert runs.found(CHECK, now=SIX + 3 * DAY) == []


def test_an_interval_counts_from_the_last_run(runs: Runs) -> None:
    runs.declare("load", schedule="1:00:00")
    runs.run("load", SIX + 17 * MINUTE)
    assert runs.found(CHECK, now=SIX + HOUR + 20 * MINUTE) == []
    runs.run("load", SIX + 40 * MINUTE)
    assert runs.found(CHECK, now=SIX + HOUR + 30 * MINUTE) == []
    assert [f.since for f in runs.found(CHECK, now=SIX + 2 * HOUR)] == [SIX + HOUR + 40 * MINUTE]


def test_a_pipeline_that_is_usually_late_is_waited_for(runs: Runs) -> None:
    runs.declare("load", schedule="0 6 * * *")
    daily(runs, "load", last=SIX - DAY + 90 * MINUTE)
    assert runs.found(CHECK, now=SIX + 2 * HOUR) == []
    assert len(runs.found(CHECK, now=SIX + 3 * HOUR)) == 1


def test_a_pipeline_becomes_known_for_being_late_and_for_being_so_no_longer(runs: Runs) -> None:
    def day(number: int, late: timedelta) -> bool:
        """A day on which it comes so late; whether it was missing shortly before."""
        tick = SIX + number * DAY
        is_missing = bool(runs.found(CHECK, now=tick + late - MINUTE)) if late else False
        runs.run("load", tick + late, tick + late + MINUTE)
        runs.check(CHECK, now=tick + late + 2 * MINUTE)
        return is_missing

    runs.declare("load", at=SIX - DAY, schedule="0 6 * * *")
    missing = [day(number, 90 * MINUTE) for number in range(20)]
    assert missing[0] and not any(missing[16:])
    assert not any(day(number, timedelta()) for number in range(20, 60))
    (found,) = runs.found(CHECK, now=SIX + 60 * DAY + 70 * MINUTE)
    assert found.since == SIX + 60 * DAY


def test_clocks_that_are_put_back_or_forward_raise_no_alarm(runs: Runs) -> None:
    runs.declare("load", at=SIX - 200 * DAY, schedule="30 2 * * * Europe/Berlin")
    for day in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)):
        runs.run("load", day - timedelta(hours=23) + 30 * MINUTE * (1 if day.month == 10 else 3))
        # At the second 02:30, or at 03:30 where there is no 02:30: as some schedulers do it.
        at = day + 90 * MINUTE
        assert runs.found(CHECK, now=at + MINUTE) == []
        runs.run("load", at)
        assert runs.found(CHECK, now=at + 12 * HOUR) == []


def test_mutes_and_inactive_pipelines_are_not_expected(runs: Runs) -> None:
    for name in ("muted", "inactive", "of_muted_type", "heard"):
        runs.declare(name, type=name, schedule="0 6 * * *")
        runs.run(name, SIX - 3 * DAY)
    runs.set("UPDATE pipeline SET mute_timeliness_check = :on WHERE name = 'muted'", on=True)
    runs.set("UPDATE pipeline SET active = :on WHERE name = 'inactive'", on=False)
    runs.set(
        "UPDATE pipeline_type SET mute_timeliness_check = :on WHERE name = 'of_muted_type'", on=True
    )
    assert list(runs.messages(CHECK)) == ["heard"]
    runs.set("UPDATE pipeline SET active = :on WHERE name = 'heard'", on=False)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_rhythm_is_learned_from_fourteen_runs_on_with_its_range(runs: Runs) -> None:
    daily(runs, "known", last=SIX - DAY, days=14)
    daily(runs, "too_new", last=SIX - DAY, days=13)
    assert runs.found(CHECK, now=SIX + 30 * MINUTE) == []
    said = runs.messages(CHECK, now=SIX + 3 * HOUR)
    assert list(said) == ["known"]
    assert "it came 1d to 1d after the run before" in said["known"]
    assert "in 14 runs" in said["known"]


def test_a_learned_rhythm_knows_weekends(runs: Runs) -> None:
    friday = SIX - 4 * DAY
    for day in range(60):
        start = friday - day * DAY
        if start.weekday() < 5:
            runs.run("load", start, start + MINUTE)
    assert runs.found(CHECK, now=friday + 2 * DAY) == []
    (missing,) = runs.found(CHECK, now=friday + 3 * DAY + 3 * HOUR)
    assert missing.since == friday + 3 * DAY and "on Fridays" in missing.message


def test_what_runs_inside_others_is_expected_by_them_alone(runs: Runs) -> None:
    for day in range(1, 20):
        start = SIX - day * DAY
        parent = runs.run("dag", start, start + MINUTE)
        runs.run("dag.task", start, start + MINUTE, parent=parent)
    assert list(runs.messages(CHECK, now=NOW)) == ["dag"]


def test_a_pipeline_that_keeps_no_rhythm_is_not_expected(runs: Runs) -> None:
    chance = random.Random(7)
    at = NOW - 60 * DAY
    while at < NOW - 5 * DAY:
        runs.run("by_hand", at, at + MINUTE)
        at += timedelta(hours=chance.choice((1, 2, 30, 90)))
    assert runs.found(CHECK) == []


def test_a_learned_rhythm_that_has_ended_is_given_up(runs: Runs) -> None:
    daily(runs, "retired", last=SIX - DAY)
    assert len(runs.found(CHECK)) == 1
    assert runs.found(CHECK, now=NOW + GIVEN_UP + DAY) == []


def test_gaps_and_doubles_in_a_history_do_not_blur_the_rhythm() -> None:
    starts = [SIX - day * DAY for day in range(40) if day not in (9, 10, 11)]
    doubled = starts + [start + 2 * MINUTE for start in starts[::3]]
    found = learning.learn(doubled)
    assert found is not None
    assert timedelta(hours=23) < found.usual < timedelta(hours=25)
    assert found.longest < 2 * DAY


@pytest.mark.parametrize("order", range(3))
def test_the_order_in_which_a_history_was_delivered_does_not_matter(order: int) -> None:
    starts = [SIX - day * DAY + (day % 5) * MINUTE for day in range(30)]
    shuffled = list(starts)
    random.Random(order).shuffle(shuffled)
    assert learning.learn(shuffled) == learning.learn(starts)
