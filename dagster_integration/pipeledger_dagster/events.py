"""From Dagster's events to reports: the one place that says what an event means to the ledger.

``RunReader`` is fed the entries of a run's event log, in order, and answers with reports. It is the
same for a listener in a live process, which sees the events of that process, and for a
reconciliation, which sees them all. That is why live rows equal rebuilt ones.

Whose word an end is: an attempt whose start was written by the same process ended by its own word
(``PROCESS``); what a run worker or the daemon says of a step that died is the orchestrator's word, as
is every end of a run. A reconciliation turns the end that won into the orchestrator's word
(``as_rebuilt``), so a success that was only read from the log never moves a watermark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import dagster as dg

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.keys import dagster_step_key
from pipeledger.model.report import Counts, DatasetUse, Declaration, ExecutionReport
from pipeledger.model.state import ORDER, Authority, State
from pipeledger.model.watermark import Window
from pipeledger_dagster.addresses import plain
from pipeledger_dagster.datasets import column_edges, columns_of, dataset, moved, seen
from pipeledger_dagster.facts import RunFacts
from pipeledger_dagster.failures import is_crash, run_error, step_error
from pipeledger_dagster.moments import moment

Type = dg.DagsterEventType

RUN_ENDS = {
    Type.RUN_SUCCESS: (State.SUCCESS, "success"),
    Type.RUN_FAILURE: (State.FAILED, "failure"),
    Type.RUN_CANCELED: (State.FAILED, "canceled"),
}
STEP_STARTS = {Type.STEP_START, Type.STEP_RESTARTED}
STEP_ENDS = {
    Type.STEP_SUCCESS: (State.SUCCESS, "success"),
    Type.STEP_FAILURE: (State.FAILED, "failure"),
    Type.STEP_UP_FOR_RETRY: (State.FAILED, "up_for_retry"),
    Type.STEP_SKIPPED: (State.SKIPPED, "skipped"),
}
STEP_FACTS = {
    Type.STEP_OUTPUT,
    Type.ASSET_MATERIALIZATION,
    Type.ASSET_OBSERVATION,
    Type.ASSET_CHECK_EVALUATION,
    Type.HANDLED_OUTPUT,
}
STEP_EVENTS = STEP_STARTS | set(STEP_ENDS) | STEP_FACTS
RECORDED = STEP_EVENTS | set(RUN_ENDS)
"""The events that are read; the others say nothing that is recorded."""
RECORDED_VALUES = frozenset(kind.value for kind in RECORDED)

ROW_COUNT = "dagster/row_count"
PARTITION_ROW_COUNT = "dagster/partition_row_count"
WINDOW = "pipeledger/window"
WINDOW_BOUNDS = "pipeledger/window_bounds"
COUNT = "pipeledger/"
_INPUT_VERSION = "dagster/input_data_version/"
_DATA_VERSION = "dagster/data_version"
_CODE_VERSION = "dagster/code_version"
_ATTEMPT = re.compile(r"attempt # (\d+)")
_MOST_PARTITIONS = 50


@dataclass
class _Asset:
    address: Address
    rows: int | None = None
    data_version: str | None = None
    partitions: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """One materialization, as far as its address has to wait for the step's end."""

    asset_key: str
    made_at: datetime
    metadata: Mapping[str, Any]
    partition: str | None
    tags: Mapping[str, str]


@dataclass
class _Attempt:
    """What the events of one step attempt have said so far."""

    number: int
    pid: int | None = None
    started: bool = False
    ended: bool = False
    retries: bool = False
    assets: dict[str, _Asset] = field(default_factory=dict)
    observed: dict[str, _Asset] = field(default_factory=dict)
    inputs: dict[str, str | None] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    materializations: list[_Made] = field(default_factory=list)
    io_paths: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    window: Window | None = None
    code_version: str | None = None


