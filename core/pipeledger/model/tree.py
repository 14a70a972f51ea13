"""The tree of an execution: where its time went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import ExecutionView


@dataclass(frozen=True, slots=True)
class ExecutionTree:
    """An execution with all that ran inside it, children in the order they started.

    ``hidden`` counts descendants that were left out, at the root of a tree that was cut. ``order``
    are the declared dependencies between the children's pipelines: for each, what runs before it.
    """

    execution: ExecutionView
    children: tuple[ExecutionTree, ...] = ()
    hidden: int = 0
    order: Mapping[PipelineRef, frozenset[PipelineRef]] = field(default_factory=dict)

    def walk(self) -> Iterator[ExecutionTree]:
        """This node and all below it, parents first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    @property
    def self_seconds(self) -> float | None:
        """Its time in which no child ran; None while it runs or where its times are unknown."""
        began, ended = self.execution.started_at, self.execution.ended_at
        if began is None or ended is None:
            return None
        covered, reached = 0.0, began
        for start, end in sorted(_spans(self.children)):
            start, end = max(start, reached), min(end, ended)
            if end > start:
                covered += (end - start).total_seconds()
                reached = end
        return max(0.0, (ended - began).total_seconds() - covered)

    @property
    def slowest_child(self) -> ExecutionTree | None:
        """The child with the longest duration; None where none has ended."""
        timed = [c for c in self.children if c.execution.duration_seconds is not None]
        return max(timed, key=lambda c: c.execution.duration_seconds or 0.0, default=None)

    @property
    def critical_path(self) -> tuple[ExecutionTree, ...]:
        """The executions that the end had to wait for, in the order they ran, this one first.

        Read backwards from the end: the child that ended last, then the one that this had waited
        for, and so on; each of them likewise. A further try waited for the try before it; a child
        whose pipeline is declared to run after others for the last of those; where nothing is
        declared, for the child that had ended last when it began.
        """
        path: list[ExecutionTree] = []
        stack = [self]
        while stack:
            node = stack.pop()
            path.append(node)
            stack.extend(node._last_to_end())
        return tuple(path)

    def _last_to_end(self) -> list[ExecutionTree]:
        """The children on the critical path, the last one first."""
        left = [
            c
            for c in self.children
            if c.execution.started_at is not None and c.execution.ended_at is not None
        ]
        left.sort(key=_end_and_start)
        chain: list[ExecutionTree] = []
        while left:
            child = left.pop()
            chain.append(child)
            began, _ = _start_and_end(child)
            earlier = [c for c in left if _start_and_end(c)[1] <= began]
            left = [c for c in earlier if self._waits(child, c, earlier)]
            if left:
                # Whatever else had ended before the one it waited for may be waited for by that.
                last = left[-1]
                left = [*earlier[: earlier.index(last)], last]
        return chain

    def _waits(
        self, child: ExecutionTree, other: ExecutionTree, earlier: list[ExecutionTree]
    ) -> bool:
        """Whether ``child`` can have waited for ``other``, one of those that ended ``earlier``."""
        previous = child.execution.previous
        if previous is not None and any(c.execution.run_key == previous for c in earlier):
            return other.execution.run_key == previous
        pipeline = child.execution.pipeline
        if not self.order or pipeline is None:
            return True
        return other.execution.pipeline in self.order.get(pipeline, frozenset())

    def to_json(self) -> dict[str, Any]:
        slowest = self.slowest_child
        return {
            **self.execution.to_json(),
            "self_seconds": self.self_seconds,
            "slowest_child": None if slowest is None else str(slowest.execution.run_key),
            "hidden": self.hidden,
            "children": [child.to_json() for child in self.children],
        }


def _start_and_end(node: ExecutionTree) -> tuple[datetime, datetime]:
    began, ended = node.execution.started_at, node.execution.ended_at
    assert began is not None and ended is not None
    return began, ended


def _end_and_start(node: ExecutionTree) -> tuple[datetime, datetime]:
    began, ended = _start_and_end(node)
    return ended, began


def _spans(nodes: tuple[ExecutionTree, ...]) -> Iterator[tuple[datetime, datetime]]:
    for node in nodes:
        began, ended = node.execution.started_at, node.execution.ended_at
        if began is not None and ended is not None:
            yield began, ended
