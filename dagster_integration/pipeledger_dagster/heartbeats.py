"""Signs of life of the run and the steps that run in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.recording.heartbeat import Heartbeat


class Heartbeats:
    """While anything is entered, a thread says every ``seconds`` that it is alive; 0: never.

    Dagster itself knows no heartbeat: a step that hangs and one whose process is gone look alike.
    """

    def __init__(self, ledger: Ledger, seconds: float, is_over: Callable[[], bool]) -> None:
        """``is_over``: whether the run has ended, asked before each beat: its end may be reported by
        another process, or pass this one by."""
        self._ledger = ledger
        self._seconds = seconds
        self._is_over = is_over
        self._alive: dict[UUID, PipelineRef] = {}
        self._lock = threading.Lock()
        self._thread: Heartbeat | None = None

    def enter(self, run_key: UUID, pipeline: PipelineRef) -> None:
        """This execution runs here from now on."""
        if self._seconds <= 0:
            return
        with self._lock:
            self._alive[run_key] = pipeline
            if self._thread is None:
                self._thread = Heartbeat(self._beat, self._seconds)
                self._thread.start()

    def leave(self, run_key: UUID) -> None:
        """It does not any more; with the last one the thread ends."""
        with self._lock:
            self._alive.pop(run_key, None)
            if not self._alive and self._thread is not None:
                self._thread.stop()
                self._thread = None

    def stop(self) -> None:
        """Nothing runs here any more."""
        for run_key in list(self._alive):
            self.leave(run_key)

    def _beat(self) -> None:
        try:
            if self._is_over():
                self.stop()
        except (
            Exception
        ):  # Dagster's database is away: nothing is claimed, the next beat asks again
            return
        with self._lock:
            alive = list(self._alive.items())
        for run_key, pipeline in alive:
            now = times.now()
            self._ledger.beat(ExecutionReport(run_key, now, pipeline=pipeline, heartbeat_at=now))
