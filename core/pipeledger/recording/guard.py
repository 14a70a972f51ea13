"""The guard: a call to the ledger that ends in time, whatever the ledger does.

On PostgreSQL a call's deadline is a daemon thread that is waited for, since libpq's connect_timeout is
whole seconds and knows no black holes. The thread is kept for the next call (a new one for each cost as
much as the call, seen) and ended before a fork. A call that does not come back is left behind with its
thread and connection; should it commit late, its key makes that harmless. SQLite keeps the deadline by
itself (its busy timeout is all a local file can make us wait), and a thread would cost more than the
recording. The first failure opens the breaker: for a while calls fail at once, instead of waiting again.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar
from uuid import UUID

from pipeledger.model.errors import LedgerUnavailable, PipeledgerError, is_refusal
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Report
from pipeledger.model.watermark import Watermark, Window
from pipeledger.recording.port import Recorder, WindowRequest
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.said import Said

T = TypeVar("T")
BREAKER_SECONDS = 30.0

_guards: weakref.WeakSet[GuardedRecorder] = weakref.WeakSet()
_left_behind: list[object] = []
"""Connections of a parent process: closing them here would end the parent's session."""


class _Lane:
    """A recorder, the lock that keeps it to one call at a time, and the thread that calls it."""

    def __init__(self, recorder: SqlRecorder) -> None:
        self.recorder = recorder
        self.lock = threading.Lock()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, call: Callable[[], None]) -> None:
        """Begin a call in the lane's thread, for who holds the lock. Raises if none can be started."""
        if self._thread is None:
            thread = threading.Thread(
                target=_answer, args=(self._calls,), name="pipeledger-call", daemon=True
            )
            thread.start()
            self._thread = thread
        self._calls.put(call)

    def rest(self) -> threading.Thread | None:
        """Let the thread end when it has nothing more to do; the next call starts another."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._calls.put(None)
        return thread

    def __del__(self) -> None:
        self.rest()


def _answer(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # it holds the lane, which ends this thread when nobody needs it any more


class GuardedRecorder:
    """A SQL recorder whose every call ends within ``deadline`` seconds, or raises LedgerUnavailable."""

    def __init__(
        self, make_recorder: Callable[[], SqlRecorder], deadline: float, *, in_thread: bool
    ) -> None:
        self._make_recorder = make_recorder
        self._deadline = deadline
        self._in_thread = in_thread
        self._lane = _Lane(make_recorder())
        self._held: _Lane | None = None
        self._retry_at = 0.0
        _guards.add(self)

    def record(self, reports: Sequence[Report]) -> None:
        if self.is_open:
            raise LedgerUnavailable("the ledger failed a moment ago and is tried again later")
        self._call(lambda r: r.record(reports))

    def watermark(self, pipeline: PipelineRef, partition_key: str = "") -> Watermark:
        return self._call(lambda r: r.watermark(pipeline, partition_key))

    def said(self, run_key: UUID) -> Said | None:
        if self.is_open:
            raise LedgerUnavailable("the ledger failed a moment ago and is tried again later")
        return self._call(lambda r: r.said(run_key))

    def open_window(self, request: WindowRequest) -> Window:
        return self._call(lambda r: r.open_window(request))

    def move_watermark(
        self,
        pipeline: PipelineRef,
        value: object,
        *,
        cause: str,
        reason: str,
        partition_key: str = "",
    ) -> Watermark:
        return self._call(
            lambda r: r.move_watermark(
                pipeline, value, cause=cause, reason=reason, partition_key=partition_key
            )
        )

    def is_active(self, pipeline: PipelineRef) -> bool:
        return self._call(lambda r: r.is_active(pipeline))

    def set_active(self, pipeline: PipelineRef, active: bool) -> None:
        self._call(lambda r: r.set_active(pipeline, active))

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open: the ledger failed less than half a minute ago."""
        return time.monotonic() < self._retry_at

    def close(self) -> None:
        """Close the connection, if nobody is using it."""
        lane = self._lane
        if lane.lock.acquire(blocking=False):
            try:
                lane.recorder.close()
                lane.rest()
            finally:
                lane.lock.release()

    def _call(self, work: Callable[[SqlRecorder], T]) -> T:
        try:
            result = self._bounded(work)
        except PipeledgerError as error:
            if not is_refusal(error):
                self._retry_at = time.monotonic() + BREAKER_SECONDS
            raise
        self._retry_at = 0.0
        return result

    def _bounded(self, work: Callable[[SqlRecorder], T]) -> T:
        lane = self._lane
        until = time.monotonic() + self._deadline
        if not lane.lock.acquire(timeout=self._deadline):
            raise LedgerUnavailable(
                f"other calls to the ledger took longer than {self._deadline} s"
            )
        if not self._in_thread:
            try:
                return work(lane.recorder)
            finally:
                lane.lock.release()
        results: list[T] = []
        errors: list[BaseException] = []
        answered = threading.Lock()
        answered.acquire()

        def call() -> None:
            try:
                results.append(work(lane.recorder))
            except BaseException as error:
                errors.append(error)
            finally:
                lane.lock.release()
                answered.release()

        try:
            lane.start(call)
        except BaseException as error:  # no threads left, or the interpreter is shutting down
            lane.lock.release()
            raise LedgerUnavailable(f"no thread can be started: {error}") from error
        if not answered.acquire(timeout=max(0.0, until - time.monotonic())):
            self._lane = _Lane(self._make_recorder())
            lane.rest()
            raise LedgerUnavailable(f"the ledger did not answer within {self._deadline} s")
        if errors:
            raise errors[0]
        return results[0]

    def before_fork(self) -> None:
        """End the thread and let no call be under way: a process that forks is to have none of ours.

        A child that is forked in the middle of a call of SQLite's waits for ever for its locks (seen).
        Calls wait until ``after_fork_in_parent``; one that takes long is not waited for.
        """
        lane = self._lane
        if not lane.lock.acquire(timeout=0 if self._in_thread else 1.0):
            return
        self._held = lane
        thread = lane.rest()
        if not self._in_thread:
            lane.recorder.close()
        if thread is not None:
            thread.join(1.0)

    def after_fork_in_parent(self) -> None:
        """Calls may begin again."""
        held, self._held = self._held, None
        if held is not None:
            held.lock.release()

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's connection and lock without touching them."""
        self._held = None
        self._lane.recorder.abandon()
        _left_behind.append(self._lane)
        self._lane = _Lane(self._make_recorder())


def _before_fork() -> None:
    for guard in list(_guards):
        guard.before_fork()


def _after_fork_in_parent() -> None:
    for guard in list(_guards):
        guard.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for guard in list(_guards):
        guard.after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)

_: type[Recorder] = GuardedRecorder  # the guard is a recorder like any other
