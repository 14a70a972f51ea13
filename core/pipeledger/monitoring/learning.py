"""The rhythm of a pipeline that declares none: learned from when it came."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeledger.model.times import UTC
from pipeledger.monitoring.words import span

FEWEST = 14
"""From how many arrivals on a rhythm is learned."""
MOST = 60
_DAY = timedelta(days=1)
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_IRREGULAR = 4
"""A longest gap of more than so many usual ones is no rhythm."""
_FEWEST_OF_WEEKDAY = 2


@dataclass(frozen=True, slots=True)
class Learned:
    """After an arrival the next comes ``usual`` later, at the latest (``longest``) as far as is known."""

    usual: timedelta
    shortest: timedelta
    longest: timedelta
    arrivals: int
    after_weekday: str | None = None

    @property
    def words(self) -> str:
        """``it came 23h 58m to 1d 2m after the run before, in 34 runs``."""
        day = f" on {self.after_weekday}" if self.after_weekday else ""
        return (
            f"it came {span(self.shortest)} to {span(self.longest)} after the run before{day},"
            f" in {self.arrivals} runs"
        )


def learn(starts: Sequence[datetime]) -> Learned | None:
    """What to expect after the last of these starts; None where they tell of no rhythm.

    From 14 starts on. Starts that come together (less than a twentieth of the usual gap apart) are
    one arrival. A daily rhythm is told apart by weekday: Fridays' next may be Mondays'. The longest of
    20 gaps and more is one that nearly all keep (19 of 20): an outage once is not the rhythm.
    """
    arrivals = _apart(sorted(starts)[-MOST:])
    if len(arrivals) < FEWEST:
        return None
    gaps = [(a, b - a) for a, b in itertools.pairwise(arrivals)]
    usual = _middle([gap for _, gap in gaps])
    weekday = arrivals[-1].astimezone(UTC).weekday()
    if 20 / 24 <= usual / _DAY <= 28 / 24:
        same = [gap for before, gap in gaps if before.astimezone(UTC).weekday() == weekday]
        if len(same) >= _FEWEST_OF_WEEKDAY:
            longest = max(same) if len(same) < 3 else sorted(same)[-2 if _stands_out(same) else -1]
            return Learned(_middle(same), min(same), longest, len(arrivals), _WEEKDAYS[weekday])
    ordered = sorted(gap for _, gap in gaps)
    longest = ordered[-1 - len(ordered) // 20]
    if longest > _IRREGULAR * usual:
        return None
    return Learned(usual, ordered[0], longest, len(arrivals))


def _apart(starts: Sequence[datetime]) -> list[datetime]:
    if len(starts) < 2:
        return list(starts)
    usual = _middle([b - a for a, b in itertools.pairwise(starts)])
    found = [starts[0]]
    for start in starts[1:]:
        if start - found[-1] > usual / 20:
            found.append(start)
    return found


def _middle(gaps: Sequence[timedelta]) -> timedelta:
    return sorted(gaps)[len(gaps) // 2]


def _stands_out(gaps: Sequence[timedelta]) -> bool:
    """Whether the longest gap is much longer than the next: an outage, and not the rhythm."""
    ordered = sorted(gaps)
    return ordered[-1] > 1.5 * ordered[-2]
