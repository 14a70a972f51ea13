"""The executions of a run, rebuilt from Dagster's event log alone."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority
from pipeledger_dagster import private
from pipeledger_dagster.events import RECORDED, RUN_ENDS, RunReader, as_rebuilt
from pipeledger_dagster.facts import RunFacts, moment

PAGE = 1000


def rebuild(
    instance: dg.DagsterInstance, facts: RunFacts, *, only_step: str | None = None
) -> list[ExecutionReport]:
    """The executions of a run, or the attempts of one step, from its event log alone."""
    return replay(instance, facts, only_step)[0]


def replay(
    instance: dg.DagsterInstance, facts: RunFacts, only_step: str | None = None
) -> tuple[list[ExecutionReport], str | None]:
    """The reports, and how far the log was read."""
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
    return as_rebuilt(reports), position
