"""Findings as people see them: one line each with its message below, or one whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.cli.render import short
from pipeledger.model.finding import Finding, FindingState, Severity
from pipeledger.monitoring.check import Checked, Outcome

MARKS = {
    Severity.CRITICAL: ("‼", "bold red"),
    Severity.ERROR: ("✗", "red"),
    Severity.WARNING: ("!", "yellow"),
}


def findings(listed: Sequence[Finding], now: datetime) -> RenderableType:
    """Findings, each with what it says below it."""
    if not listed:
        return Text("nothing found", "dim")
    columns = (
        Column("", right=True),
        Column("check"),
        Column("of", shrink=True, give=0.5),
        Column("since (UTC)"),
        Column("state", drop=1),
        Column("run key", drop=2),
    )
    rows = []
    for finding in listed:
        glyph, style = MARKS[finding.severity]
        is_over = finding.state is FindingState.RESOLVED
        check = finding.check + (f" {finding.metric}" if finding.metric else "")
        rows.append(
            Row(
                (
                    Text(str(finding.id), "dim"),
                    Text(f"{glyph} {check}", "dim" if is_over else style),
                    Text(finding.subject_name),
                    Text(figures.moment(finding.since)[:16], "dim"),
                    Text(state_of(finding, now), "dim"),
                    Text(short(finding.run_key) if finding.run_key else "", "dim"),
                ),
                Text("     " + finding.message),
            )
        )
    return Columns(columns, rows)


def state_of(finding: Finding, now: datetime) -> str:
    """``open``, ``acknowledged by jo``, ``muted until 2026-11-23 00:00``, ``resolved``, ``unflagged``."""
    if finding.unflagged_at is not None:
        return "unflagged"
    if finding.is_muted(now) and finding.state is not FindingState.RESOLVED:
        return f"muted until {figures.moment(finding.muted_until)[:16]}"
    if finding.state is FindingState.ACKNOWLEDGED:
        return f"acknowledged by {finding.acknowledged_by}"
    return str(finding.state.value)


def finding(one: Finding, now: datetime) -> RenderableType:
    """A finding, whole."""
    glyph, style = MARKS[one.severity]
    head = Text(f"{glyph} {one.check}", style)
    head.append(f" of {one.subject_name}" if one.subject_name else "", "bold")
    facts = [
        ("says", one.message),
        ("severity", one.severity.value),
        ("state", state_of(one, now)),
        ("since", f"{figures.moment(one.since)} UTC"),
        ("found", f"{figures.moment(one.opened_at)} UTC"),
    ]
    if one.openings > 1:
        facts.append(("came back", f"{one.openings - 1} time(s)"))
    if one.resolved_at is not None:
        facts.append(("over", f"{figures.moment(one.resolved_at)} UTC"))
    if one.metric:
        facts.append(("metric", one.metric))
    if one.owner:
        facts.append(("owner", one.owner))
    if one.run_key is not None:
        facts.append(("run", f"pipeledger run {short(one.run_key)}"))
    if one.note:
        facts.append(("note", one.note))
    facts += [
        ("details", f"{name} = {json.dumps(value, ensure_ascii=False)}")
        for name, value in sorted(one.details.items())
        if value not in (None, [], {})
    ]
    lines = Text(overflow="fold")
    last = ""
    for what, text in facts:
        lines.append(f"  {'' if what == last else what:<10}", "dim")
        lines.append(text + "\n")
        last = what
    lines.rstrip()
    return Group(head, lines)


def outcome(result: Outcome) -> RenderableType:
    """What checks found: one line for each check, then what is unresolved."""
    columns = (
        Column("check"),
        Column("looked at", right=True),
        Column("found", right=True),
        Column("open", right=True),
        Column("took", right=True, drop=1),
        Column("", shrink=True, give=0.8),
    )
    rows = [_check(result, checked) for checked in result.checks]
    parts: list[RenderableType] = [Columns(columns, rows)]
    if result.findings:
        parts += [Text(""), findings(result.findings, result.at)]
    return Group(*parts)


def _check(result: Outcome, checked: Checked) -> Row:
    found = sum(f.check == checked.check for f in result.findings)
    is_open = sum(f.check == checked.check for f in result.open)
    note = checked.skipped or ""
    if checked.is_behind:
        note = "another check looked later; what it found is shown"
    return Row(
        (
            Text(checked.check),
            Text("" if checked.skipped else figures.count(checked.checked)),
            Text(figures.count(found) if found else "–"),
            Text(figures.count(is_open) if is_open else "–", "red" if is_open else "dim"),
            Text("" if checked.skipped else figures.duration(checked.seconds), "dim"),
            Text(note, "yellow"),
        )
    )
