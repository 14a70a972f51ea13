"""Times as the ledger keeps them: timezone-aware, UTC, microseconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pipeledger.model.errors import InvalidInput

UTC = timezone.utc
FIRST = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def as_utc(value: datetime, what: str = "time") -> datetime:
    """The same moment in UTC. Raises InvalidInput for a time without a zone: guessing one is how
    records end up hours away from the truth."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidInput(
            f"{what} {value.isoformat()} has no time zone; pass an aware datetime,"
            " e.g. datetime.now(timezone.utc)"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(
            f"{what} {value.isoformat()} lies outside years 1 to 9999 in UTC"
        ) from None


def parse(text: str, what: str = "time") -> datetime:
    """Read ISO 8601 with a zone; ``Z`` and up to nanoseconds are understood (cut to microseconds)."""
    try:
        return as_utc(datetime.fromisoformat(plain_iso(text)), what)
    except InvalidInput:
        raise
    except ValueError:
        raise InvalidInput(
            f"{what} {text[:60]!r} is not a time; expected ISO 8601 with a zone,"
            " e.g. 2013-01-05T00:00:00Z"
        ) from None


def plain_iso(text: str) -> str:
    """ISO text that Python 3.10 reads too: no ``Z``, three or six fraction digits."""
    text = text.strip()
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    dot = text.find(".", 10)
    if dot > 0:
        end = dot + 1
        while end < len(text) and text[end].isdigit():
            end += 1
        text = text[:dot] + "." + text[dot + 1 : end][:6].ljust(6, "0") + text[end:]
    return text


def isoformat(value: datetime) -> str:
    """``2013-01-05T06:00:00.000000Z``: fixed width, so that text order is time order."""
    v = value.astimezone(UTC)
    return (
        f"{v.year:04d}-{v.month:02d}-{v.day:02d}T{v.hour:02d}:{v.minute:02d}:{v.second:02d}"
        f".{v.microsecond:06d}Z"
    )


def microseconds(value: datetime) -> int:
    """Microseconds since 0001-01-01T00:00:00Z; not negative, below 2**59."""
    return (value - FIRST) // _MICROSECOND


def from_microseconds(number: int) -> datetime:
    """The time that ``microseconds`` made the number of."""
    return FIRST + number * _MICROSECOND
