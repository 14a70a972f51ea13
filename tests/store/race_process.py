"""One process of a race: it connects, says that it is ready, and begins when it is told to.

    python race_process.py add_leaves|relink|finish_windows|register|edges|aliases URL NUMBER

The work is on standard input after the line ``go``; ``done`` on standard output ends it.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid5

from pipeledger.model.address import Address
from pipeledger.model.lineage import DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

AT = datetime(2024, 1, 1, tzinfo=timezone.utc)
NAMES = UUID(int=77)
DEPTH, ROOTS = 4, 6


def key(*names: object) -> UUID:
    return uuid5(NAMES, " ".join(map(str, names)))


def add_leaves(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """Runs below the deepest of a chain of ancestors."""
    for leaf in work:
        parent = key("chain", leaf % DEPTH)
        recorder.record([ExecutionReport(key("leaf", number, leaf), AT, parent=parent)])


def relink(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """The top of the chain moves from tree to tree: of two stated parents the earlier report wins."""
    for step in work:
        earlier = AT - timedelta(seconds=step)
        root = key("root", step % ROOTS)
        recorder.record([ExecutionReport(key("chain", 0), earlier, parent=root)])


def finish_windows(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """Windows (n, n + 1] of one pipeline."""
    for lower in work:
        report = {
            "pipeline": PipelineRef("windows"),
            "window": Window.of(lower or None, lower + 1),
        }
        run = key("window", lower)
        recorder.record([ExecutionReport(run, AT, state=State.RUNNING, started_at=AT, **report)])  # type: ignore[arg-type]
        recorder.record([ExecutionReport(run, AT, state=State.SUCCESS, ended_at=AT, **report)])  # type: ignore[arg-type]


def register(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """The same new pipeline, type and addresses as everybody."""
    load = PipelineRef("load", "team")
    edge = (Address("s3://bucket", "a"), Address("postgres://dwh:5432", "sales.public.orders"))
    recorder.record(
        [
            PipelineReport(load, AT, type="loader", group="loaders"),
            LineageReport(load, AT, (edge,)),
            ExecutionReport(key("run", number), AT, pipeline=load, state=State.RUNNING),
        ]
    )


def table(number: int) -> Address:
    return Address("postgres://dwh:5432", f"shop.public.t{number % 12}")


def edges(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """Declarations that replace each other, and observations, over the same dozen of addresses."""
    for step in work:
        here, ref = number * 7 + step * (number + 2), PipelineRef(f"p{number % 3}")
        moved = tuple((table(here + i), table(here + i + 1 + step % 3)) for i in range(3))
        at = AT + timedelta(minutes=step)
        recorder.record([LineageReport(ref, at, moved, observed=number % 2 == 1)])


def aliases(recorder: SqlRecorder, number: int, work: list[int]) -> None:
    """Names that become the same data, and some that cease to be."""
    for step in work:
        other = Address("default", f"n{(number + step) % 5}")
        at, own = AT + timedelta(minutes=step), table(number * 5 + step)
        if step % 3:
            recorder.record([DatasetReport(own, at, aliases=(other,))])
        else:
            recorder.record([DatasetReport(own, at, not_aliases=(other,))])


def main() -> None:
    what, url, number = sys.argv[1:]
    recorder = SqlRecorder(Database.parse(url), 30.0)
    print("ready", flush=True)
    work = [int(word) for word in sys.stdin.readline().split()]
    globals()[what](recorder, int(number), work)
    recorder.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
