"""The execution that a backfill's runs run inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

from pipeledger.model.keys import dagster_backfill_key
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import Authority, State
from pipeledger_dagster import private
from pipeledger_dagster.facts import RunFacts
from pipeledger_dagster.moments import moment
from pipeledger_dagster.naming import BACKFILL, GROUP

_ENDS = {
    "COMPLETED": State.SUCCESS,
    "COMPLETED_SUCCESS": State.SUCCESS,
    "COMPLETED_FAILED": State.FAILED,
    "FAILED": State.FAILED,
    "CANCELED": State.FAILED,
}


def backfill_started(
    instance: dg.DagsterInstance, facts: RunFacts, occurred_at: datetime
) -> list[Report]:
    """That the run's backfill runs; nothing for a run that belongs to none."""
    if not facts.backfill_id:
        return []
    pipeline = PipelineRef(f"backfill/{facts.job_name}", facts.namespace)
    found = _read(instance, facts.backfill_id)
    started = moment(found.backfill_timestamp) if found is not None else facts.started_at
    return [
        PipelineReport(pipeline, started or occurred_at, BACKFILL, GROUP),
        ExecutionReport(
            run_key=dagster_backfill_key(facts.backfill_id),
            occurred_at=started or occurred_at,
            authority=Authority.ORCHESTRATOR,
            pipeline=pipeline,
            state=State.RUNNING,
            started_at=started,
            attributes=_attributes(facts.backfill_id, found),
        ),
    ]


def backfill_ended(
    instance: dg.DagsterInstance, backfill_id: str, read_at: datetime
) -> list[ExecutionReport] | None:
    """The end of a backfill; None while it runs, nothing if Dagster no longer knows it."""
    found = _read(instance, backfill_id)
    if found is None:
        return []
    status = getattr(found.status, "name", "")
    if status not in _ENDS:
        return None
    ended = getattr(found, "backfill_end_timestamp", None)
    ended_at = moment(ended) if ended else read_at
    return [
        ExecutionReport(
            run_key=dagster_backfill_key(backfill_id),
            occurred_at=ended_at,
            authority=Authority.ORCHESTRATOR,
            state=_ENDS[status],
            ended_at=ended_at,
            state_detail=status.lower(),
        )
    ]


def _read(instance: dg.DagsterInstance, backfill_id: str) -> Any | None:
    try:
        return private.backfill(instance, backfill_id)
    except Exception:
        return None


def _attributes(backfill_id: str, found: Any | None) -> dict[str, Any]:
    out: dict[str, Any] = {"backfill_id": backfill_id}
    names = getattr(found, "partition_names", None)
    if names:
        out["partitions"] = len(names)
    selection = getattr(found, "asset_selection", None)
    if selection:
        out["asset_selection"] = sorted(key.to_user_string() for key in selection)
    return out
