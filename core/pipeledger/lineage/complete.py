"""Complete up to: the watermark up to which everything upstream of an address has been processed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.completeness import CompleteView, UpstreamMark
from pipeledger.model.lineage_views import UPSTREAM
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read import (
    Connection,
    Reader,
    address_names,
    edges,
    pipeline_addresses,
    pipelines,
    upstream_marks,
)
from pipeledger.store.read.reach import reach

MOST = 100_000
WITH_LAST_RUN = 20
"""Of how many of the latest pipelines the last execution is looked up."""


def complete_up_to(
    reader: Reader,
    address: Address | str,
    *,
    namespaces: Collection[str] | None = None,
    most: int = MOST,
) -> CompleteView:
    """As of when an address is complete, and who holds it back.

    The least time watermark of the active pipelines that write the address or anything upstream of
    it, as lineage is now; of a pipeline with partitions the least of theirs. A pipeline of that kind
    without a value yet holds back everything. Integer and text watermarks are no times: such
    pipelines, and those without any, are named as not taking part. So are inactive ones: who
    switched a pipeline off expects nothing more from it.

    ``namespaces``: only edges and pipelines of these count. At most ``most`` addresses are looked
    at; where there are more, ``partial`` says so and the answer is an upper bound.
    Raises NotFound for an address that the ledger does not know, InvalidInput.
    """
    with reader.connection() as connection:
        return complete(connection, address, namespaces, most)


def complete(
    connection: Connection,
    address: Address | str,
    namespaces: Collection[str] | None = None,
    most: int = MOST,
) -> CompleteView:
    """``complete_up_to``, of the moment that a connection sees."""
    counts = edges.counted(connection, None, namespaces)
    id_, found = address_names.find(connection, address)
    reached = reach(connection, UPSTREAM, [id_], counts, depth=None, most=most)
    nearest: dict[int, tuple[int, int]] = {}
    users = pipeline_addresses.users(connection, reached.depths, pipeline_addresses.OUTPUT, counts)
    for pipeline, written in users:
        here = (reached.depths[written], written)
        nearest[pipeline] = min(here, nearest.get(pipeline, here))
    marks = upstream_marks.of_pipelines(connection, nearest)
    refs = edges.pipelines(connection, nearest)
    names = address_names.of_ids(connection, {written for _, written in nearest.values()})
    made: dict[int, UpstreamMark] = {}
    for pipeline, mark in marks.items():
        if mark is None:
            continue
        distance, written = nearest[pipeline]
        made[pipeline] = UpstreamMark(
            refs[pipeline], mark.partition_key, mark.up_to, distance, names[written],
            None if mark.up_to is None else mark.moved_at,
        )  # fmt: skip
    latest = sorted(made, key=lambda p: _order(made[p]))
    active = [p for p in latest if (mark := marks[p]) is not None and mark.is_active]
    views = pipelines.of_ids(connection, active[:WITH_LAST_RUN])
    for pipeline, view in views.items():
        made[pipeline] = replace(made[pipeline], last_run=view.last_run)
    partial = None
    if reached.is_cut:
        partial = f"stopped after {most} addresses: at most this, there may be later ones upstream"
    return CompleteView(
        address=found,
        marks=tuple(made[p] for p in active),
        without=tuple(sorted((refs[p] for p, mark in marks.items() if mark is None), key=_name)),
        inactive=tuple(made[p] for p in latest if p not in set(active)),
        addresses=len(reached.depths),
        partial=partial,
    )


def _order(mark: UpstreamMark) -> tuple[object, ...]:
    return (mark.up_to or times.FIRST, mark.distance, _name(mark.pipeline))


def _name(ref: PipelineRef) -> tuple[str, str]:
    return ref.namespace, ref.name
