"""What a round of checks costs: 100,000 pipelines, 1,000 of them running, and a history of two lengths.

    python benchmarks/bench_check.py --executions 10000000     # the long one: about 4 GB, ten minutes

Every pipeline has a cron text, an allowed time and a freshness threshold; one in a hundred is stale, one in
a hundred missing, and of those that run one in ten is late. The first look is timed by itself: it computes
when every pipeline is expected. Then five minutes pass again and again, in each of which some runs start and
end. Beside it one statement by hand for each question, by a driver, that only counts.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import databases
import psycopg2
from comparison import Benchmark, Table, median, ratio
from databases import Postgres

from pipeledger.model.finding import FAILED, FRESHNESS, MISSING, TIMELINESS
from pipeledger.monitoring.check import check
from pipeledger.store.database import Database

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
STEP = 500_000
ROUND = timedelta(minutes=5)
RUNNING, STARTED_IN_A_ROUND = 1_000, 350
CHECKS = (TIMELINESS, MISSING, FRESHNESS, FAILED)
BUDGETED = (TIMELINESS, MISSING, FRESHNESS)
BY_HAND = {
    TIMELINESS: "SELECT count(*) FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE e.state = 'running' AND e.start_date + interval '1 hour' < %(now)s",
    MISSING: "SELECT count(*) FROM pipeline_expectation e JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE e.look_at <= %(now)s AND NOT EXISTS (SELECT 1 FROM pipeline_execution x"
    " WHERE x.pipeline_id = p.id AND x.start_date >= e.expected_at)",
    FRESHNESS: "SELECT count(*) FROM pipeline p WHERE p.active"
    " AND COALESCE(GREATEST(p.last_target_insert, p.last_target_update, p.last_target_soft_delete),"
    " p.created_at) + interval '2 days' < %(now)s",
    FAILED: "SELECT count(DISTINCT e.pipeline_id) FROM pipeline_execution e"
    " WHERE e.id > %(last)s AND e.state IN ('failed', 'abandoned')",
}


def fill(server: Postgres, database: str, pipelines: int, executions: int) -> float:
    """Pipelines whose run of today is there, with their history before it; the seconds it took."""
    began = time.perf_counter()
    server.run(
        "INSERT INTO namespace (name, created_at) VALUES ('default', now()) ON CONFLICT DO NOTHING",
        "INSERT INTO pipeline (id, namespace_id, name, created_at, updated_at, active, schedule,"
        " timeliness_number, timeliness_datepart, freshness_number, freshness_datepart,"
        " configuration_hash, last_target_insert)"
        " SELECT i, n.id, 'pipeline_' || i, at, at, true, (i % 60) || ' ' || (i / 60) % 24 || ' * * *',"
        " 1, 'hour', 2, 'day', 'x', CASE WHEN i % 100 = 1 THEN at ELSE"
        f" timestamptz '{NOW}' - interval '3 hours' END"
        f" FROM namespace n, generate_series(1, {pipelines}) i,"
        f" (SELECT timestamptz '{NOW}' - interval '400 days' AS at) t WHERE n.name = 'default'",
        database=database,
    )
    days = executions // pipelines
    minute = "interval '1 minute'"
    # The last tick of each pipeline before now, and the days before it; one in a hundred missed it.
    tick = (
        f"date_trunc('day', timestamptz '{NOW}') + ((p.i / 60) % 24) * interval '1 hour'"
        f" + (p.i % 60) * {minute}"
    )
    last = f"CASE WHEN {tick} > timestamptz '{NOW}' - {minute} THEN {tick} - interval '1 day' ELSE {tick} END"
    per_batch = max(1, STEP // pipelines)
    for first in range(0, days, per_batch):
        numbers = f"generate_series({first}, {min(days, first + per_batch) - 1}) d"
        server.run(
            "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_date,"
            " inserts, total_rows, end_rank, succeeded) SELECT gen_random_uuid(), p.i, 'success',"
            " at, at + interval '10 minutes', 1000, 1000, r, true"
            f" FROM generate_series(1, {pipelines}) p(i), {numbers},"
            " decode(repeat('ab', 16), 'hex') r,"
            f" LATERAL (SELECT {last} - ({days} - 1 - d) * interval '1 day' AS at) t"
            f" WHERE NOT (p.i % 100 = 2 AND d = {days} - 1)",
            database=database,
        )
    server.run(
        "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_rank, succeeded)"
        f" SELECT gen_random_uuid(), 1 + i * {max(1, pipelines // (RUNNING + 1))}, 'running',"
        f" timestamptz '{NOW}' - CASE WHEN i % 10 = 0 THEN interval '2 hours' ELSE {minute} END, r, false"
        f" FROM generate_series(1, {RUNNING}) i, decode(repeat('ab', 16), 'hex') r",
        "VACUUM ANALYZE",
        "CHECKPOINT",
        database=database,
    )
    return time.perf_counter() - began


def five_minutes(server: Postgres, database: str, now: datetime) -> None:
    """What happens meanwhile: as many runs start as end, one in fifty of them failed."""
    server.run(
        "UPDATE pipeline_execution SET state = CASE WHEN id % 50 = 0 THEN 'failed' ELSE 'success' END,"
        f" end_date = timestamptz '{now}' WHERE id IN (SELECT id FROM pipeline_execution"
        f" WHERE state = 'running' ORDER BY start_date DESC LIMIT {STARTED_IN_A_ROUND})",
        "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_rank, succeeded)"
        f" SELECT gen_random_uuid(), pipeline_id, 'running', timestamptz '{now}',"
        " decode(repeat('ab', 16), 'hex'), false FROM pipeline_expectation"
        f" WHERE look_at <= timestamptz '{now}' ORDER BY look_at DESC LIMIT {STARTED_IN_A_ROUND}",
        database=database,
    )


class Arm:
    """A ledger, and the clock of its rounds."""

    def __init__(self, server: Postgres, name: str, pipelines: int, executions: int) -> None:
        self._server, self._name = server, name
        self.url = server.ledger(name)
        self.built = fill(server, name, pipelines, executions)
        self._now = NOW
        began = time.perf_counter()
        first = check(Database.parse(self.url), CHECKS, now=NOW)
        self.first = time.perf_counter() - began
        self.found = {c.check: c.causes for c in first.checks}

    def round(self) -> tuple[dict[str, float], dict[str, float]]:
        """Seconds of each check, and of each question by hand, five minutes after the last round."""
        self._now += ROUND
        five_minutes(self._server, self._name, self._now)
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            by_hand = {}
            with connection.cursor() as cursor:
                cursor.execute("SELECT max(id) FROM pipeline_execution")
                values = {"now": self._now, "last": cursor.fetchall()[0][0] - 5_350}
                for name, sql in BY_HAND.items():
                    began = time.perf_counter()
                    cursor.execute(sql, values)
                    cursor.fetchall()
                    by_hand[name] = time.perf_counter() - began
        result = check(Database.parse(self.url), CHECKS, now=self._now)
        return {c.check: c.seconds for c in result.checks}, by_hand


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        pipelines=(100_000, "pipelines"),
        executions=(1_000_000, "executions of the longer history"),
        rounds=(7, "rounds of five minutes"),
    )
    pipelines = benchmark.size("pipelines")
    sizes = (benchmark.size("executions") // 10, benchmark.size("executions"))
    with databases.postgres() as server:
        server.make_durable(False)  # to build them
        arms = {size: Arm(server, f"history_{size}", pipelines, size) for size in sizes}
        server.make_durable(True)
        taken: dict[int, dict[str, list[float]]] = {size: {} for size in sizes}
        hand: dict[int, dict[str, list[float]]] = {size: {} for size in sizes}
        for number in range(benchmark.size("rounds") + 1):
            for size, arm in arms.items():
                seconds, by_hand = arm.round()
                for name in CHECKS if number else ():  # the first round warms up
                    taken[size].setdefault(name, []).append(seconds[name])
                    hand[size].setdefault(name, []).append(by_hand[name])
        short, long = sizes
        table = Table(
            f"A round of checks over {pipelines:,} pipelines, {RUNNING:,} running (PostgreSQL)",
            (
                "check", "found", f"ms at {short:,}", f"ms at {long:,}", "long/short",
                "by hand ms", "check/by hand",
            ),
            "Budget: timeliness, missing and freshness together below 1,000 ms, whatever the history."
            f" The first look took {arms[short].first:.1f} and {arms[long].first:.1f} s.",
        )  # fmt: skip
        rows = {name: (taken[short][name], taken[long][name], hand[long][name]) for name in CHECKS}
        rows["the first three"] = tuple(  # type: ignore[assignment]
            [sum(parts) for parts in zip(*(rows[name][i] for name in BUDGETED), strict=True)]
            for i in range(3)
        )
        for name, (few, many, by_hand_) in rows.items():
            table.add(
                name, arms[long].found.get(name, ""), median(few) * 1000, median(many) * 1000,
                ratio(many, few), median(by_hand_) * 1000, ratio(many, by_hand_),
            )  # fmt: skip
        benchmark.show(table)


if __name__ == "__main__":
    main()
