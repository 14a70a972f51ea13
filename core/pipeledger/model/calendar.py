"""Calendar arithmetic: a moment plus a number of minutes, hours, days, weeks, months or years.

In UTC, where a day has 24 hours. A month later than 31 January is the last day of February, as
PostgreSQL's intervals and people have it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dateutil.relativedelta import relativedelta

from pipeledger.model import times
from pipeledger.model.pipeline import Threshold

LAST = datetime.max.replace(tzinfo=times.UTC)
LEAST_SECONDS = {
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 604_800,
    "month": 28 * 86_400,
    "year": 365 * 86_400,
}
"""How long each datepart lasts at least: what a database may sort out before the calendar decides."""
_WIDEST = timedelta(days=40)


def after(start: datetime, threshold: Threshold) -> datetime:
    """The moment that lies the threshold after ``start``; the end of time where there is none."""
    try:
        return start + relativedelta(**{threshold.datepart + "s": threshold.number})  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return LAST


def cutoff(now: datetime, threshold: Threshold) -> datetime:
    """The earliest start whose threshold is not over at ``now``: ``after(start) < now`` before it only.

    For questions about many starts: one comparison each, instead of a calendar.
    """
    try:
        near = now - relativedelta(**{threshold.datepart + "s": threshold.number})  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return times.FIRST
    low = times.microseconds(near - _WIDEST) if near - times.FIRST > _WIDEST else 0
    high = times.microseconds(near + _WIDEST)
    while low < high:
        middle = (low + high) // 2
        if after(times.from_microseconds(middle), threshold) < now:
            low = middle + 1
        else:
            high = middle
    return times.from_microseconds(low)
