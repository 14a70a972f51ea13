"""Points: the successes of one pipeline, and the series of a metric that they make."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from pipeledger.monitoring.volume.series import (
    IN_ORDER,
    MASKED,
    PLAIN,
    Bools,
    Floats,
    Ints,
    Marks,
    Series,
)
from pipeledger.store.read.volume_history import COLUMNS


@dataclass(frozen=True, slots=True)
class Points:
    """The successes of one pipeline, in the order of their starts.

    ``rows``: a row of ``COLUMNS`` each. ``new``: which of them came since the last look.
    """

    pipeline: int
    rows: Floats
    ids: Ints
    new: Bools

    @classmethod
    def of(cls, pipeline: int, text: str, came: Collection[int] = ()) -> Points:
        """The points of a text that the store joined."""
        lists = [np.fromstring(part, sep=",") if part else None for part in text.split(";")]
        assert lists[0] is not None
        rows = np.full((len(lists[0]), len(COLUMNS)), np.nan)
        for column, numbers in enumerate(lists):
            if numbers is not None:
                rows[:, column] = numbers
        rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
        ids = rows[:, 0].astype(np.int64)
        return cls(pipeline, rows, ids, np.isin(ids, list(came)))

    @property
    def starts(self) -> Floats:
        return self.rows[:, 1]

    def values(self, metric: str) -> Floats:
        if metric == "throughput":
            return throughput(self.rows)
        return self.rows[:, COLUMNS.index(metric)]


def throughput(rows: Floats) -> Floats:
    seconds = rows[:, COLUMNS.index("duration_seconds")]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = rows[:, COLUMNS.index("total_rows")] / np.where(seconds > 0, seconds, np.nan)
    return np.asarray(found, np.float64)


def series_of(points: Points, metric: str, known: Mapping[tuple[int, str], bool]) -> Series | None:
    """What the detector judges; None where nothing new has that metric."""
    values = points.values(metric)
    if np.isnan(values[points.new]).all():
        return None
    there = ~np.isnan(values)
    if metric == "duration_seconds":
        there &= values >= 0
    wanted = points.new & there
    if not wanted.any() or not (values[there] > 0).any():
        return None
    marks = marks_of(points.ids, metric, known)
    # What was judged once is not judged again: its finding says what it said.
    wanted &= marks == PLAIN
    if not wanted.any():
        return None
    return Series(
        points.ids[there], points.starts[there], values[there], marks[there], wanted[there]
    )


def marks_of(ids: Ints, metric: str, known: Mapping[tuple[int, str], bool]) -> Marks:
    marks = np.zeros(len(ids), np.int8)
    if known:
        for place, id_ in enumerate(ids.tolist()):
            found = known.get((id_, metric))
            if found is not None:
                marks[place] = IN_ORDER if found else MASKED
    return marks
