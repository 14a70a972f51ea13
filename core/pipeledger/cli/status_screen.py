"""The screen of ``pipeledger status``: as much of each list as the terminal has lines for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures, render
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.model.finding import CHECKS, Finding, Severity
from pipeledger.model.status import Running, Some, Status
from pipeledger.model.views import ExecutionView
from pipeledger.recording.spool import SpoolStatus

UNBOUNDED = 64
LEAST = 2
_BESIDE_LISTS = 12
"""Lines for the titles, what is left out, the blanks, the spool, and the prompt that follows."""
WORDS = {
    "failed": "failing",
    "missing": "missing",
    "timeliness": "late",
    "watermark": "held back",
    "freshness": "stale",
    "schema": "changed",
    "volume": "odd",
}
"""What a pipeline is of which a check has an open finding."""
_STYLES = {Severity.WARNING: "yellow", Severity.ERROR: "red", Severity.CRITICAL: "bold red"}


def status(found: Status, spool: SpoolStatus, width: int, height: int) -> RenderableType:
    """One screen of this size: what runs, what is open, what failed, who looked, what waits."""
    summary, checks = _summary(found), _checks(found)
    beside = _BESIDE_LISTS + sum(len(wrap(text.plain, width)) for text in (summary, checks))
    lists = (len(found.running.items), len(found.findings.items), len(found.failed.items))
    running, findings, failed = _allotted(lists, max(0, height - beside))
    parts: list[RenderableType] = [
        summary,
        Text(""),
        *_running(found.running.first(running), found.at),
        Text(""),
        *_findings(found.findings.first(findings)),
        Text(""),
        *_failed(found.failed.first(failed)),
        Text(""),
        checks,
    ]
    if spool.reports or spool.rejected or spool.dropped:
        parts.append(_spool(spool))
    return Group(*parts)


def _allotted(lengths: Sequence[int], room: int) -> list[int]:
    """How many lines each list gets: as many as it has, shared out in turns; a few at least."""
    given = [min(length, LEAST) for length in lengths]
    left = room - sum(given)
    while left > 0 and any(g < n for g, n in zip(given, lengths, strict=True)):
        for i, length in enumerate(lengths):
            if left > 0 and given[i] < length:
                given[i] += 1
                left -= 1
    return given


def _summary(found: Status) -> Text:
    line = Text(figures.moment(found.at) + " UTC", "bold")
    line.append(f"  {found.running.count:,} running")
    for check in CHECKS:
        if number := found.open.get(check, 0):
            line.append(f", {number:,} {WORDS[check]}", "red")
    if found.failed.count:
        line.append(f", {found.failed.count:,} failed in 24 hours", "red")
    return line


def _running(running: Some[Running], now: datetime) -> list[RenderableType]:
    if not running.items:
        return [Text("nothing runs", "dim")]
    columns = (
        Column(f"running: {running.count:,}", shrink=True, give=0.33),
        Column("inside", shrink=True, drop=2),
        Column("since (UTC)", drop=1),
        Column("for", right=True),
        Column("run key", drop=3),
    )
    rows = [
        Row(
            (
                Text(item.execution.name),
                Text("" if item.inside is None else str(item.inside), "dim"),
                Text(figures.moment(item.execution.started_at), "dim"),
                Text(_age(item.execution.started_at, now)),
                Text(render.short(item.execution.run_key), "dim"),
            )
        )
        for item in running
    ]
    return [Columns(columns, rows), *_more(running.more, "pipeledger runs --state running")]


def _findings(findings: Some[Finding]) -> list[RenderableType]:
    if not findings.items:
        return [Text("no open findings", "dim")]
    columns = (
        Column(f"open findings: {findings.count:,}"),
        Column("of", shrink=True, give=0.33),
        Column("since (UTC)", drop=1),
        Column("why", shrink=True, give=0.8),
    )
    rows = [
        Row(
            (
                Text(WORDS.get(f.check, f.check), _STYLES[f.severity]),
                Text(f.subject_name),
                Text(figures.moment(f.since), "dim"),
                Text(" ".join(f.message.split())),
            )
        )
        for f in findings
    ]
    return [Columns(columns, rows), *_more(findings.more, "pipeledger findings")]


def _failed(failed: Some[ExecutionView]) -> list[RenderableType]:
    if not failed.items:
        return [Text("nothing failed in 24 hours", "dim")]
    columns = (
        Column(f"failed in 24 hours: {failed.count:,}", shrink=True, give=0.33),
        Column("state"),
        Column("ended (UTC)", drop=1),
        Column("run key", drop=2),
        Column("error", shrink=True, give=0.8),
    )
    rows = [
        Row(
            (
                Text(e.name),
                render.state(e),
                Text(figures.moment(e.ended_at), "dim"),
                Text(render.short(e.run_key), "dim"),
                Text(_error(e), "red"),
            )
        )
        for e in failed
    ]
    command = "pipeledger runs --state failed --state abandoned --since 1d"
    return [Columns(columns, rows), *_more(failed.more, command)]


def _error(execution: ExecutionView) -> str:
    if execution.error is None:
        return ""
    words = f"{execution.error.type.rpartition('.')[2]}: {execution.error.message}"
    return " ".join(words.split()).removesuffix(":")


def _more(number: int, command: str) -> list[RenderableType]:
    return [Text(f"and {number:,} more: `{command}`", "dim")] if number > 0 else []


def _checks(found: Status) -> Text:
    """When the checks have looked, those that looked at one time together."""
    looked: dict[str, list[str]] = {}
    for check in found.checks:
        if check.at is not None:
            age = (found.at - check.at).total_seconds()
            said = "just now" if age < 1 else f"{figures.duration(age)} ago"
            looked.setdefault(said, []).append(check.check)
    never = [check.check for check in found.checks if check.at is None]
    line = Text("checks  ", "dim")
    if not looked:
        return line.append("never: run `pipeledger check`", "yellow")
    line.append("; ".join(f"{', '.join(checks)} {age}" for age, checks in looked.items()))
    if never:
        line.append(f"; {', '.join(never)} never: run `pipeledger check`", "yellow")
    if found.quiet:
        line.append(f"; {found.quiet:,} acknowledged or muted", "dim")
    return line


def _age(value: datetime | None, now: datetime) -> str:
    return figures.ABSENT if value is None else figures.duration((now - value).total_seconds())


def _spool(spool: SpoolStatus) -> Text:
    said = [f"{figures.count(spool.reports)} record(s) wait on this host"]
    if spool.reports and spool.oldest_seconds is not None:
        said[0] += f", the oldest for {figures.duration(spool.oldest_seconds)}"
    if spool.rejected:
        said.append(f"{figures.count(spool.rejected)} refused")
    if spool.dropped:
        said.append(f"{figures.count(spool.dropped)} lost")
    return Text("spool   ", "dim").append("; ".join(said) + ": `pipeledger spool status`", "yellow")
