"""Pruning against bare DELETEs of the same rows, and how much memory it needs; `db check` and `reap` beside it.

    python benchmarks/bench_prune.py --rows 1000000      # some minutes

Trees of ten, all old, over 1,000 pipelines of which the last ten runs stay. Each command runs in a
process of its own, so that its peak memory can be told.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import bare
import databases
from comparison import Benchmark, Table
from history import FIRST_ID, PIPELINES, TREE, fill

from pipeledger.store.database import Database

_RUN = """
import json, re, sys, time
from datetime import timedelta
from pipeledger.store.database import Database
database, what = Database.parse(sys.argv[1]), sys.argv[2]
began = time.perf_counter()
if what == "prune":
    from pipeledger.housekeeping.prune import prune
    done = prune(database, older_than=timedelta(90)).executions
elif what == "check":
    from pipeledger.housekeeping.verify import verify
    done = len(verify(database))
else:
    from pipeledger.housekeeping.reap import reap
    done = reap(database, older_than=timedelta(1), silent_for=timedelta(7))
seconds = time.perf_counter() - began
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)
print(json.dumps([done, seconds, int(peak) / 1024]))
"""


def run(url: str, what: str) -> tuple[int, float, float]:
    """What a command did, its seconds, and the most megabytes it had."""
    out = subprocess.run(
        [sys.executable, "-c", _RUN, url, what], capture_output=True, text=True, check=True
    )
    done, seconds, megabytes = json.loads(out.stdout)
    return done, seconds, megabytes


def fill_sqlite(path: Path, rows: int) -> str:
    """The same executions as ``bench_history.fill`` makes, in a file; its URL."""
    url = databases.sqlite_ledger(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"""
            PRAGMA synchronous = OFF;
            BEGIN;
            INSERT INTO namespace (name, created_at) VALUES ('history', '2024-01-01 00:00:00.000000');
            CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
                (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {max(rows, PIPELINES)}) SELECT i FROM n;
            INSERT INTO pipeline (id, namespace_id, name, created_at, updated_at)
                SELECT i + 1, 1, 'old_' || i, '2024-01-01 00:00:00.000000', '2024-01-01 00:00:00.000000'
                FROM n WHERE i < {PIPELINES};
            INSERT INTO pipeline_execution (id, run_key, pipeline_id, parent_id, parent_rank, state,
                start_date, end_date, inserts, end_rank, inserts_rank, succeeded)
                SELECT {FIRST_ID} + i, printf('00000000-0000-4000-8000-%012d', i), 1 + i % {PIPELINES},
                CASE WHEN i % {TREE} > 0 THEN {FIRST_ID} + i - i % {TREE} END,
                CASE WHEN i % {TREE} > 0 THEN zeroblob(16) END, 'success',
                strftime('%Y-%m-%d %H:%M:%f000', '2024-01-01', i || ' seconds'),
                strftime('%Y-%m-%d %H:%M:%f000', '2024-01-01', (i + 30) || ' seconds'), i,
                x'40000000000000000000000000000000', zeroblob(16), 1 FROM n WHERE i < {rows};
            INSERT INTO pipeline_execution_closure SELECT {FIRST_ID} + i, {FIRST_ID} + i, 0 FROM n
                WHERE i < {rows} UNION ALL
                SELECT {FIRST_ID} + i - i % {TREE}, {FIRST_ID} + i, 1 FROM n WHERE i < {rows} AND i % {TREE} > 0;
            COMMIT;
            ANALYZE;
            """
        )
    return url


def delete_bare(url: str, rows: int, batch: int = 2000) -> float:
    """The seconds that bare DELETEs by id take for as many executions, in batches as large."""
    database = Database.parse(url)
    began = time.perf_counter()
    with closing(bare.connect(database.dsn)) as connection:
        cursor = connection.cursor()
        for first in range(FIRST_ID, FIRST_ID + rows, batch):
            between = f"BETWEEN {first} AND {min(first + batch, FIRST_ID + rows) - 1}"
            if database.is_sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            cursor.execute(
                f"DELETE FROM pipeline_execution_closure WHERE child_execution_id {between}"
            )
            cursor.execute(f"DELETE FROM pipeline_execution WHERE id {between}")
            cursor.execute("COMMIT") if database.is_sqlite else connection.commit()
    return time.perf_counter() - began


def main() -> None:
    benchmark = Benchmark(__doc__, rows=(100_000, "executions in the ledger"))
    rows = benchmark.size("rows")
    table = Table(
        f"Housekeeping of a ledger of {rows:,} old executions",
        (
            "database",
            "command",
            "did",
            "seconds",
            "executions/s",
            "peak MB",
            "bare DELETEs/s",
            "ours/bare",
        ),
        "Budget: prune of 1 million executions below 200 MB. Bare: DELETE by id, without judging or sums.",
    )
    with databases.postgres() as server, databases.folder() as folder:
        server.make_durable(False)
        kept, other = server.ledger("kept"), server.ledger("other")
        fill(server, "kept", rows)
        fill(server, "other", rows)
        server.make_durable(True)
        arms = {
            "PostgreSQL": (kept, other),
            "SQLite": (fill_sqlite(folder / "a.db", rows), fill_sqlite(folder / "b.db", rows)),
        }
        for name, (url, bare) in arms.items():
            for what in ("check", "reap"):
                done, seconds, megabytes = run(url, what)
                table.add(name, what, done, seconds, rows / seconds, megabytes, "", "")
            done, seconds, megabytes = run(url, "prune")
            bare_rate = done / delete_bare(bare, done)
            rate = done / seconds
            table.add(
                name, "prune", done, seconds, rate, megabytes, bare_rate, f"{rate / bare_rate:.0%}"
            )
    benchmark.show(table)


if __name__ == "__main__":
    main()
