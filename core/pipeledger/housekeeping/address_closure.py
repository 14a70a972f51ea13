"""The closure of addresses, built again where edges have changed more than was kept up with."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.store import address_closure
from pipeledger.store.address_closure import DEPTH, WHOLE_BELOW
from pipeledger.store.database import Connection, Database


def refresh(
    database: Database,
    *,
    whole_below: int = WHOLE_BELOW,
    depth: int = DEPTH,
    now: datetime | None = None,
) -> bool:
    """Build the closure of addresses again if it is behind; whether it was.

    All the way while there are fewer than ``whole_below`` addresses, else to ``depth``. Others
    record meanwhile; what they change leaves it behind for the next time.
    """
    moment = now or times.now()
    with session(database) as connection:
        if not in_transaction(connection, lambda c: address_closure.is_behind(c, moment)):
            return False
        rebuild(connection, moment, whole_below, depth)
    return True


def rebuild(
    connection: Connection,
    now: datetime,
    whole_below: int = WHOLE_BELOW,
    depth: int = DEPTH,
) -> None:
    """Build it again, behind or not."""
    step: address_closure.Rebuild | None = in_transaction(
        connection, lambda c: address_closure.begin_rebuild(c, now, whole_below, depth)
    )
    while step is not None:
        step = in_transaction(connection, partial(address_closure.go_on, rebuild=step, now=now))
