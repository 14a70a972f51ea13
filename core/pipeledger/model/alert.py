"""Alerts: what was told about findings on which route, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model import times

OPENED, REMINDER, RESOLVED = "opened", "reminder", "resolved"
EVENTS = (OPENED, REMINDER, RESOLVED)
SENDING, SENT, FAILED, GIVEN_UP = "sending", "sent", "failed", "given up"
UNDELIVERED = (SENDING, FAILED)


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """One message about one finding on one route, which is told once: what it is told by.

    ``opening``: the finding's openings at that time. ``number`` counts reminders from 1.
    """

    finding_id: int
    opening: int
    route: str
    event: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """What became of a message. ``error``: why the last attempt failed, without secrets.

    ``claimed_until``: until then one checker is sending it or, after a failure, nobody tries again.
    ``check`` and ``subject`` are the finding's, where they were asked for.
    """

    key: AlertKey
    state: str
    attempts: int
    created_at: datetime
    claimed_until: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None
    check: str = ""
    subject: str = ""

    def may_be_sent(self, now: datetime) -> bool:
        """Whether nobody is sending it, and it is time to try again."""
        return self.state in UNDELIVERED and (
            self.claimed_until is None or self.claimed_until <= now
        )

    @property
    def told_at(self) -> datetime:
        """When it was told or, where it was not, when that was tried last."""
        return self.sent_at or self.claimed_until or self.created_at

    def to_json(self) -> dict[str, Any]:
        return {
            "finding": self.key.finding_id,
            "opening": self.key.opening,
            "check": self.check,
            "of": self.subject,
            "route": self.key.route,
            "event": self.key.event,
            "number": self.key.number,
            "state": self.state,
            "attempts": self.attempts,
            "created_at": times.isoformat(self.created_at),
            "sent_at": None if self.sent_at is None else times.isoformat(self.sent_at),
            "error": self.error,
        }
