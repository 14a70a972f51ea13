"""Timeliness: executions that run, or ran, longer than they are allowed to."""

from __future__ import annotations

from datetime import timedelta

from pipeledger.model import calendar, times
from pipeledger.model.finding import TIMELINESS, Cause, Severity
from pipeledger.monitoring.feed import feed
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import span, when
from pipeledger.store.read import arrivals, timeliness
from pipeledger.store.read.timeliness import Long

NEWS = timedelta(days=7)
"""How long a late run that has ended stays a finding when no later run follows."""


def look(moment: Moment) -> Look:
    """One cause for every execution that is over its allowed time, whatever its age.

    Once it has ended it stays a finding until a later run of the pipeline has ended, or for a week.
    """
    fed = feed(moment)
    known = [u.execution_id for u in moment.unresolved if u.execution_id is not None]
    ids = arrivals.union(fed.ids, known)
    late = [
        run for run in timeliness.long(moment.connection, ids, moment.now) if _is_late(run, moment)
    ]
    ended = {run.pipeline_id for run in late if run.ended_at is not None}
    newest = timeliness.newest_ended(moment.connection, ended)
    causes = [_cause(run, moment, newest.get(run.pipeline_id) == run.id) for run in late]
    return Look(causes, timeliness.with_threshold(moment.connection, ids), fed.state)


def _is_late(run: Long, moment: Moment) -> bool:
    return calendar.after(run.started_at, run.threshold) < (run.ended_at or moment.now)


def _cause(run: Long, moment: Moment, is_newest: bool) -> Cause:
    allowed = str(run.threshold)
    due = calendar.after(run.started_at, run.threshold)
    duration = (run.ended_at or moment.now) - run.started_at
    if run.ended_at is None:
        message = (
            f"still running; started {when(run.started_at)}, allowed {allowed}: due {when(due)}"
        )
    else:
        message = (
            f"{run.state} after {span(duration)}, allowed {allowed}; started {when(run.started_at)},"
            f" ended {when(run.ended_at)}"
        )
    return Cause(
        TIMELINESS,
        f"execution:{run.id}",
        Severity.WARNING,
        message,
        since=due,
        namespace_id=run.namespace_id,
        pipeline_id=run.pipeline_id,
        execution_id=run.id,
        run_key=run.run_key,
        details={
            "duration_seconds": int(duration.total_seconds()),
            "seconds_threshold": int((due - run.started_at).total_seconds()),
            "execution_status": run.state,
            "timely_number": run.threshold.number,
            "timely_datepart": run.threshold.datepart,
            "used_child_config": run.is_own,
            "due_at": times.isoformat(due),
        },
        holds=run.ended_at is None or (is_newest and run.ended_at > moment.now - NEWS),
    )
