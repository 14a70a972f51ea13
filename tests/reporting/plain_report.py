"""The figures of a health report by plain counting, minute by minute: what the SQL has to agree with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date

from pipeledger.model.finding import FRESHNESS, MISSING, TIMELINESS, VOLUME
from pipeledger.model.state import State

from .ledgers import FIRST, MINUTE, MINUTES, Flag, Ledger, Pipeline, Run

WEIGHTS = {"reliability": 4, "timeliness": 2, "freshness": 2, "volume": 2}
Parts = dict[str, tuple[float, float]]
"""Per part: so many of so many."""


@dataclass(frozen=True)
class Figures:
    """What was counted of one pipeline, or of all of them, over some days."""

    states: tuple[int, ...] = (0,) * len(State)
    late: int = 0
    missing: int = 0
    odd: int = 0
    stale: int = 0
    expected: int = 0
    watched: int = 0
    steady: int = 0

    def __add__(self, other: Figures) -> Figures:
        states = tuple(a + b for a, b in zip(self.states, other.states, strict=True))
        return Figures(
            states,
            *(
                getattr(self, name) + getattr(other, name)
                for name in ("late", "missing", "odd", "stale", "expected", "watched", "steady")
            ),
        )

    def of(self, state: State) -> int:
        return self.states[list(State).index(state)]

    @property
    def parts(self) -> Parts:
        good = self.of(State.SUCCESS)
        ended = good + self.of(State.FAILED) + self.of(State.ABANDONED)
        made = {
            "reliability": (good, ended),
            "timeliness": (max(0, self.expected - self.late - self.missing), self.expected),
            "freshness": (self.watched - self.stale, self.watched),
            "volume": (max(0, self.steady - self.odd), self.steady),
        }
        return {name: part for name, part in made.items() if part[1]}

    @property
    def score(self) -> float | None:
        parts = self.parts
        if not parts:
            return None
        above = sum(WEIGHTS[name] * good / of for name, (good, of) in parts.items())
        return 100 * above / sum(WEIGHTS[name] for name in parts)


def day_of(minute: int) -> date:
    return (FIRST + minute * MINUTE).date()


def seen(ledger: Ledger, days: Collection[date]) -> Ledger:
    """The ledger without the findings that lie outside these days, and those taken back."""

    def is_seen(flag: Flag) -> bool:
        if flag.check == FRESHNESS:
            return flag.end is None or day_of(flag.end - 1) >= min(days)
        return not flag.is_unflagged and day_of(flag.since) in days

    return replace(ledger, flags=tuple(f for f in ledger.flags if is_seen(f)))


def counted(ledger: Ledger, pipeline: Pipeline, days: Collection[date]) -> Figures:
    """What a report says of a pipeline in some days."""
    runs = [r for r in ledger.runs if r.pipeline == pipeline.ref and _day(r) in days]
    states = tuple(sum(r.state is state for r in runs) for state in State)
    missing = sum(f.missing for f in _flags(ledger, pipeline, MISSING) if day_of(f.since) in days)
    minutes = {m for day in days for m in _minutes(day)}
    stale: set[int] = set()
    for flag in _flags(ledger, pipeline, FRESHNESS):
        stale |= minutes & set(range(flag.since, MINUTES if flag.end is None else flag.end))
    came = sum(r.state is not State.SKIPPED for r in runs)
    return Figures(
        states,
        _flagged(ledger, pipeline, TIMELINESS, days),
        missing,
        _flagged(ledger, pipeline, VOLUME, days),
        60 * len(stale),
        came + missing if is_watched(ledger, pipeline, TIMELINESS) else 0,
        60 * len(minutes) if is_watched(ledger, pipeline, FRESHNESS) else 0,
        sum(r.state is State.SUCCESS for r in runs) if is_watched(ledger, pipeline, VOLUME) else 0,
    )


def is_watched(ledger: Ledger, pipeline: Pipeline, check: str) -> bool:
    """Whether the pipeline is held to something by a check that has looked, or that found something."""
    bound = {TIMELINESS: pipeline.timeliness, FRESHNESS: pipeline.freshness, VOLUME: True}[check]
    checks: Iterable[str] = (TIMELINESS, MISSING) if check == TIMELINESS else (check,)
    return (bool(bound) and check in ledger.looked) or any(
        _flags(ledger, pipeline, c) for c in checks
    )


def _minutes(day: date) -> range:
    """The minutes of a day that are over."""
    first = (day - FIRST.date()).days * 1_440
    return range(first, min(first + 1_440, MINUTES))


def _day(run: Run) -> date:
    minute = run.end if run.start is None else run.start
    assert minute is not None
    return day_of(minute)


def _flags(ledger: Ledger, pipeline: Pipeline, check: str) -> list[Flag]:
    return [f for f in ledger.flags if f.pipeline == pipeline.ref and f.check == check]


def _flagged(ledger: Ledger, pipeline: Pipeline, check: str, days: Collection[date]) -> int:
    """Runs of which something was found, once a day, however many metrics it was found of."""
    flags = _flags(ledger, pipeline, check)
    return len({(day_of(f.since), f.run) for f in flags if day_of(f.since) in days})
