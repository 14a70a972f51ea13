"""Spans of time as people write them: ``90d``, ``1h``."""

from __future__ import annotations

import re
from datetime import timedelta

from pipeledger.model.errors import InvalidInput

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile(r"\s*(\d{1,9})\s*([wdhms])\s*\Z", re.ASCII)
LONGEST = timedelta(days=365 * 1000)


def parse(text: str, what: str) -> timedelta:
    """Read a span, a whole number with its unit. Raises InvalidInput, which names ``what``."""
    match = _SPAN.match(text)
    span = None
    if match is not None:
        seconds = int(match.group(1)) * _UNITS[match.group(2)]
        span = timedelta(seconds=min(seconds, 10**12))
    if span is None or not timedelta() < span <= LONGEST:
        raise InvalidInput(
            f"{what} {text!r} cannot be used: expected a whole number and w, d, h, m or s, e.g. 90d or 1h"
        )
    return span


def in_words(span: timedelta) -> str:
    """``90 days``, ``1 hour``, ``90 minutes``: in the largest unit that divides it."""
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return _counted(seconds // size, unit)
    return _counted(seconds, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
