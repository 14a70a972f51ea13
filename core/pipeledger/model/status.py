"""How the ledger stands at one moment: what runs, what is wrong, what failed, who has looked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.finding import CHECKS, Finding
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import ExecutionView

T = TypeVar("T")
FAILED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The first of ``count``."""

    items: tuple[T, ...]
    count: int

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def first(self, most: int) -> Some[T]:
        return Some(self.items[:most], self.count)

    @property
    def more(self) -> int:
        """How many are not among the items."""
        return self.count - len(self.items)


@dataclass(frozen=True, slots=True)
class Running:
    """An execution that runs, and the pipeline whose execution it runs inside, where there is one."""

    execution: ExecutionView
    inside: PipelineRef | None

    def to_json(self, now: datetime) -> dict[str, Any]:
        started = self.execution.started_at
        return {
            **_brief(self.execution),
            "running_seconds": None if started is None else (now - started).total_seconds(),
            "inside": None
            if self.inside is None
            else {
                "namespace": self.inside.namespace,
                "pipeline": self.inside.name,
                "run_key": str(self.execution.parent),
            },
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """When a check has looked last, and at how many pipelines, executions or addresses."""

    check: str
    at: datetime | None
    number: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything of one screen, of one snapshot of the ledger.

    ``running``: the longest first. ``findings``: what is open, the worst first; ``open`` counts it
    by check, ``quiet`` what is acknowledged or muted. ``failed``: what ended badly within a day, of
    what started within eight, the latest first.
    """

    at: datetime
    running: Some[Running]
    findings: Some[Finding]
    open: Mapping[str, int]
    quiet: int
    failed: Some[ExecutionView]
    checks: tuple[Checked, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "at": times.isoformat(self.at),
            "running": {
                "count": self.running.count,
                "runs": [item.to_json(self.at) for item in self.running],
            },
            "findings": {
                "open": {check: self.open.get(check, 0) for check in CHECKS},
                "quiet": self.quiet,
                "findings": [finding.to_json() for finding in self.findings],
            },
            "failed": {
                "count": self.failed.count,
                "since": times.isoformat(self.at - FAILED_WITHIN),
                "runs": [_brief(execution) for execution in self.failed],
            },
            "checks": {
                c.check: {
                    "checked_at": None if c.at is None else times.isoformat(c.at),
                    "checked": c.number,
                }
                for c in self.checks
            },
        }


def _brief(execution: ExecutionView) -> dict[str, Any]:
    def key(value: UUID | None) -> str | None:
        return None if value is None else str(value)

    def time(value: datetime | None) -> str | None:
        return None if value is None else times.isoformat(value)

    return {
        "run_key": key(execution.run_key),
        "namespace": None if execution.pipeline is None else execution.pipeline.namespace,
        "pipeline": None if execution.pipeline is None else execution.pipeline.name,
        "pipeline_type": execution.pipeline_type,
        "state": execution.state.value,
        "started_at": time(execution.started_at),
        "ended_at": time(execution.ended_at),
        "attempt": execution.attempt,
        "error": None
        if execution.error is None
        else {"type": execution.error.type, "message": execution.error.message},
    }
