"""Heartbeats: a daemon thread that says, while an execution runs, that its process lives."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from pipeledger.model.errors import InvalidInput

LONGEST_SECONDS = 24 * 3600.0


def check_interval(seconds: float | None) -> None:
    """Raise InvalidInput for what is no time between two heartbeats; None: there are none."""
    if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInput(
            f"heartbeat_seconds={seconds!r} cannot be used: expected more than 0,"
            f" at most {LONGEST_SECONDS:g}"
        )


class Heartbeat:
    """Calls ``beat`` every ``seconds``, from ``start`` to ``stop``. The first one after that time.

    A forked child has no such thread, and ``stop`` there leaves the parent's alone.
    """

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._pid = os.getpid()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the thread, or do without it where no thread can be started."""
        try:
            threading.Thread(target=self._run, name="pipeledger-heartbeat", daemon=True).start()
        except RuntimeError:
            pass

    def stop(self) -> None:
        """No beat begins after this. Does not wait for one that is under way."""
        if self._pid == os.getpid():  # else the event's lock may have been held when the fork came
            self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._beat()
