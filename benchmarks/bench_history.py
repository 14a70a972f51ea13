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
import workload
from comparison import Benchmark, Table, in_turns, median, percent, ratio
from databases import Postgres
from workload import SHAPES, Shape

from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

PIPELINES, TREE, FIRST_ID, STEP = 1000, 10, 1000, 500_000


def fill(server: Postgres, database: str, rows: int) -> float:
    """Put executions in; the seconds it took."""
    began = time.perf_counter()
    server.run(
        "INSERT INTO namespace (name, created_at) VALUES ('history', now()) ON CONFLICT DO NOTHING",
        "INSERT INTO pipeline (namespace_id, name, created_at, updated_at) SELECT n.id, 'old_' || i,"
        f" now(), now() FROM namespace n, generate_series(1, {PIPELINES}) i WHERE n.name = 'history'",
        database=database,
    )
    for first in range(0, rows, STEP):
        last = min(first + STEP, rows)
        numbers = f"generate_series({first}, {last - 1}) AS i"
        server.run(
            "INSERT INTO pipeline_execution (id, run_key, pipeline_id, parent_id, parent_rank, state,"
            " start_date, end_date, inserts, total_rows, attempt, execution_metadata, attributes, end_rank,"
            " inserts_rank, total_rows_rank, metadata_rank, attributes_rank, succeeded)"
            f" SELECT {FIRST_ID} + i, gen_random_uuid(), p.first + i % {PIPELINES},"
            f" CASE WHEN i % {TREE} > 0 THEN {FIRST_ID} + i - i % {TREE} END,"
            f" CASE WHEN i % {TREE} > 0 THEN r END, 'success', at, at + interval '30 seconds', i, 50000, 1,"
            ' \'{"file": "flights.csv"}\', \'{"host": "w1", "queue": "default"}\', r, r, r, r, r, true'
            f" FROM {numbers}, decode(repeat('ab', 16), 'hex') AS r,"
            " (SELECT min(id) AS first FROM pipeline WHERE name LIKE 'old%') AS p,"
            " LATERAL (SELECT timestamptz '2024-01-01' + i * interval '1 second' AS at) AS t",
            "INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
            f" SELECT {FIRST_ID} + i, {FIRST_ID} + i, 0 FROM {numbers} UNION ALL"
            f" SELECT {FIRST_ID} + i - i % {TREE}, {FIRST_ID} + i, 1 FROM {numbers} WHERE i % {TREE} > 0",
            database=database,
        )
    server.run(
        f"SELECT setval(pg_get_serial_sequence('pipeline_execution', 'id'), {FIRST_ID + rows})",
        "VACUUM ANALYZE",
        "CHECKPOINT",
        database=database,
    )
    return time.perf_counter() - began


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
        built = fill(server, "big", rows)
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
