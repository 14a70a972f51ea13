"""Figures of a report in words: scores, shares, changes, spans, and why a pipeline is where it is."""

from __future__ import annotations

import math
import re
from datetime import datetime

from pipeledger.model import times
from pipeledger.model.health import Share
from pipeledger.reporting.health import Health
from pipeledger.reporting.report import Line, PipelineLine, Report

ABSENT = "–"
PARTS = {
    "reliability": "reliability",
    "timeliness": "timeliness",
    "freshness": "freshness",
    "volume": "volume stability",
}
MEANINGS = {
    "reliability": "of the runs that ended, those that succeeded",
    "timeliness": "of the runs that came or were expected, those in time",
    "freshness": "of the period, the part in which data was fresh enough",
    "volume": "of the runs that succeeded, those with nothing odd about them",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Control characters, lone surrogates, and what turns the direction of writing."""


def plain(text: str) -> str:
    """The text on one line, with nothing in it that is no letter but a command."""
    return " ".join(_CONTROL.sub(" ", text).split()) or "(blank)"


def score(value: float | None) -> str:
    """``97.4``; never rounded up to 100."""
    if value is None:
        return ABSENT
    return "100" if value >= 100 else f"{min(math.floor(value * 10 + 1e-6) / 10, 99.9):.1f}"


def share(value: Share) -> str:
    """``99.2 %``, never rounded up to 100 %."""
    known = value.value
    return ABSENT if known is None else f"{score(known * 100)} %"


def of(value: Share, name: str) -> str:
    """``120 of 121``; for freshness in spans of time."""
    if value.of <= 0:
        return "not watched"
    if name == "freshness":
        return f"{span(value.good)} of {span(value.of)}"
    return f"{value.good:,.0f} of {value.of:,.0f}"


def change(line: Line) -> str:
    """``▲ 1.2``, ``▼ 0.4``, ``=``: points more or fewer than in the period before."""
    value = line.change
    if value is None:
        return ABSENT
    points = round(abs(value), 1)
    if not points:
        return "="
    return f"{'▲' if value > 0 else '▼'} {points:.1f}"


def span(seconds: float) -> str:
    """``3d 4h``, ``12m``: the two largest units."""
    rest = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number:,}{unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def counted(number: int, what: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def moment(value: datetime) -> str:
    """``2013-01-05 06:00``, in UTC."""
    return value.astimezone(times.UTC).strftime("%Y-%m-%d %H:%M")


def period(report: Report) -> str:
    """Which days, compared with which."""
    of, before = report.period, report.period.before
    return (
        f"{of.first} to {of.last}, {counted(of.length, 'day')}; compared with {before.first} to"
        f" {before.last}. Made {moment(report.at)}. Days and times are UTC."
    )


def pipelines(report: Report) -> str:
    """How many pipelines there are, and how many of them nothing is known of."""
    text = counted(len(report.pipelines), "pipeline")
    if report.namespace is not None:
        text += f" of namespace {plain(report.namespace)}"
    return text + (f", {report.silent:,} more without a run" if report.silent else "")


def why(health: Health) -> str:
    """What is wrong: ``3 of 40 runs failed, 2 late, stale for 4h``."""
    runs = health.runs
    said = []
    if runs.failures:
        said.append(f"{runs.failures:,} of {counted(runs.runs, 'run')} failed")
    if runs.abandoned:
        said.append(f"{runs.abandoned:,} abandoned")
    for number, what in ((health.late, "late"), (health.missing, "missing"), (health.odd, "odd")):
        if number:
            said.append(f"{number:,} {what}")
    if health.stale_seconds:
        said.append(f"stale for {span(health.stale_seconds)}")
    return ", ".join(said) or "nothing"


def name(line: PipelineLine) -> str:
    return plain(str(line.pipeline))
