"""A ledger whose findings a test writes itself, through the functions that checks write them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import create_engine, select, text

from pipeledger import alerts
from pipeledger.alerts import Sent
from pipeledger.alerts.routes import Route
from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model.finding import FAILED, Cause, Finding, Severity
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Report
from pipeledger.monitoring.configuration import Configuration
from pipeledger.monitoring.secret import Secret
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import findings as written
from pipeledger.store import tables
from pipeledger.store.database import Connection, Database
from pipeledger.store.read import Reader, findings
from pipeledger.store.read import alerts as read
from pipeledger.store.read.findings import FindingFilter

NOW = datetime(2024, 1, 10, 12, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def route(url: str, name: str = "oncall", **filters: Any) -> Route:
    return Route(name, Secret(f"url of {name}", url), **filters)


class Watched:
    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database.parse(url)
        self._recorder = SqlRecorder(self.database, 10)
        self._engine = create_engine(url)
        self._causes: dict[str, dict[str, Cause]] = {}
        self._looks = NOW - DAY

    def record(self, *reports: Report) -> None:
        self._recorder.record(reports)

    def pipeline(self, name: str, namespace: str = "default", **more: Any) -> int:
        """The id of a pipeline, which is there afterwards."""
        self.record(PipelineReport(PipelineRef(name, namespace), NOW, **more))
        p, n = tables.pipeline, tables.namespace
        found = (
            select(p.c.id)
            .join(n, n.c.id == p.c.namespace_id)
            .where(p.c.name == name, n.c.name == namespace)
        )
        with self._engine.connect() as connection:
            return int(connection.execute(found).scalar_one())

    def execution(self, run_key: Any) -> int:
        e = tables.pipeline_execution
        with self._engine.connect() as connection:
            return int(
                connection.execute(select(e.c.id).where(e.c.run_key == run_key)).scalar_one()
            )

    def addresses(self) -> dict[str, int]:
        """The ids of addresses by their names."""
        with self._engine.connect() as connection:
            found = connection.execute(select(tables.address.c.name, tables.address.c.id))
            return {row.name: row.id for row in found}

    def opens(self, name: str, check: str = FAILED, **more: Any) -> int:
        """A cause of this check appears, on a pipeline of this name; the finding's id.

        ``address_alone``: it is of this address, and of no pipeline.
        """
        alone = more.pop("address_alone", None)
        if alone is not None:
            more["address_id"] = alone
        cause = Cause(
            check,
            more.pop("subject", f"pipeline:{name}"),
            more.pop("severity", Severity.ERROR),
            more.pop("message", f"{name} did not work"),
            more.pop("since", NOW - HOUR),
            pipeline_id=None if alone is not None else self.pipeline(name),
            **more,
        )
        self._causes.setdefault(check, {})[cause.subject] = cause
        self._look(check)
        return next(f.id for f in self.findings() if f.message == cause.message)

    def worsens(self, name: str, severity: Severity, check: str = FAILED) -> None:
        cause = self._causes[check][f"pipeline:{name}"]
        self._causes[check][cause.subject] = replace(cause, severity=severity)
        self._look(check)

    def ends(self, name: str, check: str = FAILED) -> None:
        """Its cause is gone."""
        del self._causes[check][f"pipeline:{name}"]
        self._look(check)

    def _look(self, check: str) -> None:
        self._looks += timedelta(seconds=1)
        causes = list(self._causes[check].values())
        self.write(lambda c: written.save(c, check, causes, at=self._looks, checked=1, state={}))

    def ack(self, finding: int) -> None:
        self.write(lambda c: written.acknowledge(c, [finding], "ada", None, NOW))

    def mute(self, finding: int, until: datetime) -> None:
        self.write(lambda c: written.mute(c, [finding], until, None, NOW))

    def write(self, work: Any) -> Any:
        with session(self.database) as connection:

            def once(connection: Connection) -> Any:
                return work(connection)

            return in_transaction(connection, once)

    def findings(self) -> list[Finding]:
        with Reader.open(self.database).connection() as connection:
            return findings.find(connection, FindingFilter(resolved=True), 10_000)

    def alerts(self) -> list[tuple[int, str, int, str]]:
        """(finding, event, number, state) of every message, the first one first."""
        with Reader.open(self.database).connection() as connection:
            found = read.latest(connection, route=None, undelivered=False, limit=10_000)
        return [(a.key.finding_id, a.key.event, a.key.number, a.state) for a in reversed(found)]

    def errors(self) -> list[str]:
        with Reader.open(self.database).connection() as connection:
            found = read.latest(connection, route=None, undelivered=True, limit=10_000)
        return [alert.error for alert in found if alert.error is not None]

    def send(self, routes: Route | Sequence[Route], now: datetime = NOW, **more: Any) -> Sent:
        wanted = (routes,) if isinstance(routes, Route) else tuple(routes)
        return alerts.send(self.database, Configuration(wanted), now=now, **more)

    def everything(self) -> str:
        """All that the ledger holds, as text."""
        with self._engine.connect() as connection:
            return "\n".join(
                repr(tuple(row))
                for name in sorted(tables.metadata.tables)
                for row in connection.execute(text(f"SELECT * FROM {name}"))
            )

    def close(self) -> None:
        self._recorder.close()
        self._engine.dispose()


def told(sent: Sent) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(one.route, one.event, one.findings) for one in sent.sent]


def first_lines(body: str) -> list[str]:
    """The line that names each finding of a message."""
    return [part.splitlines()[0] for part in body.split("\n\n")]
