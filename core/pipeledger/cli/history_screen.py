"""The screen of ``pipeledger history``: bars of durations and rows, and below them what stands out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures, render
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.cli.sparkline import sparkline
from pipeledger.cli.status_screen import WORDS
from pipeledger.model.finding import Finding, FindingState
from pipeledger.model.history import History, PrunedDay, Spread, seconds
from pipeledger.model.state import State
from pipeledger.model.views import ExecutionView

LABEL = 10
MOST_FINDINGS = 5
MOST_DAYS = 10
FINDING = "!"


def history(found: History, width: int) -> RenderableType:
    """What a pipeline's last runs were like, the oldest on the left. Times are UTC."""
    parts: list[RenderableType] = [_head(found)]
    if found.runs:
        parts += [Text(""), *_bars(found, max(LABEL, width - LABEL)), Text(""), _facts(found)]
    elif not found.pruned:
        parts.append(Text("no runs", "dim"))
    if found.findings:
        parts += [Text(""), *_findings(found.findings)]
    if found.pruned:
        parts += [Text(""), *_pruned(found.pruned, max(LABEL, width - LABEL))]
    return Group(*parts)


def _head(found: History) -> Text:
    head = Text(str(found.pipeline), "bold")
    if found.type:
        head.append(f"  {found.type}", "dim")
    if found.runs:
        first, last = found.runs[0], found.runs[-1]
        which = f"the last {len(found.runs):,} of {found.count:,} runs"
        if len(found.runs) == found.count:
            which = "1 run" if found.count == 1 else f"{found.count:,} runs"
        head.append(f"  {which}, {figures.moment(first.started_at)}")
        if last is not first:
            head.append(f" to {figures.moment(last.started_at)}")
        head.append(" UTC")
    return head


def _bars(found: History, width: int) -> list[RenderableType]:
    """Durations, rows and marks of as many runs as fit on a line, then of the next."""
    durations = [seconds(r) for r in found.runs]
    counts = [r.rows for r in found.runs]
    flagged = {f.run_key for f in found.findings if f.run_key is not None}
    marks = [_mark(r, r.run_key in flagged) for r in found.runs]
    longest = max((d for d in durations if d is not None), default=0)
    largest = max((c for c in counts if c is not None), default=0)
    lines: list[RenderableType] = []
    for start in range(0, len(marks), width):
        part = slice(start, start + width)
        if start:
            lines.append(Text(""))
        lines.append(_labelled("duration", Text(sparkline(durations[part], longest), "cyan")))
        if any(c is not None for c in counts):
            lines.append(_labelled("rows", Text(sparkline(counts[part], largest), "green")))
        below = Text().join(marks[part])
        if below.plain.strip():
            lines.append(_labelled("", below))
    if any(mark.plain.strip() for mark in marks):
        lines.append(_labelled("", _legend(found, flagged)))
    return lines


def _mark(execution: ExecutionView, is_flagged: bool) -> Text:
    """What a run is marked with: how it ended unless well, else that something was found of it."""
    if execution.state is not State.SUCCESS:
        return Text(*render.STATES[execution.state])
    return Text(FINDING, "yellow") if is_flagged else Text(" ")


def _legend(found: History, flagged: Collection[UUID]) -> Text:
    states = [s for s in render.STATES if s is not State.SUCCESS]
    said = [
        f"{render.STATES[state][0]} {state.value}"
        for state in states
        if any(r.state is state for r in found.runs)
    ]
    if any(r.run_key in flagged and r.state is State.SUCCESS for r in found.runs):
        said.append(f"{FINDING} finding")
    return Text("  ".join(said), "dim")


def _facts(found: History) -> RenderableType:
    lines = Text(overflow="fold")

    def fact(what: str, text: str) -> None:
        lines.append(f"{what:<{LABEL}}", "dim")
        lines.append(text + "\n")

    success = found.successes
    if success.value is not None:
        percent = "100" if success.good == success.of else f"{min(success.value * 100, 99.9):.1f}"
        fact("success", f"{percent} %, {success.good:,.0f} of {success.of:,.0f} that ended")
    if found.durations is not None and found.longest is not None:
        longest = f"longest {_where(figures.duration(found.durations.largest), found.longest)}"
        fact("duration", f"{_spread(found.durations, is_duration=True)}, {longest}")
    if found.rows is not None and found.most_rows is not None:
        most = f"most {_where(figures.count(found.most_rows.rows), found.most_rows)}"
        fact("rows", f"{_spread(found.rows, is_duration=False)}, {most}")
    lines.rstrip()
    return lines


def _spread(spread: Spread, *, is_duration: bool) -> str:
    def shown(value: float) -> str:
        return figures.duration(value) if is_duration else figures.count(round(value))

    return f"median {shown(spread.median)}, 95 % up to {shown(spread.p95)}"


def _where(what: str, execution: ExecutionView) -> str:
    return f"{what} ({figures.moment(execution.started_at)}, {render.short(execution.run_key)})"


def _findings(findings: Sequence[Finding]) -> list[RenderableType]:
    columns = (
        Column("finding"),
        Column("state"),
        Column("since (UTC)", drop=1),
        Column("run key", drop=2),
        Column("why", shrink=True, give=0.8),
    )
    rows = [
        Row(
            (
                Text(WORDS.get(f.check, f.check) + (f" {f.metric}" if f.metric else ""), "yellow"),
                Text(f.state.value, "red" if f.state is FindingState.OPEN else "dim"),
                Text(figures.moment(f.since), "dim"),
                Text("" if f.run_key is None else render.short(f.run_key), "dim"),
                Text(" ".join(f.message.split())),
            )
        )
        for f in findings[:MOST_FINDINGS]
    ]
    more = len(findings) - MOST_FINDINGS
    tail = [Text(f"and {more:,} more: `pipeledger findings`", "dim")] if more > 0 else []
    return [Columns(columns, rows), *tail]


def _pruned(days: Sequence[PrunedDay], width: int) -> list[RenderableType]:
    """What remains of runs that were pruned: bars per day, then the last days in figures."""
    drawn = days[-width:]
    columns = (
        Column("day (UTC)"),
        Column("runs", right=True),
        Column("succeeded", right=True),
        Column("failed", right=True),
        Column("mean", right=True),
        Column("longest", right=True, drop=1),
        Column("rows", right=True),
    )
    rows = [
        Row(
            (
                Text(str(d.day)),
                Text(figures.count(d.runs.runs)),
                Text(figures.count(d.runs.successes)),
                Text(figures.count(d.runs.failed), "red" if d.runs.failed else ""),
                Text(figures.duration(d.mean_seconds)),
                Text(figures.duration(d.longest_seconds)),
                Text("" if d.rows is None else figures.count(d.rows)),
            )
        )
        for d in days[-MOST_DAYS:]
    ]
    parts: list[RenderableType] = [
        Text(f"pruned runs, by day: {days[0].day} to {days[-1].day}", "dim"),
        _labelled("mean", Text(sparkline([d.mean_seconds for d in drawn]), "cyan")),
    ]
    if any(d.rows is not None for d in drawn):
        parts.append(_labelled("rows", Text(sparkline([d.rows for d in drawn]), "green")))
    more = len(days) - MOST_DAYS
    parts.append(Columns(columns, rows))
    return [*parts, *([Text(f"and {more:,} days before: --json", "dim")] if more > 0 else [])]


def _labelled(label: str, text: Text) -> Text:
    return Text(f"{label:<{LABEL}}", "dim", no_wrap=True, overflow="ignore").append_text(text)
