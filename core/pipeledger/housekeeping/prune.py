"""Pruning: old executions go, in committed batches; what is still needed, and daily sums, stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput
from pipeledger.store import findings, pruning
from pipeledger.store.database import Connection, Database

KEEP_LAST = 10
BATCH = 2000
LARGEST_BATCH = 100_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, and how many old trees had to stay. ``findings``: that were over as long ago."""

    trees: int = 0
    executions: int = 0
    kept_trees: int = 0
    findings: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            self.trees + other.trees,
            self.executions + other.executions,
            self.kept_trees + other.kept_trees,
            self.findings + other.findings,
        )


def prune(
    database: Database,
    *,
    older_than: timedelta,
    keep_last: int = KEEP_LAST,
    batch: int = BATCH,
    dry_run: bool = False,
    progress: Callable[[Pruned], None] = lambda pruned: None,
    now: datetime | None = None,
) -> Pruned:
    """Delete executions of which all that ran in the same tree ended longer than ``older_than`` ago.

    A tree stays whole when anything in it still runs, was heard of since, is a success that waits for
    its watermark, or is one of the last ``keep_last`` runs of its pipeline. About ``batch`` executions
    are deleted in a transaction, and ``progress`` is told after each; stopping in between loses nothing.
    Findings that were over as long ago go as well. Raises InvalidInput.
    """
    if not 1 <= batch <= LARGEST_BATCH:
        raise InvalidInput(f"batch {batch} cannot be used: expected 1 to {LARGEST_BATCH}")
    if not 0 <= keep_last <= 10_000:
        raise InvalidInput(f"keep_last {keep_last} cannot be used: expected 0 to 10000")
    before = (now or times.now()) - older_than
    done = Pruned()
    with session(database) as connection:
        for ids in _batches(connection, before, batch):
            began = time.monotonic()
            step = in_transaction(connection, _step(ids, before, keep_last, dry_run))
            done += step
            progress(done)
            if database.is_sqlite and step.executions and not dry_run:
                # One writer at a time, and no queue for it: let those in who wait.
                time.sleep(min(0.1, time.monotonic() - began))
        return done + _findings(connection, before, batch, dry_run)


def _findings(connection: Connection, before: datetime, batch: int, dry_run: bool) -> Pruned:
    if dry_run:
        return Pruned(findings=in_transaction(connection, lambda c: findings.count_old(c, before)))
    deleted = 0
    while step := in_transaction(connection, lambda c: findings.delete_old(c, before, batch)):
        deleted += step
    return Pruned(findings=deleted)


def _step(
    ids: Sequence[int], before: datetime, keep_last: int, dry_run: bool
) -> Callable[[Connection], Pruned]:
    def work(connection: Connection) -> Pruned:
        judged = pruning.judge(connection, ids, before, keep_last, lock=not dry_run)
        going = [tree for tree in judged if tree.may_go]
        if dry_run:
            count = sum(tree.size for tree in going)
        else:
            count = pruning.delete(connection, [tree.root_id for tree in going])
        return Pruned(len(going), count, len(ids) - len(going))

    return work


def _batches(connection: Connection, before: datetime, batch: int) -> Iterator[list[int]]:
    """Roots of trees that together have about ``batch`` executions; a larger tree comes alone."""
    place: pruning.Place | None = pruning.BEGINNING
    together: list[int] = []
    weight = 0
    while place is not None:
        ids, place = pruning.roots(connection, place, before, batch)
        sized = pruning.sizes(connection, ids) if ids else []
        connection.rollback()
        for id_, size in sized:
            if together and weight + size > batch:
                yield together
                together, weight = [], 0
            together.append(id_)
            weight += size
    if together:
        yield together
