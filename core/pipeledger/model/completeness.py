"""Up to when the data of an address is complete, and who holds it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage_views import address_json, pipeline_json, time_json
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import ExecutionView


@dataclass(frozen=True, slots=True)
class UpstreamMark:
    """How far a pipeline has got that writes the address, or something upstream of it.

    ``up_to``: its time watermark, of several partitions the least (``partition_key`` names it); None:
    it has none yet. ``distance``: of the nearest address it writes; 0 is the address itself.
    ``last_run`` is there for the latest of them.
    """

    pipeline: PipelineRef
    partition_key: str
    up_to: datetime | None
    distance: int
    writes: Address
    moved_at: datetime | None
    last_run: ExecutionView | None = None

    def to_json(self) -> dict[str, Any]:
        last = self.last_run
        return {
            **pipeline_json(self.pipeline),
            "partition_key": self.partition_key,
            "up_to": time_json(self.up_to),
            "distance": self.distance,
            "writes": str(self.writes),
            "moved_at": time_json(self.moved_at),
            "last_run": None
            if last is None
            else {
                "run_key": str(last.run_key),
                "state": last.state.value,
                "started_at": time_json(last.started_at),
                "ended_at": time_json(last.ended_at),
            },
        }


@dataclass(frozen=True, slots=True)
class CompleteView:
    """The moment up to which everything upstream of an address has been processed.

    ``marks``: the pipelines with a time watermark, the one that has got least far first; it holds
    the address back. Without any, nothing can be said. ``without``: pipelines upstream that have no
    time watermark; ``inactive``: those that are switched off. Neither takes part.
    """

    address: Address
    marks: tuple[UpstreamMark, ...]
    without: tuple[PipelineRef, ...]
    inactive: tuple[UpstreamMark, ...]
    addresses: int
    """How many addresses were looked at, the address itself included."""
    partial: str | None = None

    @property
    def held_back_by(self) -> UpstreamMark | None:
        """The pipeline that has got least far; of several the nearest."""
        return self.marks[0] if self.marks else None

    @property
    def is_known(self) -> bool:
        """Whether any pipeline upstream has a time watermark at all."""
        return bool(self.marks)

    @property
    def up_to(self) -> datetime | None:
        """The least of the watermarks; None: nothing yet, or not known (``is_known``)."""
        return self.marks[0].up_to if self.marks else None

    @property
    def late(self) -> tuple[UpstreamMark, ...]:
        """Those that have got less far than the one that has got furthest."""
        furthest = self.marks[-1].up_to if self.marks else None
        return tuple(mark for mark in self.marks if mark.up_to != furthest)

    def to_json(self) -> dict[str, Any]:
        held = self.held_back_by
        return {
            **address_json(self.address),
            "is_known": self.is_known,
            "up_to": time_json(self.up_to),
            "held_back_by": None if held is None else held.to_json(),
            "marks": [mark.to_json() for mark in self.marks],
            "without": [pipeline_json(p) for p in self.without],
            "inactive": [mark.to_json() for mark in self.inactive],
            "addresses": self.addresses,
            "partial": self.partial,
        }
