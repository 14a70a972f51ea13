"""The rhythm in which a DAG is expected to run, from its timetable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIXED = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1, "microseconds": 1e-6}


def rhythm_of(timetable: Any) -> list[dict[str, Any]] | None:
    """When runs are expected, for ``metadata["rhythm"]``: cron texts with their time zone, or one
    interval. None for timetables without a time (assets, once, continuous) and for users' own.

    Read from what Airflow's own timetables serialize themselves to (seen, 3.3.2). A timetable with
    data intervals starts a run at the end of each, which is a tick of the same cron text.
    """
    if not type(timetable).__module__.startswith("airflow.timetables."):
        return None
    if hasattr(timetable, "timetable"):  # the time of AssetOrTimeSchedule
        return rhythm_of(timetable.timetable)
    said = timetable.serialize()
    if "delta" in said:
        seconds = _seconds(said["delta"])
        return None if seconds is None else [{"interval_seconds": seconds}]
    crons = said.get("expressions") or [said[key] for key in ("expression",) if key in said]
    zone = _zone_name(said.get("timezone"))
    if not crons or zone is None:
        return None
    return [{"cron": cron, "timezone": zone} for cron in sorted(set(crons))]


def _seconds(delta: float | Mapping[str, Any]) -> float | None:
    """Of an interval; None for one whose length depends on where it begins (a month)."""
    if not isinstance(delta, Mapping):
        return delta if delta > 0 else None
    if not delta or not set(delta) <= set(_FIXED):
        return None
    return _seconds(float(sum(number * _FIXED[unit] for unit, number in delta.items())))


def _zone_name(zone: str | int | None) -> str | None:
    """The name of a time zone that Airflow writes as a name, or as seconds where it has none."""
    if isinstance(zone, int):
        hours, minutes = divmod(abs(zone) // 60, 60)
        return f"UTC{'-' if zone < 0 else '+'}{hours:02d}:{minutes:02d}"
    return zone
