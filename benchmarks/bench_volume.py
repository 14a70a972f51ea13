"""A look at odd volumes that judges one new run of every pipeline, against reading the same rows.

    python benchmarks/bench_volume.py                      # 10,000 pipelines with a year of days: some minutes
    python benchmarks/bench_volume.py --pipelines 500

Daily runs with inserts and a duration, one in a hundred of the new ones odd. The baseline is
one SQL query that returns the points of all these pipelines, fetched in parts by psycopg2. Each in a
process of its own, so that its peak memory can be told.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing

import databases
import psutil
import psycopg2
from comparison import Benchmark, Table

_OURS = """
import json, re, sys, time
from datetime import datetime
from pipeledger.monitoring.check import check
from pipeledger.store.database import Database
database, now = Database.parse(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
began = time.perf_counter()
(done,) = check(database, ("volume",), now=now).checks
seconds = time.perf_counter() - began
"""
_BARE = """
import json, re, sys, time
import psycopg2
from types import SimpleNamespace
began = time.perf_counter()
connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor("points")
cursor.itersize = 50_000
cursor.execute("SELECT pipeline_id, id, start_date, inserts, updates, soft_deletes, total_rows,"
               " duration_seconds FROM pipeline_execution WHERE state = 'success' ORDER BY pipeline_id, start_date")
done = SimpleNamespace(checked=sum(1 for _ in cursor), causes=0)
seconds = time.perf_counter() - began
"""
_TELL = """
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)
print(json.dumps([done.checked, done.causes, seconds, time.process_time(), int(peak) / 1024]))
"""
NOW = "2025-03-12T12:00:00+00:00"


Measured = tuple[int, int, float, float, float]


def run(server: databases.Postgres, code: str, *arguments: str) -> Measured:
    """What it looked at, what it found, seconds, processor seconds with the server's, megabytes."""
    before = server_seconds(server)
    out = subprocess.run(
        [sys.executable, "-c", code + _TELL, *arguments], capture_output=True, text=True, check=True
    )
    looked, found, seconds, worked, megabytes = json.loads(out.stdout)
    return looked, found, seconds, worked + server_seconds(server) - before, megabytes


def server_seconds(server: databases.Postgres) -> float:
    """The processor time of all of the server's processes that have ended."""
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        times = psutil.Process(connection.info.backend_pid).parent().cpu_times()
    return float(times.children_user + times.children_system)


def fill(server: databases.Postgres, database: str, pipelines: int, days: int) -> None:
    """A year of every pipeline, and the state of a check that has looked at all but the last day."""
    server.run(
        "INSERT INTO namespace (name, created_at) VALUES ('default', now()) ON CONFLICT DO NOTHING",
        "INSERT INTO pipeline (namespace_id, name, created_at, updated_at) SELECT n.id, 'p' || i,"
        f" now(), now() FROM namespace n, generate_series(1, {pipelines}) i",
        "SELECT setseed(0.5)",
        database=database,
    )
    for first in [*range(0, days - 1, 30), days - 1]:
        last = min(days - 2, first + 29) if first < days - 1 else first
        server.run(
            "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_date,"
            " inserts, succeeded)"
            " SELECT gen_random_uuid(), p.id, 'success', at, at + interval '1 second' * (60 + random() * 20),"
            " rows, true FROM pipeline p,"
            f" generate_series({first}, {last}) AS day,"
            " LATERAL (SELECT timestamptz '2025-03-12 06:00Z' - interval '1 day' *"
            f" ({days - 1} - day) AS at) AS t,"
            " LATERAL (SELECT (1000 * (1 + p.id % 97) * (0.9 + random() * 0.2)"
            "  * CASE WHEN extract(isodow FROM at) > 5 THEN 0.4 ELSE 1 END"
            f"  * CASE WHEN day = {days - 1} AND p.id % 100 = 0 THEN 0.1 ELSE 1 END)::bigint AS rows) AS r",
            database=database,
        )
    server.run(
        "INSERT INTO monitoring_check (name, checked_at, checked, state) SELECT 'volume',"
        " timestamptz '2025-03-11 12:00Z', 0, json_build_object('last_id', max(id) + 5000,"
        " 'running', '[]'::json) FROM pipeline_execution"
        " WHERE start_date < timestamptz '2025-03-12 00:00Z'",
        "VACUUM ANALYZE",
        "CHECKPOINT",
        database=database,
    )


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        pipelines=(10_000, "pipelines, each with a new run"),
        days=(365, "days of history"),
        rounds=(2, "times each is measured; the best counts"),
    )
    pipelines, days = benchmark.size("pipelines"), benchmark.size("days")
    table = Table(
        f"A look at {pipelines:,} pipelines with {days} days each (PostgreSQL)",
        (
            "what",
            "runs judged or rows read",
            "findings",
            "seconds",
            "processor seconds",
            "peak MB",
            "processor, against bare",
        ),
        "Budget for 10,000 pipelines with a year: below 30 s and 500 MB."
        " Bare: the same points read by psycopg2, nothing done with them. Processor: with the server's.",
    )
    with databases.postgres() as server:
        server.make_durable(False)
        url = server.ledger("volumes")
        fill(server, "volumes", pipelines, days)
        best: dict[str, Measured] = {}
        for number in range(benchmark.size("rounds")):
            copy = server.ledger(f"look_{number}", template="volumes")
            for name, measured in (
                ("volume check", run(server, _OURS, copy, NOW)),
                ("bare", run(server, _BARE, url)),
            ):
                if name not in best or measured[2] < best[name][2]:
                    best[name] = measured
    for name, (looked, found, seconds, worked, megabytes) in best.items():
        ratio = f"{worked / best['bare'][3]:.2f}"
        table.add(name, looked, found, seconds, worked, megabytes, ratio)
    benchmark.show(table)


if __name__ == "__main__":
    main()
