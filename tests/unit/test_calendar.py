"""Calendar arithmetic: months end where they end, and the cutoff decides as the calendar does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.model import calendar
from pipeledger.model.pipeline import DATEPARTS, Threshold

UTC = timezone.utc
moments = st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
thresholds = st.builds(Threshold, st.integers(1, 40), st.sampled_from(DATEPARTS))


@pytest.mark.parametrize(
    ("start", "number", "part", "end"),
    [
        ("2023-01-31T10:00", 1, "month", "2023-02-28T10:00"),
        ("2024-01-31T10:00", 1, "month", "2024-02-29T10:00"),
        ("2024-02-29T00:00", 1, "year", "2025-02-28T00:00"),
        ("2023-12-31T23:59", 2, "minute", "2024-01-01T00:01"),
        ("2024-03-30T12:00", 1, "day", "2024-03-31T12:00"),
        ("2024-01-01T00:00", 2, "week", "2024-01-15T00:00"),
    ],
)
def test_a_threshold_is_added_as_the_calendar_has_it(
    start: str, number: int, part: str, end: str
) -> None:
    began = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert calendar.after(began, Threshold(number, part)) == datetime.fromisoformat(end).replace(
        tzinfo=UTC
    )


@given(moments, thresholds, st.integers(-(10**13), 10**13))
def test_before_the_cutoff_and_only_there_the_threshold_is_over(
    now: datetime, threshold: Threshold, off: int
) -> None:
    cutoff = calendar.cutoff(now, threshold)
    start = cutoff + timedelta(microseconds=off)
    assert (calendar.after(start, threshold) < now) == (start < cutoff)
    just_before = cutoff - timedelta(microseconds=1)
    assert calendar.after(just_before, threshold) < now <= calendar.after(cutoff, threshold)


def test_a_threshold_beyond_the_end_of_time_is_never_over() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    forever = Threshold(999_999, "year")
    assert calendar.after(now, forever) == calendar.LAST
    assert calendar.cutoff(now, forever) < datetime(2, 1, 1, tzinfo=UTC)


@given(moments, thresholds)
def test_no_datepart_lasts_shorter_than_the_database_is_told(
    start: datetime, threshold: Threshold
) -> None:
    least = timedelta(seconds=threshold.number * calendar.LEAST_SECONDS[threshold.datepart])
    assert calendar.after(start, threshold) - start >= least
