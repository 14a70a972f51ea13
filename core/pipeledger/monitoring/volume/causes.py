"""Causes: what a look says of an odd execution, new or carried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeledger.model.finding import VOLUME, Cause, Severity
from pipeledger.monitoring.volume.sight import Found
from pipeledger.monitoring.volume.verdict import Verdict
from pipeledger.monitoring.volume.wording import message
from pipeledger.store.findings import Unresolved
from pipeledger.store.read.volume_history import Execution


def severity(verdict: Verdict) -> Severity:
    return Severity.ERROR if verdict.grave else Severity.WARNING


def cause(id_: int, metric: str, found: Found, execution: Execution, *, holds: bool) -> Cause:
    verdict = found.verdict
    ended = execution.ended_at or execution.started_at
    assert ended is not None
    return Cause(
        VOLUME,
        _subject(id_, metric),
        severity(verdict),
        message(metric, verdict, found.also),
        ended,
        namespace_id=execution.namespace_id,
        pipeline_id=execution.pipeline_id,
        execution_id=id_,
        run_key=execution.run_key,
        metric=metric,
        details=_details(verdict, found.also),
        holds=holds,
    )


def carried_on(found: Unresolved, execution: Execution) -> Cause:
    """The same cause again, in the same words: what was judged once is not judged again."""
    assert found.execution_id is not None
    ended = execution.ended_at or execution.started_at
    assert ended is not None
    return Cause(
        VOLUME,
        found.subject,
        Severity(found.severity),
        found.message,
        ended,
        namespace_id=execution.namespace_id,
        pipeline_id=execution.pipeline_id,
        execution_id=found.execution_id,
        run_key=execution.run_key,
        metric=found.metric,
        details=found.details,
    )


def _subject(execution_id: int, metric: str) -> str:
    return f"execution:{execution_id}:{metric}"


def _details(verdict: Verdict, also: Sequence[str]) -> dict[str, Any]:
    """Numbers behind the message; those of Watcher's log are null where the default detector found it."""
    is_rule = verdict.rule_id is not None
    return {
        "kind": verdict.kind,
        "rule_id": verdict.rule_id,
        "violation_value": verdict.value,
        "z_score": verdict.z_score,
        "historical_mean": verdict.expected if is_rule else None,
        "std_deviation_value": verdict.deviation,
        "z_threshold": verdict.z_threshold,
        "threshold_min_value": verdict.low if is_rule else None,
        "threshold_max_value": verdict.high if is_rule else None,
        "expected": verdict.expected,
        "low": verdict.low,
        "high": verdict.high,
        "slot": verdict.usual.slot or None,
        "points": verdict.usual.points,
        "usual_min": verdict.usual.least,
        "usual_max": verdict.usual.most,
        "in_a_row": verdict.in_a_row,
        "also": list(also),
    }
