"""Spans of time in which a fact holds: from ``began`` on, before ``ended``.

Those of one fact are kept apart: none meets or overlaps another. All sets of spans that are made
from the same declarations and observations are equal, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeledger.model.times import UTC

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what still holds. Not the last moment there is: in a zone east of UTC that has no name."""
OBSERVED_FOR = timedelta(days=90)
"""How long what was seen in a run holds after it was seen last, where nothing else is said."""

Span = tuple[datetime, datetime]
Spans = tuple[Span, ...]


def holding(spans: Iterable[Span], began: datetime, ended: datetime) -> Spans:
    """The spans, with the fact holding from ``began`` to ``ended`` as well."""
    apart: list[Span] = []
    for span in spans:
        if span[1] < began or span[0] > ended:
            apart.append(span)
        else:
            began, ended = min(began, span[0]), max(ended, span[1])
    if began < ended:
        apart.append((began, ended))
    return tuple(sorted(apart))


def lacking(spans: Iterable[Span], began: datetime, ended: datetime) -> Spans:
    """The spans, with the fact not holding from ``began`` to ``ended``."""
    left: list[Span] = []
    for span in spans:
        if span[1] <= began or span[0] >= ended:
            left.append(span)
            continue
        left += [(a, b) for a, b in ((span[0], began), (ended, span[1])) if a < b]
    return tuple(sorted(left))


def holds_after(spans: Iterable[Span], moment: datetime) -> bool:
    """Whether the fact holds at a moment or begins to later, as one does whose clock is ahead."""
    return any(moment < ended for _, ended in spans)


def until(observed_at: datetime, observed_for: timedelta) -> datetime:
    """The end of what was seen at a moment."""
    return FOREVER if observed_at > FOREVER - observed_for else observed_at + observed_for
