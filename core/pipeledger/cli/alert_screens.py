"""Screens of alerts: what was told to whom, and the routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from pipeledger.alerts.routes import Route
from pipeledger.cli import figures
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.housekeeping import duration
from pipeledger.model.alert import FAILED, GIVEN_UP, SENT, Alert
from pipeledger.model.finding import Finding

_STYLES = {SENT: "green", FAILED: "red", GIVEN_UP: "red"}
SHOWN = 5


def alerts(found: Sequence[Alert]) -> RenderableType:
    """Messages, one line each, and below those that failed the reason."""
    if not found:
        return Text("nobody was told anything", "dim")
    columns = (
        Column("at (UTC)"),
        Column("route", shrink=True, give=0.3),
        Column("event"),
        Column("finding", right=True),
        Column("of", shrink=True, give=0.5),
        Column("check", drop=1),
        Column("state"),
        Column("attempts", right=True, drop=2),
    )
    rows = []
    for alert in found:
        key = alert.key
        event = f"{key.event} {key.number}" if key.number else key.event
        rows.append(
            Row(
                (
                    Text(figures.moment(alert.sent_at or alert.created_at), "dim"),
                    Text(key.route),
                    Text(event),
                    Text(str(key.finding_id)),
                    Text(alert.subject),
                    Text(alert.check),
                    Text(alert.state, _STYLES.get(alert.state, "cyan")),
                    Text(str(alert.attempts), "dim"),
                ),
                Text(f"  {alert.error}", "red") if alert.error else None,
            )
        )
    return Columns(columns, rows)


def routes(
    takes: Sequence[tuple[Route, int]], untold: Sequence[Finding]
) -> Iterator[RenderableType]:
    """Each route with what it takes and how much of that is open; what is open and goes nowhere."""
    columns = (
        Column("route"),
        Column("takes", shrink=True, give=0.5),
        Column("by", shrink=True, give=0.3),
        Column("reminds", drop=1),
        Column("resolved", drop=2),
        Column("open", right=True),
    )
    yield Columns(
        columns,
        [
            Row(
                (
                    Text(route.name, "bold"),
                    Text(route.filters),
                    Text(route.url.shown, "dim"),
                    Text(
                        "" if route.remind is None else f"every {duration.in_words(route.remind)}"
                    ),
                    Text("told" if route.resolved else "not told"),
                    Text(str(number)),
                )
            )
            for route, number in takes
        ],
    )
    if untold:
        yield Text("")
        yield Text(
            f"{len(untold)} open finding(s) that no route takes: nobody is told of", "yellow"
        )
        for finding in untold[:SHOWN]:
            yield Text(f"  {finding.id}  {finding.subject_name}: {finding.check}")
        if len(untold) > SHOWN:
            yield Text(f"  and {len(untold) - SHOWN} more", "dim")
