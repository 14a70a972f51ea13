"""What the ledger answers about lineage: walks, paths and cycles, each with the JSON that is printed.

``partial`` of an answer says why it is not whole; None: it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef

UPSTREAM = "upstream"
DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class LineageNode:
    """An address and its least distance from where the walk began."""

    address: Address
    depth: int

    def to_json(self) -> dict[str, Any]:
        return {**address_json(self.address), "depth": self.depth}


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """Data flows from ``source`` to ``target``, moved by ``pipelines``."""

    source: Address
    target: Address
    pipelines: tuple[PipelineRef, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "source": str(self.source),
            "target": str(self.target),
            "pipelines": [pipeline_json(p) for p in self.pipelines],
        }


@dataclass(frozen=True, slots=True)
class LineageView:
    """What lies upstream or downstream of an address, or of a pipeline, the nearest first.

    Of a pipeline ``address`` is None, and what it reads (or writes) has depth 1. ``frontier`` are
    the addresses beyond which there is more. ``as_of`` None: as it is now.
    """

    address: Address | None
    direction: str
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    partial: str | None = None
    frontier: tuple[Address, ...] = ()
    pipeline: PipelineRef | None = None
    as_of: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "address": None if self.address is None else str(self.address),
            "pipeline": None if self.pipeline is None else pipeline_json(self.pipeline),
            "direction": self.direction,
            "as_of": time_json(self.as_of),
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
            "partial": self.partial,
            "frontier": [str(address) for address in self.frontier],
        }


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column of an address; an empty name means all of its columns."""

    address: Address
    name: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (*self.address.key, self.name)

    def to_json(self) -> dict[str, Any]:
        return {"address": str(self.address), "column": self.name}


@dataclass(frozen=True, slots=True)
class ColumnNode:
    """A column and its least distance from where the walk began."""

    column: ColumnOf
    depth: int

    def to_json(self) -> dict[str, Any]:
        return {**self.column.to_json(), "depth": self.depth}


@dataclass(frozen=True, slots=True)
class ColumnLineageEdge:
    """``target`` is made from ``source``, or influenced by it, in these ways, by ``pipelines``."""

    source: ColumnOf
    target: ColumnOf
    kinds: tuple[str, ...]
    pipelines: tuple[PipelineRef, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source.to_json(),
            "target": self.target.to_json(),
            "kinds": list(self.kinds),
            "pipelines": [pipeline_json(p) for p in self.pipelines],
        }


@dataclass(frozen=True, slots=True)
class ColumnLineageView:
    """What a column is made from, or goes into, the nearest first."""

    column: ColumnOf
    direction: str
    nodes: tuple[ColumnNode, ...]
    edges: tuple[ColumnLineageEdge, ...]
    partial: str | None = None
    frontier: tuple[ColumnOf, ...] = ()
    as_of: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **self.column.to_json(),
            "direction": self.direction,
            "as_of": time_json(self.as_of),
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
            "partial": self.partial,
            "frontier": [column.to_json() for column in self.frontier],
        }


@dataclass(frozen=True, slots=True)
class PathView:
    """A shortest way of data from ``source`` to ``target``; ``edges`` None: there is none."""

    source: Address
    target: Address
    edges: tuple[LineageEdge, ...] | None
    partial: str | None = None
    as_of: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "source": str(self.source),
            "target": str(self.target),
            "as_of": time_json(self.as_of),
            "length": None if self.edges is None else len(self.edges),
            "edges": None if self.edges is None else [edge.to_json() for edge in self.edges],
            "partial": self.partial,
        }


@dataclass(frozen=True, slots=True)
class Cycle:
    """Addresses each of which is made from each other one.

    ``size`` counts them, ``addresses`` names some or all; ``way`` is a shortest way round through the
    first of them, which it begins and ends with.
    """

    size: int
    addresses: tuple[Address, ...]
    way: tuple[Address, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "addresses": [str(a) for a in self.addresses],
            "way": [str(a) for a in self.way],
        }


@dataclass(frozen=True, slots=True)
class CyclesView:
    """Every cycle of lineage, the smallest first."""

    cycles: tuple[Cycle, ...]
    partial: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"cycles": [cycle.to_json() for cycle in self.cycles], "partial": self.partial}


def address_json(address: Address) -> dict[str, Any]:
    """An address with its parts."""
    return {
        "address": str(address),
        "namespace": address.namespace,
        "name": address.name,
        "type": address.type_name,
        "group": address.group_name,
    }


def pipeline_json(pipeline: PipelineRef) -> dict[str, Any]:
    return {"namespace": pipeline.namespace, "name": pipeline.name}


def time_json(value: datetime | None) -> str | None:
    return None if value is None else times.isoformat(value)
