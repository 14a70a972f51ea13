"""The process that an execution runs in, so that somebody on the same host can tell whether it lives.

A pid alone says little: pids are used again, and two containers under one host name each have theirs.
So a process is named by where its pid counts (the host's boot and the pid namespace) and by when it
started. Where /proc does not tell, nothing is claimed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HOST, PID, SCOPE, STARTED = "host", "pid", "pid_scope", "pid_started_ticks"


def attributes() -> dict[str, Any]:
    """How this process is named in the attributes of what it runs."""
    return dict(_attributes(os.getpid()))


@lru_cache(maxsize=4)
def _attributes(pid: int) -> dict[str, Any]:
    found: dict[str, Any] = {HOST: os.uname().nodename, PID: pid}
    ticks, where = _started_ticks(pid), scope()
    if ticks is not None and where is not None:
        found[SCOPE] = where
        found[STARTED] = ticks
    return found


def scope() -> str | None:
    """Where pids of this process count: the boot of the host and the pid namespace; None: unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return None


def lives(process: Mapping[str, Any]) -> bool | None:
    """Whether a process, named by its attributes, runs; None where that cannot be told from here."""
    pid, ticks = process.get(PID), process.get(STARTED)
    if not isinstance(pid, int) or not isinstance(ticks, int):
        return None
    here = scope()
    if here is None or process.get(SCOPE) != here or _started_ticks(os.getpid()) is None:
        return None
    return _started_ticks(pid) == ticks


def _started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where there is no such process.

    A zombie has ended: nobody has asked for its exit code yet.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field is the program's name, in parentheses, and may hold anything.
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
