"""Which addresses a task read and wrote, asked of every source that can know.

A source is a function from a finished task instance to what it found. To add one (lineage parsed
from SQL, for instance) append it to ``SOURCES``: it answers ``Found`` with the uses it saw and,
where it knows better than "everything read went into everything written", with its own edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pipeledger.execution import add_counts
from pipeledger.model.address import Address
from pipeledger.model.report import Counts, DatasetUse
from pipeledger_airflow.addresses import address_of, address_of_uri
from pipeledger_airflow.fence import read
from pipeledger_airflow.rows import from_mapping, from_statements
from pipeledger_airflow.versions import api

Edge = tuple[Address, Address]


@dataclass(slots=True)
class Found:
    """What one source saw of one task."""

    inputs: dict[Address, DatasetUse] = field(default_factory=dict)
    outputs: dict[Address, DatasetUse] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    edges: set[Edge] | None = None
    """Exact edges; None: every input goes into every output, of all sources that say so."""
    declared: bool = False
    """Whether the DAG's file says all of it; what only the run knows is sent with the run."""


Source = Callable[[Any], Found]


@dataclass(frozen=True, slots=True)
class TaskLineage:
    """What all sources together know. ``edges`` is None when the declaration says the same."""

    inputs: tuple[DatasetUse, ...] = ()
    outputs: tuple[DatasetUse, ...] = ()
    counts: tuple[Counts, ...] = ()
    edges: tuple[Edge, ...] | None = None


def declared_assets(ti: Any) -> Found:
    """Inlets and outlets, as written in the DAG's file."""
    return Found(
        inputs=_uses(ti.task.inlets or ()), outputs=_uses(ti.task.outlets or ()), declared=True
    )


def asset_events(ti: Any) -> Found:
    """Outlets that the run named: aliases resolved to assets, and rows said in an event's extra."""
    found = Found(declared=True)
    total = Counts()
    for name, uri, extra, through_alias in api.outlet_events(ti):
        address = address_of_uri(uri, name)
        if address is None:
            continue
        counts = from_mapping(extra)
        found.outputs[address] = DatasetUse(address, rows=counts.total_rows)
        found.declared = found.declared and not through_alias
        total = add_counts(total, counts)
    found.counts = total
    return found


def hook_reports(ti: Any) -> Found:
    """What hooks and object storage paths reported while the task ran."""
    collected = api.collected_lineage(_before)
    if collected is None:
        return Found(declared=True)
    found = Found(
        inputs=_uses(collected.inputs),
        outputs=_uses(collected.outputs),
        counts=from_statements(collected.statements),
    )
    found.declared = not found.inputs and not found.outputs
    return found


_before: dict[api.Fingerprint, int] = {}


def begin() -> None:
    """A task starts: what hooks reported before is not its own."""
    global _before
    _before = api.lineage_counts()


SOURCES: list[Source] = [declared_assets, asset_events, hook_reports]


def lineage_of(ti: Any) -> TaskLineage:
    """What the sources found, merged; one that fails costs only what it would have found."""
    inputs: dict[Address, DatasetUse] = {}
    outputs: dict[Address, DatasetUse] = {}
    exact: set[Edge] = set()
    crossed: list[Found] = []
    counts: list[Counts] = []
    declared = True
    for source in SOURCES:
        found = read(lambda source=source: source(ti))  # type: ignore[misc]
        if found is None:
            continue
        _merge(inputs, found.inputs)
        _merge(outputs, found.outputs)
        declared = declared and found.declared
        counts.append(found.counts)
        if found.edges is None:
            crossed.append(found)
        else:
            exact |= found.edges
    edges: tuple[Edge, ...] | None = None
    if not declared:
        sources = {address for found in crossed for address in found.inputs}
        targets = {address for found in crossed for address in found.outputs}
        edges = tuple(exact | every_pair(sources, targets))
    return TaskLineage(tuple(inputs.values()), tuple(outputs.values()), tuple(counts), edges)


def declared_ends(task: Any) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """The addresses that a task's inlets and outlets name; works on serialized tasks."""
    inlets, outlets = (getattr(task, name, ()) or () for name in ("inlets", "outlets"))
    return tuple(_uses(inlets)), tuple(_uses(outlets))


def every_pair(sources: Iterable[Address], targets: Iterable[Address]) -> set[Edge]:
    targets = list(targets)
    return {(source, target) for source in sources for target in targets if source != target}


def _uses(assets: Iterable[Any]) -> dict[Address, DatasetUse]:
    found: dict[Address, DatasetUse] = {}
    for asset in assets:
        address = read(lambda asset=asset: address_of(asset))  # type: ignore[misc]
        if address is not None:
            found[address] = DatasetUse(address)
    return found


def _merge(into: dict[Address, DatasetUse], uses: dict[Address, DatasetUse]) -> None:
    for address, use in uses.items():
        known = into.get(address)
        if known is None or known.rows is None:
            into[address] = use if known is None else replace(known, rows=use.rows)
