"""Slots: which points of a series are comparable, by weekday and by hour of the day.

Everything is UTC. The days of a pipeline that runs once a day are cut twelve hours away from its
usual time, so that neither a late run nor daylight saving moves a run into its neighbour's weekday.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeledger.monitoring.volume.series import Bools, Floats, Ints, quantile

DAY = 86_400.0
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SEVERAL_A_DAY = 0.75
_ONCE_A_DAY = 2.5
_RECENT = 28
NONE, COARSE, FINE = 0, 1, 2
"""Ways to compare: with every run; workdays with workdays, or the same hour; the same weekday, or
the same hour of a workday."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slot of each point in each way to compare, of series that are all daily or all not.

    ``day``: whole days since 1970. ``several``: rows with several runs a day. ``rare``: rows with
    runs too far apart for weekdays to mean anything.
    """

    day: NDArray[np.int64]
    weekday: NDArray[np.int64]
    hour: NDArray[np.int64]
    several: Bools
    rare: Bools

    @classmethod
    def of(cls, starts: Floats) -> Slots:
        days = starts / DAY
        gap = quantile(np.diff(days, axis=1), 0.5)
        several = gap < _SEVERAL_A_DAY
        time = np.mod(days[:, -_RECENT:], 1.0) * 2 * np.pi
        with np.errstate(invalid="ignore"):
            usual = np.arctan2(np.nansum(np.sin(time), axis=1), np.nansum(np.cos(time), axis=1))
        usual = np.mod(usual / (2 * np.pi), 1.0)
        cut = np.where(several, 0.0, usual - 0.5)
        day = np.floor(np.nan_to_num(days) - cut[:, None]).astype(np.int64)
        hour = np.floor(np.mod(np.nan_to_num(days), 1.0) * 24 + 1e-9).astype(np.int64) % 24
        # 1970-01-01 was a Thursday.
        return cls(day, np.mod(day + 3, 7), hour, several, gap > _ONCE_A_DAY)

    def way(self, way: int) -> Ints:
        """The slot of each point: below 48."""
        if way == NONE:
            return np.zeros_like(self.weekday)
        weekend = (self.weekday >= 5).astype(np.int64)
        if way == COARSE:
            return np.where(self.several[:, None], self.hour, weekend)
        return np.where(self.several[:, None], self.hour + 24 * weekend, self.weekday)


def name(way: int, several: bool, slot: int) -> str:
    """A slot in words, as the beginning of a sentence: ``Mondays``, ``workdays at 06h``."""
    if way == NONE:
        return ""
    if not several:
        return WEEKDAYS[slot] if way == FINE else ("weekends" if slot else "workdays")
    if way == COARSE:
        return f"runs of {slot:02d}h UTC"
    return f"{'weekends' if slot >= 24 else 'workdays'} at {slot % 24:02d}h UTC"
