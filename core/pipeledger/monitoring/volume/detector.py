"""The default detector: what each point was expected to be, from the points before it.

On a log scale, so that half and double are as far. Every series is walked once, all of them
together, with a level and an effect of each slot that follow slowly what they see, but not what is
odd: neither what was flagged, nor what lies far from expectation. Several odd points in a row that
agree are a new level. Three ways to compare are walked; the one that has foreseen best decides.
How far is far: multiples of the median absolute error of the latest points, with a floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeledger.monitoring.volume.series import (
    IN_ORDER,
    MASKED,
    Batch,
    Floats,
    Ints,
    quantile,
    quantiles,
)
from pipeledger.monitoring.volume.slots import COARSE, FINE, NONE, Slots

FEWEST = 14
"""Points below which statistics only make noise."""
IN_A_ROW = 5
"""Odd points in a row, over at least a day, that make a new level."""
IN_A_ROW_OF_A_SLOT = 3
"""The same of one slot alone: Saturdays that have become quieter."""
_LATEST = 90
_SLOW, _SLOT_SLOW = 0.06, 0.2
_REFRESH, _REFRESH_YOUNG, _YOUNG = 28, 4, 60
_FEW_ODD, _FOR_A_TAIL = 0.12, 40
_CLIP, _HALF_A_YEAR = 1.0, 182
_COUNTED = 0.8
"""Of what independent events scatter: what is scheduled scatters less."""
_MARGIN = 0.92
_FEWEST_ERRORS = 7
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a metric is judged: on the logarithm of value + ``shift``.

    ``least``: the smallest log ratio that is ever odd. ``spreads``: how many times the median
    absolute error (as a standard deviation) is far; ``tail``: how many times its 90 % quantile.
    ``counts``: whether small numbers scatter as counts do.
    """

    shift: float
    least: float
    spreads: float
    tail: float
    counts: bool


ROWS = Manner(shift=0.0, least=0.29, spreads=3.4, tail=2.1, counts=True)
SECONDS = Manner(shift=1.0, least=0.5, spreads=5.0, tail=2.6, counts=False)


@dataclass(frozen=True, slots=True)
class Walk:
    """What the detector knew at each point, before it saw it: logarithms, by series and point.

    ``error`` is what came less what was expected; NaN where there is no point, or none on a log
    scale (zero). ``far``: the error from which on a point is odd; known where points are wanted.
    ``before``: points seen earlier. ``streak``: the how-manieth of odd points in a row; ``settles``:
    from the next one on that is the usual level. ``way``: the way to compare of each series.
    """

    expected: Floats
    level: Floats
    error: Floats
    far: Floats
    before: Floats
    streak: Floats
    settles: Floats
    way: Ints
    slots: Slots


def walk(batch: Batch, manner: Manner) -> Walk:
    """Foresee every point of every series from the points before it."""
    values = batch.values
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(values + manner.shift > 0, np.log(values + manner.shift), np.nan)
    slots = Slots.of(batch.starts)
    logs = _half_a_year(logs, batch, slots)
    known = ~np.isnan(logs)
    before = np.cumsum(known, axis=1) - known
    walks = [_Way(batch, logs, before, slots, way, manner) for way in (NONE, COARSE, FINE)]
    for one in walks:
        one.run()
    way = _best(walks, batch, slots)

    def chosen(name: str) -> Floats:
        found = np.empty(logs.shape[::-1])
        for number, one in enumerate(walks):
            found[:, way == number] = getattr(one, name)[:, way == number]
        return found.T

    return Walk(
        chosen("expected"),
        chosen("level"),
        chosen("error"),
        chosen("far"),
        before.astype(np.float64),
        chosen("streaks"),
        chosen("settles"),
        way,
        slots,
    )


def _half_a_year(logs: Floats, batch: Batch, slots: Slots) -> Floats:
    """The logarithms from half a year before the first wanted point on, where there is one a day."""
    first = np.where(slots.several, 0, batch.wanted.argmax(axis=1) - _HALF_A_YEAR)
    early = np.arange(logs.shape[1]) < first[:, None]
    return np.where(early, np.nan, logs)


def _best(walks: list[_Way], batch: Batch, slots: Slots) -> Ints:
    """The way to compare that foresaw the latest points best; the simpler one unless it is worse."""
    counted = (~batch.wanted & (batch.marks != MASKED)).T
    for one in walks:
        counted &= ~np.isnan(one.error) & (one.before >= one.warm)
    # Only the latest: what the series once was does not decide.
    counted &= np.cumsum(counted[::-1], axis=0)[::-1] <= _LATEST
    number = counted.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        misses = [
            np.where(counted, np.minimum(np.abs(one.error), _CLIP), 0.0).sum(axis=0) / number
            for one in walks
        ]
    way = np.zeros(len(number), np.int64)
    best = misses[NONE].copy()
    for other in (COARSE, FINE):
        better = (misses[other] < _MARGIN * best) & (number >= _FEWEST_ERRORS) & ~slots.rare
        way = np.where(better, other, way)
        best = np.where(better, misses[other], best)
    return way


