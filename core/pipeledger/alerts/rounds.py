"""A round: everything that is to be told now, each message claimed, sent and noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeledger.alerts import delivery
from pipeledger.alerts.due import Due, due
from pipeledger.alerts.grouping import Explains, explanations
from pipeledger.alerts.messages import Message, message
from pipeledger.alerts.routes import Route
from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.alert import EVENTS
from pipeledger.model.errors import InvalidInput, MissingExtra
from pipeledger.model.finding import Finding
from pipeledger.store import alerts as written
from pipeledger.store.database import Connection as Writing
from pipeledger.store.database import Database
from pipeledger.store.read import Reader

if TYPE_CHECKING:
    from pipeledger.monitoring.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Told:
    """One message on one route. ``error``: why it was not delivered; it is tried again later."""

    route: str
    event: str
    findings: tuple[int, ...]
    message: Message | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "route": self.route,
            "event": self.event,
            "findings": list(self.findings),
            "title": None if self.message is None else self.message.title,
            "body": None if self.message is None else self.message.body,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """What a round did. ``elsewhere``: messages that were due and another checker has in hand."""

    sent: tuple[Told, ...] = ()
    failed: tuple[Told, ...] = ()
    elsewhere: int = 0
    given_up: int = 0
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "sent": [told.to_json() for told in self.sent],
            "failed": [told.to_json() for told in self.failed],
            "elsewhere": self.elsewhere,
            "given_up": self.given_up,
        }


def send(
    database: Database | str,
    configuration: Configuration,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    seconds: float = delivery.SECONDS,
) -> Sent:
    """Tell every finding that opened, is to be reminded of, or was resolved, to the routes it takes.

    What is told on one route goes in one message for each of the three. Each is told once, however
    many do this at once; what fails is tried again by a later round. No transaction is open while a
    message is sent, which takes ``seconds`` at most. ``dry_run``: nothing is sent or noted, and
    ``Sent.sent`` is what would be. ``now``: the moment that counts, for tests.

    Raises PipeledgerError where the ledger cannot be read or written.
    """
    if not configuration.routes:
        return Sent(dry_run=dry_run)
    database = Database.parse(database) if isinstance(database, str) else database
    clock: Callable[[], datetime] = times.now if now is None else lambda: now
    with Reader.open(database).connection() as connection:
        dues = due(connection, configuration.routes, clock())
        explains = explanations(connection, _each_once(dues))
    if dry_run:
        return Sent(tuple(_told(*group, explains) for group in _grouped(dues)), dry_run=True)
    with session(database) as writing:
        return _Round(writing, configuration.routes, explains, clock, seconds).run(dues)


class _Round:
    def __init__(
        self,
        writing: Writing,
        routes: Sequence[Route],
        explains: Explains,
        clock: Callable[[], datetime],
        seconds: float,
    ) -> None:
        self._writing = writing
        self._routes = {route.name: route for route in routes}
        self._explains = explains
        self._clock = clock
        self._seconds = seconds

    def run(self, dues: Sequence[Due]) -> Sent:
        given_up = in_transaction(self._writing, lambda c: written.give_up(c, self._clock()))
        sent: list[Told] = []
        failed: list[Told] = []
        elsewhere = 0
        for route, event, group in _grouped(dues):
            try:
                url = self._routes[route].url.read()
                delivery.check(url)
            except (InvalidInput, MissingExtra) as error:
                # Nothing is claimed: the route is to be mended, and no attempt of the few be lost.
                failed.append(
                    Told(route, event, tuple(d.finding.id for d in group), None, str(error))
                )
                continue
            mine, told = self._tell(route, event, group, url)
            elsewhere += len(group) - mine
            if told is not None:
                (sent if told.error is None else failed).append(told)
        return Sent(tuple(sent), tuple(failed), elsewhere, given_up)

    def _tell(
        self, route: str, event: str, group: Sequence[Due], url: str
    ) -> tuple[int, Told | None]:
        """Claim, send and note what of this is ours; how many that is."""
        keys = [one.key for one in group]
        claimed = in_transaction(
            self._writing, lambda c: written.claim(c, route, keys, self._clock())
        )
        if not claimed:
            return 0, None
        told = _told(route, event, [d for d in group if d.key in claimed], self._explains)
        assert told.message is not None
        ids = list(claimed.values())
        try:
            delivery.deliver(url, told.message, self._seconds)
        except delivery.Undelivered as error:
            why = str(error)
            in_transaction(self._writing, lambda c: written.failed(c, ids, why, self._clock()))
            return len(ids), Told(route, event, told.findings, told.message, why)
        in_transaction(self._writing, lambda c: written.sent(c, ids, self._clock()))
        return len(ids), told


def _grouped(dues: Sequence[Due]) -> list[tuple[str, str, list[Due]]]:
    """By route and event, in the order in which people should read them."""
    groups: dict[tuple[str, str], list[Due]] = {}
    for one in dues:
        groups.setdefault((one.key.route, one.key.event), []).append(one)
    ordered = sorted(groups, key=lambda pair: EVENTS.index(pair[1]))
    return [(route, event, groups[route, event]) for route, event in ordered]


def _told(route: str, event: str, group: Sequence[Due], explains: Explains) -> Told:
    told = [one.finding for one in group]
    text = message(event, told, explains)
    return Told(route, event, tuple(finding.id for finding in told), text)


def _each_once(dues: Sequence[Due]) -> list[Finding]:
    return list({one.finding.id: one.finding for one in dues}.values())
