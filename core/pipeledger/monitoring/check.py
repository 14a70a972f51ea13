"""Checks: each looks at the ledger once, and what it sees is saved as findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import finding as names
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, MissingExtra
from pipeledger.model.finding import CHECKS, Finding
from pipeledger.monitoring.look import Check, Look, Moment
from pipeledger.store import findings
from pipeledger.store.database import Connection, Database
from pipeledger.store.read import Reader, arrivals
from pipeledger.store.read import findings as found
from pipeledger.store.read.findings import FindingFilter

_ROOMS = {
    names.FAILED: "failures",
    names.MISSING: "missing",
    names.TIMELINESS: "timeliness",
    names.WATERMARK: "watermarks",
    names.FRESHNESS: "freshness",
    names.SCHEMA: "schemas",
    names.VOLUME: "volume",
}
MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one check. ``is_behind``: a look that began later was saved before this one.

    ``skipped``: why it did not look. ``seconds``: how long it took.
    """

    check: str
    checked: int = 0
    causes: int = 0
    seconds: float = 0.0
    is_behind: bool = False
    skipped: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "checked": self.checked,
            "causes": self.causes,
            "seconds": round(self.seconds, 3),
            "skipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all checks that were asked for found. ``findings``: those unresolved now, the worst first."""

    at: datetime
    checks: tuple[Checked, ...]
    findings: tuple[Finding, ...]

    @property
    def open(self) -> tuple[Finding, ...]:
        """Those that somebody should look at: neither acknowledged nor muted."""
        return tuple(f for f in self.findings if f.is_open(self.at))

    def to_json(self) -> dict[str, Any]:
        return {
            "at": times.isoformat(self.at),
            "open": len(self.open),
            "checks": [c.to_json() for c in self.checks],
            "findings": [f.to_json() for f in self.findings],
        }


def check(
    database: Database,
    checks: Collection[str] = CHECKS,
    *,
    now: datetime | None = None,
    progress: Callable[[Checked], None] = lambda checked: None,
) -> Outcome:
    """Run checks and save what they find, then say what is unresolved.

    Running it twice, or on two machines at once, makes one finding of one cause: of two looks the
    later one counts. ``now``: else the database's clock, where it has one. ``progress`` is told of
    each check when it is done. Raises InvalidInput for a check that there is not, LedgerUnavailable.
    """
    wanted = [name for name in CHECKS if name in set(checks)]
    unknown = sorted(set(checks) - set(CHECKS))
    if unknown:
        raise InvalidInput(f"check {unknown[0]!r} is unknown; use one of {', '.join(CHECKS)}")
    reader = Reader.open(database)
    done = []
    with session(database) as connection:
        for name in wanted:
            done.append(_checked(connection, reader, name, now))
            progress(done[-1])
    with reader.connection() as reading:
        at = now or arrivals.clock(reading)
        unresolved = found.find(reading, FindingFilter(checks=wanted), MOST_SHOWN)
    return Outcome(at, tuple(done), tuple(unresolved))


def evaluate(
    reader: Reader, name: str, *, now: datetime | None = None, seen: findings.Seen | None = None
) -> tuple[datetime, Look]:
    """What a check sees now, without saving anything; and the moment of the look."""
    last = seen or findings.Seen(None, {}, ())
    with reader.connection() as reading:
        at = now or arrivals.clock(reading)
        return at, _room(name)(Moment(reading, at, last.state, last.unresolved))


def _checked(connection: Connection, reader: Reader, name: str, now: datetime | None) -> Checked:
    began = time.monotonic()
    seen = in_transaction(connection, lambda c: findings.seen(c, name))
    try:
        at, look = evaluate(reader, name, now=now, seen=seen)
    except MissingExtra as missing:
        return Checked(name, skipped=str(missing))
    is_saved = in_transaction(connection, partial(_saved, name=name, look=look, at=at))
    holding = sum(cause.holds for cause in look.causes)
    return Checked(name, look.checked, holding, time.monotonic() - began, is_behind=not is_saved)


def _saved(connection: Connection, name: str, look: Look, at: datetime) -> bool:
    is_saved = findings.save(
        connection, name, look.causes, at=at, checked=look.checked, state=look.state
    )
    if is_saved and look.also is not None:
        look.also(connection)
    return is_saved


def _room(name: str) -> Check:
    # When it is asked for: the volume check needs numpy, which others do not.
    room: Any = import_module(f"pipeledger.monitoring.{_ROOMS[name]}")
    look: Check = room.look
    return look
