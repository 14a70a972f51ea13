"""How reliable, timely, fresh and steady pipelines were: shares that add up, and what they are of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from pipeledger.model import times
from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import PipelineRef

LONGEST_DAYS = 1_098
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of UTC, ``first`` to ``last``; the last one may not be over yet."""

    first: date
    last: date

    @classmethod
    def since(cls, moment: datetime, now: datetime) -> Period:
        """From the beginning of the day of ``moment`` to today. Raises InvalidInput."""
        first, last = moment.astimezone(times.UTC).date(), now.astimezone(times.UTC).date()
        if first > last:
            raise InvalidInput(
                f"a report since {first} cannot be made: today is {last}; pass a day before it"
            )
        if (last - first).days >= LONGEST_DAYS:
            raise InvalidInput(
                f"a report since {first} would be of {(last - first).days + 1:,} days:"
                f" at most {LONGEST_DAYS:,} can be looked at; pass a later day"
            )
        return cls(first, last)

    @property
    def before(self) -> Period:
        """As many days, up to the day before."""
        return Period(self.first - DAY * self.length, self.first - DAY)

    @property
    def length(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def start(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The midnight at which the last day ends."""
        return midnight(self.last + DAY)

    @property
    def until(self) -> datetime:
        """Its last microsecond."""
        return self.end - timedelta(microseconds=1)

    def days(self) -> list[date]:
        return [self.first + DAY * i for i in range(self.length)]

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def midnight(day: date) -> datetime:
    """The moment at which a day of UTC begins."""
    return datetime(day.year, day.month, day.day, tzinfo=times.UTC)


@dataclass(frozen=True, slots=True)
class Runs:
    """How many executions there were, and how they stand. ``runs`` counts those that run, too."""

    runs: int = 0
    successes: int = 0
    failures: int = 0
    abandoned: int = 0
    skipped: int = 0

    @property
    def running(self) -> int:
        return self.runs - self.successes - self.failures - self.abandoned - self.skipped

    @property
    def failed(self) -> int:
        """Those that ended badly: failed, and given up as abandoned."""
        return self.failures + self.abandoned

    def __add__(self, other: Runs) -> Runs:
        return Runs(
            self.runs + other.runs,
            self.successes + other.successes,
            self.failures + other.failures,
            self.abandoned + other.abandoned,
            self.skipped + other.skipped,
        )

    def to_json(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"running": self.running}


@dataclass(frozen=True, slots=True)
class Share:
    """So much of so much was in order. Of nothing: absent, which counts neither way."""

    good: float = 0
    of: float = 0

    @classmethod
    def without(cls, bad: float, of: float) -> Share:
        """What remains when ``bad`` of it was not in order; never less than nothing."""
        return cls(max(0, of - bad), of)

    @property
    def value(self) -> float | None:
        """0 to 1; None where it is absent."""
        return self.good / self.of if self.of > 0 else None

    def __add__(self, other: Share) -> Share:
        return Share(self.good + other.good, self.of + other.of)

    def to_json(self) -> dict[str, Any] | None:
        return None if self.of <= 0 else {"share": self.value, "good": self.good, "of": self.of}


NO_RUNS = Runs()
ABSENT = Share()


@dataclass(frozen=True, slots=True)
class Watched:
    """A pipeline, and which checks watch it: those that have a bound to hold it to and have looked."""

    id: int
    pipeline: PipelineRef
    type: str | None
    timeliness: bool
    freshness: bool
    volume: bool


@dataclass(frozen=True, slots=True)
class Found:
    """So many runs of a pipeline that a check found something of, on one day."""

    pipeline_id: int
    check: str
    day: date
    number: int


@dataclass(frozen=True, slots=True)
class Stale:
    """A pipeline's data was too old from ``since`` until ``until``; None: it still is."""

    pipeline_id: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows of two periods that follow each other: the second is ``period``.

    ``runs`` and ``runs_before``: per pipeline, of the one and of the one before it.
    ``days``: all runs of a day of ``period``, and of them those of pipelines whose timeliness is
    watched.
    """

    period: Period
    pipelines: tuple[Watched, ...]
    runs: dict[int, Runs]
    runs_before: dict[int, Runs]
    days: dict[date, tuple[Runs, Runs]]
    found: tuple[Found, ...]
    stale: tuple[Stale, ...]


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The same stretches of time in order, none touching another."""
    whole: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole
