"""Rows rebuilt from Dagster's event log: what no live process reported is filled in.

Works on every storage, for runs of every code location and from before the integration. A run that
was recorded live gets the same rows again, which changes nothing.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg

from pipeledger.model import times
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import Authority
from pipeledger_dagster import private
from pipeledger_dagster.backfills import backfill_ended, backfill_started
from pipeledger_dagster.events import RECORDED
from pipeledger_dagster.facts import Options, RunFacts, run_facts
from pipeledger_dagster.listening import ledger_for, record_all, registry_for
from pipeledger_dagster.rebuilding import replay
from pipeledger_dagster.registration import run_registrations, seen_lineage


def reconcile_run(
    instance: dg.DagsterInstance,
    run_id: str,
    options: Options | None = None,
) -> list[ExecutionReport]:
    """Record a run as Dagster's event log tells it; the reports that were recorded.

    A repeated call changes nothing. Raises nothing for an unknown run: the answer is empty.
    """
    options = options or Options()
    record = private.run_record(instance, run_id)
    if record is None:
        return []
    reports, extra, _, _ = _reports(instance, record, options)
    record_all(ledger_for(options), [*extra, *reports])
    return reports


def _reports(
    instance: dg.DagsterInstance, record: dg.RunRecord, options: Options
) -> tuple[list[ExecutionReport], list[Report], RunFacts, str | None]:
    """The run's executions; what they are of (pipelines, lineage, backfill); the log's position."""
    facts = run_facts(instance, record.dagster_run, options, record=record)
    facts.look_up_addresses(facts.steps.values())
    run_registrations(facts)  # the facts then know what the steps run under
    told = replay(instance, facts)
    reports, position = told.reports, told.position
    if not reports:
        return [], [], facts, position
    declared = run_registrations(facts)  # with the addresses that the events have told
    makers = {step.pipeline: step for step in facts.steps.values() if step.assets}
    for report in reports:
        step = makers.get(report.pipeline.name) if report.pipeline is not None else None
        if step is not None:
            declared += seen_lineage(facts, report, step)
    extra = registry_for(ledger_for(options)).changed([*declared, *told.learned])
    extra += backfill_started(instance, facts, facts.started_at or times.now())
    return reports, extra, facts, position


@dataclass
class Cursor:
    """Where the reconciliation of an instance has got to.

    ``seen`` are the runs at the newest change time that was read; ``open`` the runs that had not
    ended, or whose steps had not, each with the log position that was read; ``backfills`` those that
    had not ended.
    """

    updated_after: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    open: dict[str, Any] = field(default_factory=dict)
    backfills: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Read a cursor; text that is none begins again, which is slow and harmless."""
        try:
            data = json.loads(text) if text else {}
            return cls(
                float(data.get("updated_after", 0.0)),
                dict(data.get("seen", {})),
                dict(data.get("open", {})),
                list(data.get("backfills", [])),
            )
        except (TypeError, ValueError, AttributeError):
            return cls()

    def __str__(self) -> str:
        return json.dumps(self.__dict__, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class Tick:
    """What one reconciliation did."""

    runs: int
    reports: int
    cursor: Cursor
    has_more: bool


log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=10)
LINGER_SECONDS = 3600.0


def reconcile(
    instance: dg.DagsterInstance,
    options: Options | None = None,
    cursor: Cursor | None = None,
    *,
    limit: int = 100,
    seconds: float = 20.0,
    since: datetime | None = None,
) -> Tick:
    """Reconcile the runs that changed since the cursor, and those that were open at it.

    Bounded: at most ``limit`` changed runs, and no new run after ``seconds``. What is left comes with
    the next call. Run rows are read by their change time with some overlap, since clocks differ.
    """
    options = options or Options()
    cursor = cursor or Cursor()
    deadline = time.monotonic() + seconds
    if not cursor.updated_after and since is not None:
        cursor.updated_after = since.timestamp()
    after = datetime.fromtimestamp(max(cursor.updated_after, 0.0), timezone.utc)
    overlap = after - OVERLAP if cursor.updated_after else after
    asked = limit + len(cursor.seen)
    changed = private.runs_updated_after(instance, overlap, asked)
    fresh = {r.dagster_run.run_id: r for r in changed if _is_new(cursor, r)}
    waiting = {
        r.dagster_run.run_id: r
        for r in private.runs_by_id(instance, [i for i in cursor.open if i not in fresh])
    }
    cursor.open = {i: kept for i, kept in cursor.open.items() if i in fresh or i in waiting}
    runs = written = looked_at = 0
    newest = cursor.updated_after
    for run_id, record in (*fresh.items(), *waiting.items()):
        if time.monotonic() > deadline:
            break
        looked_at += 1
        try:
            reports = _one(instance, record, options, cursor, only_if_new=run_id in waiting)
        except Exception as error:
            # Of one run that cannot be read the others must not suffer, nor the next tick.
            log.warning("the run %s cannot be reconciled: %s", run_id, error, exc_info=True)
            reports = None
        if reports is not None:
            runs += 1
            written += reports
        if run_id in fresh:
            changed_at = _timestamp(record)
            newest = max(newest, changed_at)
            cursor.seen[run_id] = changed_at
    cursor.updated_after = newest
    oldest = newest - OVERLAP.total_seconds()
    cursor.seen = {i: t for i, t in cursor.seen.items() if t >= oldest}
    for backfill_id in list(cursor.backfills):
        ends = backfill_ended(instance, backfill_id, times.now())
        if ends is not None:
            cursor.backfills.remove(backfill_id)
            ledger_for(options).record(*ends)
    has_more = looked_at < len(fresh) + len(waiting) or len(changed) >= asked
    return Tick(runs, written, cursor, has_more)


def _one(
    instance: dg.DagsterInstance,
    record: dg.RunRecord,
    options: Options,
    cursor: Cursor,
    *,
    only_if_new: bool,
) -> int | None:
    """Reconcile one run and keep it open in the cursor while more may come.

    The number of reports; None for a run whose log says nothing new.
    """
    run = record.dagster_run
    last = cursor.open.get(run.run_id) or {}
    if only_if_new and last.get("at") is not None:
        entries, _, _ = private.run_events(instance, run.run_id, RECORDED, last["at"], 1)
        if not entries:
            _keep_open(record, cursor, last["at"], bool(last.get("steps")))
            return None
    reports, extra, facts, position = _reports(instance, record, options)
    if reports:
        record_all(ledger_for(options), [*extra, *reports])
    if facts.backfill_id and facts.backfill_id not in cursor.backfills:
        cursor.backfills.append(facts.backfill_id)
    _keep_open(record, cursor, position, any(r.authority is Authority.INFERRED for r in reports))
    return len(reports)


def _keep_open(
    record: dg.RunRecord, cursor: Cursor, position: str | None, has_open_steps: bool
) -> None:
    run_id = record.dagster_run.run_id
    if record.dagster_run.is_finished:
        ended = record.end_time or 0.0
        if not has_open_steps or time.time() - ended > LINGER_SECONDS:
            cursor.open.pop(run_id, None)
            return
    cursor.open[run_id] = {"at": position, "steps": has_open_steps}


def _is_new(cursor: Cursor, record: dg.RunRecord) -> bool:
    return cursor.seen.get(record.dagster_run.run_id) != _timestamp(record)


def _timestamp(record: dg.RunRecord) -> float:
    changed: datetime = record.update_timestamp
    if changed.tzinfo is None:
        changed = changed.replace(tzinfo=timezone.utc)
    return changed.timestamp()
