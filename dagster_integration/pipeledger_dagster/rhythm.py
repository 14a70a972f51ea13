"""The rhythm in which a job or an asset is expected to run: cron texts, each with its time zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeledger_dagster import private

UTC = "UTC"
"""What Dagster runs a schedule in that names no time zone."""


@dataclass(frozen=True)
class Rhythm:
    """When something is expected: at every one of these (cron text, time zone)."""

    ticks: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, crons: str | Iterable[str], timezone: str | None) -> Rhythm:
        texts = [crons] if isinstance(crons, str) else list(crons)
        return cls(frozenset((text, timezone or UTC) for text in texts))

    def __or__(self, other: Rhythm | None) -> Rhythm:
        return self if other is None else Rhythm(self.ticks | other.ticks)

    def __str__(self) -> str:
        """``0 5 * * *; 0 6 * * 1``; with the time zones where there are several."""
        zones = {zone for _, zone in self.ticks}
        return "; ".join(
            cron if len(zones) == 1 else f"{cron} {zone}" for cron, zone in sorted(self.ticks)
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """The same for programs: every cron text with its time zone."""
        return {"rhythm": [{"cron": cron, "timezone": zone} for cron, zone in sorted(self.ticks)]}


def of_schedule(schedule: Any, definitions: Any) -> tuple[str, Rhythm] | None:
    """The job's name and the rhythm of a schedule; None for what has no cron text.

    The schedule of a partitioned asset job knows its cron text once its job is resolved, which the
    repository of its definitions has done.
    """
    if getattr(schedule, "cron_schedule", None) is None:
        if not hasattr(schedule, "resolve"):
            return None
        schedule = definitions.get_repository_def().get_schedule_def(schedule.name)
    job_name = getattr(schedule, "job_name", None)
    if not job_name:
        return None
    zone = getattr(schedule, "execution_timezone", None)
    return str(job_name), Rhythm.of(schedule.cron_schedule, zone)


def of_condition(condition: Any) -> Rhythm | None:
    """The rhythm that an automation condition waits for (``on_cron``); None for one without a cron."""
    ticks = private.cron_ticks(condition) if condition is not None else []
    return Rhythm(frozenset((cron, zone or UTC) for cron, zone in ticks)) if ticks else None
