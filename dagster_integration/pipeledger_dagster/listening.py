"""The listener that a live process installs for one run: events in, reports to the ledger.

Installed in the run worker by the executor (``executor``) and in the step's process by the resource's
set-up (``resource``); in-process runs need only one of them. Nothing here may raise: what a listener
raises fails the run (seen, 1.13).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import dagster as dg

from pipeledger.execution import add_counts
from pipeledger.ledger import Ledger, current_run_key, nest_under
from pipeledger.model import times
from pipeledger.model.report import Counts, ExecutionReport, Report
from pipeledger.model.state import Authority, State
from pipeledger.settings import Settings
from pipeledger_dagster import private
from pipeledger_dagster.backfills import backfill_started
from pipeledger_dagster.events import (
    RECORDED_VALUES,
    RUN_ENDS,
    STEP_ENDS,
    STEP_EVENTS,
    STEP_STARTS,
    RunReader,
)
from pipeledger_dagster.facts import PARENT_TAG, Options, RunFacts, run_facts
from pipeledger_dagster.heartbeats import Heartbeats
from pipeledger_dagster.rebuilding import rebuild
from pipeledger_dagster.registration import (
    Registry,
    job_registration,
    run_registrations,
    seen_lineage,
    step_registrations,
)

log = logging.getLogger(__name__)


RECORDED_RUN = "PIPELEDGER_DAGSTER_RUN"
"""Set by the run worker for its child processes: the run that it records itself."""

_lock = threading.Lock()
_ledgers: dict[tuple[str, Settings, bool], Ledger] = {}
_worker_pid = 0
_registries: WeakKeyDictionary[Ledger, Registry] = WeakKeyDictionary()
_listeners: WeakKeyDictionary[dg.DagsterInstance, dict[str, RunListener]] = WeakKeyDictionary()
_MOST_LISTENERS = 200
_BATCH = 100


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def ledger_for(options: Options) -> Ledger:
    """This process's ledger for the options' database. Raises InvalidDatabaseUrl, InvalidSetting."""
    settings = Settings.from_environment()
    url = options.database_url or settings.resolved_database_url
    # A step in a process of its own may run for hours, and fork: it holds no connection meanwhile.
    keep = RECORDED_RUN not in os.environ or _worker_pid == os.getpid()
    key = (url, settings, keep)
    with _lock:
        if key not in _ledgers:
            _ledgers[key] = Ledger(url, settings=settings, keep_connection=keep)
        return _ledgers[key]


def registry_for(ledger: Ledger) -> Registry:
    """What this process has registered in the ledger."""
    with _lock:
        return _registries.setdefault(ledger, Registry())


def record_all(ledger: Ledger, reports: Sequence[Report]) -> None:
    """Record any number of reports, in parts that fit the deadline."""
    for start in range(0, len(reports), _BATCH):
        ledger.record(*reports[start : start + _BATCH])


def install(
    instance: dg.DagsterInstance, run: dg.DagsterRun, options: Options
) -> RunListener | None:
    """Listen to the run's events in this process; what cannot be listened to is logged, once.

    A second call for the same run in the same process changes nothing, and so does one for a run
    that has ended: Dagster sets resources up again afterwards to load outputs (seen, 1.13).
    """
    try:
        if ledger_for(options).settings.disabled:
            return None
        with _lock:
            installed = _listeners.setdefault(instance, {})
            if run.run_id in installed:
                return installed[run.run_id]
        record = private.run_record(instance, run.run_id)
        if record is not None and record.dagster_run.is_finished:
            return None
        listener = RunListener(instance, run, record, options)
        if os.environ.get(RECORDED_RUN) != run.run_id:
            listener.prepare_opening()
        with _lock:
            for run_id in list(installed)[: max(0, len(installed) - _MOST_LISTENERS + 1)]:
                # A run whose end this process never saw.
                installed.pop(run_id).heartbeats.stop()
            installed[run.run_id] = listener
        if not private.add_event_listener(instance, run.run_id, listener):
            listener.is_deaf = True
        return listener
    except Exception as error:
        log.warning("the run %s is not recorded live: %s", run.run_id, error, exc_info=True)
        return None


@contextmanager
def recorded_by_this_worker(run_id: str) -> Iterator[None]:
    """Tell the processes that are started from here that this one records the run itself."""
    global _worker_pid
    _worker_pid = os.getpid()
    before = os.environ.get(RECORDED_RUN)
    os.environ[RECORDED_RUN] = run_id
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(RECORDED_RUN, None)
        else:
            os.environ[RECORDED_RUN] = before


def listener_of(instance: dg.DagsterInstance, run_id: str) -> RunListener | None:
    """The listener that this process installed for the run."""
    with _lock:
        return _listeners.get(instance, {}).get(run_id)


class RunListener:
    """Records one run's events as they are stored by this process."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        record: dg.RunRecord | None,
        options: Options,
    ) -> None:
        parent = None if run.tags.get(PARENT_TAG) else current_run_key()
        self.facts: RunFacts = run_facts(instance, run, options, record=record, parent=parent)
        self.ledger = ledger_for(options)
        self.heartbeats = Heartbeats(self.ledger, options.heartbeat_seconds, self._is_over)
        self.is_deaf = False
        """Whether Dagster calls no listeners here; the executor's stream is read instead."""
        self._instance = instance
        self._reader = RunReader(self.facts)
        self._registry = registry_for(self.ledger)
        self._opening: list[Report] = []
        self._entered: dict[str, tuple[UUID, UUID | None]] = {}
        """The steps this process is inside of: their run keys, and what they run inside of."""
        self._counts: dict[str, Counts] = {}
        self._withheld: set[str] = set()
        if parent is not None:
            self._tag_parent(run, parent)

    def _is_over(self) -> bool:
        run = self._instance.get_run_by_id(self.facts.run_id)
        return run is None or run.is_finished

    def _tag_parent(self, run: dg.DagsterRun, parent: UUID) -> None:
        """Leave the parent with the run, so that a reconciliation finds it too."""
        try:
            self._instance.add_run_tags(run.run_id, {PARENT_TAG: str(parent)})
        except Exception as error:
            log.warning("the run %s is not tagged with its parent: %s", run.run_id, error)

    def prepare_opening(self) -> None:
        """Prepare what is sent with the first event: that the run runs, and of what job."""
        now = times.now()
        self.heartbeats.enter(self.facts.run_key, self.facts.pipeline)
        self._opening = [
            *self._registry.changed(job_registration(self.facts)),
            *backfill_started(self._instance, self.facts, now),
            self._reader.run_started(now, Authority.PROCESS),
        ]

    def open(self) -> None:
        """Send it now, with all that the plan declares: the run worker's first event may be late."""
        try:
            opening, self._opening = self._opening, []
            self.ledger.record(*opening)
            self.facts.look_up_addresses(self.facts.steps.values())
            record_all(self.ledger, self._registry.changed(run_registrations(self.facts)))
            self.ledger.close()  # until this process has more to say
        except Exception as error:
            run_id = self.facts.run_id
            log.warning("what run %s is made of is not recorded: %s", run_id, error, exc_info=True)

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.event_type_value not in RECORDED_VALUES:
            return
        try:
            self._take(entry)
        except Exception as error:
            log.warning(
                "an event of run %s is not recorded: %s", entry.run_id, error, exc_info=True
            )
        finally:
            self._leave_ended(entry)

    def add_counts(self, step_key: str, counts: Counts) -> Counts:
        """Rows that the step's own code counted, sent with its end; the sums of all calls."""
        self._counts[step_key] = add_counts(self._counts.get(step_key, Counts()), counts)
        return self._counts[step_key]

    def withhold_watermark(self, step_key: str) -> None:
        """The step's window was not processed: even if the step succeeds, no watermark moves."""
        self._withheld.add(step_key)

    def _take(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        kind = event.event_type if event is not None else None
        if kind in RUN_ENDS:
            self._end_run(entry)
            return
        if kind not in STEP_EVENTS or event is None:
            return
        step_key = event.step_key or entry.step_key or ""
        is_skip = kind is dg.DagsterEventType.STEP_SKIPPED
        if kind in STEP_ENDS and not is_skip and not self._reader.knows_start_of(step_key):
            # A run worker says it of a step that another process ran: that process's own events
            # (rows, assets, the attempt's number) are in Dagster's log.
            self._read_log(step_key)
            return
        reports: list[Report] = []
        step = self.facts.step(step_key)
        if kind in STEP_STARTS or is_skip:
            self.facts.look_up_addresses([step])
            reports += self._registry.changed(step_registrations(self.facts, step))
        for report in self._reader.take(entry):
            if kind in STEP_ENDS:
                report = self._with_own_words(step_key, report)
                if step.assets:
                    reports += self._registry.changed(
                        [
                            *step_registrations(self.facts, step),
                            *seen_lineage(self.facts, report, step),
                        ]
                    )
                reports += self._registry.changed(self._reader.learned())
            reports.append(report)
        if kind in STEP_STARTS:
            self._enter(step_key)
        if reports:
            opening, self._opening = self._opening, []
            self.ledger.record(*opening, *reports)

    def _with_own_words(self, step_key: str, report: ExecutionReport) -> ExecutionReport:
        counts = self._counts.pop(step_key, None)
        if counts is not None:
            merged = {
                n: _either(getattr(counts, n), getattr(report.counts, n)) for n in Counts.NAMES
            }
            report = replace(report, counts=Counts(**merged))
        if step_key in self._withheld:
            self._withheld.discard(step_key)
            if report.state is State.SUCCESS:
                report = replace(report, authority=Authority.ORCHESTRATOR)
        return report

    def _enter(self, step_key: str) -> None:
        """What this thread starts from here on runs inside the step: runs, executions."""
        key = self._run_key(step_key)
        self._entered[step_key] = (key, current_run_key())
        nest_under(key)
        self.heartbeats.enter(key, self.facts.step_pipeline(step_key))

    def _leave_ended(self, entry: dg.EventLogEntry) -> None:
        """Step out of what this event ends, also when the event itself could not be recorded."""
        event = entry.dagster_event
        kind = event.event_type if event is not None else None
        if kind in RUN_ENDS:
            self.heartbeats.stop()
            ended = list(reversed(self._entered))
        elif kind in STEP_ENDS and event is not None:
            ended = [event.step_key or entry.step_key or ""]
        else:
            return
        for step_key in ended:
            key, outer = self._entered.pop(step_key, (None, None))
            if key is not None:
                self.heartbeats.leave(key)
                if current_run_key() == key:
                    nest_under(outer)

    def _run_key(self, step_key: str) -> UUID:
        return self._reader.key_of(step_key, self._reader.attempt_of(step_key))

    def _end_run(self, entry: dg.EventLogEntry) -> None:
        reports: list[Report] = list(self._opening)
        self._opening = []
        reports += self._reader.take(entry)
        self.ledger.record(*reports)
        with _lock:
            _listeners.get(self._instance, {}).pop(self.facts.run_id, None)
        event = entry.dagster_event
        if event is not None and event.event_type is not dg.DagsterEventType.RUN_SUCCESS:
            self.ledger.record(*self._left_open())

    def _left_open(self) -> list[ExecutionReport]:
        """The attempts that a failed run leaves open, by Dagster's log: other processes ran them."""
        return [r for r in rebuild(self._instance, self.facts) if r.authority is Authority.INFERRED]

    def _read_log(self, step_key: str) -> None:
        opening, self._opening = self._opening, []
        self.ledger.record(*opening, *rebuild(self._instance, self.facts, only_step=step_key))


def _either(first: Any, second: Any) -> Any:
    return first if first is not None else second