class RunReader:
    """Turns the entries of one run's event log, as far as it is shown them, into reports."""

    def __init__(self, facts: RunFacts) -> None:
        self.facts = facts
        self._attempts: dict[str, list[_Attempt]] = {}
        self._learned: list[Declaration] = []
        self._keys: dict[tuple[str, int], UUID] = {}

    def run_started(self, occurred_at: datetime, authority: Authority) -> ExecutionReport:
        """That the run runs: its start was written before anybody could listen."""
        facts = self.facts
        return ExecutionReport(
            run_key=facts.run_key,
            occurred_at=facts.started_at or occurred_at,
            authority=authority,
            pipeline=facts.pipeline,
            state=State.RUNNING,
            started_at=facts.started_at,
            parent=facts.parent,
            previous=facts.previous,
            attributes=facts.attributes,
            configuration_hash=facts.configurations.get(facts.job_name),
        )

    def knows_start_of(self, step_key: str) -> bool:
        """Whether this reader saw the step's current attempt start and not end."""
        attempts = self._attempts.get(step_key)
        return attempts is not None and _is_open(attempts)

    def attempt_of(self, step_key: str) -> int:
        """The number of the attempt that the step is in."""
        attempts = self._attempts.get(step_key)
        return attempts[-1].number if attempts else 1

    def take(self, entry: dg.EventLogEntry) -> list[ExecutionReport]:
        """The reports that one entry makes; nothing for an entry that only adds to a later one."""
        event = entry.dagster_event
        kind = event.event_type if event is not None else None
        if event is None or kind not in RECORDED:
            return []
        if kind in RUN_ENDS:
            return [self._run_end(entry, event)]
        step_key = event.step_key or entry.step_key
        if not step_key:
            return []
        if kind in STEP_STARTS:
            return [self._step_start(step_key, entry, event)]
        if kind in STEP_ENDS:
            return [self._step_end(step_key, entry, event)]
        self._step_fact(step_key, entry, event)
        return []

    def learned(self) -> list[Declaration]:
        """What the events since the last call have told of data itself: columns, names, lineage."""
        learned, self._learned = self._learned, []
        return learned

    def abandoned(self, ended_at: datetime) -> list[ExecutionReport]:
        """The attempts that the run's end leaves open, ended as a guess that any later word beats."""
        return [
            ExecutionReport(
                run_key=self.key_of(step_key, attempt.number),
                occurred_at=ended_at,
                authority=Authority.INFERRED,
                pipeline=self.facts.step_pipeline(step_key),
                state=State.ABANDONED,
                ended_at=ended_at,
                state_detail="its run ended, nobody reported its end",
                parent=self.facts.run_key,
                attempt=attempt.number,
            )
            for step_key, attempts in self._attempts.items()
            for attempt in attempts
            if attempt.started and not attempt.ended
        ]

    @property
    def open_steps(self) -> list[str]:
        """The steps that have started and not ended."""
        return [key for key, attempts in self._attempts.items() if _is_open(attempts)]

    def key_of(self, step_key: str, attempt: int) -> UUID:
        """The run key of a step attempt."""
        key = self._keys.get((step_key, attempt))
        if key is None:
            key = dagster_step_key(self.facts.run_id, step_key, attempt)
            self._keys[step_key, attempt] = key
        return key

    def _run_end(self, entry: dg.EventLogEntry, event: dg.DagsterEvent) -> ExecutionReport:
        assert event.event_type is not None
        state, detail = RUN_ENDS[event.event_type]
        ended_at = moment(entry.timestamp)
        return ExecutionReport(
            run_key=self.facts.run_key,
            occurred_at=ended_at,
            authority=Authority.ORCHESTRATOR,
            pipeline=self.facts.pipeline,
            state=state,
            ended_at=ended_at,
            state_detail=detail,
            error=run_error(event) if state is State.FAILED else None,
            parent=self.facts.parent,
        )

    def _step_start(
        self, step_key: str, entry: dg.EventLogEntry, event: dg.DagsterEvent
    ) -> ExecutionReport:
        attempts = self._attempts.setdefault(step_key, [])
        number = self._number(attempts, event)
        if attempts and attempts[-1].number == number:
            attempt = attempts[-1]  # a resumed run starts the same attempt again
        else:
            attempt = _Attempt(number)
            attempts.append(attempt)
        attempt.started = True
        attempt.pid = event.pid
        started_at = moment(entry.timestamp)
        return ExecutionReport(
            run_key=self.key_of(step_key, number),
            occurred_at=started_at,
            authority=Authority.PROCESS,
            pipeline=self.facts.step_pipeline(step_key),
            state=State.RUNNING,
            started_at=started_at,
            attempt=number,
            parent=self.facts.run_key,
            previous=self.key_of(step_key, number - 1) if number > 1 else None,
            attributes=self._step_attributes(step_key, event),
            configuration_hash=self.facts.configurations.get(self.facts.step(step_key).pipeline),
        )

    @staticmethod
    def _number(attempts: list[_Attempt], event: dg.DagsterEvent) -> int:
        """The attempt that starts: Dagster says it in the message of a restart and nowhere else."""
        if event.event_type is Type.STEP_RESTARTED:
            said = _ATTEMPT.search(event.message or "")
            if said:
                return int(said.group(1))
        if not attempts:
            return 1 if event.event_type is Type.STEP_START else 2
        return attempts[-1].number + (1 if attempts[-1].ended else 0)

    def _step_attributes(self, step_key: str, event: dg.DagsterEvent) -> dict[str, Any]:
        step = self.facts.step(step_key)
        out: dict[str, Any] = {
            "run_id": self.facts.run_id,
            "job": self.facts.job_name,
            "step_key": step_key,
            "pid": event.pid,
        }
        if step.assets:
            out["assets"] = list(step.assets)
        partition = self.facts.attributes.get("partition")
        if partition:
            out["partition"] = partition
        return out

    def _step_end(
        self, step_key: str, entry: dg.EventLogEntry, event: dg.DagsterEvent
    ) -> ExecutionReport:
        assert event.event_type is not None
        state, detail = STEP_ENDS[event.event_type]
        attempts = self._attempts.setdefault(step_key, [])
        if not attempts:
            attempts.append(_Attempt(1))
        elif attempts[-1].retries:
            # The next attempt ended before it started: its resources failed, or its process died.
            attempts.append(_Attempt(attempts[-1].number + 1))
        attempt = attempts[-1]
        attempt.retries = event.event_type is Type.STEP_UP_FOR_RETRY
        own = attempt.started and attempt.pid == event.pid and not is_crash(event)
        attempt.ended = True
        ended_at = moment(entry.timestamp)
        self._settle(step_key, attempt)
        return ExecutionReport(
            run_key=self.key_of(step_key, attempt.number),
            occurred_at=ended_at,
            authority=Authority.PROCESS if own else Authority.ORCHESTRATOR,
            pipeline=self.facts.step_pipeline(step_key),
            state=state,
            ended_at=ended_at,
            state_detail=detail,
            counts=_counts(attempt),
            error=step_error(event) if state is State.FAILED else None,
            metadata=_metadata(attempt),
            attempt=attempt.number,
            parent=self.facts.run_key,
            window=attempt.window,
            code_version=attempt.code_version if len(attempt.assets) == 1 else None,
            inputs=self._inputs(attempt),
            outputs=tuple(
                DatasetUse(a.address, rows=a.rows, data_version=a.data_version)
                for _, a in sorted(attempt.assets.items())
            ),
        )

    def _settle(self, step_key: str, attempt: _Attempt) -> None:
        """Name the addresses, now that it is known which paths are only an IO manager's files."""
        book = self.facts.book
        for made in attempt.materializations:
            path = plain(made.metadata.get("path"))
            before = book.place(made.asset_key)
            address = book.learn(
                made.asset_key,
                made.metadata,
                path=made.partition is None and path not in attempt.io_paths,
                at=made.made_at,
                partition=made.partition,
            )
            asset = attempt.assets.setdefault(made.asset_key, _Asset(address))
            asset.address = address
            _add_rows(asset, made.metadata, made.partition)
            asset.data_version = made.tags.get(_DATA_VERSION)
            code_version = made.tags.get(_CODE_VERSION)
            if code_version != self.facts.run_id:  # Dagster's stand-in where none is declared
                attempt.code_version = code_version
            asset.metadata.update(_shown(made.metadata))
            self._learned += self._of_data(step_key, made, before, address)
        attempt.materializations.clear()

    def _of_data(
        self, step_key: str, made: _Made, before: Address | None, address: Address
    ) -> list[Declaration]:
        """What a materialization tells of the asset's data: where, with which columns, from which."""
        book, key = self.facts.book, made.asset_key
        place = book.place(key)
        told: list[Declaration] = [
            *dataset(key, address, made.made_at, columns_of(made.metadata), place),
            *seen(
                self.facts.step_pipeline(step_key),
                made.made_at,
                column_edges(made.metadata, address, book.of),
            ),
        ]
        if before is not None and before != place:
            told += moved(key, before, made.made_at)
        return told

    def _inputs(self, attempt: _Attempt) -> tuple[DatasetUse, ...]:
        uses = {
            key: DatasetUse(self.facts.book.of(key), data_version=version)
            for key, version in attempt.inputs.items()
        }
        uses.update(
            (key, DatasetUse(a.address, rows=a.rows, data_version=a.data_version))
            for key, a in attempt.observed.items()
        )
        return tuple(use for _, use in sorted(uses.items()))

    def _step_fact(self, step_key: str, entry: dg.EventLogEntry, event: dg.DagsterEvent) -> None:
        attempts = self._attempts.setdefault(step_key, [])
        if not attempts:
            attempts.append(_Attempt(1))
        attempt = attempts[-1]
        data: Any = event.event_specific_data
        if event.event_type is Type.STEP_OUTPUT:
            self._own_metadata(attempt, data.metadata or {})
            attempt.metadata.update(_shown(data.metadata or {}))
        elif event.event_type is Type.HANDLED_OUTPUT:
            path = plain((data.metadata or {}).get("path"))
            if isinstance(path, str):
                attempt.io_paths.add(path)
        elif event.event_type is Type.ASSET_MATERIALIZATION:
            made = data.materialization
            key = made.asset_key.to_user_string()
            tags = dict(made.tags or {})
            attempt.materializations.append(
                _Made(key, moment(entry.timestamp), made.metadata, made.partition, tags)
            )
            self._own_metadata(attempt, made.metadata)
            for tag, version in tags.items():
                if tag.startswith(_INPUT_VERSION):
                    upstream = dg.AssetKey.from_user_string(tag[len(_INPUT_VERSION) :])
                    attempt.inputs[upstream.to_user_string()] = version
            asset = attempt.assets.setdefault(key, _Asset(self.facts.book.of(key)))
            if made.partition is not None and len(asset.partitions) < _MOST_PARTITIONS:
                asset.partitions.append(made.partition)
        elif event.event_type is Type.ASSET_OBSERVATION:
            observation = data.asset_observation
            key = observation.asset_key.to_user_string()
            observed_at = moment(entry.timestamp)
            address = self.facts.book.learn(
                key,
                observation.metadata,
                path=observation.partition is None,
                at=observed_at,
                partition=observation.partition,
            )
            asset = attempt.observed.setdefault(key, _Asset(address))
            asset.data_version = (observation.tags or {}).get(_DATA_VERSION)
            _add_rows(asset, observation.metadata, observation.partition)
            columns = columns_of(observation.metadata)
            self._learned += dataset(key, address, observed_at, columns, self.facts.book.place(key))
        elif event.event_type is Type.ASSET_CHECK_EVALUATION:
            name = f"{data.asset_key.to_user_string()}:{data.check_name}"
            attempt.checks[name] = {"passed": data.passed, "severity": data.severity.value}

    @staticmethod
    def _own_metadata(attempt: _Attempt, metadata: Mapping[str, Any]) -> None:
        """What ``PipeledgerResource`` left in the metadata: row counts and the window."""
        for name in Counts.NAMES:
            value = plain(metadata.get(COUNT + name))
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                attempt.counts[name] = value
        bounds = plain(metadata.get(WINDOW_BOUNDS))
        if isinstance(bounds, dict):
            try:
                attempt.window = Window.from_json(bounds)
            except (InvalidInput, TypeError, ValueError):
                pass


