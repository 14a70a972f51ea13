"""How findings speak of moments and spans: to the minute, in UTC, and never relative to now."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeledger.model.times import UTC


def when(moment: datetime) -> str:
    """``2026-11-20 05:00Z``; with seconds where there are any."""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ" if moment.second else "%Y-%m-%d %H:%MZ")


def span(duration: timedelta) -> str:
    """``2h 10m``, ``3d 4h``, ``40s``: the two largest units."""
    seconds = max(0, round(duration.total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number}{unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def counted(number: int, what: str) -> str:
    """``1 run``, ``3 runs``, ``2 addresses``."""
    ending = "" if number == 1 else "es" if what.endswith("s") else "s"
    return f"{number:,} {what}{ending}"
