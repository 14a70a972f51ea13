"""Recording a start and a finish, against the bare driver sending the same statements.

The statements are those that the recorder sent for the same executions to a copy of the same ledger,
written down with their parameters; psycopg2 or sqlite3 then sends them to another copy. So the
difference is what we add in Python: reports, merging, redaction, parameters, results.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import bare
import databases
import workload
from comparison import Benchmark, Table, in_turns, median, percent, ratio
from databases import Postgres
from workload import SHAPES, Shape

from pipeledger import Ledger, Settings
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

WRITERS = 8


class Writer:
    """One process's part: it records, or sends the same statements, on demand."""

    def __init__(self, number: int, urls: dict[str, str], spool: str) -> None:
        self._number = number
        self._bare = bare.connect(Database.parse(urls["bare"]).dsn)
        self._recorder = SqlRecorder(Database.parse(urls["recorder"]), 30.0)
        workload.warm(self._recorder, number)
        self._ledger = Ledger(
            urls["ledger"],
            settings=Settings.from_environment({}, spool_dir=spool, deadline_seconds=60.0),
        )
        for shape in SHAPES:
            self._ledger.watermark(shape.pipeline(number))
        self._teller = SqlRecorder(Database.parse(urls["captured"]), 30.0)
        workload.warm(self._teller, number)
        self._captured = workload.capture(self._teller)
        self._next = {(arm, shape): 1 for arm in urls for shape in SHAPES}
        self._calls: list[list[bare.Call]] = []

    def capture(self, shape: Shape, count: int, slices: int) -> tuple[int, int]:
        """Write down the statements of ``slices`` times ``count`` executions.

        Answers how many one start and one finish are, at most.
        """
        self._calls = []
        most = [0, 0]
        for _ in range(slices):
            sent: list[bare.Call] = []
            first = self._first("captured", shape, count)
            for pair in workload.pairs(shape, self._number, first, count):
                for which, report in enumerate(pair):
                    self._captured.calls = []
                    self._teller.record([report])
                    sent += self._captured.calls
                    statements = sum(c.what in ("rows", "run") for c in self._captured.calls)
                    most[which] = max(most[which], statements)
            self._calls.append(sent)
        return most[0], most[1]

    def bare(self, shape: Shape, count: int) -> None:
        bare.replay(self._bare, self._calls.pop(0))

    def recorder(self, shape: Shape, count: int) -> None:
        first = self._first("recorder", shape, count)
        for begun, ended in workload.pairs(shape, self._number, first, count):
            self._recorder.record([begun])
            self._recorder.record([ended])

    def ledger(self, shape: Shape, count: int) -> None:
        first = self._first("ledger", shape, count)
        for begun, ended in workload.pairs(shape, self._number, first, count):
            self._ledger.record(begun)
            self._ledger.record(ended)

    def _first(self, arm: str, shape: Shape, count: int) -> int:
        first = self._next[arm, shape]
        self._next[arm, shape] += count
        return first


def _serve(pipe: Pipe, number: int, urls: dict[str, str], spool: str) -> None:
    writer = Writer(number, urls, spool)
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        what, *arguments = order
        pipe.send(getattr(writer, what)(*arguments))


class Crew:
    """Writers in processes of their own, who start together."""

    def __init__(self, size: int, urls: dict[str, str], spool: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Any] = []
        self._processes = []
        for number in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, number, urls, str(spool)))
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def ask(self, *order: Any) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(order)
        return [pipe.recv() for pipe in self._pipes]

    def one_by_one(self, *order: Any) -> list[Any]:
        answers = []
        for pipe in self._pipes:
            pipe.send(order)
            answers.append(pipe.recv())
        return answers

    def timed(self, *order: Any) -> float:
        began = time.perf_counter()
        self.ask(*order)
        return time.perf_counter() - began

    def stop(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()


COLUMNS = (
    "database", "writers", "executions have", "bare pairs/s", "ours pairs/s", "recorder/bare", "Ledger/bare",
    "round trips",
)  # fmt: skip


def measure(
    table: Table, database: str, urls: dict[str, str], spool: Path, size: int, count: int, rounds: int,
    shapes: Sequence[Shape] = SHAPES,
) -> None:  # fmt: skip
    crew = Crew(size, urls, spool)
    try:
        for shape in shapes:
            starts, finishes = crew.one_by_one("capture", shape, count, rounds)[0]
            arms = {
                arm: partial(crew.timed, arm, shape, count)
                for arm in ("bare", "recorder", "ledger")
            }
            seconds = in_turns(arms, rounds)
            pairs = size * count
            table.add(
                database,
                size,
                str(shape),
                pairs / median(seconds["bare"]),
                pairs / median(seconds["recorder"]),
                percent(ratio(seconds["bare"], seconds["recorder"])),
                percent(ratio(seconds["bare"], seconds["ledger"])),
                f"{starts} + {finishes}",
            )
    finally:
        crew.stop()


def postgres_copies(server: Postgres, size: int) -> dict[str, str]:
    recorder = SqlRecorder(Database.parse(server.ledger("prepared")), 30.0)
    workload.prepare(recorder, size)
    recorder.close()
    return {
        arm: server.ledger(arm, "prepared") for arm in ("bare", "recorder", "ledger", "captured")
    }


def sqlite_copies(folder: Path, size: int) -> dict[str, str]:
    folder.mkdir()
    prepared = databases.sqlite_ledger(folder / "prepared.db")
    recorder = SqlRecorder(Database.parse(prepared), 30.0)
    workload.prepare(recorder, size)
    recorder.close()
    return {
        arm: databases.copy_sqlite(prepared, folder / f"{arm}.db")
        for arm in ("bare", "recorder", "ledger", "captured")
    }


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        pairs=(40, "executions per writer and turn"),
        rounds=(9, "turns of each arm"),
        writers=(WRITERS, "processes in the parallel runs"),
    )
    count, rounds, many = (benchmark.size(n) for n in ("pairs", "rounds", "writers"))
    with databases.postgres() as server, databases.folder() as folder:
        table = Table(
            "Start + finish on PostgreSQL, against psycopg2 sending the same statements",
            COLUMNS,
            "Budget: recorder/bare >= 60 % (aim 75 %); round trips <= 3 for a start, <= 4 for a finish,"
            " BEGIN and COMMIT not counted.\n"
            "Over a Unix socket: a network only raises the ratio. Ledger is the recorder behind the"
            " deadline's thread. Building the reports is in our time.",
        )
        for durable in (True, False):
            server.make_durable(durable)
            name = "PostgreSQL, fsync " + ("on" if durable else "off")
            for size in (1, many):
                each = count if size == 1 else max(1, count // 3)
                measure(
                    table, name, postgres_copies(server, size), folder / "spool", size, each, rounds
                )
        benchmark.show(table)
        table = Table(
            "Start + finish on SQLite, against sqlite3 sending the same statements",
            COLUMNS,
            "Budget: recorder/bare >= 50 %. Statements are calls into a library here, not round trips.",
        )
        # One writer: the statements name new ids, which would come in another order from several.
        measure(
            table, "SQLite", sqlite_copies(folder / "sqlite", 1), folder / "spool", 1, count, rounds
        )
        benchmark.show(table)


if __name__ == "__main__":
    main()
