"""The executions of a run, rebuilt from Dagster's event log alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from pipeledger.model.report import Declaration, ExecutionReport
from pipeledger.model.state import Authority
from pipeledger_dagster import private
from pipeledger_dagster.events import RECORDED, RUN_ENDS, RunReader, as_rebuilt
from pipeledger_dagster.facts import RunFacts
from pipeledger_dagster.moments import moment

PAGE = 1000


def rebuild(
    instance: dg.DagsterInstance, facts: RunFacts, *, only_step: str | None = None
) -> list[ExecutionReport]:
    """The executions of a run, or the attempts of one step, from its event log alone."""
    return replay(instance, facts, only_step).reports


@dataclass(frozen=True)
class Replay:
    """What a run's event log has told, and how far it was read."""

    reports: list[ExecutionReport]
    learned: list[Declaration]
    position: str | None


def replay(instance: dg.DagsterInstance, facts: RunFacts, only_step: str | None = None) -> Replay:
    """Read a run's event log."""
    reader = RunReader(facts)
    reports: list[ExecutionReport] = []
    ended_at: datetime | None = None
    position: str | None = None
    has_more = True
    while has_more:
        entries, position, has_more = private.run_events(
            instance, facts.run_id, RECORDED, position, PAGE
        )
        has_more = has_more and bool(entries)
        for entry in entries:
            event = entry.dagster_event
            if only_step is not None and (event is None or event.step_key != only_step):
                continue
            if event is not None and event.event_type in RUN_ENDS:
                ended_at = moment(entry.timestamp)
            reports += reader.take(entry)
    if only_step is None:
        if facts.started_at is not None:
            reports.insert(0, reader.run_started(facts.started_at, Authority.ORCHESTRATOR))
        if ended_at is not None:
            reports += reader.abandoned(ended_at)
    return Replay(as_rebuilt(reports), reader.learned(), position)
