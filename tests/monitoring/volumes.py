"""Ledgers with histories of counts and durations, and looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import numpy as np

from pipeledger.model.finding import Finding
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, ExecutionReport
from pipeledger.model.state import State
from pipeledger.monitoring.check import Outcome, check
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import findings as stored
from pipeledger.store.database import Connection, Database
from pipeledger.store.read import Reader
from pipeledger.store.read.findings import FindingFilter, find

MONDAY = datetime(2024, 1, 1, 6, tzinfo=timezone.utc)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LOAD = PipelineRef("load")


def steady(number: int, level: float = 40_000, seed: int = 1) -> list[int]:
    """Counts around a level, 4 % up and down."""
    noise = np.random.default_rng(seed).normal(0, 0.04, number)
    return [round(v) for v in level * np.exp(noise)]


class Volumes:
    """A ledger that a test fills with runs, one after the other, and looks at."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database.parse(url)
        self._recorder = SqlRecorder(self.database, 10)
        self._last = 0

    def close(self) -> None:
        self._recorder.close()

    def run(
        self,
        start: datetime,
        inserts: int | None = None,
        *,
        pipeline: PipelineRef = LOAD,
        state: State = State.SUCCESS,
        took: timedelta = 10 * MINUTE,
        **counts: int | None,
    ) -> UUID:
        """Record one run from start to end; its key."""
        self._last += 1
        key = UUID(int=self._last)
        self._recorder.record(
            [
                ExecutionReport(
                    key, start, pipeline=pipeline, state=State.RUNNING, started_at=start
                ),
                *self._end(key, start, state, took, Counts(inserts=inserts, **counts)),
            ]
        )
        return key

    def _end(
        self, key: UUID, start: datetime, state: State, took: timedelta, counts: Counts
    ) -> list[ExecutionReport]:
        if state is State.RUNNING:
            return []
        end = start + took
        return [ExecutionReport(key, end, state=state, ended_at=end, counts=counts)]

    def end(self, key: UUID, start: datetime, inserts: int) -> None:
        """End a run that was recorded as running."""
        self._recorder.record(
            self._end(key, start, State.SUCCESS, 10 * MINUTE, Counts(inserts=inserts))
        )

    def daily(
        self, values: Sequence[int | None], *, pipeline: PipelineRef = LOAD, **more: Any
    ) -> datetime:
        """One run a day with these inserts, from a Monday on; the day after the last."""
        for number, value in enumerate(values):
            self.run(MONDAY + number * DAY, value, pipeline=pipeline, **more)
        return MONDAY + len(values) * DAY

    def look(self, now: datetime) -> Outcome:
        return check(self.database, ("volume",), now=now)

    def open(self, now: datetime) -> list[Finding]:
        """What a look finds, of what is open."""
        return list(self.look(now).open)

    def all(self) -> list[Finding]:
        """Every finding there is, in the order in which they were found."""
        with Reader.open(self.url).connection() as connection:
            found = find(connection, FindingFilter(checks=("volume",), resolved=True))
        return sorted(found, key=lambda f: f.id)

    def unflag(self, finding: Finding, now: datetime) -> None:
        with self.writing() as connection:
            assert stored.unflag(connection, [finding.id], "the backfill", now) == [finding.id]

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with closing(self.database.connect()) as connection:
            connection.begin()
            yield connection
            connection.commit()
