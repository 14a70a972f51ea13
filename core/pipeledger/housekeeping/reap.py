"""The reaper: executions that run for ever because nobody is left to report their end.

What it says is a guess: `abandoned`, with the rule that fired and the last sign of life it saw. A
later sign of life takes it back, and any reported end wins over it, however late it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pipeledger.housekeeping.duration import in_words
from pipeledger.housekeeping.session import session
from pipeledger.model import times
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority, State
from pipeledger.recording import owner
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import silence
from pipeledger.store.database import Database
from pipeledger.store.silence import Silent

PAGE = 500
NO_HEARTBEAT = "no heartbeat"
PROCESS_GONE = "process gone"
NO_SIGN_OF_LIFE = "no sign of life"


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An execution that was given up, and why."""

    run_key: UUID
    pipeline: PipelineRef | None
    rule: str
    detail: str
    started_at: datetime | None
    last_seen_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "run_key": str(self.run_key),
            "namespace": None if self.pipeline is None else self.pipeline.namespace,
            "pipeline": None if self.pipeline is None else self.pipeline.name,
            "rule": self.rule,
            "state_detail": self.detail,
            "started_at": None if self.started_at is None else times.isoformat(self.started_at),
            "last_seen_at": times.isoformat(self.last_seen_at),
        }

    def to_report(self) -> ExecutionReport:
        """`abandoned`, as of the last sign of life that was seen."""
        return ExecutionReport(
            self.run_key,
            self.last_seen_at,
            Authority.INFERRED,
            state=State.ABANDONED,
            ended_at=self.last_seen_at,
            state_detail=self.detail,
        )


def reap(
    database: Database,
    *,
    older_than: timedelta,
    silent_for: timedelta,
    dry_run: bool = False,
    found: Callable[[Abandoned], None] = lambda abandoned: None,
    now: datetime | None = None,
) -> int:
    """Give up what has no heartbeat for ``older_than``, whose process on this host is gone, or of
    which, and of everything inside it, nothing was heard for ``silent_for``; how many that were.

    What runs in a process of this host that lives is never given up. ``found`` is told of each.
    Running it twice, or two at once, gives up nothing twice.
    """
    now = now or times.now()
    scope, after, count = owner.scope(), 0, 0
    recorder = SqlRecorder(database, timeout=30.0)
    try:
        with session(database) as connection:
            while True:
                page = silence.page(
                    connection,
                    after,
                    PAGE,
                    late_at=now - older_than,
                    quiet_at=now - silent_for,
                    scope=scope,
                )
                connection.rollback()
                if not page:
                    return count
                after = page[-1].id
                given_up = [
                    abandoned
                    for run in page
                    if (abandoned := judged(run, now - older_than, older_than, silent_for))
                ]
                if given_up and not dry_run:
                    recorder.record([abandoned.to_report() for abandoned in given_up])
                count += len(given_up)
                for abandoned in given_up:
                    found(abandoned)
    finally:
        recorder.close()


def judged(
    run: Silent, late_at: datetime, older_than: timedelta, silent_for: timedelta
) -> Abandoned | None:
    """The execution given up by the first rule that fires; None when it may be alive."""
    lives = owner.lives(run.attributes)
    if lives:
        return None
    if lives is False:
        rule = PROCESS_GONE
        host, pid = run.attributes.get(owner.HOST), run.attributes.get(owner.PID)
        detail = f"{rule}: process {pid} on {host} has ended without a word"
    elif run.heartbeat_at is not None and run.last_seen_at < late_at:
        rule = NO_HEARTBEAT
        detail = f"{rule} for {in_words(older_than)}"
    elif run.is_quiet:
        rule = NO_SIGN_OF_LIFE
        detail = f"{rule} for {in_words(silent_for)}"
    else:
        return None
    return Abandoned(run.run_key, run.pipeline, rule, detail, run.started_at, run.last_seen_at)
