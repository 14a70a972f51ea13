"""A ledger whose runs lie where a test wants them, and checks with a clock that stands still."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeledger.model.finding import Finding
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Counts, ExecutionReport, RunError
from pipeledger.model.state import Authority, State
from pipeledger.monitoring.check import Outcome, check
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.read import Reader, findings
from pipeledger.store.read.findings import FindingFilter
from pipeledger.store.statement import Statement

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
"""A Tuesday."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Runs:
    """Records runs into one database and checks them."""

    def __init__(self, url: str) -> None:
        self.database = Database.parse(url)
        self.recorder = SqlRecorder(self.database, 10)
        self._keys = count(1)

    def close(self) -> None:
        self.recorder.close()

    def declare(self, name: str, at: datetime = NOW - 100 * DAY, **said: Any) -> None:
        """A pipeline as code declares it; it counts as registered then."""
        self.recorder.record([PipelineReport(PipelineRef(name), at, **said)])
        self.set("UPDATE pipeline SET created_at = :at WHERE name = :name", name=name, at=at)

    def run(
        self,
        name: str,
        start: datetime,
        end: datetime | None = None,
        state: State = State.SUCCESS,
        *,
        key: UUID | None = None,
        rows: int | None = None,
        error: str | None = None,
        detail: str | None = None,
        authority: Authority = Authority.PROCESS,
        **more: Any,
    ) -> UUID:
        """An execution, running where it has no end."""
        key = key or UUID(int=next(self._keys))
        ref = PipelineRef(name)
        reports = [
            ExecutionReport(key, start, pipeline=ref, state=State.RUNNING, started_at=start, **more)
        ]
        if end is not None:
            reports.append(self.ended(name, key, end, state, rows, error, detail, authority))
        self.recorder.record(reports)
        return key

    def end(self, name: str, key: UUID, end: datetime, state: State = State.SUCCESS) -> None:
        self.recorder.record([self.ended(name, key, end, state)])

    def ended(
        self,
        name: str,
        key: UUID,
        end: datetime,
        state: State,
        rows: int | None = None,
        error: str | None = None,
        detail: str | None = None,
        authority: Authority = Authority.PROCESS,
    ) -> ExecutionReport:
        return ExecutionReport(
            key,
            end,
            authority,
            pipeline=PipelineRef(name),
            state=state,
            ended_at=end,
            state_detail=detail,
            counts=Counts() if rows is None else Counts(total_rows=rows, inserts=rows),
            error=None if error is None else RunError("ValueError", error),
        )

    def set(self, sql: str, **values: Any) -> None:
        """Change a row as only a person or the server does."""
        connection = self.database.connect()
        try:
            connection.begin()
            bound = {
                k: connection.time(v) if isinstance(v, datetime) else v for k, v in values.items()
            }
            connection.run(Statement(sql), bound)
            connection.commit()
        finally:
            connection.close()

    def query(self, sql: str) -> list[Any]:
        with self.database_reader() as connection:
            return list(connection.exec_driver_sql(sql).fetchall())

    def database_reader(self) -> AbstractContextManager[Connection]:
        return Reader.open(self.database).connection()

    def every_finding(self, connection: Connection) -> list[Finding]:
        """Also those that are over."""
        return findings.find(connection, FindingFilter(resolved=True))

    def check(self, *checks: str, now: datetime = NOW) -> Outcome:
        return check(self.database, checks, now=now)

    def found(self, *checks: str, now: datetime = NOW) -> list[Finding]:
        """What is unresolved after a check."""
        return list(self.check(*checks, now=now).findings)

    def messages(self, *checks: str, now: datetime = NOW) -> dict[str, str]:
        """What is said of each pipeline or address; fails where one has two."""
        listed = self.found(*checks, now=now)
        said = {f.subject_name: f.message for f in listed}
        assert len(said) == len(listed), listed
        return said
