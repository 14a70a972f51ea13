"""Messages: what people read, in plain text that e-mail, chat and pagers show alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeledger.alerts.grouping import Explains, Place, ordered
from pipeledger.model.alert import OPENED, REMINDER, RESOLVED
from pipeledger.model.finding import (
    FAILED,
    FRESHNESS,
    MISSING,
    SCHEMA,
    TIMELINESS,
    VOLUME,
    WATERMARK,
    Finding,
    Severity,
)
from pipeledger.monitoring.words import when

WHOLE = 10
"""How many findings a message shows whole; the others are counted."""
LONGEST = 1_000
_WHAT = {
    FAILED: "failed",
    MISSING: "missing",
    TIMELINESS: "late",
    WATERMARK: "watermark held back",
    FRESHNESS: "stale",
    SCHEMA: "schema changed",
    VOLUME: "odd",
}
_HEADS = {REMINDER: "still open", RESOLVED: "resolved"}


@dataclass(frozen=True, slots=True)
class Message:
    """A title and a body. ``severity`` is the worst of what it tells; None: it is good news."""

    title: str
    body: str
    severity: Severity | None


def message(event: str, findings: Sequence[Finding], explains: Explains) -> Message:
    """What is told of findings that opened, are still open, or were resolved: the root cause first."""
    places = ordered(findings, explains)
    first, more = places[0].finding, len(places) - 1
    worst = max((f.severity for f in findings), key=lambda s: s.rank)
    head = worst.value if event == OPENED else _HEADS[event]
    title = f"{head}: {_name(first)} {what(first)}" + (f", and {more} more" if more else "")
    parts = [_whole(place, event) for place in places[:WHOLE]]
    if len(places) > WHOLE:
        parts.append(f"and {len(places) - WHOLE} more\n  pipeledger findings")
    return Message(title, "\n\n".join(parts), None if event == RESOLVED else worst)


def what(finding: Finding) -> str:
    """``failed``, ``late``, ``odd total_rows``."""
    return f"{_WHAT[finding.check]} {finding.metric}".rstrip()


def _whole(place: Place, event: str) -> str:
    finding = place.finding
    lines = [f"{_name(finding)}: {what(finding)} ({finding.check}, {finding.severity.value})"]
    if place.cause is not None:
        lines.append(f"  follows from {_name(place.cause)}: {what(place.cause)}")
    text = " ".join(finding.message.split())
    lines.append("  " + (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"))
    since = f"  since {when(finding.since)}"
    if event == RESOLVED and finding.resolved_at is not None:
        since += f", until {when(finding.resolved_at)}"
        if finding.unflagged_at is not None:
            since += f": it was in order ({finding.note})" if finding.note else ": it was in order"
    lines.append(since)
    lines.append(f"  pipeledger findings {finding.id}")
    if finding.run_key is not None:
        lines.append(f"  pipeledger run {finding.run_key}")
    return "\n".join(lines)


def _name(finding: Finding) -> str:
    return finding.subject_name or "the ledger"
