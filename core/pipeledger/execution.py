"""One execution while it runs: what the code inside may say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidReport
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report, RunError
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording import owner

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger


class Execution:
    """A running execution of a plain Python pipeline; ``Ledger.execution`` makes it."""

    def __init__(
        self,
        ledger: Ledger,
        pipeline: PipelineRef,
        run_key: UUID,
        parent: UUID | None,
        inputs: tuple[Address, ...],
        outputs: tuple[Address, ...],
        window: Window | None,
    ) -> None:
        self.pipeline = pipeline
        self.run_key = run_key
        self.parent = parent
        self.inputs = inputs
        self.outputs = outputs
        self._ledger = ledger
        self._window = window
        self._counts = Counts()
        self._metadata: dict[str, Any] = {}
        self._skipped: str | None = None
        self._read: dict[Address, DatasetUse] = {}
        self._written: dict[Address, DatasetUse] = {}

    def rows(
        self,
        *,
        inserts: int | None = None,
        updates: int | None = None,
        soft_deletes: int | None = None,
        total_rows: int | None = None,
    ) -> None:
        """Say how many rows were inserted, updated, soft-deleted and seen; repeated calls add up.

        Raises InvalidReport for what is no row count.
        """
        self._counts = add_counts(self._counts, Counts(inserts, updates, soft_deletes, total_rows))

    def metadata(self, **values: Any) -> None:
        """Keep what else is worth knowing of this run; a later value of a name replaces the earlier."""
        self._metadata.update(values)

    def reads(self, address: Address | str, *, rows: int | None = None) -> None:
        """Say that this execution reads an address, found out while it runs, and how many rows of it.

        All that is read goes into all that is written, as observed lineage. Raises InvalidAddress.
        """
        self._use(self._read, address, rows)

    def writes(self, address: Address | str, *, rows: int | None = None) -> None:
        """Say that this execution writes an address; see ``reads``."""
        self._use(self._written, address, rows)

    @staticmethod
    def _use(uses: dict[Address, DatasetUse], address: Address | str, rows: int | None) -> None:
        used = address if isinstance(address, Address) else Address.parse(address)
        uses[used] = DatasetUse(used, Counts(total_rows=rows).total_rows)

    def window(self, *, next_watermark: object = None, partition_key: str = "") -> Window:
        """Ask what to load now, up to ``next_watermark``; this execution's success moves the watermark.

        Raises WatermarkUnavailable when the ledger cannot say, within the deadline.
        """
        self._window = self._ledger.window(
            self.pipeline,
            next_watermark=next_watermark,
            partition_key=partition_key,
            run_key=self.run_key,
        )
        return self._window

    @property
    def is_active(self) -> bool:
        """Whether this pipeline is switched on; the code decides what to do (`skip`)."""
        return self._ledger.is_active(self.pipeline)

    def skip(self, reason: str) -> None:
        """This execution ends as skipped: there was nothing to do."""
        self._skipped = reason

    def heartbeat(self) -> None:
        """Say that this execution is alive."""
        self._ledger.record(self._sign_of_life())

    def beat(self) -> None:
        """The same, but let go of where the ledger cannot be reached: another one follows."""
        self._ledger.beat(self._sign_of_life())

    def _sign_of_life(self) -> ExecutionReport:
        now = times.now()
        return ExecutionReport(self.run_key, now, pipeline=self.pipeline, heartbeat_at=now)

    def start(
        self, attempt: int | None, attributes: Mapping[str, Any] | None, code_version: str | None
    ) -> None:
        """Record the start, and what the pipeline is. Never raises."""
        self._record(lambda: self._start_reports(attempt, attributes, code_version))

    def finish(
        self, state: State, error: BaseException | None = None, detail: str | None = None
    ) -> None:
        """Record the end. Never raises."""
        self._record(lambda: [*self._observed_lineage(), self._finish_report(state, error, detail)])

    def _record(self, reports: Callable[[], list[Report]]) -> None:
        """Make the reports and record them; an odd value of the user's (an exception whose text
        cannot be read) costs the record, not the run."""
        try:
            self._ledger.record(*reports())
        except Exception as error:
            self._ledger.say(f"an execution of {self.pipeline} was not recorded: {error}")

    def _start_reports(
        self, attempt: int | None, attributes: Mapping[str, Any] | None, code_version: str | None
    ) -> list[Report]:
        now = times.now()
        declaration = PipelineReport(
            self.pipeline, now, type="python", group="python", code_version=code_version
        )
        reports: list[Report] = [declaration]
        if self.inputs or self.outputs:
            reports.append(lineage_between(self.pipeline, now, self.inputs, self.outputs))
        start = ExecutionReport(
            self.run_key,
            now,
            pipeline=self.pipeline,
            state=State.RUNNING,
            started_at=now,
            parent=self.parent,
            window=self._window,
            attempt=attempt,
            attributes={**owner.attributes(), **(attributes or {})},
            configuration_hash=declaration.configuration_hash,
            code_version=code_version,
            inputs=tuple(DatasetUse(a) for a in self.inputs),
            outputs=tuple(DatasetUse(a) for a in self.outputs),
        )
        return [*reports, start]

    def _finish_report(
        self, state: State, error: BaseException | None, detail: str | None
    ) -> ExecutionReport:
        now = times.now()
        if state is State.SUCCESS and self._skipped is not None:
            state, detail = State.SKIPPED, self._skipped
        return ExecutionReport(
            self.run_key,
            now,
            pipeline=self.pipeline,
            state=state,
            ended_at=now,
            state_detail=detail,
            counts=self._counts,
            error=None if error is None else RunError.of(error),
            metadata=self._metadata or None,
            parent=self.parent,
            window=self._window,
            inputs=tuple(self._read.values()),
            outputs=tuple(self._written.values()),
        )

    def _observed_lineage(self) -> list[Report]:
        if not self._read and not self._written:
            return []
        inputs = (*self.inputs, *self._read)
        outputs = (*self.outputs, *self._written)
        return [lineage_between(self.pipeline, times.now(), inputs, outputs, observed=True)]


def lineage_between(
    pipeline: PipelineRef,
    at: datetime,
    inputs: Sequence[Address],
    outputs: Sequence[Address],
    *,
    observed: bool = False,
) -> LineageReport:
    """The lineage of a pipeline of which only the ends are known: every input goes into every output."""
    edges = tuple((source, target) for source in inputs for target in outputs if source != target)
    return LineageReport(
        pipeline, at, edges, inputs=tuple(inputs), outputs=tuple(outputs), observed=observed
    )


def add_counts(a: Counts, b: Counts) -> Counts:
    """The sum, where None is unknown: unknown and 5 make 5."""

    def total(name: str) -> int | None:
        known = [v for v in (getattr(a, name), getattr(b, name)) if v is not None]
        return sum(known) if known else None

    return Counts(**{name: total(name) for name in Counts.NAMES})


def counts_of(returned: object) -> Counts:
    """The counts in a returned mapping with inserts, updates, soft_deletes or total_rows; else none."""
    if not isinstance(returned, Mapping):
        return Counts()
    found = {name: returned[name] for name in Counts.NAMES if name in returned}
    try:
        return Counts(**found)
    except InvalidReport:
        return Counts()
