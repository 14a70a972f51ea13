"""Delivery: from the spool to the ledger, at once or by a thread that lives beside the scheduler."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeledger.model.errors import (
    InvalidDatabaseUrl,
    LedgerUnavailable,
    PipeledgerError,
    SchemaMismatch,
)
from pipeledger.model.report import Report
from pipeledger.recording.port import Recorder
from pipeledger.recording.spool import Batch, Rejected, Spool

log = logging.getLogger(__name__)

CHUNK = 500
_LONGEST_PAUSE = 30.0
_GATHER_SECONDS = 0.1
"""What a scheduler's loop appends within this time is delivered as one batch."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery did. ``error`` is why it stopped before the end, if it did."""

    reports: int = 0
    rejected: int = 0
    error: str | None = None


def deliver(
    spool: Spool,
    recorder: Recorder,
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


def _deliver_batch(batch: Batch, recorder: Recorder) -> tuple[int, int]:
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


def _record(reports: Sequence[Report], recorder: Recorder) -> list[Rejected]:
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


class Courier:
    """A daemon thread that delivers the spool whenever it is woken, and again after a failure.

    Started by the first ``wake``; a forked child starts its own.
    """

    def __init__(self, spool: Spool, make_recorder: Callable[[], Recorder]) -> None:
        self._spool = spool
        self._make_recorder = make_recorder
        self._pid = 0
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._recorder: Recorder | None = None

    def wake(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            # The parent's events may be locked for ever in a forked child.
            self._wanted, self._idle = threading.Event(), threading.Event()
            self._recorder = self._make_recorder()
            arguments = (self._wanted, self._idle, self._recorder)
            threading.Thread(
                target=self._run, args=arguments, name="pipeledger-courier", daemon=True
            ).start()
        self._idle.clear()
        self._wanted.set()

    def wait_until_idle(self, timeout: float) -> bool:
        """Whether everything that was woken for has been tried within ``timeout`` seconds."""
        return self._pid != os.getpid() or self._idle.wait(timeout)

    def _run(self, wanted: threading.Event, idle: threading.Event, recorder: Recorder) -> None:
        pause = 1.0
        while True:
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
