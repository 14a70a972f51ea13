"""Which odd executions somebody should still hear of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

NEWS = timedelta(days=7)
"""How long an odd execution is news after its end."""


@dataclass(frozen=True, slots=True)
class Run:
    """A success of a pipeline, as far as a metric of it goes. ``rank``: of its finding's severity.

    ``is_found``: its finding is unresolved. ``is_new``: it was found in this look.
    """

    id: int
    is_odd: bool
    is_found: bool = False
    is_new: bool = False
    rank: int = 0
    ended_at: datetime | None = None


def holding(runs: Sequence[Run], now: datetime) -> set[int]:
    """Of the odd runs those that hold, of all successes in the order of their starts.

    What a fine run has followed is over. Of several odd ones in a row the first one holds, and each
    that is worse than those before it: one cause, one finding.
    """
    row: list[Run] = []
    for run in reversed(runs):
        if not run.is_odd:
            break
        row.append(run)
    held, worst = set(), -1
    for run in reversed(row):
        is_news = run.ended_at is not None and run.ended_at >= now - NEWS
        if is_news and (run.is_found or (run.is_new and run.rank > worst)):
            held.add(run.id)
            worst = max(worst, run.rank)
    return held
