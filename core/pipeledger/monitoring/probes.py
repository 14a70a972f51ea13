"""Probes: tables that no pipeline reports on, asked for their count and newest time.

What a probe finds is recorded as an execution of a pipeline of its own that writes the address, so
that freshness, volume and complete-up-to see the table as they see every other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from pipeledger.housekeeping import duration
from pipeledger.model import keys, times
from pipeledger.model.address import Address
from pipeledger.model.errors import PipeledgerError
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report, RunError
from pipeledger.model.state import State
from pipeledger.model.views import NO_COUNTS
from pipeledger.model.watermark import TIME, Watermark, Window
from pipeledger.monitoring.secret import Secret
from pipeledger.monitoring.section import Section
from pipeledger.recording import owner
from pipeledger.settings import Settings
from pipeledger.store.outside import Figures, TableQuestion, Unanswered, ask
from pipeledger.store.read import Reader

TYPE = "probe"
TIMEOUT = timedelta(minutes=1)


class Ledger(Protocol):
    """What a probe needs of the ledger."""

    settings: Settings

    def record(self, *reports: Report) -> None: ...

    def watermark(self, pipeline: PipelineRef) -> Watermark: ...

    def rewind_watermark(
        self, pipeline: PipelineRef, value: object, *, reason: str
    ) -> Watermark: ...

    def window(self, pipeline: PipelineRef, *, next_watermark: object, run_key: UUID) -> Window: ...

    def expect(
        self,
        address: Address,
        *,
        freshness: Threshold | None,
        completeness: Threshold | None,
    ) -> None: ...

    @property
    def read(self) -> Reader: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """A question about an address: a table with the column of its newest time, or a query.

    ``freshness`` and ``complete``: how old the address's last change, and its newest time, may become.
    """

    address: Address
    database: Secret
    pipeline: str
    table: str = ""
    query: str = ""
    updated_at: str = ""
    timeout: timedelta = TIMEOUT
    freshness: Threshold | None = None
    complete: Threshold | None = None

    @classmethod
    def read(cls, section: Section) -> Probe | None:
        """A ``[[probe]]`` of the configuration; None where the section's mistakes leave none."""
        written = section.text("address", required=True)
        address = section.parsed("address", written, Address.parse)
        table, query = section.text("table"), section.text("query")
        updated_at = section.text("updated_at")
        if bool(table) == bool(query):
            section.wrong("has both table and query" if table else "has neither table nor query")
        if query and updated_at:
            section.wrong("has updated_at, which belongs to table: select the time in the query")
        freshness = section.read("freshness", Threshold.parse)
        complete = section.read("complete", Threshold.parse)
        if complete is not None and table and not updated_at:
            section.wrong("has complete without updated_at: name the column of the newest time")
        pipeline = section.text("pipeline") or f"probe.{address}"
        section.parsed("pipeline", pipeline, PipelineRef)
        timeout = section.read("timeout", lambda text: duration.parse(text, "a timeout"))
        database = section.secret("database")
        section.finish()
        if address is None:
            return None
        return cls(
            address, database, pipeline, table, query, updated_at, timeout or TIMEOUT, freshness,
            complete,
        )  # fmt: skip

    @property
    def name(self) -> str:
        return self.pipeline

    @property
    def question(self) -> TableQuestion | str:
        return TableQuestion(self.table, self.updated_at) if self.table else self.query


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found, and the execution that says so. ``error``: why it found nothing."""

    probe: Probe
    run_key: UUID
    count: int | None = None
    newest: datetime | None = None
    counts: Counts = NO_COUNTS
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "address": str(self.probe.address),
            "pipeline": self.probe.pipeline,
            "run_key": str(self.run_key),
            "count": self.count,
            "newest": None if self.newest is None else times.isoformat(self.newest),
            "inserts": self.counts.inserts,
            "updates": self.counts.updates,
            "soft_deletes": self.counts.soft_deletes,
            "error": self.error,
        }


def run(ledger: Ledger, probe: Probe) -> Probed:
    """Ask, and record what was answered, or that nothing was: a failed execution.

    Raises nothing that has to do with the database that is asked.
    """
    key, began = keys.random_key(), times.now()
    ref = PipelineRef(probe.pipeline, ledger.settings.namespace)
    declared = PipelineReport(
        ref,
        began,
        type=TYPE,
        group="pipeledger",
        metadata={"table": probe.table, "updated_at": probe.updated_at} if probe.table else {},
        watermark_kind=TIME if probe.updated_at else None,
    )
    start = ExecutionReport(
        key,
        began,
        pipeline=ref,
        state=State.RUNNING,
        started_at=began,
        attributes=owner.attributes(),
        configuration_hash=declared.configuration_hash,
        outputs=(DatasetUse(probe.address),),
    )
    ledger.record(declared, LineageReport(ref, began, (), outputs=(probe.address,)), start)
    try:
        if probe.freshness is not None or probe.complete is not None:
            ledger.expect(probe.address, freshness=probe.freshness, completeness=probe.complete)
        figures = ask(probe.database.read(), probe.question, probe.timeout.total_seconds())
        counts = changes(_last(ledger, ref), figures)
        _move(ledger, ref, key, figures)
    except BaseException as error:
        kind = error.kind if isinstance(error, Unanswered) else type(error).__name__
        ledger.record(_end(ref, key, State.FAILED, error=RunError(kind, str(error))))
        if not isinstance(error, PipeledgerError):
            raise
        return Probed(probe, key, error=str(error))
    newest = figures.newest
    ledger.record(
        _end(
            ref,
            key,
            State.SUCCESS,
            counts=counts,
            outputs=(DatasetUse(probe.address, figures.count),),
            metadata={} if newest is None else {"newest": times.isoformat(newest)},
        )
    )
    return Probed(probe, key, figures.count, newest, counts)


def changes(last: Figures | None, now: Figures) -> Counts:
    """What happened to a table between two looks, as far as count and newest time can tell.

    It grew: so many rows were inserted. It shrank: so many were deleted. Its newest time moved and it
    did not grow: at least one row was updated. After the first look nothing is known.
    """
    if last is None:
        return Counts(total_rows=now.count)
    growth = None if now.count is None or last.count is None else now.count - last.count
    is_newer = now.newest is not None and (last.newest is None or now.newest > last.newest)
    return Counts(
        inserts=None if growth is None else max(growth, 0),
        updates=1 if is_newer and (growth is None or growth <= 0) else None,
        soft_deletes=-growth if growth is not None and growth < 0 else None,
        total_rows=now.count,
    )


def _last(ledger: Ledger, ref: PipelineRef) -> Figures | None:
    """What the last probe that was answered found."""
    found = ledger.read.executions(
        pipeline=ref.name, namespace=ref.namespace, states=(State.SUCCESS,), limit=1
    ).items
    if not found:
        return None
    newest = (found[0].metadata or {}).get("newest")
    return Figures(found[0].counts.total_rows, None if newest is None else times.parse(newest))


def _move(ledger: Ledger, ref: PipelineRef, key: UUID, figures: Figures) -> None:
    """Say up to when the table goes: the watermark's end, which this execution's success sets.

    A table whose newest time went back goes less far than it did, so the watermark goes back too.
    """
    mark, newest = ledger.watermark(ref).native, figures.newest
    if isinstance(mark, datetime) and (newest is None or newest < mark):
        ledger.rewind_watermark(ref, newest, reason="the newest time of the table went back")
    if newest is not None:
        ledger.window(ref, next_watermark=newest, run_key=key)


def _end(ref: PipelineRef, key: UUID, state: State, **known: Any) -> ExecutionReport:
    now = times.now()
    return ExecutionReport(key, now, pipeline=ref, state=state, ended_at=now, **known)
