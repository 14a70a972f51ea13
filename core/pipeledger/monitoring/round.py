"""A round: all that keeps a ledger watched and tidy, step by step, for the engine that is there.

Reading this file loads nothing of what the steps need: DAG files and definitions read it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeledger.housekeeping import duration
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, PipeledgerError
from pipeledger.model.finding import CHECKS
from pipeledger.model.redaction import redact_text

if TYPE_CHECKING:
    from pipeledger.monitoring.steps import Ledger

log = logging.getLogger(__name__)

SPOOL, REAP, PROBES, CHECK, ALERTS, PRUNE = "spool", "reap", "probes", "check", "alerts", "prune"
STEPS = (SPOOL, REAP, PROBES, CHECK, ALERTS, PRUNE)
"""Every step, in the order in which each finds what the ones before it have brought."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round does: False or None leaves a step out. Spans of time as ``1h``, ``90d``.

    ``reap_older_than``, ``reap_silent_for``: as ``pipeledger reap`` has them. ``checks``: those of
    ``pipeledger check``. ``prune_older_than``: nothing is ever deleted without it; with it, once a
    day. Raises InvalidInput.
    """

    spool: bool = True
    reap_older_than: str | None = "1h"
    reap_silent_for: str = "7d"
    probes: bool = True
    checks: Collection[str] | None = CHECKS
    alerts: bool = True
    prune_older_than: str | None = None

    def __post_init__(self) -> None:
        for name in ("reap_older_than", "reap_silent_for", "prune_older_than"):
            value = getattr(self, name)
            if value is not None:
                duration.parse(value, name)
        if isinstance(self.checks, str):
            raise InvalidInput(f"checks {self.checks!r} cannot be used: expected a list of checks")
        for check in self.checks or ():
            if check not in CHECKS:
                raise InvalidInput(f"check {check!r} is unknown; use some of {', '.join(CHECKS)}")

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps that this plan has."""
        wanted = {
            SPOOL: self.spool,
            REAP: self.reap_older_than is not None,
            PROBES: self.probes,
            CHECK: bool(self.checks),
            ALERTS: self.alerts,
            PRUNE: self.prune_older_than is not None,
        }
        return tuple(name for name in STEPS if wanted[name])


@dataclass(frozen=True, slots=True)
class Done:
    """What a step says of itself: in a line, in lines of its own, and for programs.

    ``error``: why it could not do all that it was to do.
    """

    said: str
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step."""

    name: str
    done: Done
    seconds: float

    @property
    def error(self) -> str | None:
        return self.done.error

    def __str__(self) -> str:
        """``check: 2 findings are open``, with one line for each below it."""
        said = [part for part in (self.done.said, self.error) if part]
        return "\n  ".join((f"{self.name}: {'; '.join(said)}", *self.done.lines))

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.name,
            "said": self.done.said,
            "lines": list(self.done.lines),
            "error": self.error,
            "seconds": round(self.seconds, 3),
            **self.done.facts,
        }


@dataclass(frozen=True, slots=True)
class Round:
    """What came of every step that was planned."""

    at: datetime
    steps: tuple[Step, ...]

    @property
    def error(self) -> str | None:
        """One line with all that went wrong; None where nothing did."""
        return together({step.name: step.error for step in self.steps if step.error is not None})

    def to_json(self) -> dict[str, Any]:
        return {
            "at": times.isoformat(self.at),
            "error": self.error,
            "steps": [step.to_json() for step in self.steps],
        }


def run(
    ledger: Ledger,
    plan: Plan,
    *,
    now: datetime | None = None,
    progress: Callable[[Step], None] = lambda step: None,
) -> Round:
    """Do every step of the plan; one that fails stops none of the others. Raises nothing of ours.

    Rounds on several machines, or at once, do each other no harm. ``now``: the moment that counts,
    for tests. ``progress`` is told of each step when it is done.
    """
    began = now or times.now()
    steps = []
    for name in plan.steps:
        steps.append(step(name, ledger, plan, now=now))
        progress(steps[-1])
    return Round(began, tuple(steps))


def step(name: str, ledger: Ledger, plan: Plan, *, now: datetime | None = None) -> Step:
    """Do one step by itself, as the plan has it; nothing where PIPELEDGER_DISABLED is set.

    What it raises is in the answer.
    """
    if ledger.settings.disabled:
        return Step(name, Done("left out: PIPELEDGER_DISABLED is set"), 0.0)
    from pipeledger.monitoring.steps import WORK

    began = time.monotonic()
    try:
        done = WORK[name](ledger, plan, now)
    except Exception as error:
        done = Done("", error=reason(name, error))
    return Step(name, done, time.monotonic() - began)


def reason(what: str, error: Exception) -> str:
    """Why ``what`` failed, in one line; what nobody expected is logged with its place."""
    if isinstance(error, PipeledgerError):
        return " ".join(str(error).split())
    log.warning("%s failed, which was not expected", what, exc_info=error)
    return f"{type(error).__name__}: {' '.join(redact_text(str(error)).split())[:300]}"


def together(errors: Mapping[str, str]) -> str | None:
    """One line of what failed and why, those of the same reason together; None where nothing did."""
    reasons: dict[str, list[str]] = {}
    for what, why in errors.items():
        reasons.setdefault(why, []).append(what)
    return "; ".join(f"{', '.join(failed)}: {why}" for why, failed in reasons.items()) or None
