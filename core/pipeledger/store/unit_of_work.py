"""One transaction over the ledger: it commits as a whole or leaves nothing behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from pipeledger.model.errors import LedgerUnavailable
from pipeledger.store.database import Conflict, Connection

T = TypeVar("T")
ATTEMPTS = 20
_LONGEST_PAUSE = 0.05


def transact(
    connection: Connection, work: Callable[[bool], T], on_conflict: Callable[[], None]
) -> T:
    """Run ``work`` in a transaction; start over when it met another one (deadlock, lost race).

    ``work`` is told whether this is a new start, and then takes nothing for granted.
    ``on_conflict`` runs before each new start, to drop what was remembered of the database. Raises
    LedgerUnavailable when it kept losing, and whatever ``work`` raises, after rolling back.
    """
    for attempt in range(ATTEMPTS):
        connection.begin()
        try:
            result = work(attempt > 0)
            connection.commit()
            return result
        except Conflict as conflict:
            connection.rollback()
            on_conflict()
            if attempt == ATTEMPTS - 1:
                raise LedgerUnavailable(
                    f"the ledger is too busy: {ATTEMPTS} attempts met another transaction ({conflict})"
                ) from conflict
            # A moment of chance, growing: those who met are not to meet again at once.
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.001 * 2**attempt)))
        except BaseException:
            _rollback_quietly(connection)
            raise
    raise AssertionError("unreachable")


def _rollback_quietly(connection: Connection) -> None:
    """Roll back without hiding the error that made it necessary."""
    try:
        connection.rollback()
    except LedgerUnavailable:
        pass
