"""What the ledger answers: plain values, each with the JSON that the CLI prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, DatasetUse, RunError
from pipeledger.model.state import State

T = TypeVar("T")
NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and where to go on. ``next_cursor`` None: that was all."""

    items: tuple[T, ...]
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class WindowView:
    """The window of an execution, as text. ``lower`` None: unknown, or the beginning."""

    lower: str | None
    upper: str | None
    from_beginning: bool = False
    partition_key: str = ""
    epoch: int | None = None

    def __str__(self) -> str:
        lower = "beginning" if self.from_beginning else (self.lower or "?")
        partition = f" [{self.partition_key}]" if self.partition_key else ""
        return f"({lower}, {self.upper or '?'}]{partition}"

    def to_json(self) -> dict[str, Any]:
        return {
            "from": self.lower,
            "to": self.upper,
            "from_beginning": self.from_beginning,
            "partition_key": self.partition_key,
            "epoch": self.epoch,
        }


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One execution. ``inputs`` and ``outputs`` are filled where one execution was asked for."""

    run_key: UUID
    pipeline: PipelineRef | None
    pipeline_type: str | None
    state: State
    state_detail: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Counts = NO_COUNTS
    window: WindowView | None = None
    attempt: int | None = None
    parent: UUID | None = None
    previous: UUID | None = None
    error: RunError | None = None
    metadata: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None
    heartbeat_at: datetime | None = None
    configuration_hash: str | None = None
    code_version: str | None = None
    inputs: tuple[DatasetUse, ...] = ()
    outputs: tuple[DatasetUse, ...] = ()

    @property
    def name(self) -> str:
        """The pipeline's name; ``(unknown)`` for one that only its children spoke of so far."""
        return "(unknown)" if self.pipeline is None else str(self.pipeline)

    @property
    def duration_seconds(self) -> float | None:
        """End minus start; None while it runs or where one of them is unknown."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def rows(self) -> int | None:
        """The total where it was reported, else inserted plus updated plus soft-deleted rows."""
        if self.counts.total_rows is not None:
            return self.counts.total_rows
        known = [
            n
            for n in (self.counts.inserts, self.counts.updates, self.counts.soft_deletes)
            if n is not None
        ]
        return sum(known) if known else None

    def to_json(self) -> dict[str, Any]:
        return {
            "run_key": str(self.run_key),
            "namespace": None if self.pipeline is None else self.pipeline.namespace,
            "pipeline": None if self.pipeline is None else self.pipeline.name,
            "pipeline_type": self.pipeline_type,
            "state": self.state.value,
            "state_detail": self.state_detail,
            "started_at": _time(self.started_at),
            "ended_at": _time(self.ended_at),
            "duration_seconds": self.duration_seconds,
            "attempt": self.attempt,
            "inserts": self.counts.inserts,
            "updates": self.counts.updates,
            "soft_deletes": self.counts.soft_deletes,
            "total_rows": self.counts.total_rows,
            "window": None if self.window is None else self.window.to_json(),
            "parent": None if self.parent is None else str(self.parent),
            "previous": None if self.previous is None else str(self.previous),
            "error": None
            if self.error is None
            else {"type": self.error.type, "message": self.error.message},
            "metadata": self.metadata,
            "attributes": self.attributes,
            "heartbeat_at": _time(self.heartbeat_at),
            "configuration_hash": self.configuration_hash,
            "code_version": self.code_version,
            "inputs": [_use(use) for use in self.inputs],
            "outputs": [_use(use) for use in self.outputs],
        }


@dataclass(frozen=True, slots=True)
class PipelineView:
    """One pipeline with its watermark and its latest execution."""

    pipeline: PipelineRef
    type: str | None
    group: str | None
    active: bool
    schedule: str | None
    watermark: str | None
    watermark_kind: str | None
    partitions: int
    """How many partition keys have a watermark of their own."""
    last_run: ExecutionView | None
    metadata: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        last = self.last_run
        return {
            "namespace": self.pipeline.namespace,
            "name": self.pipeline.name,
            "type": self.type,
            "group": self.group,
            "active": self.active,
            "schedule": self.schedule,
            "watermark": self.watermark,
            "watermark_kind": self.watermark_kind,
            "partitions": self.partitions,
            "last_run": None
            if last is None
            else {
                "run_key": str(last.run_key),
                "state": last.state.value,
                "started_at": _time(last.started_at),
                "ended_at": _time(last.ended_at),
                "duration_seconds": last.duration_seconds,
                "rows": last.rows,
            },
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True)
class WatermarkView:
    """How far a pipeline has got, and what keeps it there.

    ``held_back_by``: executions whose window joins on to the watermark and that have not succeeded,
    the latest first. ``waiting``: windows that succeeded beyond it and wait to be joined.
    ``missing``: the stretch up to the first waiting window that no execution was asked to process.
    """

    pipeline: PipelineRef
    partition_key: str
    value: str | None
    kind: str | None
    epoch: int
    updated_at: datetime | None
    held_back_by: tuple[ExecutionView, ...] = ()
    waiting: tuple[ExecutionView, ...] = ()
    missing: WindowView | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "namespace": self.pipeline.namespace,
            "pipeline": self.pipeline.name,
            "partition_key": self.partition_key,
            "value": self.value,
            "kind": self.kind,
            "epoch": self.epoch,
            "updated_at": _time(self.updated_at),
            "held_back_by": [_brief(e) for e in self.held_back_by],
            "waiting": [_brief(e) for e in self.waiting],
            "missing": None if self.missing is None else self.missing.to_json(),
        }


@dataclass(frozen=True, slots=True)
class WatermarkMove:
    """One entry of a watermark's history. ``cause``: initial, execution, set or rewind."""

    pipeline: PipelineRef
    partition_key: str
    epoch: int
    cause: str
    old_value: str | None
    new_value: str | None
    run_key: UUID | None
    reason: str | None
    moved_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "namespace": self.pipeline.namespace,
            "pipeline": self.pipeline.name,
            "partition_key": self.partition_key,
            "epoch": self.epoch,
            "cause": self.cause,
            "old_value": self.old_value,
            "new_value": self.new_value,
            "run_key": None if self.run_key is None else str(self.run_key),
            "reason": self.reason,
            "moved_at": _time(self.moved_at),
        }


@dataclass(frozen=True, slots=True)
class Dependency:
    """Within ``pipeline``, ``downstream`` runs after ``upstream``."""

    pipeline: PipelineRef
    upstream: PipelineRef
    downstream: PipelineRef


def _time(value: datetime | None) -> str | None:
    return None if value is None else times.isoformat(value)


def _use(use: DatasetUse) -> dict[str, Any]:
    return {
        "address": str(use.address),
        "rows": use.rows,
        "bytes": use.bytes,
        "data_version": use.data_version,
    }


def _brief(execution: ExecutionView) -> dict[str, Any]:
    return {
        "run_key": str(execution.run_key),
        "state": execution.state.value,
        "started_at": _time(execution.started_at),
        "ended_at": _time(execution.ended_at),
        "window": None if execution.window is None else execution.window.to_json(),
        "error": None if execution.error is None else execution.error.type,
    }