class _Way:
    """One walk along all series, in one way to compare: a row for each point, a column for each series."""

    def __init__(
        self, batch: Batch, logs: Floats, before: Ints, slots: Slots, way: int, manner: Manner
    ) -> None:
        self._manner = manner
        self._logs = np.ascontiguousarray(logs.T)
        self._slot = np.ascontiguousarray(slots.way(way).T)
        self._marks = np.ascontiguousarray(batch.marks.T)
        self._wanted = np.ascontiguousarray(batch.wanted.T)
        self._starts = np.ascontiguousarray(batch.starts.T)
        self.before = np.ascontiguousarray(before.T)
        shape = self._logs.shape
        self._all = np.arange(shape[1])
        self.warm = np.where(slots.several & (way != NONE), 48, 7 if way == NONE else 14)
        self.expected, self.level = np.full(shape, np.nan), np.full(shape, np.nan)
        self.error, self.far = np.full(shape, np.nan), np.full(shape, np.nan)
        self.streaks, self.settles = np.zeros(shape), np.zeros(shape)
        self.odd = np.zeros(shape, bool)

    def run(self) -> None:
        every, number = self._all, len(self._all)
        early = (self.before < self.warm) & (self._marks != MASKED)
        level = quantile(np.where(early, self._logs, np.nan).T, 0.5)
        if np.isnan(level).any():  # all of the first points are masked
            level = np.where(np.isnan(level), quantile(self._logs.T, 0.5), level)
        level = np.nan_to_num(level)
        effect = np.zeros((number, int(self._slot.max(initial=0)) + 1))
        has_slots = effect.shape[1] > 1
        seen, of_slot = np.zeros_like(effect), np.zeros_like(effect)
        far = np.full(number, np.inf)
        streak, side, began = np.zeros(number), np.zeros(number), np.zeros(number)
        latest = np.zeros((number, IN_A_ROW))
        for point, (value, slot, mark, wanted) in enumerate(
            zip(self._logs, self._slot, self._marks, self._wanted, strict=True)
        ):
            here = ~np.isnan(value)
            if not here.any():
                continue
            expected = level + effect[every, slot] if has_slots else level.copy()
            miss = np.where(here, value - expected, 0.0)
            self.expected[point], self.level[point] = expected, level
            self.error[point] = np.where(here, miss, np.nan)
            fresh = self._to_refresh(point)
            if fresh.size:
                far[fresh] = self._how_far(point, fresh, expected[fresh])
            limit = far
            if wanted.any():
                asked = np.flatnonzero(wanted)
                limit = far.copy()
                limit[asked] = self.far[point, asked] = self._how_far(point, asked, expected[asked])
            beyond = np.abs(miss) > limit
            odd = (beyond & (mark != IN_ORDER)) | (here & (mark == MASKED))
            self.odd[point] = odd
            moved = np.zeros(number, bool)
            if beyond.any():
                sign = np.sign(miss)
                same = beyond & (sign == side) & (streak > 0)
                began = np.where(beyond & ~same, self._starts[point], began)
                streak = np.where(same, streak + 1, np.where(beyond, 1, np.where(here, 0, streak)))
                side = np.where(beyond, sign, side)
                self.streaks[point] = streak
                latest[every, (streak.astype(np.int64) - 1) % IN_A_ROW] = miss
                new = beyond & (streak >= IN_A_ROW) & (self._starts[point] - began >= _DAY - 1)
                self.settles[point] = new
                level = level + np.where(new, np.median(latest, axis=1), 0.0)
                streak = np.where(new, 0, streak)
                if has_slots:
                    row = of_slot[every, slot]
                    row = np.where(beyond, np.where(row * sign > 0, row, 0) + sign, row)
                    moved = beyond & (np.abs(row) >= IN_A_ROW_OF_A_SLOT) & ~new
                    of_slot[every, slot] = np.where(moved | new, 0, row)
            elif streak.any():
                streak = np.where(here, 0, streak)
            taken = here & ~odd
            step = np.clip(miss, -limit, limit) * taken
            level = level + (_SLOW * (self.before[point] >= self.warm)) * step
            if has_slots:
                times = seen[every, slot] + taken
                seen[every, slot] = times
                gain = np.maximum(_SLOT_SLOW, 1.0 / np.maximum(times, 1))
                effect[every, slot] += np.where(moved, miss, gain * step)
                of_slot[every, slot] *= ~taken

    def _to_refresh(self, point: int) -> Ints:
        """The series whose spread is measured anew at this point: young ones more often."""
        left = len(self._logs) - point  # from the end: the same in every batch
        if left % _REFRESH == 0:
            return self._all
        if left % _REFRESH_YOUNG == 0:
            return np.flatnonzero(self.before[point] < _YOUNG)
        return self._all[:0]

    def _how_far(self, point: int, which: Ints, expected: Floats) -> Floats:
        """The error from which on this point of some series is odd; infinite where too little is known."""
        manner = self._manner
        latest = slice(max(0, point - _LATEST), point)

        def window(whole: Any) -> Any:
            return whole[latest] if len(which) == len(self._all) else whole[latest][:, which]

        errors = np.abs(window(self.error))
        useful = ~np.isnan(errors) & (window(self._marks) != MASKED)
        useful &= window(self.before) >= self.warm[which]
        odd = useful & window(self.odd)
        few = odd.sum(axis=0) <= _FEW_ODD * useful.sum(axis=0)
        errors = np.where(useful & ~(odd & few), errors, np.nan)
        number = np.count_nonzero(~np.isnan(errors), axis=0)
        middle, tail = quantiles(np.ascontiguousarray(errors.T), (0.5, 0.9))
        spread = 1.4826 * middle
        if manner.counts:
            spread = np.hypot(spread, _COUNTED * np.exp(-np.clip(expected, 0, 40) / 2))
        tail = np.where(number >= _FOR_A_TAIL, tail, 0.0)
        unsure = 1 + 3.0 / np.maximum(number, 1)
        scattered = np.maximum(manner.spreads * spread, manner.tail * tail)
        found = np.maximum(manner.least, unsure * scattered)
        return np.where(number >= _FEWEST_ERRORS, found, np.inf)
