"""Run a command and leave nothing of it behind: not when we stop it, not when we die.

    python guard.py COMMAND ...

The command and all its descendants are stopped when standard input ends, which it does when the
process that holds its other end closes it, is interrupted, or is killed. `guarded` is that process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil

PATIENCE_SECONDS = 8.0
PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def guarded(python_arguments: list[str], **popen: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run this Python with arguments, guarded: when the block ends nothing is left of it."""
    process = subprocess.Popen(
        [sys.executable, __file__, sys.executable, *python_arguments],
        stdin=subprocess.PIPE,
        start_new_session=True,
        **popen,
    )
    assert process.stdin
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()


def adopt_orphans() -> None:
    """Make descendants whose parent dies ours, so that none escapes (on Linux).

    Airflow's processes put themselves into groups of their own: stopping a group is not enough.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stop_descendants() -> None:
    """Ask all to end, wait, then end the rest; return when none is left."""
    for patience, ask in ((PATIENCE_SECONDS, "terminate"), (PATIENCE_SECONDS, "kill")):
        while descendants := psutil.Process().children(recursive=True):
            for process in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    getattr(process, ask)()
            _, alive = psutil.wait_procs(descendants, timeout=patience)
            if alive:
                break


def main() -> int:
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
        while command.poll() is None:
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.5)
            if readable and not os.read(sys.stdin.fileno(), 1024):
                return 0
        return command.returncode
    finally:
        stop_descendants()


if __name__ == "__main__":
    sys.exit(main())
