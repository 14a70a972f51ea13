"""How durations, counts and moments are written for people."""

from __future__ import annotations

from datetime import datetime

from pipeledger.model.times import UTC

ABSENT = "–"


def duration(seconds: float | None) -> str:
    """``85 ms``, ``4.2 s``, ``2m 03s``, ``1h 02m``, ``3d 04h``."""
    if seconds is None:
        return ABSENT
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02d}h"


def count(number: int | None) -> str:
    """``336,776``."""
    return ABSENT if number is None else f"{number:,}"


def moment(value: datetime | None) -> str:
    """``2013-01-05 06:00:00``, in UTC."""
    return ABSENT if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def size(number: int) -> str:
    """``512 bytes``, ``1.4 kB``, ``20.1 MB``."""
    if number < 1000:
        return f"{number} bytes"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def watermark(text: str | None) -> str:
    """A watermark or bound; of a time in UTC only as much as it needs: ``2013-01-05``."""
    if text is None:
        return ABSENT
    for zeros in ("T00:00:00.000000Z", "T00:00:00Z", "T00:00:00+00:00", " 00:00:00+00:00"):
        if text.endswith(zeros) and len(text) == 10 + len(zeros):
            return text[:10]
    if text.endswith(":00.000000Z") and len(text) == 27:
        return text[:16] + "Z"
    if text.endswith(".000000Z") and len(text) == 27:
        return text[:19] + "Z"
    return text
