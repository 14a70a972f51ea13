"""Recording thousands of reports in one call, against recording them one by one.

Batches are what the spool's delivery, reconciliation and imports send. Each execution is a start and
a finish below one parent, without a window.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import databases
import workload
from comparison import Benchmark, Table, in_turns, median, ratio
from workload import ROOT, Shape

from pipeledger.model.report import Report
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

SHAPE = Shape(parent=True, window=False)


def reports(count: int) -> list[Report]:
    return [r for pair in workload.pairs(SHAPE, 0, 0, count) for r in pair]


def seconds_per_report(record: Callable[[list[Report]], None], count: int) -> float:
    made = reports(count)  # outside of the time in both arms
    began = time.perf_counter()
    record(made)
    return (time.perf_counter() - began) / len(made)


def one_by_one(recorder: SqlRecorder, made: list[Report]) -> None:
    for report in made:
        recorder.record([report])


def at_once(recorder: SqlRecorder, made: list[Report]) -> None:
    recorder.record(made)


def measure(table: Table, name: str, url: str, singles: int, batch: int, rounds: int) -> None:
    recorder = SqlRecorder(Database.parse(url), 60.0)
    workload.prepare(recorder, 1)
    measured = in_turns(
        {
            "single": partial(seconds_per_report, partial(one_by_one, recorder), singles),
            "batch": partial(seconds_per_report, partial(at_once, recorder), batch),
        },
        rounds,
    )
    recorder.close()
    table.add(
        name,
        1 / median(measured["single"]),
        1 / median(measured["batch"]),
        f"{ratio(measured['single'], measured['batch']):.1f} times",
    )


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        singles=(100, "executions recorded one by one, per turn"),
        batch=(5000, "executions in one call, per turn"),
        rounds=(5, "turns of each arm"),
    )
    sizes = [benchmark.size(n) for n in ("singles", "batch", "rounds")]
    table = Table(
        "Batches against single records",
        ("database", "single reports/s", "batch reports/s", "batch/single"),
        f"Budget on PostgreSQL: 20 times. One call holds {2 * sizes[1]:,} reports below the run {ROOT}.",
    )
    with databases.postgres() as server, databases.folder() as folder:
        for durable in (True, False):
            server.make_durable(durable)
            name = "PostgreSQL, fsync " + ("on" if durable else "off")
            measure(table, name, server.ledger("batch"), *sizes)
        measure(table, "SQLite", databases.sqlite_ledger(folder / "batch.db"), *sizes)
    benchmark.show(table)


if __name__ == "__main__":
    main()
