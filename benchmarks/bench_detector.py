"""How well odd volumes are found: F1 and false alarms per pipeline-year, beside two plain detectors.

    python benchmarks/bench_detector.py                # some minutes
    python benchmarks/bench_detector.py --series 10    # a glance

Generated series of eight shapes with and without an unlabelled incident in their history, six faults;
and real daily flight counts with injected faults. The detector was tuned on seeds below 1,000; what is
printed comes from others. A trial is one decision about a day with a fault; beside it stands one about
a day without. A drift counts as found when any of its 28 days is flagged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
from comparison import Benchmark, Table
from detector_series import AHEAD, DRIFT, FAULTS, SHAPES, Drawn, draw, drifting, faulty, flights
from numpy.typing import NDArray

from pipeledger.monitoring.volume.judging import judge
from pipeledger.monitoring.volume.series import Batch, Series

Flags = list[NDArray[np.bool_]]
Detector = Callable[[Sequence[Drawn], Sequence[int]], Flags]
LENGTHS, FLIGHT_LENGTHS = (30, 90, 365), (30, 90, 270)


def ours(series: Sequence[Drawn], first: Sequence[int]) -> Flags:
    """What the default detector flags of each series, from ``first`` on."""
    batch = Batch.of([_series(one, begin) for one, begin in zip(series, first, strict=True)])
    found, _ = judge(batch)
    columns = batch.values.shape[1]
    flags = [np.zeros(len(s.values) - f, bool) for s, f in zip(series, first, strict=True)]
    for row, column in found:
        flags[row][column - columns + len(flags[row])] = True
    return flags


def _series(drawn: Drawn, first: int) -> Series:
    number = len(drawn.values)
    start = datetime(drawn.first.year, drawn.first.month, drawn.first.day, 6, tzinfo=timezone.utc)
    return Series(
        np.arange(number),
        np.asarray(start.timestamp() + 86_400.0 * np.arange(number), np.float64),
        drawn.values,
        np.zeros(number, np.int8),
        np.arange(number) >= first,
    )


def plain(series: Sequence[Drawn], first: Sequence[int]) -> Flags:
    """Outside of mean +- 3 standard deviations of the 14 days before."""

    def is_odd(value: float, window: NDArray[np.float64]) -> bool:
        spread = window.std(ddof=1)
        return bool(spread > 0 and abs(value - window.mean()) > 3 * spread)

    return _rolling(series, first, 14, is_odd)


def rolling_mad(series: Sequence[Drawn], first: Sequence[int]) -> Flags:
    """Farther from the median of the 28 days before than 3 scaled median absolute deviations."""

    def is_odd(value: float, window: NDArray[np.float64]) -> bool:
        middle = np.median(window)
        spread = 1.4826 * np.median(np.abs(window - middle))
        return bool(spread > 0 and abs(value - middle) > 3 * spread)

    return _rolling(series, first, 28, is_odd)


def _rolling(
    series: Sequence[Drawn],
    first: Sequence[int],
    window: int,
    is_odd: Callable[[float, NDArray[np.float64]], bool],
) -> Flags:
    return [
        np.array(
            [is_odd(s.values[d], s.values[max(0, d - window) : d]) for d in range(f, len(s.values))]
        )
        for s, f in zip(series, first, strict=True)
    ]


DETECTORS: dict[str, Detector] = {
    "Pipeledger": ours,
    "z = 3, 14 days": plain,
    "median + MAD, 28 days": rolling_mad,
}


class Score:
    """Found and missed faults, and how often a day without one was flagged."""

    def __init__(self) -> None:
        self.found = self.trials = self.alarms = self.days = 0

    def add(self, found: int, trials: int, alarms: int, days: int) -> None:
        self.found += found
        self.trials += trials
        self.alarms += alarms
        self.days += days

    @property
    def f1(self) -> float:
        false = self.trials * self.alarms / max(1, self.days)
        return 2 * self.found / max(1e-9, self.found + self.trials + false)

    @property
    def a_year(self) -> float:
        return 365 * self.alarms / max(1, self.days)


Key = tuple[str, int, str, bool, str]


def generated(number: int, seed: int) -> dict[Key, Score]:
    """Scores by detector, length, shape, pollution and fault."""
    scores: dict[Key, Score] = defaultdict(Score)
    for points in LENGTHS:
        for at, shape in enumerate(SHAPES):
            for polluted in (False, True):
                random = np.random.default_rng([seed, points, at, polluted])
                drawn = [draw(shape, points, polluted, random) for _ in range(number)]
                cases = {
                    fault: [faulty(d, points, factor) for d in drawn]
                    for fault, factor in FAULTS.items()
                }
                drifted = [drifting(d, points, random) for d in drawn]
                for name, detector in DETECTORS.items():
                    alarms = int(sum(f.sum() for f in detector(drawn, [points] * number)))
                    for fault, case in cases.items():
                        flags = detector(case, [len(c.values) - 1 for c in case])
                        found = int(sum(bool(f[-1]) for f in flags))
                        scores[name, points, shape, polluted, fault].add(
                            found, number, alarms, number * AHEAD
                        )
                    flags = detector(drifted, [points] * number)
                    found = int(sum(bool(f.any()) for f in flags))
                    scores[name, points, shape, polluted, DRIFT].add(
                        found, number, alarms, number * AHEAD
                    )
    return scores


def real(lengths: Sequence[int]) -> dict[tuple[str, int, str], Score]:
    """Scores on the flight counts, by detector, length and fault: each day after the first ``length``."""
    scores: dict[tuple[str, int, str], Score] = defaultdict(Score)
    series = list(flights().values())
    for points in lengths:
        windows = [
            Drawn(s.first + timedelta(days=day - points), s.values[day - points : day + 1])
            for s in series
            for day in range(points, len(s.values))
        ]
        last = [points] * len(windows)
        for name, detector in DETECTORS.items():
            alarms = int(sum(f.sum() for f in detector(windows, last)))
            for fault, factor in FAULTS.items():
                broken = [_broken(w, factor) for w in windows]
                found = int(sum(f.sum() for f in detector(broken, last)))
                scores[name, points, fault].add(found, len(windows), alarms, len(windows))
    return scores


def _broken(drawn: Drawn, factor: float) -> Drawn:
    values = drawn.values.copy()
    values[-1] = np.round(values[-1] * factor)
    return Drawn(drawn.first, values)


def merged(scores: Sequence[Score]) -> Score:
    total = Score()
    for score in scores:
        total.add(score.found, score.trials, score.alarms, score.days)
    return total


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        series=(100, "series of each shape, length and pollution"),
        seed=(2_024, "of the generated series; below 1,000 are those it was tuned on"),
    )
    number, seed = benchmark.size("series"), benchmark.size("seed")
    scores = generated(number, seed)

    def of(**wanted: object) -> Score:
        names = ("detector", "points", "shape", "polluted", "fault")
        return merged(
            [
                score
                for key, score in scores.items()
                if all(dict(zip(names, key, strict=True))[n] == v for n, v in wanted.items())
            ]
        )

    def cells(score: Score) -> tuple[str, str]:
        return f"{score.f1:.2f}", f"{score.a_year:.1f}"

    columns = [f"{d}: {what}" for d in DETECTORS for what in ("F1", "false alarms a year")]
    overall = Table("Generated series, all shapes and faults", ("points", "history", *columns))
    for points in LENGTHS:
        for polluted in (False, True):
            found = [of(detector=d, points=points, polluted=polluted) for d in DETECTORS]
            row = [cell for score in found for cell in cells(score)]
            overall.add(str(points), "with an incident" if polluted else "clean", *row)
    benchmark.show(overall)

    shapes = Table("By shape, at 90 points, clean and with an incident", ("shape", *columns))
    for shape in SHAPES:
        found = [of(detector=d, points=90, shape=shape) for d in DETECTORS]
        shapes.add(shape, *(cell for score in found for cell in cells(score)))
    benchmark.show(shapes)

    faults = Table("Share of faults found, at 90 points", ("fault", *DETECTORS))
    for fault in (*FAULTS, DRIFT):
        found = [of(detector=d, points=90, fault=fault) for d in DETECTORS]
        faults.add(fault, *(f"{s.found / s.trials:.2f}" for s in found))
    benchmark.show(faults)

    flown = Table(
        "Real: departures from New York a day in 2013 (all, 3 airports, carriers)",
        ("points", *columns),
        "Each day after the first points, by itself, with each fault; the days as they were count as fine.",
    )
    real_scores = real(FLIGHT_LENGTHS)
    for points in FLIGHT_LENGTHS:
        found = [
            merged([s for (d, p, _), s in real_scores.items() if (d, p) == (detector, points)])
            for detector in DETECTORS
        ]
        flown.add(str(points), *(cell for score in found for cell in cells(score)))
    benchmark.show(flown)


if __name__ == "__main__":
    main()
