"""The default detector: laws that hold for every series, and the cases it was made for."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeledger.monitoring.volume.judging import judge
from pipeledger.monitoring.volume.series import IN_ORDER, MASKED, Batch, Floats, Series
from pipeledger.monitoring.volume.verdict import Verdict

MONDAY = datetime(2024, 1, 1, 6, tzinfo=timezone.utc).timestamp()
DAY = 86_400.0


def daily(values: object, *, first: float = MONDAY, marks: dict[int, int] | None = None) -> Series:
    """One point a day from a Monday on; the last one is to be judged."""
    found = np.asarray(values, float)
    told = np.zeros(len(found), np.int8)
    for place, mark in (marks or {}).items():
        told[place] = mark
    wanted = np.arange(len(found)) == len(found) - 1
    return Series(np.arange(len(found)), days(len(found), first), found, told, wanted)


def days(number: int, first: float = MONDAY) -> Floats:
    return np.asarray(first + DAY * np.arange(number), np.float64)


def verdict(series: Series, *, seconds: bool = False) -> Verdict | None:
    found, _ = judge(Batch.of([series]), seconds=seconds)
    return found.get((0, len(series.values) - 1))


def around(level: float, number: int, seed: int = 1, noise: float = 0.05) -> list[float]:
    values = level * np.exp(np.random.default_rng(seed).normal(0, noise, number))
    return [float(v) for v in np.round(values)]


def weekly(number: int, seed: int = 1, weekend: float = 0.3) -> list[float]:
    factors = np.resize([1, 0.7, 0.7, 0.75, 0.8, weekend, weekend], number)
    return [float(round(v * f)) for v, f in zip(around(45_000, number, seed), factors, strict=True)]


# Laws


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([3.0, 10.0, 1_000.0]),
    last=st.sampled_from([0.0, 0.2, 0.6, 0.9, 1.1, 1.6, 4.0]),
)
def test_a_series_a_thousand_times_as_large_is_judged_alike(
    seed: int, scale: float, last: float
) -> None:
    values = np.array([*around(1e6, 60, seed), last * 1e6])
    small, large = verdict(daily(values)), verdict(daily(values * scale))
    assert (small is None) == (large is None)
    if small is not None and large is not None:
        assert small.kind == large.kind
        assert small.expected is not None and large.expected is not None
        assert large.expected == pytest.approx(small.expected * scale, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), last=st.sampled_from([0.0, 0.3, 0.9, 1.1, 3.0]))
def test_what_was_flagged_counts_as_if_it_had_never_been(seed: int, last: float) -> None:
    values = [*around(20_000, 50, seed, noise=0.15), last * 20_000]
    without = np.delete(np.arange(51), [30, 31, 32, 33])
    whole = daily(values)
    gaps = Series(
        whole.ids[without],
        whole.starts[without],
        whole.values[without],
        whole.marks[without],
        whole.wanted[without],
    )
    marks = dict.fromkeys(range(30, 34), MASKED)
    flagged = [v * 1.35 if n in marks else v for n, v in enumerate(values)]
    assert verdict(daily(flagged, marks=marks)) == verdict(gaps)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.2, 0.5, 2.0, 6.0]))
def test_what_was_unflagged_is_in_order_when_it_comes_again(seed: int, factor: float) -> None:
    values = around(20_000, 60, seed)
    values[45] = values[-1] = round(20_000 * factor)
    assert verdict(daily(values)) is not None
    assert verdict(daily(values, marks={45: MASKED})) is not None
    assert verdict(daily(values, marks={45: IN_ORDER})) is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), many=st.integers(1, 5))
def test_a_series_is_judged_alike_alone_and_among_others(seed: int, many: int) -> None:
    random = np.random.default_rng(seed)
    others = [
        daily(
            [*around(10.0 ** random.uniform(2, 6), int(random.integers(5, 300)), seed + n), 500.0]
        )
        for n in range(many)
    ]
    together, _ = judge(Batch.of(others))
    columns = max(len(s.values) for s in others)
    for row, one in enumerate(others):
        assert together.get((row, columns - 1)) == verdict(one)


# Cases


@pytest.mark.parametrize("points", [20, 30, 90, 365])
@pytest.mark.parametrize(
    ("factor", "is_odd"), [(0.3, True), (0.5, True), (0.95, False), (1.05, False), (2, True)]
)
def test_a_third_is_odd_and_a_twentieth_is_not(points: int, factor: float, is_odd: bool) -> None:
    found = verdict(daily([*around(10_000, points), 10_000 * factor]))
    assert (found is not None) is is_odd


def test_a_quiet_sunday_is_no_drop_and_a_quiet_monday_is_one() -> None:
    history = weekly(84)
    assert verdict(daily([*history[:83], 13_000])) is None
    found = verdict(daily([*history, 1_204]))
    assert found is not None and found.usual.slot == "Mondays" and found.usual.weeks == 12
    assert found.usual.points == 12 and found.is_high is False
    low, high = min(history[::7]), max(history[::7])
    assert (found.usual.least, found.usual.most) == (low, high)


def test_a_busy_sunday_is_odd_though_a_monday_would_not_be() -> None:
    assert verdict(daily([*weekly(83), 45_000])) is not None
    assert verdict(daily([*weekly(84), 45_000])) is None


def test_a_holiday_as_quiet_as_a_sunday_is_in_order_but_a_week_of_them_is_not() -> None:
    assert verdict(daily([*weekly(84), 13_500])) is None
    found = verdict(daily([*weekly(84), 13_500, 13_500, 13_500, 13_500]))
    assert found is not None


def test_nothing_where_there_always_was_something_is_odd_and_grave() -> None:
    for number in (5, 13, 14, 90):
        found = verdict(daily([*around(1_000, number), 0]))
        assert found is not None and (found.kind, found.grave) == ("zero", True)
    assert verdict(daily([*around(1_000, 4), 0])) is None


def test_nothing_on_weekends_is_as_ever_and_nothing_on_a_monday_is_odd() -> None:
    history = weekly(84, weekend=0)
    assert verdict(daily([*history[:83], 0])) is None
    found = verdict(daily([*history, 0]))
    assert found is not None and found.kind == "zero"
    found = verdict(daily([*history[:83], 40_000]))
    assert found is not None and found.kind == "unexpected"


def test_nothing_now_and_then_is_as_ever() -> None:
    values = around(1_000, 60)
    for place in (10, 23, 38, 51):
        values[place] = 0
    assert verdict(daily([*values, 0])) is None


def test_below_fourteen_points_only_ten_times_as_much_is_odd() -> None:
    for last in (300, 5_000):
        assert verdict(daily([*around(1_000, 13), last])) is None
    for last in (20_000, 50):
        found = verdict(daily([*around(1_000, 13), last]))
        assert found is not None and (found.kind, found.grave) == ("tenfold", True)


def test_small_numbers_scatter_as_counts_do() -> None:
    counts = [float(v) for v in np.random.default_rng(3).poisson(4, 90)]
    assert verdict(daily([*counts, 9])) is None
    assert verdict(daily([*counts, 60])) is not None


def test_a_new_level_is_odd_five_times_and_then_the_usual_one() -> None:
    history = around(10_000, 60)
    marks: dict[int, int] = {}
    kinds = []
    for day in range(10):
        history.append(float(round(20_000 * (1 + 0.01 * (day % 3)))))
        found = verdict(daily(history, marks=marks))
        kinds.append(None if found is None else (found.in_a_row, found.settles))
        if found is not None:
            marks[len(history) - 1] = MASKED
    assert kinds[:5] == [(1, False), (2, False), (3, False), (4, False), (5, True)]
    assert kinds[5:] == [None] * 5
    assert verdict(daily([*history, 10_000], marks=marks)) is not None


def test_a_new_level_is_noticed_in_a_history_that_nobody_ever_looked_at() -> None:
    history = [*around(10_000, 60), *around(25_000, 20, seed=2)]
    assert verdict(daily([*history, 25_000])) is None
    assert verdict(daily([*history, 10_000])) is not None


def test_the_last_day_of_a_month_is_compared_with_that_of_other_months() -> None:
    first = datetime(2024, 1, 1, 6, tzinfo=timezone.utc).timestamp()
    dates = np.datetime64("2024-01-01") + np.arange(121)  # up to 30 April
    last = (dates + 1).astype("datetime64[M]") != dates.astype("datetime64[M]")
    values = np.where(last, 3.0, 1.0) * np.array(around(10_000, 121))
    assert verdict(daily(values, first=first)) is None
    values[:-1][last[:-1]] = 10_000
    assert verdict(daily(values, first=first)) is not None


def test_an_unlabelled_incident_in_the_history_changes_nothing() -> None:
    history = around(10_000, 90)
    history[80:84] = [0, 0, 30_000, 2_000]
    assert verdict(daily([*history, 10_200])) is None
    assert verdict(daily([*history, 6_000])) is not None


def test_runs_that_are_late_or_an_hour_off_for_daylight_saving_keep_their_weekday() -> None:
    """At half past one in Berlin: 00:30 UTC in winter, 23:30 of the day before in summer."""
    values = weekly(91)
    starts = days(91, MONDAY - 5.5 * 3600)
    starts[60:] -= 3600
    one = daily(values)
    series = Series(one.ids, starts, one.values, one.marks, np.arange(91) >= 60)
    found, _ = judge(Batch.of([series]))
    assert found == {}
    broken = np.array(values)
    broken[-7] *= 0.6  # a Monday
    series = Series(one.ids, starts, broken, one.marks, np.arange(91) >= 60)
    assert list(judge(Batch.of([series]))[0]) == [(0, 84)]


def hourly(days: int, night: float = 0.1) -> Series:
    number = 24 * days
    hour = np.arange(number) % 24
    values = np.round(np.array(around(6_000, number)) * np.where(hour < 6, night, 1.0))
    starts = np.asarray(MONDAY - 6 * 3600 + 3600.0 * np.arange(number), np.float64)
    return Series(
        np.arange(number),
        starts,
        values,
        np.zeros(number, np.int8),
        np.arange(number) >= number - 24,
    )


def test_hours_are_compared_with_the_same_hours() -> None:
    series = hourly(14)
    assert judge(Batch.of([series]))[0] == {}
    series.values[-24 + 3] = 6_000  # at three in the night
    series.values[-24 + 14] = 1_500
    found = judge(Batch.of([series]))[0]
    assert sorted(column for _, column in found) == [14 * 24 - 21, 14 * 24 - 10]
    assert found[0, 14 * 24 - 21].usual.slot in ("runs of 03h UTC", "workdays at 03h UTC")


def test_an_hour_that_moves_with_daylight_saving_is_tolerated() -> None:
    series = hourly(14)
    values = series.values.copy()
    values[-24:] = np.roll(values[-24:], -1)
    moved = Series(series.ids, series.starts, values, series.marks, series.wanted)
    assert judge(Batch.of([moved]))[0] == {}


def test_gaps_duplicates_and_overlaps_are_no_reason_to_fail_or_to_alarm() -> None:
    random = np.random.default_rng(5)
    starts = np.asarray(
        np.sort(MONDAY + DAY * random.integers(0, 90, 120)), np.float64
    )  # several at once, none for days
    values = np.array(around(10_000, 120))
    series = Series(np.arange(120), starts, values, np.zeros(120, np.int8), np.arange(120) >= 100)
    assert judge(Batch.of([series]))[0] == {}


# Durations


def test_only_long_runs_are_odd_and_only_by_half_a_minute_or_more() -> None:
    random = np.random.default_rng(7)
    fast = [*random.lognormal(np.log(0.01), 0.3, 60), 0.04]
    assert verdict(daily(fast), seconds=True) is None
    assert verdict(daily([*fast[:-1], 20.0]), seconds=True) is None
    assert verdict(daily([*fast[:-1], 300.0]), seconds=True) is not None
    slow = list(random.lognormal(np.log(600), 0.1, 60))
    assert verdict(daily([*slow, 100]), seconds=True) is None
    assert verdict(daily([*slow, 800]), seconds=True) is None
    found = verdict(daily([*slow, 2_400]), seconds=True)
    assert found is not None and found.high is not None and 700 < found.high < 1_500


def test_a_heavy_tail_is_expected() -> None:
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(40):
        values = 120 * np.exp(random.standard_t(3, 118) * 0.25)
        series = daily(values)
        wanted = np.arange(118) >= 90
        series = Series(series.ids, series.starts, series.values, series.marks, wanted)
        alarms += len(judge(Batch.of([series]), seconds=True)[0])
    assert alarms * 365 / (40 * 28) < 6
