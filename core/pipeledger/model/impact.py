"""What one execution has touched: who consumed its outputs since, and what lies downstream of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage_views import LineageNode, pipeline_json, time_json
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import ExecutionView

CSV_COLUMNS = (
    "what", "distance", "namespace", "name", "state", "started_at", "ended_at", "run_key", "through",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Consumer:
    """An execution that read what the wrong one wrote, or what one of its consumers wrote.

    ``distance``: 1 read an output itself. ``through``: an address it read that came so.
    """

    execution: ExecutionView
    distance: int
    through: Address

    def to_json(self) -> dict[str, Any]:
        execution = self.execution
        return {
            "distance": self.distance,
            "run_key": str(execution.run_key),
            "namespace": None if execution.pipeline is None else execution.pipeline.namespace,
            "pipeline": None if execution.pipeline is None else execution.pipeline.name,
            "state": execution.state.value,
            "started_at": time_json(execution.started_at),
            "ended_at": time_json(execution.ended_at),
            "through": str(self.through),
        }


@dataclass(frozen=True, slots=True)
class AffectedPipeline:
    """A pipeline that reads an affected address; ``distance`` 1 reads an output itself."""

    pipeline: PipelineRef
    distance: int
    through: Address

    def to_json(self) -> dict[str, Any]:
        return {
            "distance": self.distance,
            **pipeline_json(self.pipeline),
            "through": str(self.through),
        }


@dataclass(frozen=True, slots=True)
class ImpactView:
    """The blast radius of an execution, the nearest first.

    ``outputs``: what it wrote, or was declared to write. ``consumers``: the executions that consumed
    that since, by what was recorded of runs. ``addresses`` and ``pipelines``: what lies downstream
    by lineage as it is now, whether it has run since or not.
    """

    execution: ExecutionView
    outputs: tuple[Address, ...]
    consumers: tuple[Consumer, ...]
    addresses: tuple[LineageNode, ...]
    pipelines: tuple[AffectedPipeline, ...]
    partial: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.execution.to_json(),
            "outputs": [str(a) for a in self.outputs],
            "consumers": [c.to_json() for c in self.consumers],
            "addresses": [n.to_json() for n in self.addresses],
            "pipelines": [p.to_json() for p in self.pipelines],
            "partial": self.partial,
        }

    def rows(self) -> Iterator[tuple[object, ...]]:
        """A row of ``CSV_COLUMNS`` for each, in order of distance within each kind."""
        for consumer in self.consumers:
            found = consumer.to_json()
            yield (
                "execution", consumer.distance, found["namespace"], found["pipeline"], found["state"],
                found["started_at"], found["ended_at"], found["run_key"], found["through"],
            )  # fmt: skip
        for node in self.addresses:
            yield ("address", node.depth, node.address.namespace, node.address.name, *[None] * 5)
        for item in self.pipelines:
            ref = item.pipeline
            yield (
                "pipeline", item.distance, ref.namespace, ref.name, *[None] * 4, str(item.through),
            )  # fmt: skip
