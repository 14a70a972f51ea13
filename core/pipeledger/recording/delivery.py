"""Delivery: from the spool to the ledger, at once or by a thread that lives beside the scheduler."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeledger.model.errors import (
    InvalidDatabaseUrl,
    LedgerUnavailable,
    PipeledgerError,
    SchemaMismatch,
)
from pipeledger.model.report import Report
from pipeledger.recording.spool import Batch, Rejected, Spool
from pipeledger.recording.sql import SqlRecorder

log = logging.getLogger(__name__)

CHUNK = 500
_LONGEST_PAUSE = 30.0
_GATHER_SECONDS = 0.1
"""What a scheduler's loop appends within this time is delivered as one batch."""
_FORK_SECONDS = 2.0
"""The longest that a fork waits for the call that the thread is in; a batch takes a tenth of that."""
_IDLE_SECONDS = 5.0
"""How long the thread keeps its connection when there is nothing to deliver."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery did. ``error`` is why it stopped before the end, if it did."""

    reports: int = 0
    rejected: int = 0
    error: str | None = None


class Taker(Protocol):
    """What takes reports: a recorder, as far as delivery needs one."""

    def record(self, reports: Sequence[Report]) -> None: ...


def deliver(
    spool: Spool,
    recorder: Taker,
    *,
    only_own: bool = False,
    until: float | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Delivered:
    """Deliver what waits. A report that the ledger refuses is set aside; one that it cannot take
    now stays, with everything after it, as does what would begin after ``until`` (monotonic seconds).
    Raises nothing of ours."""
    delivered = rejected = 0
    for batch in spool.claim(only_own=only_own):
        if until is not None and time.monotonic() > until:
            return Delivered(delivered, rejected, "the rest has to wait for another call")
        try:
            count, refused = _deliver_batch(batch, recorder)
        except PipeledgerError as error:
            return Delivered(delivered, rejected, str(error))
        delivered += count
        rejected += refused
        progress(count)
    return Delivered(delivered, rejected)


def _deliver_batch(batch: Batch, recorder: Taker) -> tuple[int, int]:
    lines = batch.reports()
    refused = [line for line in lines if isinstance(line, Rejected)]
    reports = [line for line in lines if not isinstance(line, Rejected)]
    for start in range(0, len(reports), CHUNK):
        refused += _record(reports[start : start + CHUNK], recorder)
    if refused:
        batch.spool.set_aside(refused)
        log.error(
            "%d spooled record(s) were refused and set aside (`pipeledger spool list --rejected`): %s",
            len(refused),
            refused[0].error,
        )
    batch.done()
    return len(reports) - len(refused), len(refused)


def _record(reports: Sequence[Report], recorder: Taker) -> list[Rejected]:
    """Record a chunk; when something in it is refused, halve it until the culprit is alone."""
    try:
        recorder.record(reports)
        return []
    except PipeledgerError as error:
        if isinstance(error, (LedgerUnavailable, SchemaMismatch, InvalidDatabaseUrl)):
            raise
        if len(reports) == 1:
            return [Rejected(reports[0].to_json(), str(error))]
        middle = len(reports) // 2
        return _record(reports[:middle], recorder) + _record(reports[middle:], recorder)


_couriers: weakref.WeakSet[Courier] = weakref.WeakSet()


class Courier:
    """A daemon thread that delivers the spool whenever it is woken, and again after a failure.

    Started by the first ``wake``; a forked child starts its own. Nothing is held open for long when
    nothing is to be delivered, and nothing while the process forks: a child that inherits an open
    SQLite file believes that it holds its parent's locks, and what it reads and writes in the same file is not
    protected (seen: "file is not a database"). Where the ledger does not answer in time for that, the child
    leaves the connection alone.
    """

    def __init__(self, spool: Spool, make_recorder: Callable[[], SqlRecorder]) -> None:
        self._spool = spool
        self._make_recorder = make_recorder
        self._pid = 0
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._recorder: SqlRecorder | None = None
        self._between_calls = threading.Lock()
        self._forks_alone = False
        _couriers.add(self)

    def wake(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            # The parent's events may be locked for ever in a forked child.
            self._wanted, self._idle = threading.Event(), threading.Event()
            self._recorder = self._make_recorder()
            recorder = _OneCallAtATime(self._recorder, self._between_calls)
            arguments = (self._wanted, self._idle, recorder)
            threading.Thread(
                target=self._run, args=arguments, name="pipeledger-courier", daemon=True
            ).start()
        self._idle.clear()
        self._wanted.set()

    def wait_until_idle(self, timeout: float) -> bool:
        """Whether everything that was woken for has been tried within ``timeout`` seconds."""
        return self._pid != os.getpid() or self._idle.wait(timeout)

    def before_fork(self) -> None:
        """Wait for the call under way, and close the connection until the fork is over."""
        if self._recorder is not None and self._pid == os.getpid():
            self._forks_alone = self._between_calls.acquire(timeout=_FORK_SECONDS)
            if self._forks_alone:
                self._recorder.close()

    def after_fork_in_parent(self) -> None:
        if self._forks_alone:
            self._forks_alone = False
            self._between_calls.release()

    def after_fork_in_child(self) -> None:
        """There is no thread, and a connection that could not be closed is the parent's."""
        recorder, self._recorder = self._recorder, None
        self._between_calls, self._forks_alone = threading.Lock(), False
        if recorder is not None:
            recorder.abandon()

    def _run(
        self, wanted: threading.Event, idle: threading.Event, recorder: _OneCallAtATime
    ) -> None:
        pause = 1.0
        while True:
            if not wanted.wait(_IDLE_SECONDS):
                recorder.close()
                wanted.wait()
            # Not while the hook that woke us runs on: two threads would share one interpreter lock.
            time.sleep(_GATHER_SECONDS)
            wanted.clear()
            try:
                result = deliver(self._spool, recorder)
            except Exception as error:
                result = Delivered(error=f"{type(error).__name__}: {error}")
            if result.error is None:
                pause = 1.0
                if not wanted.is_set():
                    idle.set()
                continue
            log.warning("records wait in the spool %s: %s", self._spool.folder, result.error)
            idle.set()
            wanted.wait(pause)
            wanted.set()
            pause = min(_LONGEST_PAUSE, pause * 2)


class _OneCallAtATime:
    """A recorder that is called, or closed, under a lock: between two calls the process may fork."""

    def __init__(self, recorder: SqlRecorder, lock: threading.Lock) -> None:
        self._recorder = recorder
        self._lock = lock

    def record(self, reports: Sequence[Report]) -> None:
        with self._lock:
            self._recorder.record(reports)

    def close(self) -> None:
        with self._lock:
            self._recorder.close()


def _before_fork() -> None:
    for courier in list(_couriers):
        courier.before_fork()


def _after_fork_in_parent() -> None:
    for courier in list(_couriers):
        courier.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for courier in list(_couriers):
        courier.after_fork_in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
