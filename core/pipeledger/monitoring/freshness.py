"""Freshness: data that has not changed, or a watermark that has not moved, for longer than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipeledger.lineage.complete import complete
from pipeledger.model import calendar, times
from pipeledger.model.finding import FRESHNESS, Cause, Severity
from pipeledger.model.pipeline import Threshold
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import when
from pipeledger.store.read import freshness
from pipeledger.store.read.freshness import Expected, Marked, Old


def look(moment: Moment) -> Look:
    """One cause for every pipeline and address whose data is older than allowed.

    A pipeline by its last insert, update or delete; one that never changed anything is stale from
    its registration on. An address by the newest of its writers. Where code says how old a time
    watermark may become, by that too; an address then by how far everything upstream has got.
    """
    connection, now = moment.connection, moment.now
    cutoffs = Cutoffs(now)
    causes = [
        _stale(old)
        for old in freshness.old_pipelines(connection, now)
        if (old.changed_at or old.registered_at) < cutoffs.of(old.threshold)
    ]
    marked = freshness.marked_pipelines(connection)
    causes += [cause for mark in marked for cause in _behind(mark, cutoffs)]
    expected = freshness.addresses(connection, now)
    for address in expected:
        causes += _old_address(address, cutoffs)
        causes += _incomplete_address(moment, address, cutoffs)
    checked = freshness.watched_pipelines(connection) + len(marked) + len(expected)
    return Look(causes, checked)


class Cutoffs:
    """The moment before which something is too old, for each threshold once."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._known: dict[Threshold, datetime] = {}

    def of(self, allowed: Threshold) -> datetime:
        if allowed not in self._known:
            self._known[allowed] = calendar.cutoff(self._now, allowed)
        return self._known[allowed]


def _stale(old: Old) -> Cause:
    allowed = str(old.threshold)
    if old.changed_at is None:
        message = (
            f"nothing loaded since it was registered {when(old.registered_at)}; allowed {allowed}"
        )
    else:
        message = f"nothing loaded since {when(old.changed_at)}; allowed {allowed}"
    last = old.changed_at or old.registered_at
    return Cause(
        FRESHNESS,
        f"pipeline:{old.pipeline_id}:{times.isoformat(last)}",
        Severity.WARNING,
        message,
        since=calendar.after(last, old.threshold),
        namespace_id=old.namespace_id,
        pipeline_id=old.pipeline_id,
        details={
            "last_dml_timestamp": None
            if old.changed_at is None
            else times.isoformat(old.changed_at),
            "freshness_number": old.threshold.number,
            "freshness_datepart": old.threshold.datepart,
            "used_child_config": old.is_own,
        },
    )


def _behind(mark: Marked, cutoffs: Cutoffs) -> Iterator[Cause]:
    up_to = times.parse(mark.order) if mark.order else None
    if (up_to or mark.registered_at) >= cutoffs.of(mark.completeness):
        return
    allowed = str(mark.completeness)
    yield Cause(
        FRESHNESS,
        f"watermark:{mark.pipeline_id}:{mark.order}",
        Severity.WARNING,
        f"complete only up to {when(up_to)}; allowed {allowed} behind"
        if up_to
        else f"its watermark has no value since it was registered {when(mark.registered_at)};"
        f" allowed {allowed} behind",
        since=calendar.after(up_to or mark.registered_at, mark.completeness),
        namespace_id=mark.namespace_id,
        pipeline_id=mark.pipeline_id,
        details={
            "complete_up_to": None if up_to is None else times.isoformat(up_to),
            "completeness_number": mark.completeness.number,
            "completeness_datepart": mark.completeness.datepart,
        },
    )


def _old_address(address: Expected, cutoffs: Cutoffs) -> Iterator[Cause]:
    if address.freshness is None:
        return
    last = address.changed_at or address.expected_since
    if last >= cutoffs.of(address.freshness):
        return
    allowed = str(address.freshness)
    yield Cause(
        FRESHNESS,
        f"address:{address.address_id}:{times.isoformat(last)}",
        Severity.WARNING,
        f"no pipeline has written to it since {when(last)}; allowed {allowed}"
        if address.changed_at
        else f"no pipeline has written to it since it is watched, {when(last)}; allowed {allowed}",
        since=calendar.after(last, address.freshness),
        address_id=address.address_id,
        details={
            "last_dml_timestamp": None
            if address.changed_at is None
            else times.isoformat(address.changed_at),
            "freshness_number": address.freshness.number,
            "freshness_datepart": address.freshness.datepart,
        },
    )


def _incomplete_address(moment: Moment, address: Expected, cutoffs: Cutoffs) -> Iterator[Cause]:
    if address.completeness is None:
        return
    held = complete(moment.connection, address.address).held_back_by
    if held is None:
        return
    mark, pipeline = held.up_to, held.pipeline
    if (mark or address.expected_since) >= cutoffs.of(address.completeness):
        return
    allowed = str(address.completeness)
    yield Cause(
        FRESHNESS,
        f"complete:{address.address_id}:{'' if mark is None else times.isoformat(mark)}",
        Severity.WARNING,
        f"complete only up to {'nothing yet' if mark is None else when(mark)}, held back by {pipeline};"
        f" allowed {allowed} behind",
        since=calendar.after(mark or address.expected_since, address.completeness),
        address_id=address.address_id,
        details={
            "complete_up_to": None if mark is None else times.isoformat(mark),
            "held_back_by": {"namespace": pipeline.namespace, "pipeline": pipeline.name},
            "completeness_number": address.completeness.number,
            "completeness_datepart": address.completeness.datepart,
        },
    )
