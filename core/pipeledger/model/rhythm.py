"""When a pipeline is expected to run: cron texts, each in its time zone, or an interval.

A cron text's time that daylight saving skips comes when the clocks have gone forward, one that it
repeats comes once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from pipeledger.model import times
from pipeledger.model.errors import InvalidInput

UTC = "UTC"
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELD = re.compile(r"[\d*/,\-#?LWH]+\Z|(?:[A-Za-z]{3}[,\-/]?)+\Z")
_OFFSET = re.compile(r"UTC([+-])(\d\d):(\d\d)\Z")
_ZONE = re.compile(r"UTC\Z|UTC[+-]\d\d:\d\d\Z|[A-Za-z]\w*/[A-Za-z]")
_DELTA = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.\d+)?\Z")
_EVERY = re.compile(r"(?:every )?(\d+) ?(minute|hour|day|week|m|h|d|w|min)s?\Z", re.IGNORECASE)
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MOST_TICKS = 100
"""How many ticks are counted: each is worked out, and who waits for more knows enough."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Expected at every tick of any of ``crons`` (text, time zone), or ``interval`` after the last.

    Nothing is expected after ``until``.
    """

    crons: tuple[tuple[str, str], ...] = ()
    interval: timedelta | None = None
    until: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """The first tick later than ``moment``, in UTC; None where no tick comes any more."""
        tick = next(iter(self._following(moment, 1)), None)
        return None if tick is None or (self.until and tick > self.until) else tick

    def expected_after(
        self, start: datetime, early: timedelta
    ) -> tuple[datetime, timedelta] | None:
        """The first tick that a run which began at ``start`` is not for, and how long the period is.

        A run may begin ``early`` before its tick, at most half the period. None where none comes.
        """
        found = self._expected_after(start, early)
        return None if found is None or (self.until and found[0] > self.until) else found

    def _expected_after(
        self, start: datetime, early: timedelta
    ) -> tuple[datetime, timedelta] | None:
        if self.interval is not None:
            return start + self.interval, self.interval
        ticks = self._following(start, 2)
        if len(ticks) < 2:
            return (ticks[0], timedelta(days=365)) if ticks and ticks[0] - start > early else None
        period = ticks[1] - ticks[0]
        if ticks[0] - start > min(early, period / 2):
            return ticks[0], period
        following = next(iter(self._following(ticks[1], 1)), None)
        return ticks[1], period if following is None else following - ticks[1]

    def ticks(self, start: datetime, end: datetime) -> list[datetime]:
        """The ticks later than ``start`` and not later than ``end``; at most a hundred."""
        found: list[datetime] = []
        tick = self.after(start)
        while tick is not None and tick <= end and len(found) < MOST_TICKS:
            found.append(tick)
            tick = self.after(tick)
        return found

    def _following(self, moment: datetime, number: int) -> list[datetime]:
        if self.interval is not None:
            return [moment + self.interval * n for n in range(1, number + 1)]
        ticks = {tick for cron in self.crons for tick in _next(cron, moment, number)}
        return sorted(ticks)[:number]

    def slack(self, tick: datetime) -> timedelta:
        """How much later a tick may come because clocks are put forward or back around it."""
        hours = timedelta(hours=3)
        for _, name in self.crons:
            zone = _zone(name)
            if zone is not None and tick - times.FIRST > hours:
                before, later = (
                    t.astimezone(zone).utcoffset() for t in (tick - hours, tick + hours)
                )
                if before != later and before is not None and later is not None:
                    return abs(later - before)
        return timedelta()

    def __str__(self) -> str:
        if self.interval is not None:
            return f"every {_in_words(self.interval)}"
        return "; ".join(text if zone == UTC else f"{text} {zone}" for text, zone in self.crons)


def of(schedule: str | None, metadata: Mapping[str, Any] | None = None) -> Rhythm | None:
    """The rhythm of a declared pipeline; None where it has none that tells when it comes.

    ``metadata`` may hold it for programs, as the integrations write it: ``rhythm`` is a list of
    ``{"cron": ..., "timezone": ...}`` or of one ``{"interval_seconds": ...}``, ``rhythm_until`` the
    time after which nothing is expected any more. What cannot be read is no rhythm: orchestrators
    have words of their own ("Asset", "Never, external triggers only").
    """
    said = (metadata or {}).get("rhythm")
    if isinstance(said, list) and said:
        found = _of_list(said)
        if found is not None:
            return replace(found, until=_until((metadata or {}).get("rhythm_until")))
    if not schedule:
        return None
    try:
        return parse(schedule)
    except InvalidInput:
        return None


@lru_cache(maxsize=4_096)
def parse(text: str) -> Rhythm:
    """Read ``0 5 * * *``, ``0 5 * * 1 Europe/Berlin``, several with ``;``, ``@daily``, ``15 minutes``.

    Raises InvalidInput, which says what was expected.
    """
    text = text.strip()
    interval = _interval(text)
    if interval is not None:
        return Rhythm(interval=interval)
    return Rhythm(crons=tuple(_cron(part) for part in text.split(";") if part.strip()) or _no(text))


def looks_like_cron(text: str) -> bool:
    """Whether this is meant as a cron text, right or wrong: five or six fields of cron's letters."""
    fields = text.strip().split()
    return 5 <= len(fields) <= 7 and all(_FIELD.match(field) for field in fields[:5])


