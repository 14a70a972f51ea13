"""The reference model: the laws of the ledger in plain Python, with dictionaries for tables.

A recorder like the SQL one, to test pipelines with, and the yardstick that the SQL one is tested
against: after the same deliveries both hold the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from pipeledger.model import record as algebra
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidWatermark, UnknownPipeline
from pipeledger.model.lineage import Column, DatasetReport, LineageReport, standing_of
from pipeledger.model.naming import NamingRule
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.record import ExecutionRecord
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.spans import OBSERVED_FOR, until
from pipeledger.model.watermark import (
    BEGINNING,
    TEXT,
    Waiting,
    Watermark,
    WatermarkValue,
    Window,
    advance,
)
from pipeledger.recording.port import WindowRequest

Partition = tuple[PipelineRef, str]


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a watermark's history."""

    cause: str
    epoch: int
    run_key: UUID | None
    old: str | None
    new: str | None


@dataclass(slots=True)
class _Mark:
    value: WatermarkValue | None = None
    epoch: int = 0
    epoch_started_at: datetime | None = None
    absorbed: set[UUID] = field(default_factory=set)
    history: list[Move] = field(default_factory=list)


class ModelRecorder:
    """Keeps everything in memory; for one thread."""

    def __init__(self, observed_for: timedelta = OBSERVED_FOR) -> None:
        self.executions: dict[UUID, ExecutionRecord] = {}
        self.parents: dict[UUID, UUID] = {}
        self.configurations: dict[PipelineRef, PipelineReport] = {}
        self.observed_for = observed_for
        self.declared: dict[PipelineRef, set[LineageReport]] = {}
        self.observed: dict[PipelineRef, set[LineageReport]] = {}
        self.datasets: set[DatasetReport] = set()
        self.kinds: dict[PipelineRef, str] = {}
        self.known_pipelines: set[PipelineRef] = set()
        """Every pipeline that was ever named, also by a declaration that has been replaced."""
        self.naming_rules: dict[str, NamingRule] = {}
        """The rule of each namespace that has one."""
        self.inactive: set[PipelineRef] = set()
        self._marks: dict[Partition, _Mark] = {}
        self._parent_ranks: dict[UUID, bytes] = {}

    # The recorder port

    def record(self, reports: Sequence[Report]) -> None:
        self.known_pipelines |= {r.pipeline for r in reports if r.pipeline is not None}
        for report in reports:
            if isinstance(report, PipelineReport):
                self._register(report)
            elif isinstance(report, LineageReport):
                told = self.observed if report.observed else self.declared
                told.setdefault(report.pipeline, set()).add(report)
            elif isinstance(report, DatasetReport):
                self.datasets.add(report)
        merged: dict[UUID, ExecutionRecord] = {}
        for report in reports:
            if isinstance(report, ExecutionReport):
                record = algebra.of(report)
                known = merged.get(report.run_key)
                merged[report.run_key] = record if known is None else algebra.merge(known, record)
        records = [self._of_kind(merged[key]) for key in sorted(merged)]
        for record in records:
            self._save(record)
        for pipeline, partition_key in sorted(self._touched(records)):
            self._advance(pipeline, partition_key)

    def watermark(self, pipeline: PipelineRef, partition_key: str = "") -> Watermark:
        mark = self._marks.get((pipeline, partition_key), _Mark())
        return Watermark(mark.value, self.kinds.get(pipeline), mark.epoch, partition_key)

    def open_window(self, request: WindowRequest) -> Window:
        self.known_pipelines.add(request.pipeline)
        current = self.watermark(request.pipeline, request.partition_key)
        upper = None
        if request.next_watermark is not None:
            upper = WatermarkValue.of(request.next_watermark, current.kind)
            self.kinds.setdefault(request.pipeline, upper.kind)
        window = Window(
            current.value, upper, current.value is None, request.partition_key, current.epoch
        )
        if request.run_key is not None:
            self.record(
                [
                    ExecutionReport(
                        request.run_key, times.now(), pipeline=request.pipeline, window=window
                    )
                ]
            )
        return window

    def move_watermark(
        self,
        pipeline: PipelineRef,
        value: object,
        *,
        cause: str,
        reason: str,
        partition_key: str = "",
    ) -> Watermark:
        if pipeline not in self.known_pipelines:
            raise UnknownPipeline(pipeline.namespace, pipeline.name)
        new = None if value is None else WatermarkValue.of(value, self.kinds.get(pipeline))
        kind = self.kinds.get(pipeline) or (None if new is None else new.kind)
        mark = self._marks.get((pipeline, partition_key)) or _Mark()
        old_order = BEGINNING if mark.value is None else mark.value.order
        new_order = BEGINNING if new is None else new.order
        if kind != TEXT:
            if cause == "rewind" and new_order > old_order:
                raise InvalidWatermark(
                    f"a rewind goes back, {new} lies after the watermark {mark.value}"
                )
            if cause == "set" and new_order < old_order:
                raise InvalidWatermark(
                    f"{new or 'the beginning'} lies before the watermark {mark.value}"
                )
        self._marks[pipeline, partition_key] = mark
        if kind is not None:
            self.kinds[pipeline] = kind
        mark.epoch += 1
        mark.epoch_started_at = times.now()
        mark.history.append(Move(cause, mark.epoch, None, _text(mark.value), _text(new)))
        mark.value = new
        return self.watermark(pipeline, partition_key)

    def is_active(self, pipeline: PipelineRef) -> bool:
        return pipeline not in self.inactive

    def set_active(self, pipeline: PipelineRef, active: bool) -> None:
        if pipeline not in self.known_pipelines:
            raise UnknownPipeline(pipeline.namespace, pipeline.name)
        (self.inactive.discard if active else self.inactive.add)(pipeline)

    def close(self) -> None:
        """Nothing is held open."""

    # What it holds

    def history(self, pipeline: PipelineRef, partition_key: str = "") -> list[Move]:
        """Every move of a watermark, oldest first."""
        return list(self._marks.get((pipeline, partition_key), _Mark()).history)

    def lineage(self, at: datetime | None = None) -> dict[PipelineRef, list[LineageReport]]:
        """What holds at a moment, now where none is named: of each pipeline the declaration in force,
        and what its runs observed within ``observed_for`` before."""
        at = times.now() if at is None else at
        found: dict[PipelineRef, list[LineageReport]] = {}
        for ref, reports in self.declared.items():
            until_then = [r for r in reports if r.occurred_at <= at]
            if until_then:
                last = max(until_then, key=lambda r: (r.occurred_at, r.content_hash))
                found.setdefault(ref, []).append(last)
        for ref, reports in self.observed.items():
            found.setdefault(ref, []).extend(
                r for r in reports if r.occurred_at <= at < until(r.occurred_at, self.observed_for)
            )
        return found

    def edges(self, at: datetime | None = None) -> set[tuple[PipelineRef, Address, Address]]:
        """The lineage edges at a moment, each with the pipeline that owns it, as they were reported."""
        held = self.lineage(at)
        return {(ref, s, t) for ref, reports in held.items() for r in reports for s, t in r.edges}

    def standing(self) -> dict[Address, Address]:
        """For every address that has other names: the one that stands for all of them."""
        said: dict[tuple[Address, Address], tuple[datetime, bool]] = {}
        for report in self.datasets:
            for others, is_alias in ((report.aliases, True), (report.not_aliases, False)):
                for other in others:
                    first, second = sorted((report.address, other), key=lambda a: a.key)
                    word = (report.occurred_at, not is_alias)
                    said[first, second] = max(word, said.get((first, second), word))
        return standing_of(pair for pair, (_, is_taken_back) in said.items() if not is_taken_back)

    def schema(self, address: Address) -> tuple[Column, ...]:
        """The columns of an address, as they were reported last."""
        known = [r for r in self.datasets if r.address == address and r.columns is not None]
        last = max(known, key=lambda r: (r.occurred_at, r.schema_hash), default=None)
        return () if last is None or last.columns is None else last.columns

    def closure(self) -> dict[tuple[UUID, UUID], int]:
        """(ancestor, descendant) -> depth, self pairs included, straight from the parents."""
        pairs: dict[tuple[UUID, UUID], int] = {}
        for key in self.executions:
            ancestor: UUID | None = key
            depth = 0
            while ancestor is not None:
                pairs[ancestor, key] = depth
                ancestor = self.parents.get(ancestor)
                depth += 1
        return pairs

    # The rules

    def _register(self, report: PipelineReport) -> None:
        known = self.configurations.get(report.pipeline)
        rule = self.naming_rules.get(report.pipeline.namespace)
        if known is None and rule is not None:
            rule.check(report.pipeline)
        if known is not None and (report.occurred_at, report.content_hash) <= (
            known.occurred_at,
            known.content_hash,
        ):
            return
        kind = self.kinds.get(report.pipeline)
        if report.watermark_kind is not None and kind not in (None, report.watermark_kind):
            raise InvalidWatermark(
                f"pipeline {report.pipeline} declares kind {report.watermark_kind}, its values are {kind}"
            )
        if report.watermark_kind is not None:
            self.kinds[report.pipeline] = report.watermark_kind
        self.configurations[report.pipeline] = report
        self.known_pipelines |= {ref for pair in report.dependencies for ref in pair}

    def _of_kind(self, record: ExecutionRecord) -> ExecutionRecord:
        bounds = {
            name: ranked
            for name in ("lower", "upper")
            if (ranked := getattr(record, name)) is not None and ranked.value is not None
        }
        if record.pipeline is None or not bounds:
            return record
        first: WatermarkValue = next(iter(bounds.values())).value
        kind = self.kinds.setdefault(record.pipeline, first.kind)
        if kind != TEXT and any(ranked.value.kind != kind for ranked in bounds.values()):
            raise InvalidWatermark(f"pipeline {record.pipeline} has watermarks of kind {kind}")
        as_kind = {
            name: replace(ranked, value=WatermarkValue.of(ranked.value, kind))
            for name, ranked in bounds.items()
        }
        return replace(record, **as_kind)

    def _save(self, record: ExecutionRecord) -> None:
        key = record.run_key
        known = self.executions.get(key)
        self.executions[key] = record if known is None else algebra.merge(known, record)
        if record.parent is None:
            return
        parent: UUID = record.parent.value
        if record.parent.rank <= self._parent_ranks.get(key, b"") or self._is_above(key, parent):
            return
        self.executions.setdefault(parent, ExecutionRecord(parent))
        self.parents[key] = parent
        self._parent_ranks[key] = record.parent.rank

    def _is_above(self, key: UUID, other: UUID) -> bool:
        """Whether ``key`` is ``other`` or one of its ancestors: a link from key to other is a cycle."""
        above: UUID | None = other
        while above is not None:
            if above == key:
                return True
            above = self.parents.get(above)
        return False

    def _touched(self, records: Sequence[ExecutionRecord]) -> set[Partition]:
        touched = set()
        for record in records:
            row = self.executions[record.run_key]
            if row.succeeded and row.pipeline and row.lower and row.upper and row.scope:
                touched.add((row.pipeline, row.scope.value[0]))
        return touched

    def _advance(self, pipeline: PipelineRef, partition_key: str) -> None:
        mark = self._marks.setdefault((pipeline, partition_key), _Mark())
        waiting: dict[int, ExecutionRecord] = {}
        windows: list[Waiting] = []
        for seen, row in enumerate(self.executions.values()):
            if not (
                row.succeeded and row.pipeline == pipeline and row.lower and row.upper and row.scope
            ):
                continue
            if row.scope.value[0] != partition_key or row.run_key in mark.absorbed:
                continue
            if not self._is_of_epoch(row, mark):
                continue
            waiting[seen] = row
            lower: WatermarkValue | None = row.lower.value
            windows.append(
                Waiting(BEGINNING if lower is None else lower.order, row.upper.value.order, seen)
            )
        kind = self.kinds[pipeline]
        current = BEGINNING if mark.value is None else mark.value.order
        for move in advance(current, kind, windows):
            row = waiting[move.seen]
            assert row.upper is not None
            value: WatermarkValue = row.upper.value
            mark.history.append(
                Move("execution", mark.epoch, row.run_key, _text(mark.value), value.text)
            )
            mark.value = value
            if kind == TEXT:
                mark.absorbed.add(row.run_key)

    @staticmethod
    def _is_of_epoch(row: ExecutionRecord, mark: _Mark) -> bool:
        assert row.scope is not None
        epoch: int | None = row.scope.value[1]
        if epoch is not None:
            return epoch == mark.epoch
        if mark.epoch_started_at is None:
            return True
        return row.started_at is not None and row.started_at >= mark.epoch_started_at


def _text(value: WatermarkValue | None) -> str | None:
    return None if value is None else value.text
