"""The record algebra: what the ledger holds of one execution, and how two records merge.

A report becomes a record (``of``), records merge (``merge``), and merging is commutative, associative
and idempotent: every order of delivery and every duplicate gives one result. The store does the same
merge in one SQL statement; ``pipeledger.testing`` does it with these functions.

Each group of fields carries the rank of the report it came from; of two, the larger rank wins. A
rank is 16 bytes that compare as (authority, time, state), then as the first 8 bytes of the sha256 of
the report's canonical JSON, so that equal ranks mean equal reports and no tie is left.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.canonical import canonical_json
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport
from pipeledger.model.state import ORDER, Authority, State

T = TypeVar("T", int, str, datetime, UUID)

_LAST = (1 << 59) - 1


def digest(report: ExecutionReport) -> bytes:
    """Eight bytes that tell reports of equal rank apart, the same in every process."""
    return hashlib.sha256(canonical_json(report.to_json()).encode("ascii")).digest()[:8]


def last_rank(
    authority: Authority, occurred_at: datetime, state: State | None, tie: bytes
) -> bytes:
    """The rank by which the highest authority, then the latest, then the worst state wins."""
    order = 0 if state is None else ORDER[state]
    number = int(authority) << 61 | times.microseconds(occurred_at) << 2 | order
    return number.to_bytes(8, "big") + tie


def life_rank(seen_at: datetime) -> bytes:
    """The rank of a sign of life: below every end, and above each `abandoned` that saw only earlier ones."""
    return (times.microseconds(seen_at) << 2).to_bytes(8, "big") + bytes(8)


def abandoned_rank(seen_at: datetime, tie: bytes) -> bytes:
    """The rank of `abandoned` that names its last sign of life: just above that sign, below every end."""
    return (times.microseconds(seen_at) << 2 | 1).to_bytes(8, "big") + tie


def end_rank(report: ExecutionReport, tie: bytes) -> bytes:
    """The rank of a reported end, whoever reported it: above everything of ``life_rank``'s level."""
    assert report.state is not None
    level = int(report.authority) + 1
    number = level << 61 | times.microseconds(report.occurred_at) << 2 | ORDER[report.state]
    return number.to_bytes(8, "big") + tie


ENDED = (1 << 61).to_bytes(8, "big")
"""Below the rank of every end, above every sign of life and every `abandoned`."""


def last_sign_of_life(rank: bytes) -> datetime:
    """The moment that a rank below ENDED was made of."""
    return times.from_microseconds(int.from_bytes(rank[:8], "big") >> 2)


def first_rank(stated: bool, occurred_at: datetime, tie: bytes) -> bytes:
    """The rank by which the stated value, then the earliest report, wins."""
    number = int(stated) << 59 | _LAST - times.microseconds(occurred_at)
    return number.to_bytes(8, "big") + tie


# Not frozen, though nobody changes them: thousands are made per batch, and freezing doubles the price.
@dataclass(slots=True)
class Ranked:
    """A group of fields with the rank of the report that knew them."""

    rank: bytes
    value: Any


@dataclass(slots=True)
class ExecutionRecord:
    """What is known of one execution. Ranked groups are None while nobody has reported them."""

    run_key: UUID
    pipeline: PipelineRef | None = None
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    end: Ranked | None = None
    """(state, ended_at, state_detail) of the winning end; (running, None, None) where the last word
    is a sign of life, which only an end, or an `abandoned` that saw it, outranks."""
    inserts: Ranked | None = None
    updates: Ranked | None = None
    soft_deletes: Ranked | None = None
    total_rows: Ranked | None = None
    error: Ranked | None = None
    metadata: Ranked | None = None
    attributes: Ranked | None = None
    attempt: int | None = None
    previous: UUID | None = None
    configuration: Ranked | None = None
    """(configuration_hash, code_version)"""
    parent: Ranked | None = None
    lower: Ranked | None = None
    """The window's lower bound: a WatermarkValue, or None for the beginning."""
    upper: Ranked | None = None
    scope: Ranked | None = None
    """(partition_key, epoch) of the window."""
    succeeded: bool = False
    """Whether the process that did the work ever reported success: only that moves a watermark."""
    inputs: tuple[DatasetUse, ...] = ()
    outputs: tuple[DatasetUse, ...] = ()
    last_insert: datetime | None = None
    """When a report last said that it inserted rows; freshness reads it. Likewise the next two."""
    last_update: datetime | None = None
    last_soft_delete: datetime | None = None

    @property
    def state(self) -> State:
        state: State = self.end.value[0] if self.end else State.RUNNING
        return state

    @property
    def ended_at(self) -> datetime | None:
        return self.end.value[1] if self.end else None

    @property
    def state_detail(self) -> str | None:
        return self.end.value[2] if self.end else None

    @property
    def counts(self) -> Counts:
        ranked = {name: getattr(self, name) for name in Counts.NAMES}
        return Counts(**{name: r.value for name, r in ranked.items() if r is not None})


