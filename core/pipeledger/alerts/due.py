"""What is due: which finding is to be told on which route now, as the ledger is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeledger.alerts.routes import Route
from pipeledger.model.alert import OPENED, REMINDER, RESOLVED, SENT, UNDELIVERED, Alert, AlertKey
from pipeledger.model.finding import Finding
from pipeledger.store.read import Connection, alerts, findings
from pipeledger.store.read.findings import FindingFilter

MOST = 100_000
"""How many open findings one round looks at."""
RESOLVED_WITHIN = timedelta(days=7)
"""The end of a finding is told for so long after it came; nobody waits for it any longer."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be told on a route."""

    key: AlertKey
    finding: Finding


def due(connection: Connection, routes: Iterable[Route], now: datetime) -> list[Due]:
    """What is to be told now on these routes, as the ledger is."""
    routes = list(routes)
    told = _by_finding(alerts.of_open(connection))
    opened = [f for f in findings.find(connection, FindingFilter(), MOST) if f.is_open(now)]
    found = []
    for route in routes:
        for finding in opened:
            if route.takes(finding):
                key = _next(route, finding, told.get((finding.id, route.name), {}), now)
                found += [] if key is None else [Due(key, finding)]
    over = _resolved(routes, alerts.of_resolved(connection, now - RESOLVED_WITHIN), now)
    ids = {key.finding_id for key in over}
    ended = findings.find(connection, FindingFilter(ids=ids, resolved=True), MOST) if ids else []
    by_id = {finding.id: finding for finding in ended}
    return found + [Due(key, by_id[key.finding_id]) for key in over]


def _by_finding(told: Iterable[Alert]) -> dict[tuple[int, str], dict[tuple[str, int], Alert]]:
    """By finding and route, then by event and number."""
    found: dict[tuple[int, str], dict[tuple[str, int], Alert]] = {}
    for alert in told:
        key = alert.key
        found.setdefault((key.finding_id, key.route), {})[key.event, key.number] = alert
    return found


def _next(
    route: Route, finding: Finding, told: dict[tuple[str, int], Alert], now: datetime
) -> AlertKey | None:
    """What is to be told of an open finding: that it opened, what failed before, or a reminder."""
    if not told:
        return AlertKey(finding.id, finding.openings, route.name, OPENED)
    last = max(told.values(), key=lambda alert: alert.key.number)
    if last.may_be_sent(now):
        return last.key
    is_pending = last.state in UNDELIVERED
    if is_pending or route.remind is None or last.told_at + route.remind > now:
        return None
    return AlertKey(finding.id, finding.openings, route.name, REMINDER, last.key.number + 1)


def _resolved(routes: Iterable[Route], alerts: Iterable[Alert], now: datetime) -> list[AlertKey]:
    """Whose end is to be told: to the routes that were told of the beginning."""
    wanted = {route.name for route in routes if route.resolved}
    found = []
    for (finding_id, route), told in sorted(_by_finding(alerts).items()):
        first, end = told.get((OPENED, 0)), told.get((RESOLVED, 0))
        if route not in wanted or first is None or first.state != SENT:
            continue
        if end is None or end.may_be_sent(now):
            found.append(AlertKey(finding_id, first.key.opening, route, RESOLVED))
    return found
