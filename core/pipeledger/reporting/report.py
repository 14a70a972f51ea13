"""A health report: every pipeline's health, their sums by namespace and type, day by day, and before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipeledger.model import times
from pipeledger.model.finding import MISSING, TIMELINESS, VOLUME
from pipeledger.model.health import DAY, NO_RUNS, Facts, Period, Runs, Watched, merged, midnight
from pipeledger.model.pipeline import PipelineRef
from pipeledger.reporting.health import WEIGHTS, Health
from pipeledger.store.read import Reader
from pipeledger.store.read import health as ledger

NO_TYPE = "(no type)"


@dataclass(frozen=True, slots=True)
class Line:
    """The health of something in a period and in the one before it."""

    health: Health
    before: Health

    @property
    def change(self) -> float | None:
        """How many points the score has risen; None where one of the two is not known."""
        now, then = self.health.score, self.before.score
        return None if now is None or then is None else now - then

    def __add__(self, other: Line) -> Line:
        return Line(self.health + other.health, self.before + other.before)

    def to_json(self) -> dict[str, Any]:
        return {
            **self.health.to_json(),
            "change": self.change,
            "before": self.before.to_json(),
        }


NO_LINE = Line(Health(), Health())


@dataclass(frozen=True, slots=True)
class PipelineLine:
    """A pipeline's health."""

    pipeline: PipelineRef
    type: str | None
    line: Line

    def to_json(self) -> dict[str, Any]:
        return {
            "namespace": self.pipeline.namespace,
            "pipeline": self.pipeline.name,
            "type": self.type,
            **self.line.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """``pipelines``: those of which something is known, the lowest score first. ``silent`` counts the
    others. ``namespaces`` and ``types`` are their sums by name; ``days`` those of every day.
    """

    at: datetime
    period: Period
    namespace: str | None
    total: Line
    namespaces: dict[str, Line]
    types: dict[str, Line]
    pipelines: tuple[PipelineLine, ...]
    silent: int
    days: dict[date, Health]

    @property
    def offenders(self) -> list[PipelineLine]:
        """The pipelines whose score is below 100, the lowest first."""
        return [p for p in self.pipelines if (p.line.health.score or 0) < 100 and _is_scored(p)]

    @property
    def fallen(self) -> list[PipelineLine]:
        """The pipelines whose score has fallen, the one that fell deepest first."""
        fell = [p for p in self.pipelines if (p.line.change or 0) < 0]
        return sorted(fell, key=lambda p: p.line.change or 0)

    def to_json(self) -> dict[str, Any]:
        def period(of: Period) -> dict[str, str]:
            return {"first_day": of.first.isoformat(), "last_day": of.last.isoformat()}

        return {
            "at": times.isoformat(self.at),
            "period": period(self.period),
            "period_before": period(self.period.before),
            "namespace": self.namespace,
            "weights": dict(WEIGHTS),
            "total": self.total.to_json(),
            "namespaces": {name: line.to_json() for name, line in self.namespaces.items()},
            "types": {name: line.to_json() for name, line in self.types.items()},
            "pipelines": [p.to_json() for p in self.pipelines],
            "silent_pipelines": self.silent,
            "days": {day.isoformat(): health.to_json() for day, health in self.days.items()},
        }


def report(reader: Reader, since: datetime, now: datetime, namespace: str | None = None) -> Report:
    """The health of all pipelines, or of a namespace's, from the day of ``since`` to ``now``.

    Whole days of UTC, because pruned executions are known by the day; compared with as many days
    before. Raises InvalidInput where that is no period.
    """
    period = Period.since(since, now)
    with reader.connection() as connection:
        facts = ledger.facts(connection, period, now, namespace)
    return assembled(facts, now, namespace)


def assembled(facts: Facts, now: datetime, namespace: str | None) -> Report:
    """The report that these facts make."""
    period = facts.period
    stale = _stale(facts, now)
    found = _Found(facts)
    lines = []
    silent = 0
    for watched in facts.pipelines:
        line = Line(
            _health(watched, period, now, facts.runs, found, stale.get(watched.id, [])),
            _health(
                watched, period.before, now, facts.runs_before, found, stale.get(watched.id, [])
            ),
        )
        if line.health.score is None and line.before.score is None and not line.health.runs.runs:
            silent += 1
        else:
            lines.append(PipelineLine(watched.pipeline, watched.type, line))
    namespaces = _by(lines, lambda p: p.pipeline.namespace)
    return Report(
        at=now,
        period=period,
        namespace=namespace,
        total=sum(namespaces.values(), start=NO_LINE),
        namespaces=namespaces,
        types=_by(lines, lambda p: p.type or NO_TYPE),
        pipelines=tuple(sorted(lines, key=_worst_first)),
        silent=silent,
        days=_days(facts, now, found, stale),
    )


class _Found:
    """What checks found, by pipeline and by day of the period."""

    def __init__(self, facts: Facts) -> None:
        self.of_pipeline: dict[tuple[int, str, bool], int] = {}
        self.of_day: dict[tuple[date, str], int] = {}
        for found in facts.found:
            is_now = found.day in facts.period
            key = (found.pipeline_id, found.check, is_now)
            self.of_pipeline[key] = self.of_pipeline.get(key, 0) + found.number
            if is_now:
                day = (found.day, found.check)
                self.of_day[day] = self.of_day.get(day, 0) + found.number
        self.period = facts.period

    def number(self, pipeline_id: int, check: str, period: Period) -> int:
        return self.of_pipeline.get((pipeline_id, check, period == self.period), 0)


def _stale(facts: Facts, now: datetime) -> dict[int, list[tuple[datetime, datetime]]]:
    spans: dict[int, list[tuple[datetime, datetime]]] = {}
    for stale in facts.stale:
        until = now if stale.until is None else min(stale.until, now)
        spans.setdefault(stale.pipeline_id, []).append((stale.since, until))
    return {id_: merged(of) for id_, of in spans.items()}


def _within(spans: list[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    """How many seconds of the spans lie between two moments."""
    return sum(
        max(0.0, (min(until, end) - max(since, start)).total_seconds()) for since, until in spans
    )


def _health(
    watched: Watched,
    period: Period,
    now: datetime,
    runs: dict[int, Runs],
    found: _Found,
    stale: list[tuple[datetime, datetime]],
) -> Health:
    counted = runs.get(watched.id, NO_RUNS)
    end = min(period.end, now)
    return Health.of(
        counted,
        late=found.number(watched.id, TIMELINESS, period),
        missing=found.number(watched.id, MISSING, period),
        odd=found.number(watched.id, VOLUME, period),
        stale_seconds=_within(stale, period.start, end),
        timed=counted if watched.timeliness else None,
        watched_seconds=(end - period.start).total_seconds() if watched.freshness else None,
        is_volume_watched=watched.volume,
    )


def _days(
    facts: Facts,
    now: datetime,
    found: _Found,
    stale: dict[int, list[tuple[datetime, datetime]]],
) -> dict[date, Health]:
    fresh = sum(p.freshness for p in facts.pipelines)
    seconds = _stale_per_day(facts.period, [span for of in stale.values() for span in of])
    days = {}
    for day in facts.period.days():
        runs, timed = facts.days.get(day, (NO_RUNS, NO_RUNS))
        watched = max(0.0, (min(midnight(day + DAY), now) - midnight(day)).total_seconds())
        days[day] = Health.of(
            runs,
            late=found.of_day.get((day, TIMELINESS), 0),
            missing=found.of_day.get((day, MISSING), 0),
            odd=found.of_day.get((day, VOLUME), 0),
            stale_seconds=seconds[day],
            timed=timed,
            watched_seconds=watched * fresh,
            is_volume_watched=any(p.volume for p in facts.pipelines),
        )
    return days


def _stale_per_day(period: Period, spans: list[tuple[datetime, datetime]]) -> dict[date, float]:
    """How many seconds of the spans lie in each day."""
    lasting = [0.0] * period.length
    for since, until in spans:
        start = max(0.0, (since - period.start).total_seconds())
        end = min((until - period.start).total_seconds(), 86_400.0 * period.length)
        while start < end:
            day = int(start // 86_400)
            midnight_after = min(end, 86_400.0 * (day + 1))
            lasting[day] += midnight_after - start
            start = midnight_after
    return dict(zip(period.days(), lasting, strict=True))


def _by(lines: list[PipelineLine], name: Callable[[PipelineLine], str]) -> dict[str, Line]:
    sums: dict[str, Line] = {}
    for line in lines:
        sums[name(line)] = sums.get(name(line), NO_LINE) + line.line
    return dict(sorted(sums.items()))


def _is_scored(line: PipelineLine) -> bool:
    return line.line.health.score is not None


def _worst_first(line: PipelineLine) -> tuple[bool, float, int, PipelineRef]:
    health = line.line.health
    return (health.score is None, health.score or 0, -health.bad, line.pipeline)