def of(report: ExecutionReport) -> ExecutionRecord:
    """The record that one report alone makes."""
    tie = digest(report)
    last = last_rank(report.authority, report.occurred_at, report.state, tie)
    window = report.window
    window_rank = (
        b"" if window is None else first_rank(not report.window_derived, report.occurred_at, tie)
    )
    counts = {
        name: Ranked(last, value)
        for name in Counts.NAMES
        if (value := getattr(report.counts, name)) is not None
    }
    return ExecutionRecord(
        run_key=report.run_key,
        pipeline=report.pipeline,
        started_at=report.started_at,
        heartbeat_at=report.heartbeat_at,
        end=_end(report, tie),
        error=None if report.error is None else Ranked(last, report.error),
        metadata=None if report.metadata is None else Ranked(last, report.metadata),
        # The process knows best what it ran as; what others say fills in where it said nothing.
        attributes=None
        if report.attributes is None
        else Ranked(
            first_rank(report.authority is Authority.PROCESS, report.occurred_at, tie),
            report.attributes,
        ),
        attempt=report.attempt,
        previous=report.previous,
        configuration=None
        if report.configuration_hash is None and report.code_version is None
        else Ranked(
            first_rank(True, report.occurred_at, tie),
            (report.configuration_hash, report.code_version),
        ),
        parent=None
        if report.parent is None
        else Ranked(first_rank(not report.parent_derived, report.occurred_at, tie), report.parent),
        lower=None
        if window is None or window.from_order is None
        else Ranked(window_rank, window.lower),
        upper=None if window is None or window.upper is None else Ranked(window_rank, window.upper),
        scope=None if window is None else Ranked(window_rank, (window.partition_key, window.epoch)),
        succeeded=report.state is State.SUCCESS and report.authority is Authority.PROCESS,
        inputs=merge_uses(report.inputs),
        outputs=merge_uses(report.outputs),
        last_insert=_changed_at(report, report.counts.inserts),
        last_update=_changed_at(report, report.counts.updates),
        last_soft_delete=_changed_at(report, report.counts.soft_deletes),
        **counts,
    )


def _end(report: ExecutionReport, tie: bytes) -> Ranked | None:
    """What a report says of the end: an end, `abandoned`, or that the execution lived at some moment."""
    seen = [at for at in (report.started_at, report.heartbeat_at) if at is not None]
    if report.state is State.RUNNING:
        seen.append(report.occurred_at)
    alive = Ranked(life_rank(max(seen)), (State.RUNNING, None, None)) if seen else None
    if report.state is None or report.state is State.RUNNING:
        return alive
    is_guess = report.state is State.ABANDONED
    rank = abandoned_rank(report.occurred_at, tie) if is_guess else end_rank(report, tie)
    return _higher(alive, Ranked(rank, (report.state, report.ended_at, report.state_detail)))


def merge(a: ExecutionRecord, b: ExecutionRecord) -> ExecutionRecord:
    """What two records of one execution know together; ``a`` was delivered first.

    Order matters only for the pipeline's name, where two that contradict cannot both be right: the
    first delivered stays.
    """
    ranked = {name: _higher(getattr(a, name), getattr(b, name)) for name in _RANKED}
    return ExecutionRecord(
        run_key=a.run_key,
        pipeline=a.pipeline or b.pipeline,
        started_at=_least(a.started_at, b.started_at),
        heartbeat_at=_greatest(a.heartbeat_at, b.heartbeat_at),
        attempt=_greatest(a.attempt, b.attempt),
        previous=_greatest(a.previous, b.previous),
        succeeded=a.succeeded or b.succeeded,
        inputs=merge_uses(a.inputs, b.inputs),
        outputs=merge_uses(a.outputs, b.outputs),
        last_insert=_greatest(a.last_insert, b.last_insert),
        last_update=_greatest(a.last_update, b.last_update),
        last_soft_delete=_greatest(a.last_soft_delete, b.last_soft_delete),
        **ranked,
    )


_RANKED = [f.name for f in fields(ExecutionRecord) if str(f.type) == "Ranked | None"]


def _changed_at(report: ExecutionReport, count: int | None) -> datetime | None:
    return (report.ended_at or report.occurred_at) if count else None


def _higher(a: Ranked | None, b: Ranked | None) -> Ranked | None:
    if a is None or b is None:
        return a or b
    return b if b.rank > a.rank else a


def _least(a: T | None, b: T | None) -> T | None:
    return (b if b < a else a) if a is not None and b is not None else (a if a is not None else b)


def _greatest(a: T | None, b: T | None) -> T | None:
    return (b if b > a else a) if a is not None and b is not None else (a if a is not None else b)


def merge_uses(*groups: tuple[DatasetUse, ...]) -> tuple[DatasetUse, ...]:
    """One use per address, by (namespace, name); of several figures for one address the largest."""
    if not any(groups):
        return ()
    merged: dict[tuple[str, str], DatasetUse] = {}
    for use in chain(*groups):
        known = merged.get(use.address.key)
        merged[use.address.key] = (
            use
            if known is None
            else DatasetUse(
                known.address,
                _greatest(known.rows, use.rows),
                _greatest(known.bytes, use.bytes),
                _greatest(known.data_version, use.data_version),
            )
        )
    return tuple(merged[key] for key in sorted(merged))
