"""One process of the chaos test: it records, or delivers for others, until a file tells it to stop.

    python chaos_process.py record|deliver URL SPOOL FOLDER NAME

A recorder writes down what every call came to, before it makes the next one, and waits for the disk:
what stands in its log had been acknowledged, whatever kills it afterwards.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID, uuid5

from pipeledger import Ledger, Settings
from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording import guard
from pipeledger.recording.spool import Spool

NAMES = UUID(int=2024)
WHOLE = uuid5(NAMES, "the whole run")
AT = datetime(2024, 1, 1, tzinfo=timezone.utc)
WAREHOUSE = Address("postgres://dwh:5432", "sales.public.orders")


def root_key(name: str) -> UUID:
    return uuid5(NAMES, name)


def run_key(name: str, number: int) -> UUID:
    return uuid5(NAMES, f"{name} {number}")


class WatchedSpool(Spool):
    """A spool that remembers whether the last reports went through it, and whether it kept them."""

    outcome = "recorded"

    def append(self, reports: Sequence[Report], *, durable: bool = True) -> bool:
        kept = super().append(reports, durable=durable)
        self.outcome = "spooled" if kept else "dropped"
        return kept


class Recorder:
    """Records executions of one pipeline, one after the other, each with the next window."""

    def __init__(self, ledger: Ledger, folder: Path, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self.pipeline = PipelineRef(name)
        self.full = folder / "disk-is-full"
        self.log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.spool = ledger.spool = WatchedSpool(ledger.spool.folder)

    def record(self, what: str, number: int, report: ExecutionReport) -> None:
        self.spool.outcome = "recorded"
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        began = time.monotonic()
        try:
            if self.full.exists():  # where no small disk can be mounted
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
            try:
                self.ledger.record(report)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            outcome = self.spool.outcome
        except BaseException as error:
            outcome = f"raised-{type(error).__name__}"
        seconds = time.monotonic() - began
        os.write(self.log, f"{what} {number} {outcome} {seconds:.6f}\n".encode())
        os.fsync(self.log)

    def run(self, stop: Path) -> None:
        whole = ExecutionReport(WHOLE, AT, state=State.RUNNING, started_at=AT)
        root = root_key(self.name)
        self.record(
            "root",
            0,
            ExecutionReport(root, AT, state=State.RUNNING, started_at=AT, parent=WHOLE),
        )
        self.record("whole", 0, whole)
        number = 0
        while not stop.exists():
            key, now = run_key(self.name, number), datetime.now(timezone.utc)
            window = Window.of(number or None, number + 1)
            start = ExecutionReport(
                key, now, pipeline=self.pipeline, state=State.RUNNING, started_at=now, parent=root,
                window=window, attributes={"number": number},
            )  # fmt: skip
            self.record("start", number, start)
            now = datetime.now(timezone.utc)
            finish = ExecutionReport(
                key, now, pipeline=self.pipeline, state=State.SUCCESS, ended_at=now, parent=root,
                window=window, counts=Counts(inserts=number), metadata={"number": number},
                outputs=(DatasetUse(WAREHOUSE, rows=number),),
            )  # fmt: skip
            self.record("finish", number, finish)
            number += 1
            time.sleep(0.01)  # or the spool, which has no commit to wait for, would take nearly all


def main() -> None:
    what, url, spool, folder, name = sys.argv[1:]
    logging.disable()
    guard.BREAKER_SECONDS = 1.0  # half a minute would be half the test
    ledger = Ledger(
        url, settings=Settings.from_environment({}, spool_dir=spool, deadline_seconds=1.0)
    )
    stop = Path(folder) / "stop"
    if what == "record":
        Recorder(ledger, Path(folder), name).run(stop)
    while what == "deliver" and not stop.exists():
        ledger.flush()
        time.sleep(0.5)


if __name__ == "__main__":
    main()
