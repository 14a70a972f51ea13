"""Watermarks that are held back: successes wait beyond a window that failed or that nobody ran."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pipeledger.model.finding import WATERMARK, Cause, Severity
from pipeledger.model.views import ExecutionView, PipelineView, WatermarkView
from pipeledger.monitoring.feed import feed
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import counted, when
from pipeledger.store.read import arrivals, held_watermarks, pipelines, watermarks

PATIENCE = timedelta(hours=1)
"""How long successes may wait for a window that nobody has begun: others may run out of order."""


def look(moment: Moment) -> Look:
    """One cause for every watermark that a window holds back while later ones have succeeded."""
    fed = feed(moment)
    known = [u.pipeline_id for u in moment.unresolved if u.pipeline_id is not None]
    touched = held_watermarks.pipelines_with_windows(moment.connection, fed.ids)
    waiting = [u for u in moment.state.get("waiting", ()) if isinstance(u, int)]
    candidates = arrivals.union(touched, known, waiting)
    held = dict(held_watermarks.held(moment.connection, candidates))
    views = pipelines.of_ids(moment.connection, list(held))
    causes = [
        cause for id_, view in views.items() for cause in _causes(moment, id_, held[id_], view)
    ]
    # What waits for a window that nobody has begun yet becomes one by time alone.
    return Look(causes, len(touched), {**fed.state, "waiting": sorted(held)})


def _causes(
    moment: Moment, pipeline_id: int, namespace_id: int, view: PipelineView
) -> Iterator[Cause]:
    shown = watermarks.show(moment.connection, pipeline_id, view.pipeline, view.watermark_kind)
    for mark in shown:
        if not mark.waiting:
            continue
        waited_since = min(e.ended_at or e.started_at or moment.now for e in mark.waiting)
        holding = mark.held_back_by[0] if mark.held_back_by else None
        if any(e.state.value in ("running", "success") for e in mark.held_back_by):
            continue
        if holding is None and (mark.missing is None or moment.now - waited_since < PATIENCE):
            continue
        place = f":{mark.partition_key}" if mark.partition_key else ""
        yield Cause(
            WATERMARK,
            f"pipeline:{pipeline_id}{place[:100]}:{mark.epoch}:{(mark.value or '')[:60]}",
            Severity.WARNING,
            _message(mark, holding),
            since=waited_since,
            namespace_id=namespace_id,
            pipeline_id=pipeline_id,
            run_key=None if holding is None else holding.run_key,
            details={
                "partition_key": mark.partition_key or None,
                "watermark": mark.value,
                "waiting": len(mark.waiting),
                "missing": None if mark.missing is None else mark.missing.to_json(),
            },
        )


def _message(mark: WatermarkView, holding: ExecutionView | None) -> str:
    where = f"partition {mark.partition_key}: " if mark.partition_key else ""
    last = mark.waiting[-1].window
    up_to = "" if last is None else f", up to {last.upper}"
    waits = f"{counted(len(mark.waiting), 'later success')} waiting{up_to}"
    stands = f"{where}stands at {mark.value or 'the beginning'}"
    if holding is None:
        return f"{stands}: no run was asked for {mark.missing}; {waits}"
    ended = holding.ended_at or holding.started_at
    at = "" if ended is None else f" at {when(ended)}"
    return f"{stands}: the window {holding.window} {holding.state.value}{at} and holds it back; {waits}"