def _cron(text: str) -> tuple[str, str]:
    fields = text.split()
    zone = UTC
    if len(fields) in (2, 6, 7) and _ZONE.match(fields[-1]):
        zone = fields.pop()
    return _checked(" ".join(fields), zone, text)


def _checked(cron: str, zone: str, text: str) -> tuple[str, str]:
    """A cron text or preset with its time zone, once both can be read; ``text`` is for messages."""
    cron = PRESETS.get(cron.lower(), cron)
    if _zone(zone) is None:
        raise InvalidInput(
            f"schedule {text!r} names an unknown time zone {zone!r}: expected a name like Europe/Berlin"
        )
    from croniter.croniter import CroniterError, croniter  # 20 ms that only a schedule is worth

    try:
        croniter(cron, times.FIRST.replace(year=2000))
    except (CroniterError, ValueError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())[:120]
        raise InvalidInput(
            f"schedule {text!r} cannot be read ({why}): expected a cron text such as 0 5 * * * or"
            " 0 5 * * 1-5 Europe/Berlin, a preset such as @daily, or an interval such as 15 minutes"
        ) from None
    return cron, zone


def _no(text: str) -> tuple[tuple[str, str], ...]:
    raise InvalidInput(f"schedule {text!r} is empty: expected a cron text or an interval")


def _interval(text: str) -> timedelta | None:
    delta = _DELTA.match(text)
    if delta is not None:
        days, hours, minutes, seconds = (int(group or 0) for group in delta.groups())
        found = timedelta(days=min(days, 10**6), hours=hours, minutes=minutes, seconds=seconds)
        return found if found > timedelta() else None
    every = _EVERY.match(text)
    if every is None:
        return None
    seconds = int(every.group(1)[:9]) * _SECONDS[every.group(2)[0].lower()]
    return timedelta(seconds=seconds) if 0 < seconds < 10**10 else None


def _of_list(said: Iterable[Any]) -> Rhythm | None:
    crons = []
    for item in said:
        if not isinstance(item, Mapping):
            return None
        seconds = item.get("interval_seconds")
        if isinstance(seconds, (int, float)) and 0 < seconds < 10**10:
            return Rhythm(interval=timedelta(seconds=seconds))
        cron, zone = item.get("cron"), item.get("timezone") or UTC
        if not isinstance(cron, str) or not isinstance(zone, str):
            return None
        try:
            crons.append(_checked(cron, zone, cron))
        except InvalidInput:
            return None
    return Rhythm(crons=tuple(sorted(set(crons)))) if crons else None


def _until(said: object) -> datetime | None:
    try:
        return times.parse(said, "rhythm_until") if isinstance(said, str) else None
    except InvalidInput:
        return None


def _zone(name: str) -> tzinfo | None:
    """The time zone of a name, or of an offset such as ``UTC+05:30``; None for one there is not."""
    offset = _OFFSET.match(name)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        if ahead >= timedelta(days=1):
            return None
        return timezone(ahead if sign == "+" else -ahead)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _next(cron: tuple[str, str], moment: datetime, number: int) -> list[datetime]:
    """The next ticks of one cron text, in UTC."""
    from croniter.croniter import CroniterBadCronError, CroniterBadDateError, croniter

    text, name = cron
    zone = _zone(name)
    # An hour of its own that the clocks repeat is meant once; every hour or half hour is not.
    is_of_one_hour = text.split()[1].isdigit()
    found: list[datetime] = []
    try:
        ticks = croniter(text, moment.astimezone(zone))
        while len(found) < number:
            tick: datetime = ticks.get_next(datetime)
            if not (is_of_one_hour and tick.astimezone(zone).fold):
                found.append(tick.astimezone(times.UTC))
    except (CroniterBadDateError, CroniterBadCronError, OverflowError, ValueError):
        pass  # there are no more
    return found


def _in_words(interval: timedelta) -> str:
    seconds = int(interval.total_seconds())
    for unit, size in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0 and seconds >= size:
            number = seconds // size
            return f"{number} {unit}" + ("" if number == 1 else "s")
    return f"{seconds} seconds"
