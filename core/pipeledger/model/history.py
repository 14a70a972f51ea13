"""The history of a pipeline: its last runs, the days of those that were pruned, what stands out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipeledger.model import times
from pipeledger.model.finding import Finding
from pipeledger.model.health import Runs, Share
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.state import State
from pipeledger.model.views import ExecutionView


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the 95th percentile (the nearest that was seen) and the largest of some numbers."""

    median: float
    p95: float
    largest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread | None:
        """None of nothing."""
        if not numbers:
            return None
        ordered = sorted(numbers)
        half = len(ordered) // 2
        middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
        return cls(middle, ordered[math.ceil(0.95 * len(ordered)) - 1], ordered[-1])

    def to_json(self) -> dict[str, float]:
        return {"median": self.median, "p95": self.p95, "largest": self.largest}


@dataclass(frozen=True, slots=True)
class PrunedDay:
    """What remains of a day's executions that were pruned."""

    day: date
    runs: Runs
    rows: int | None
    mean_seconds: float | None
    longest_seconds: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            **self.runs.to_json(),
            "rows": self.rows,
            "mean_duration_seconds": self.mean_seconds,
            "longest_duration_seconds": self.longest_seconds,
        }


@dataclass(frozen=True, slots=True)
class History:
    """``runs``: the last ones, in the order of their start, of ``count`` since ``since``.

    ``findings``: of the pipeline, unresolved ones first, then the latest; ``pruned``: in order.
    """

    pipeline: PipelineRef
    type: str | None
    since: datetime | None
    runs: tuple[ExecutionView, ...]
    count: int
    findings: tuple[Finding, ...]
    pruned: tuple[PrunedDay, ...]

    @property
    def successes(self) -> Share:
        """Of the runs shown that ended, those that succeeded; skipped ones do not count."""
        ended = [r for r in self.runs if r.state not in (State.RUNNING, State.SKIPPED)]
        return Share(sum(r.state is State.SUCCESS for r in ended), len(ended))

    @property
    def durations(self) -> Spread | None:
        """Of the runs shown that have ended and were not skipped, in seconds."""
        return Spread.of([s for r in self.runs if (s := seconds(r)) is not None])

    @property
    def rows(self) -> Spread | None:
        """Of the runs shown that reported rows."""
        return Spread.of([r.rows for r in self.runs if r.rows is not None])

    @property
    def longest(self) -> ExecutionView | None:
        timed = [r for r in self.runs if seconds(r) is not None]
        return max(timed, key=lambda r: seconds(r) or 0, default=None)

    @property
    def most_rows(self) -> ExecutionView | None:
        counted = [r for r in self.runs if r.rows is not None]
        return max(counted, key=lambda r: r.rows or 0, default=None)

    def findings_of(self, execution: ExecutionView) -> list[Finding]:
        """What was found of one run."""
        return [f for f in self.findings if f.run_key == execution.run_key]

    def to_json(self) -> dict[str, Any]:
        durations, rows = self.durations, self.rows
        return {
            "namespace": self.pipeline.namespace,
            "pipeline": self.pipeline.name,
            "type": self.type,
            "since": None if self.since is None else times.isoformat(self.since),
            "count": self.count,
            "success": self.successes.to_json(),
            "duration_seconds": None if durations is None else durations.to_json(),
            "rows": None if rows is None else rows.to_json(),
            "longest": None if self.longest is None else str(self.longest.run_key),
            "most_rows": None if self.most_rows is None else str(self.most_rows.run_key),
            "runs": [
                {
                    "run_key": str(r.run_key),
                    "state": r.state.value,
                    "started_at": None if r.started_at is None else times.isoformat(r.started_at),
                    "duration_seconds": seconds(r),
                    "rows": r.rows,
                    "findings": [f.id for f in self.findings_of(r)],
                }
                for r in self.runs
            ],
            "findings": [f.to_json() for f in self.findings],
            "pruned_days": [day.to_json() for day in self.pruned],
        }


def seconds(execution: ExecutionView) -> float | None:
    """How long it took; None while it runs, and of one that was skipped."""
    return None if execution.state is State.SKIPPED else execution.duration_seconds
