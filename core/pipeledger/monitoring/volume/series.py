"""Series: the points of many pipelines' metric side by side, as the detector reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Marks = NDArray[np.int8]

PLAIN, MASKED, IN_ORDER = 0, 1, 2
"""What is known of a point: nothing; it was found odd; it was found odd and then unflagged."""


@dataclass(frozen=True, slots=True)
class Series:
    """One pipeline's values of one metric, in the order of their starts.

    ``starts`` are seconds since 1970 in UTC. ``marks`` say what is known of each point, ``wanted``
    which ones are to be judged.
    """

    ids: Ints
    starts: Floats
    values: Floats
    marks: Marks
    wanted: Bools

    @property
    def is_dense(self) -> bool:
        """Whether there is more than one point a day, as a rule."""
        return bool(len(self.starts) and np.ptp(self.starts) < 0.75 * 86_400 * len(self.starts))


@dataclass(frozen=True, slots=True)
class Batch:
    """Series as one matrix: a row each, the newest point in the last column, NaN before the first."""

    starts: Floats
    values: Floats
    marks: Marks
    wanted: Bools

    @classmethod
    def of(cls, series: Sequence[Series]) -> Batch:
        rows, columns = len(series), max((len(s.values) for s in series), default=0)
        starts = np.full((rows, columns), np.nan)
        values = np.full((rows, columns), np.nan)
        marks = np.zeros((rows, columns), np.int8)
        wanted = np.zeros((rows, columns), bool)
        for row, one in enumerate(series):
            first = columns - len(one.values)
            starts[row, first:] = one.starts
            values[row, first:] = one.values
            marks[row, first:] = one.marks
            wanted[row, first:] = one.wanted
        return cls(starts, values, marks, wanted)

    def part(self, rows: Ints) -> Batch:
        return Batch(self.starts[rows], self.values[rows], self.marks[rows], self.wanted[rows])


def quantile(rows: Floats, share: float) -> Floats:
    """The quantile of each row, of what is not NaN; NaN where nothing is."""
    return quantiles(rows, (share,))[0]


def quantiles(rows: Floats, shares: Sequence[float]) -> list[Floats]:
    """Several quantiles of each row."""
    if rows.shape[1] == 0:
        return [np.full(rows.shape[0], np.nan) for _ in shares]
    ordered = np.sort(rows, axis=1)
    last = np.maximum(np.count_nonzero(~np.isnan(rows), axis=1) - 1, 0)
    at = np.arange(rows.shape[0])
    found = []
    for share in shares:
        place = share * last
        low = np.floor(place).astype(np.int64)
        below, above = ordered[at, low], ordered[at, np.minimum(low + 1, last)]
        found.append(below + (above - below) * (place - low))
    return found
