"""How long a try ran and how long it waited, where it was deferred or rescheduled in between.

Its parts run in processes of their own. Each one that stops before the end says how long the try has
run so far; the next one adds its own time to that. What waited is the rest: for a trigger, for the next
poke, for a free worker.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.recording import owner
from pipeledger_airflow.fence import read
from pipeledger_airflow.versions import api

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger

PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a try that runs in this process, and what the parts before it have said."""

    began_at: datetime
    first_began_at: datetime
    pauses: int = 0
    seconds_before: float = 0.0
    metadata: dict[str, Any] | None = None

    def paused(self, now: datetime) -> dict[str, Any]:
        """What to say when the try stops here for a while."""
        so_far = {"pauses": self.pauses + 1, "running_seconds": self._running_seconds(now)}
        return {**(self.metadata or {}), PAUSED: so_far}

    def ended(self, now: datetime) -> dict[str, Any]:
        """What to say at the end of a try that stopped at least once."""
        if not self.pauses:
            return {}
        running = self._running_seconds(now)
        whole = (now - self.first_began_at).total_seconds()
        said = {k: v for k, v in (self.metadata or {}).items() if k != PAUSED}
        waiting = round(max(0.0, whole - running), 3)
        return {**said, "running_seconds": running, "waiting_seconds": waiting}

    def _running_seconds(self, now: datetime) -> float:
        here = max(0.0, (now - self.began_at).total_seconds())
        return round(self.seconds_before + here, 3)


def began_at(ti: Any) -> datetime:
    """When the part that runs in this process began.

    Airflow moves the start of a rescheduled try to its latest part, and leaves that of a deferred one;
    there it is the start of this process, which Airflow forks for the part.
    """
    now = times.now()
    started_at = read(lambda: ti.start_date)
    if started_at is None:
        return now
    if "resumed_with" not in (read(lambda: api.resumptions(ti)) or {}):
        return times.as_utc(started_at)
    forked_at = read(_process_began_at)
    # One process for the whole DAG (``dag.test()``) is older than the try.
    return forked_at if forked_at is not None and forked_at > started_at else now


def _process_began_at() -> datetime | None:
    ticks = owner.attributes().get(owner.STARTED)
    if ticks is None:
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return times.now() - timedelta(seconds=age)


def part_of(ti: Any, key: UUID, began: datetime, ledger: Ledger) -> Part | None:
    """This process's part of the try, asked when it stops; None where earlier ones are not known.

    Only a part that resumes asks the ledger, and only when the task's own work is over.
    """
    resumed = read(lambda: api.resumptions(ti)) or {}
    if not resumed:
        return Part(began, began)
    said = ledger.said(key)
    paused = {} if said is None else said.metadata.get(PAUSED)
    if said is None or said.started_at is None or not isinstance(paused, dict):
        return None
    pauses, seconds = paused.get("pauses"), paused.get("running_seconds")
    if not isinstance(pauses, int) or not isinstance(seconds, (int, float)):
        return None
    if pauses < max(1, resumed.get("reschedules", 0)):
        return None  # what one of them said has not arrived
    return Part(began, said.started_at, pauses, float(seconds), dict(said.metadata))
