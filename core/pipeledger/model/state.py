"""How an execution stands, and whose word that is."""

from __future__ import annotations

from enum import Enum, IntEnum


class State(str, Enum):
    """The state of an execution. ``abandoned``: nobody reported its end, and that is a guess, whoever
    makes it: it names the last sign of life it saw and counts only while none later is known."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    ABANDONED = "abandoned"

    def __str__(self) -> str:
        return self.value

    @property
    def is_end(self) -> bool:
        return self is not State.RUNNING


ORDER = {
    State.RUNNING: 0,
    State.ABANDONED: 0,
    State.SKIPPED: 1,
    State.SUCCESS: 2,
    State.FAILED: 3,
}
"""Which of two ends wins when authority and time are equal: the larger."""


class Authority(IntEnum):
    """Whose word a report is. A higher one wins over a lower one, whenever it came."""

    INFERRED = 0
    """Our own guess, for example that a run without a sign of life was abandoned."""
    PROCESS = 1
    """The process that did the work."""
    ORCHESTRATOR = 2
    """The orchestrator, or a person."""
