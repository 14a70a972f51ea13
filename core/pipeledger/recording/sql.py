"""The recorder that writes to SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from pipeledger.model import record as algebra
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidWatermark, UnknownPipeline
from pipeledger.model.lineage import DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.record import ExecutionRecord
from pipeledger.model.report import Declaration, ExecutionReport, Report
from pipeledger.model.spans import OBSERVED_FOR
from pipeledger.model.state import State
from pipeledger.model.watermark import TEXT, Watermark, WatermarkValue, Window
from pipeledger.recording.port import WindowRequest
from pipeledger.store import (
    address_closure,
    datasets,
    executions,
    lineage,
    pipelines,
    uses,
    watermarks,
)
from pipeledger.store.database import Connection, Database
from pipeledger.store.executions import Saved
from pipeledger.store.names import KnownPipeline, Names
from pipeledger.store.said import Said, said
from pipeledger.store.schema import open_ledger
from pipeledger.store.unit_of_work import transact

T = TypeVar("T")


class SqlRecorder:
    """Records over one connection, opened at the first call. For one thread at a time."""

    def __init__(
        self, database: Database, timeout: float = 2.0, observed_for: timedelta = OBSERVED_FOR
    ) -> None:
        """``observed_for``: how long lineage that a run observed holds after it was seen last."""
        self._database = database
        self._timeout = timeout
        self._observed_for = observed_for
        self._connection: Connection | None = None
        self._names = Names()

    def record(self, reports: Sequence[Report]) -> None:
        declarations: list[Declaration] = [r for r in reports if not isinstance(r, ExecutionReport)]
        seen_again = self._seen_again(declarations)
        declarations = [r for r in declarations if id(r) not in seen_again]
        if declarations:
            # In a transaction of their own: they lock pipelines, which executions lock last.
            self._transact(lambda c, again: self._declare(c, declarations))
        records = merged([r for r in reports if isinstance(r, ExecutionReport)])
        if records:
            self._transact(lambda c, again: self._save(c, records, look_first=again))

    def watermark(self, pipeline: PipelineRef, partition_key: str = "") -> Watermark:
        def work(connection: Connection, again: bool) -> Watermark:
            known = self._names.find_pipeline(connection, pipeline)
            if known is None:
                return Watermark(None, None, 0, partition_key)
            return watermarks.read(connection, known, partition_key)

        return self._transact(work)

    def open_window(self, request: WindowRequest) -> Window:
        def work(connection: Connection, again: bool) -> Window:
            now = times.now()
            known = self._names.pipeline(connection, request.pipeline, now)
            known = self._names.find_pipeline(connection, request.pipeline) or known
            current = watermarks.read(connection, known, request.partition_key)
            upper = None
            if request.next_watermark is not None:
                upper = WatermarkValue.of(request.next_watermark, known.kind)
                pipelines.fix_kind(connection, self._names, known, upper.kind)
            window = Window(
                current.value, upper, current.value is None, request.partition_key, current.epoch
            )
            if request.run_key is not None:
                report = ExecutionReport(
                    request.run_key, now, pipeline=request.pipeline, window=window
                )
                self._save(connection, [algebra.of(report)], look_first=True)
            return window

        return self._transact(work)

    def said(self, run_key: UUID) -> Said | None:
        """What an execution has said of itself so far; None for an unknown one."""
        return self._transact(lambda c, again: said(c, run_key))

    def move_watermark(
        self,
        pipeline: PipelineRef,
        value: object,
        *,
        cause: str,
        reason: str,
        partition_key: str = "",
    ) -> Watermark:
        def work(connection: Connection, again: bool) -> Watermark:
            known = self._names.find_pipeline(connection, pipeline)
            if known is None:
                raise UnknownPipeline(pipeline.namespace, pipeline.name)
            new = None if value is None else WatermarkValue.of(value, known.kind)
            if new is not None:
                known = pipelines.fix_kind(connection, self._names, known, new.kind)
            return watermarks.assign(
                connection, known, partition_key, new, cause=cause, reason=reason, now=times.now()
            )

        return self._transact(work)

    def is_active(self, pipeline: PipelineRef) -> bool:
        def work(connection: Connection, again: bool) -> bool:
            known = self._names.find_pipeline(connection, pipeline)
            return known is None or pipelines.is_active(connection, known)

        return self._transact(work)

    def set_active(self, pipeline: PipelineRef, active: bool) -> None:
        def work(connection: Connection, again: bool) -> None:
            known = self._names.find_pipeline(connection, pipeline)
            if known is None:
                raise UnknownPipeline(pipeline.namespace, pipeline.name)
            pipelines.set_active(connection, known, active, times.now())

        self._transact(work)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Forget the connection, unused: in a forked child it is the parent's."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave_behind()
        self._names = Names()

    def _transact(self, work: Callable[[Connection, bool], T]) -> T:
        if self._connection is None:
            self._connection = open_ledger(self._database, self._timeout)
        connection = self._connection
        try:
            result = transact(connection, lambda again: work(connection, again), self._names.forget)
        except BaseException as error:
            self._names.discard()
            if not isinstance(error, (ValueError, LookupError)):
                self.close()  # whatever state it is in, the next call starts afresh
            raise
        self._names.keep()
        return result

    def _seen_again(self, reports: Sequence[Declaration]) -> set[int]:
        """The ids of the reports that say nothing but that what was observed still holds: done."""
        observed = [r for r in reports if isinstance(r, LineageReport) and r.observed]
        if not observed:
            return set()

        def work(connection: Connection, again: bool) -> set[int]:
            now, names = times.now(), self._names
            return {
                id(report)
                for report in sorted(observed, key=lambda r: r.pipeline)
                if lineage.extend(connection, names, report, now, self._observed_for)
            }

        return self._transact(work)

    def _declare(self, connection: Connection, reports: Sequence[Declaration]) -> None:
        now = times.now()
        facts = [r for r in reports if isinstance(r, (LineageReport, DatasetReport))]
        schemas = [r for r in facts if isinstance(r, DatasetReport)]
        ids: dict[tuple[str, str], int] = {}
        if facts:
            # First of all, and every address in one order: who creates the same ones cannot deadlock.
            datasets.lock(connection, change=any(r.aliases or r.not_aliases for r in schemas))
            ids = self._names.addresses(connection, _addresses(facts), now)
        edges: set[tuple[int, int]] = set()
        left: set[tuple[int, int]] = set()
        for report in sorted(reports, key=lambda r: r.pipeline or PipelineRef("?")):
            if isinstance(report, PipelineReport):
                pipelines.register(connection, self._names, report, now)
            elif isinstance(report, LineageReport):
                edges |= lineage.save(connection, self._names, report, ids, now, self._observed_for)
        for dataset in sorted(schemas, key=lambda r: r.address.key):
            datasets.save_schema(connection, dataset, ids[dataset.address.key], now)
            renamed, were = datasets.save_aliases(connection, dataset, ids, now)
            edges |= renamed
            left |= were
        address_closure.change(connection, edges, left, now)

    def _save(
        self, connection: Connection, records: Sequence[ExecutionRecord], *, look_first: bool
    ) -> None:
        now = times.now()
        known = self._names.pipelines(connection, (r.pipeline for r in records if r.pipeline), now)
        pairs: list[tuple[ExecutionRecord, int | None]] = []
        for record in records:
            pipeline = None if record.pipeline is None else known[record.pipeline]
            pairs.append(
                (
                    of_kind(connection, self._names, record, pipeline),
                    None if pipeline is None else pipeline.id,
                )
            )
        saved = executions.save_many(connection, pairs, look_first=look_first)
        used = [use.address for r in records for use in (*r.inputs, *r.outputs)]
        if used:
            ids = self._names.addresses(connection, used, now)
            for record, row in zip(records, saved, strict=True):
                uses.save(connection, row.id, record.inputs, record.outputs, ids)
        self._advance(connection, saved, now)
        _stamp(connection, records, saved)

    def _advance(self, connection: Connection, saved: Sequence[Saved], now: datetime) -> None:
        waiting = {(s.pipeline_id, s.partition_key): s for s in saved if s.may_advance}
        for (pipeline_id, partition_key), row in sorted(waiting.items()):
            assert pipeline_id is not None and row.to_order is not None
            watermarks.advance(
                connection, pipeline_id, partition_key or "", kind_of_order(row.to_order), now
            )


def _addresses(facts: Sequence[LineageReport | DatasetReport]) -> Iterator[Address]:
    for fact in facts:
        if isinstance(fact, LineageReport):
            yield from lineage.addresses(fact)
        else:
            yield from (fact.address, *fact.aliases, *fact.not_aliases)


def merged(reports: Sequence[ExecutionReport]) -> list[ExecutionRecord]:
    """One record per run key, in run-key order: the order in which everybody locks."""
    records: dict[object, ExecutionRecord] = {}
    for report in reports:
        record = algebra.of(report)
        known = records.get(report.run_key)
        records[report.run_key] = record if known is None else algebra.merge(known, record)
    return sorted(records.values(), key=lambda r: r.run_key)


def of_kind(
    connection: Connection, names: Names, record: ExecutionRecord, pipeline: KnownPipeline | None
) -> ExecutionRecord:
    """The record with its window in the kind of the pipeline's watermark, fixed by the first value.

    Raises InvalidWatermark for a window of another kind; a text pipeline takes every value as text.
    """
    bounds = {
        name: ranked
        for name in ("lower", "upper")
        if (ranked := getattr(record, name)) is not None and ranked.value is not None
    }
    if pipeline is None or not bounds:
        return record
    first: WatermarkValue = next(iter(bounds.values())).value
    kind = pipelines.fix_kind(connection, names, pipeline, first.kind).kind
    if all(ranked.value.kind == kind for ranked in bounds.values()):
        return record
    if kind != TEXT:
        raise InvalidWatermark(
            f"pipeline {record.pipeline} has watermarks of kind {kind}; the window of execution"
            f" {record.run_key} is of kind {first.kind}"
        )
    as_text = {
        name: replace(ranked, value=WatermarkValue.of(ranked.value.text, TEXT))
        for name, ranked in bounds.items()
    }
    return replace(record, **as_text)


def kind_of_order(order: str) -> str:
    """The kind that an order belongs to; its first character tells (``model.watermark``)."""
    return {"p": "integer", "n": "integer", "t": TEXT}.get(order[0], "time")


def _stamp(
    connection: Connection, records: Sequence[ExecutionRecord], saved: Sequence[Saved]
) -> None:
    changes: dict[int, tuple[list[datetime | None], bool]] = {}
    for record, row in zip(records, saved, strict=True):
        if row.pipeline_id is None:
            continue
        changed = [record.last_insert, record.last_update, record.last_soft_delete]
        loaded = row.load_lineage and record.state is State.SUCCESS
        if not loaded and not any(changed):
            continue
        others, was_loaded = changes.get(row.pipeline_id, ([None, None, None], False))
        latest = [
            max((t for t in pair if t is not None), default=None)
            for pair in zip(others, changed, strict=True)
        ]
        changes[row.pipeline_id] = (latest, loaded or was_loaded)
    for pipeline_id in sorted(changes):
        changed_at, loaded = changes[pipeline_id]
        uses.stamp(connection, pipeline_id, changed_at, loaded)
