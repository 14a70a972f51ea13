"""What a check has to look at again: executions that are new to it, or that ran when it last looked.

So a look costs what has happened since the last one, however long the history is, and nothing is
missed: neither a run that starts and ends between two looks, nor one that is delivered days late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeledger.monitoring.look import Moment
from pipeledger.store.read import arrivals

FIRST_LOOK = timedelta(days=7)
"""How far the first look at a ledger goes back, and how long a run that has ended is news."""
OVERLAP = 5_000
"""Ids below the last one seen that are read again: a transaction may commit after a later id's."""


@dataclass(frozen=True, slots=True)
class Feed:
    """``ids`` of executions, in order; ``state`` for the look to keep."""

    ids: list[int]
    running: frozenset[int]
    state: dict[str, Any]


def feed(moment: Moment) -> Feed:
    """The executions that came, ended or run since this check's last look."""
    connection, before = moment.connection, moment.state
    running = arrivals.running(connection)
    if "last_id" in before:
        new = arrivals.after(connection, int(before["last_id"]) - OVERLAP)
    else:
        new = arrivals.started_since(connection, moment.now - FIRST_LOOK)
    ids = arrivals.union(new, running, before.get("running", ()))
    state = {"last_id": arrivals.last_id(connection), "running": running}
    return Feed(ids, frozenset(running), state)
