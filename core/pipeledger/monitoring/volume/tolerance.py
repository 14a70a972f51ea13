"""What is far from expectation and nevertheless in order: month ends, holidays, what a person said."""

from __future__ import annotations

import numpy as np

from pipeledger.monitoring.volume.detector import Walk
from pipeledger.monitoring.volume.series import IN_ORDER, Batch, Floats, Ints
from pipeledger.monitoring.volume.slots import FINE, NONE

_HOLIDAYS = frozenset(((1, 1), (12, 24), (12, 25), (12, 26), (12, 31)))
"""Days on which less is done nearly everywhere (month, day)."""
_YEAR = (364, 365, 366)
_QUIET_DAYS_IN_A_ROW = 2


def is_in_order(batch: Batch, walk: Walk, row: int, column: int) -> bool:
    """Whether the calendar, or somebody who unflagged the like, explains a point that is far."""
    return (
        _said_so(batch, walk, row, column)
        or _same_day_before(batch, walk, row, column)
        or _like_a_day_off(batch, walk, row, column)
        or _like_the_hour_beside(batch, walk, row, column)
    )


def _said_so(batch: Batch, walk: Walk, row: int, column: int) -> bool:
    """Not farther out than a comparable point that was unflagged."""
    slot = walk.slots.way(int(walk.way[row]))[row]
    told = np.flatnonzero((batch.marks[row, :column] == IN_ORDER) & (slot[:column] == slot[column]))
    error, far = walk.error[row, column], walk.far[row, column]
    reached = np.abs(walk.error[row, told][np.sign(walk.error[row, told]) == np.sign(error)])
    return bool(reached.size and abs(error) <= np.nanmax(reached) + far / 4)


def _same_day_before(batch: Batch, walk: Walk, row: int, column: int) -> bool:
    """As far out, and on the same side, as the same day of the month, or of the last year, was."""
    if walk.slots.several[row]:
        return False
    day = walk.slots.day[row]
    dates = day.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    of_month = (dates - months).astype(np.int64)
    left = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64)
    earlier = np.arange(len(day)) < column
    earlier &= ~np.isnan(walk.error[row])
    ago = day[column] - day
    error, far = walk.error[row, column], walk.far[row, column]
    for same in (of_month == of_month[column], left == left[column]):
        like = np.flatnonzero(earlier & same & (ago > 20))[-3:]
        found = walk.error[row, like]
        if len(found):
            least = found[np.argmin(np.abs(found))]
            if abs(error - least) <= far and abs(least) > far / 2:
                return True
    last_year = _errors_a_year_ago(batch.values[row], day, column)
    return bool(np.any((np.abs(last_year) > far / 2) & (np.abs(error - last_year) <= far)))


def _errors_a_year_ago(values: Floats, day: Ints, column: int) -> Floats:
    """How far the same date, and the same weekday, of last year were from the same weekday around it."""
    ago = day[column] - day
    found = []
    for then in np.flatnonzero(np.isin(ago, _YEAR) & (values > 0)):
        apart = day - day[then]
        around = (np.abs(apart) <= 28) & (apart % 7 == 0) & (apart != 0) & (values > 0)
        if around.sum() >= 3:
            found.append(np.log(values[then]) - np.median(np.log(values[around])))
    return np.array(found)


def _like_a_day_off(batch: Batch, walk: Walk, row: int, column: int) -> bool:
    """A workday as quiet as a Sunday, one or two in a row; or one of the great holidays."""
    error, far = walk.error[row, column], walk.far[row, column]
    if error > 0 or walk.slots.several[row] or walk.slots.rare[row]:
        return False
    date = walk.slots.day[row, column].astype("datetime64[D]").item()
    way = int(walk.way[row])
    if way == NONE:
        return False  # whoever works on Sundays works on holidays
    if (date.month, date.day) in _HOLIDAYS:
        return bool(error > -np.log(10))
    slot = walk.slots.way(way)[row]
    recent = slice(max(0, column - 28), column)
    height = walk.expected[row, recent] - walk.level[row, recent]
    quietest = np.nanmin(height)
    here = walk.expected[row, column] - walk.level[row, column]
    if here - quietest < far:
        return False
    busy = np.flatnonzero(
        (slot[recent] == slot[column]) if way != FINE else height > quietest + far
    )
    before = walk.error[row, recent][busy][-_QUIET_DAYS_IN_A_ROW:]
    if len(before) == _QUIET_DAYS_IN_A_ROW and np.all(before < -far):
        return False
    return bool(abs(here + error - quietest) <= far / 2)


def _like_the_hour_beside(batch: Batch, walk: Walk, row: int, column: int) -> bool:
    """What is usual an hour earlier or later: late starts, daylight saving."""
    if not walk.slots.several[row] or walk.way[row] == NONE:
        return False
    hour = walk.slots.hour[row]
    recent = np.arange(max(0, column - 200), column)
    beside = recent[np.isin(hour[recent], ((hour[column] - 1) % 24, (hour[column] + 1) % 24))]
    heights = walk.expected[row, beside] - walk.level[row, beside]
    here = walk.expected[row, column] - walk.level[row, column]
    far = walk.far[row, column]
    return bool(np.any(np.abs(here + walk.error[row, column] - heights[-8:]) <= far / 2))
