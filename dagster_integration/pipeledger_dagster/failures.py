"""Why a step or a run failed, in the words of what the user's code raised."""

from __future__ import annotations

import re
from typing import Any

import dagster as dg

from pipeledger.model.report import RunError

_WRAPPER = re.compile(r"Dagster|RetryRequested")


def is_crash(event: dg.DagsterEvent) -> bool:
    """Whether an executor wrote this end, because the step's own process could not."""
    if event.event_type not in (
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.STEP_UP_FOR_RETRY,
    ):
        return False
    error = getattr(event.event_specific_data, "error", None)
    # A failed health check of a step's pod has no class (step_delegating_executor, 1.13).
    return error is not None and error.cls_name in (None, "ChildProcessCrashException")


def _root(error: Any) -> Any:
    """What the user's code raised, inside what Dagster made of it."""
    while error.cause is not None and _WRAPPER.match(error.cls_name or ""):
        error = error.cause
    return error


def _error(error: Any) -> RunError:
    error = _root(error)
    kind = error.cls_name or "error"
    message = (error.message or "").strip()
    for prefix in (f"{kind}: ", f"{kind.rpartition('.')[2]}: "):
        message = message.removeprefix(prefix)
    # The message begins with the module's path: "dagster._core....ChildProcessCrashException".
    head, _, rest = message.partition(": ")
    if rest and " " not in head and head.endswith(f".{kind}"):
        message = rest
    elif " " not in message and message.endswith(f".{kind}"):
        message = ""
    return RunError(kind, message)


def step_error(event: dg.DagsterEvent) -> RunError:
    data: Any = event.event_specific_data
    failure = getattr(data, "user_failure_data", None)
    error = getattr(data, "error", None)
    if failure is not None and failure.description:
        return RunError(getattr(_root(error), "cls_name", None) or "Failure", failure.description)
    if error is None:
        return RunError("StepFailure", event.message or "")
    found = _error(error)
    if found.type == "ChildProcessCrashException" and not found.message:
        return RunError(found.type, "the step's process died without a word (killed or crashed)")
    return found


def run_error(event: dg.DagsterEvent) -> RunError:
    data: Any = event.event_specific_data
    error = getattr(data, "error", None)
    reason = getattr(data, "failure_reason", None)
    if error is not None:
        found = _error(error)
        return found if found.message else RunError(found.type, event.message or "")
    kind = getattr(reason, "value", None) or event.event_type_value.replace("PIPELINE_", "RUN_")
    return RunError(str(kind), event.message or "")
