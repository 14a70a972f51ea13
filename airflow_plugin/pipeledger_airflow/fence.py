"""The fence around every hook: nothing of ours reaches a task, a scheduler or another listener."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger("pipeledger_airflow")

_QUIET_SECONDS = 60.0
_last_said: dict[str, float] = {}


def guarded(what: str, act: Callable[..., None], *args: Any) -> None:
    """Call ``act``; whatever it raises is logged once a minute and goes no further.

    In a hook, SystemExit would fail a running task and end a scheduler (both seen, 3.3.2), so it is
    kept in as well. What a signal handler raises passes: swallowing it would make a scheduler deaf
    to the SIGTERM that happened to arrive while a hook ran.
    """
    try:
        act(*args)
    except BaseException as error:
        if from_signal(error):
            raise
        say_once(what, "%s was not recorded: %s: %s", what, type(error).__name__, error)


def read(get: Callable[[], T]) -> T | None:
    """What ``get`` answers, or None if reading a user's object raises: one odd attribute costs only
    itself, not the record."""
    try:
        return get()
    except BaseException as error:
        if from_signal(error):
            raise
        log.debug("an attribute could not be read", exc_info=True)
        return None


def attribute(owner: Any, path: str) -> Any:
    """``owner.a.b`` for the path ``a.b``, or None where reading it raises."""

    def get() -> Any:
        value = owner
        for name in path.split("."):
            value = getattr(value, name)
        return value

    return read(get)


def say_once(kind: str, text: str, *args: object) -> None:
    """Log a warning, at most once a minute for each kind and process."""
    now = time.monotonic()
    if now - _last_said.get(kind, -_QUIET_SECONDS) >= _QUIET_SECONDS:
        _last_said[kind] = now
        try:
            log.warning("Pipeledger: " + text, *args)
        except Exception:  # a handler of somebody else's
            pass


def from_signal(error: BaseException) -> bool:
    """Whether a signal handler raised it, by the frames it passed through."""
    if isinstance(error, Exception):
        return False
    if isinstance(error, KeyboardInterrupt):
        return True
    handlers = set()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        handler = signal.getsignal(number)
        if isinstance(handler, MethodType):
            handler = handler.__func__
        if isinstance(handler, FunctionType):
            handlers.add(handler.__code__)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False
