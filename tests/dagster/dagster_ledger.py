"""What the Dagster tests read from a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeledger.ledger import Ledger
from pipeledger.model.views import ExecutionView

T = TypeVar("T")


@dataclass(frozen=True)
class Rows:
    """The executions of one run: the run itself, and its steps in the order they started."""

    run: ExecutionView
    steps: tuple[ExecutionView, ...]

    def of(self, pipeline: str) -> list[ExecutionView]:
        """The executions of one pipeline, by their attempts."""
        found = [s for s in self.steps if s.pipeline is not None and s.pipeline.name == pipeline]
        return sorted(found, key=lambda s: s.attempt or 0)

    def one(self, pipeline: str) -> ExecutionView:
        """The only execution of a pipeline."""
        (found,) = self.of(pipeline)
        return found

    def states(self) -> dict[tuple[str, int], tuple[str, str]]:
        """(pipeline, attempt) -> (state, Dagster's word), the last one where there are several."""
        return {(s.name, s.attempt or 0): (s.state.value, s.state_detail or "") for s in self.steps}


def rows_of(ledger: Ledger, run_id: str) -> Rows:
    """The executions that the ledger holds of a Dagster run."""
    tree = ledger.read.tree(run_id)
    steps = [
        ledger.read.execution(node.execution.run_key)
        for node in tree.walk()
        if node.execution.run_key != tree.execution.run_key
    ]
    return Rows(ledger.read.execution(run_id), tuple(steps))


def by_key(rows: Rows) -> dict[str, dict[str, Any]]:
    """All rows of a run as JSON, to compare two ledgers."""
    return {str(view.run_key): plain(view) for view in (rows.run, *rows.steps)}


def plain(view: ExecutionView) -> dict[str, Any]:
    """A row as JSON, with what has no order in one order.

    Without signs of life: Dagster's log knows none, and a busy machine makes a short run give some.
    """
    data = view.to_json()
    data.pop("heartbeat_at", None)
    data["inputs"] = sorted(data["inputs"], key=str)
    data["outputs"] = sorted(data["outputs"], key=str)
    return data


def wait_for(condition: Callable[[], T], what: str, seconds: float = 90.0) -> T:
    """The first true answer of ``condition``; fails with what was waited for."""
    give_up = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.1)