def as_rebuilt(reports: Iterable[ExecutionReport]) -> list[ExecutionReport]:
    """The same reports as somebody else's reading of the log: see the module's first lines."""
    out = list(reports)
    best: dict[UUID, int] = {}
    for i, report in enumerate(out):
        if report.state is None or not report.state.is_end:
            continue
        other = best.get(report.run_key)
        if other is None or _end_rank(report) > _end_rank(out[other]):
            best[report.run_key] = i
    winners = set(best.values())
    rebuilt = []
    for i, report in enumerate(out):
        authority = Authority.ORCHESTRATOR
        is_end = report.state is not None and report.state.is_end
        if report.authority is Authority.INFERRED or (is_end and i not in winners):
            authority = Authority.INFERRED
        rebuilt.append(replace(report, authority=authority))
    return rebuilt


def _end_rank(report: ExecutionReport) -> tuple[int, datetime, int]:
    assert report.state is not None
    return (report.authority, report.occurred_at, ORDER[report.state])


def _is_open(attempts: list[_Attempt]) -> bool:
    return bool(attempts) and attempts[-1].started and not attempts[-1].ended


def _add_rows(asset: _Asset, metadata: Mapping[str, Any], partition: str | None) -> None:
    names = (PARTITION_ROW_COUNT, ROW_COUNT) if partition else (ROW_COUNT, PARTITION_ROW_COUNT)
    for name in names:
        rows = plain(metadata.get(name))
        if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0:
            if partition is not None and name == PARTITION_ROW_COUNT and asset.rows is not None:
                asset.rows += rows
            else:
                asset.rows = rows
            return


