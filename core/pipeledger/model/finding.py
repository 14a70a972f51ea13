"""Findings: what monitoring found, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef

TIMELINESS = "timeliness"
MISSING = "missing"
FAILED = "failed"
WATERMARK = "watermark"
FRESHNESS = "freshness"
SCHEMA = "schema"
VOLUME = "volume"
CHECKS = (FAILED, MISSING, TIMELINESS, WATERMARK, FRESHNESS, SCHEMA, VOLUME)
"""Every check, in the order in which people read their findings."""

METRICS = ("inserts", "updates", "soft_deletes", "total_rows", "duration_seconds", "throughput")
"""What the volume check looks at, in Watcher's names; a finding of it names one of them."""


class Severity(str, Enum):
    """How bad it is: something to look at, something that broke, something that keeps breaking."""

    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class FindingState(str, Enum):
    """``open`` until somebody has seen it (``acknowledged``) or its cause is gone (``resolved``)."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Cause:
    """What a check sees at one moment: something late, missing, failed, held back, stale or odd.

    ``subject`` is the same in every look that sees this cause, and another one for the next: it is
    what makes one finding of two looks. ``message`` says what and why in words and numbers, and
    changes only when they do: not with the clock. ``since``: when it began, as well as is known.
    ``holds``: false for what was so and is over: kept for the record, and told to nobody.
    """

    check: str
    subject: str
    severity: Severity
    message: str
    since: datetime
    namespace_id: int | None = None
    pipeline_id: int | None = None
    execution_id: int | None = None
    run_key: UUID | None = None
    address_id: int | None = None
    metric: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that was found, with its life.

    Times are aware and in UTC. ``openings``: 1, and one more for each time it came back; 0 for what
    was over when it was found. ``unflagged_at``: somebody said that this was in order.
    """

    id: int
    check: str
    severity: Severity
    state: FindingState
    message: str
    since: datetime
    opened_at: datetime
    updated_at: datetime
    openings: int
    pipeline: PipelineRef | None = None
    pipeline_type: str | None = None
    owner: str | None = None
    run_key: UUID | None = None
    address: Address | None = None
    metric: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    muted_until: datetime | None = None
    unflagged_at: datetime | None = None
    note: str | None = None
    pipeline_id: int | None = None
    execution_id: int | None = None
    address_id: int | None = None

    @property
    def subject_name(self) -> str:
        """Of what: the pipeline, else the address."""
        if self.pipeline is not None:
            return str(self.pipeline)
        return "" if self.address is None else str(self.address)

    def is_muted(self, now: datetime) -> bool:
        return self.muted_until is not None and self.muted_until > now

    def is_open(self, now: datetime) -> bool:
        """Whether somebody should look: not resolved, not acknowledged, not muted."""
        return self.state is FindingState.OPEN and not self.is_muted(now)

    def to_json(self) -> dict[str, Any]:
        def time(value: datetime | None) -> str | None:
            return None if value is None else times.isoformat(value)

        return {
            "id": self.id,
            "check": self.check,
            "severity": self.severity.value,
            "state": self.state.value,
            "message": self.message,
            "namespace": None if self.pipeline is None else self.pipeline.namespace,
            "pipeline": None if self.pipeline is None else self.pipeline.name,
            "pipeline_type": self.pipeline_type,
            "owner": self.owner,
            "run_key": None if self.run_key is None else str(self.run_key),
            "address": None if self.address is None else str(self.address),
            "metric": self.metric or None,
            "since": time(self.since),
            "opened_at": time(self.opened_at),
            "updated_at": time(self.updated_at),
            "resolved_at": time(self.resolved_at),
            "acknowledged_at": time(self.acknowledged_at),
            "acknowledged_by": self.acknowledged_by,
            "muted_until": time(self.muted_until),
            "unflagged_at": time(self.unflagged_at),
            "note": self.note,
            "openings": self.openings,
            "details": dict(self.details),
        }
