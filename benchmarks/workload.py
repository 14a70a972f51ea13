"""What is recorded in the benchmarks: one execution's start and finish, and the statements they send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from bare import Call

from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, ExecutionReport
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Connection, Row
from pipeledger.store.statement import Statement

ROOT = UUID(int=7)
"""The run that all runs of a shape with a parent belong to, as the tasks of one DAG run do."""

ATTRIBUTES = {
    "operator": "PythonOperator",
    "queue": "default",
    "pool": "default_pool",
    "host": "w1",
}


@dataclass(frozen=True)
class Shape:
    """What the recorded executions have."""

    parent: bool
    window: bool

    def __str__(self) -> str:
        return f"{'a' if self.parent else 'no'} parent, {'a' if self.window else 'no'} window"

    def pipeline(self, writer: int) -> PipelineRef:
        """Each writer has a pipeline of its own: two of one watermark take turns by design."""
        return PipelineRef(f"load_{'p' * self.parent}{'w' * self.window}_{writer}")


SHAPES = [Shape(p, w) for p in (False, True) for w in (False, True)]


def start(shape: Shape, writer: int, number: int, run_key: UUID) -> ExecutionReport:
    now = datetime.now(timezone.utc)
    return ExecutionReport(
        run_key,
        now,
        pipeline=shape.pipeline(writer),
        state=State.RUNNING,
        started_at=now,
        attempt=1,
        attributes=ATTRIBUTES,
        parent=ROOT if shape.parent else None,
        window=_window(number) if shape.window else None,
    )


def finish(shape: Shape, writer: int, number: int, run_key: UUID) -> ExecutionReport:
    now = datetime.now(timezone.utc)
    return ExecutionReport(
        run_key,
        now,
        pipeline=shape.pipeline(writer),
        state=State.SUCCESS,
        ended_at=now,
        counts=Counts(inserts=1000 + number, total_rows=50_000),
        metadata={"file": "flights.csv"},
        parent=ROOT if shape.parent else None,
        window=_window(number) if shape.window else None,
    )


def _window(number: int) -> Window:
    return Window.of(number or None, number + 1)


def pairs(
    shape: Shape, writer: int, first: int, count: int
) -> Iterator[tuple[ExecutionReport, ExecutionReport]]:
    """Starts and finishes of executions; their windows join on to each other from ``first``."""
    for number in range(first, first + count):
        run_key = random_key()
        yield start(shape, writer, number, run_key), finish(shape, writer, number, run_key)


def prepare(recorder: SqlRecorder, writers: int) -> None:
    """The root and every pipeline with its first execution: what is there in the long run."""
    recorder.record([ExecutionReport(ROOT, datetime.now(timezone.utc), state=State.RUNNING)])
    for shape in SHAPES:
        for writer in range(writers):
            for begun, ended in pairs(shape, writer, 0, 1):
                recorder.record([begun])
                recorder.record([ended])


def warm(recorder: SqlRecorder, writer: int) -> None:
    """Connect, and learn the ids of this writer's pipelines, as a process does with its first record."""
    for shape in SHAPES:
        recorder.watermark(shape.pipeline(writer))


class CapturingConnection(Connection):
    """A connection that also writes down what is sent over it."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self.is_sqlite = inner.is_sqlite
        self.calls: list[Call] = []

    def begin(self) -> None:
        if self.is_sqlite:
            self.calls.append(Call("begin"))
        self._inner.begin()

    def commit(self) -> None:
        self.calls.append(Call("commit"))
        self._inner.commit()

    def rollback(self) -> None:
        raise AssertionError("a benchmark's transaction met another one while it was captured")

    def close(self) -> None:
        self._inner.close()

    def rows(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        answer = self._inner.rows(statement, parameters)
        self._keep("rows", statement, parameters, answer[0][0] if answer else None)
        return answer

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        self._keep("run", statement, parameters)
        return self._inner.run(statement, parameters)

    def time(self, value: datetime | None) -> str | None:
        return self._inner.time(value)

    def _keep(
        self, what: str, statement: Statement, parameters: Mapping[str, Any], answer: Any = None
    ) -> None:
        sql = statement.sqlite if self.is_sqlite else statement.postgresql
        self.calls.append(Call(what, sql, dict(parameters), answer))


def capture(recorder: SqlRecorder) -> CapturingConnection:
    """From here on, what the (connected) recorder sends is written down."""
    assert recorder._connection is not None
    recorder._connection = capturing = CapturingConnection(recorder._connection)
    return capturing