def _counts(attempt: _Attempt) -> Counts:
    counts = dict(attempt.counts)
    assets = list(attempt.assets.values())
    if "total_rows" not in counts and len(assets) == 1 and assets[0].rows is not None:
        counts["total_rows"] = assets[0].rows
    return Counts(**counts)


def _shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are plain JSON; what is ours or a table's schema is kept elsewhere."""
    out: dict[str, Any] = {}
    for name, value in metadata.items():
        shown = plain(value)
        if name.startswith("pipeledger/") or name == "path":
            continue
        if shown is None or isinstance(shown, (bool, int, float, str)):
            out[name] = shown
    return out


def _metadata(attempt: _Attempt) -> dict[str, Any] | None:
    out: dict[str, Any] = {} if attempt.assets else dict(attempt.metadata)
    if len(attempt.assets) == 1:
        (asset,) = attempt.assets.values()
        out.update(asset.metadata)
        if asset.partitions:
            out["partitions"] = sorted(asset.partitions)
    else:
        for key, asset in sorted(attempt.assets.items()):
            partitions = {"partitions": sorted(asset.partitions)} if asset.partitions else {}
            if asset.metadata or partitions:
                out[key] = {**asset.metadata, **partitions}
    if attempt.checks:
        out["checks"] = dict(sorted(attempt.checks.items()))
    return out or None
