"""Recording into a ledger that holds many executions, against an empty one.

    python benchmarks/bench_history.py --rows 10000000     # the long one: about 15 GB, most of an hour

The big ledger is built set-based: trees of ten (a run and nine tasks), over 1,000 pipelines, ended,
with their closure. Then both ledgers take the same starts and finishes, in turns.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import databases
import history
import workload
from comparison import Benchmark, Table, in_turns, median, percent, ratio
from workload import SHAPES, Shape

from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database


class Arm:
    """One ledger and the recorder that writes to it."""

    def __init__(self, url: str) -> None:
        self._recorder = SqlRecorder(Database.parse(url), 60.0)
        self._next = dict.fromkeys(SHAPES, 1)
        self.worked: list[float] = []
        workload.prepare(self._recorder, 1)

    def __call__(self, shape: Shape, count: int) -> float:
        first = self._next[shape]
        self._next[shape] += count
        worked = self._server_seconds()
        began = time.perf_counter()
        for begun, ended in workload.pairs(shape, 0, first, count):
            self._recorder.record([begun])
            self._recorder.record([ended])
        seconds = time.perf_counter() - began
        self.worked.append(self._server_seconds() - worked)
        return seconds

    def _server_seconds(self) -> float:
        """The processor time of our connection's server process, which others' load does not touch."""
        connection: Any = self._recorder._connection
        schedule = Path(f"/proc/{connection._raw.get_backend_pid()}/schedstat")
        return int(schedule.read_text().split()[0]) / 1e9 if schedule.exists() else float("nan")

    def close(self) -> None:
        self._recorder.close()


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        rows=(200_000, "executions in the big ledger"),
        pairs=(50, "executions per turn"),
        rounds=(15, "turns of each arm"),
    )
    rows, count, rounds = (benchmark.size(n) for n in ("rows", "pairs", "rounds"))
    with databases.postgres() as server:
        server.make_durable(False)  # to build it
        empty, big = server.ledger("empty"), server.ledger("big")
        built = history.fill(server, "big", rows)
        server.make_durable(True)
        arms = {"empty": Arm(empty), "big": Arm(big)}
        table = Table(
            f"Start + finish with {rows:,} executions in the ledger (PostgreSQL, fsync on)",
            (
                "executions have",
                "empty pairs/s",
                "big pairs/s",
                "big/empty",
                "empty server µs/pair",
                "big server µs/pair",
            ),
            f"Budget: within 10 %. The big ledger was built in {built:.0f} s. Server µs are processor time.",
        )
        for shape in SHAPES:
            for arm in arms.values():
                arm.worked.clear()
            seconds = in_turns({n: partial(a, shape, count) for n, a in arms.items()}, rounds)
            table.add(
                str(shape),
                count / median(seconds["empty"]),
                count / median(seconds["big"]),
                percent(ratio(seconds["empty"], seconds["big"])),
                *(median(arms[n].worked) / count * 1e6 for n in ("empty", "big")),
            )
        for arm in arms.values():
            arm.close()
        benchmark.show(table)


if __name__ == "__main__":
    main()
