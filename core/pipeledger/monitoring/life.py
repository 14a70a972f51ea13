"""What people do with findings: acknowledge, mute, unflag."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, NotFound
from pipeledger.model.finding import VOLUME, Finding
from pipeledger.store import findings
from pipeledger.store.database import Database
from pipeledger.store.read import Reader
from pipeledger.store.read import findings as found
from pipeledger.store.read.findings import FindingFilter


def acknowledge(
    database: Database,
    ids: Collection[int],
    *,
    by: str,
    note: str | None = None,
    now: datetime | None = None,
) -> list[Finding]:
    """Say that somebody has seen these: no reminders, no open finding, until it comes back.

    Those that are not open stay as they are. Raises NotFound.
    """
    known = _known(database, ids)
    at = now or times.now()
    with session(database) as connection:
        in_transaction(connection, lambda c: findings.acknowledge(c, known, by, note, at))
    return _now(database, known)


def mute(
    database: Database,
    ids: Collection[int],
    *,
    until: datetime,
    note: str | None = None,
    now: datetime | None = None,
) -> list[Finding]:
    """Keep these quiet until a moment. Raises NotFound, InvalidInput for a moment that is past."""
    at = now or times.now()
    if until <= at:
        raise InvalidInput(
            f"{times.isoformat(until)} is past: a finding is muted until a time to come, e.g. --for 3d"
        )
    known = _known(database, ids)
    with session(database) as connection:
        in_transaction(connection, lambda c: findings.mute(c, known, until, note, at))
    return _now(database, known)


def unflag(
    database: Database, ids: Collection[int], *, reason: str, now: datetime | None = None
) -> list[Finding]:
    """Say of odd volumes that they were in order: they count as normal from now on.

    Raises NotFound, InvalidInput for another kind of finding, or without a reason.
    """
    if not reason.strip():
        raise InvalidInput("say why it was in order: --reason 'new customer loaded'")
    known = _known(database, ids)
    others = [f for f in _now(database, known) if f.check != VOLUME]
    if others:
        raise InvalidInput(
            f"finding {others[0].id} is of the check {others[0].check}: only odd volumes and durations"
            f" are unflagged; `pipeledger ack {others[0].id}` or `mute` is for others"
        )
    at = now or times.now()
    with session(database) as connection:
        in_transaction(connection, lambda c: findings.unflag(c, known, reason.strip(), at))
    return _now(database, known)


def _known(database: Database, ids: Collection[int]) -> Sequence[int]:
    wanted = sorted(set(ids))
    there = {f.id for f in _now(database, wanted)}
    unknown = [id_ for id_ in wanted if id_ not in there]
    if unknown:
        raise NotFound(
            f"there is no finding {unknown[0]}: `pipeledger findings --all` lists them with their numbers"
        )
    return wanted


def _now(database: Database, ids: Collection[int]) -> list[Finding]:
    if not ids:
        return []
    with Reader.open(database).connection() as connection:
        listed = found.find(connection, FindingFilter(ids=ids), len(ids))
    return sorted(listed, key=lambda f: f.id)
