"""The health report at 10,000 pipelines and a million executions, beside one raw SQL of the same rows.

    python benchmarks/bench_report.py                       # about five minutes, 2 GB of disk

The raw arm counts the executions of the period by pipeline and state in one statement, in the
database's own words: what no report can do without. The arms take turns; wall time, medians.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import databases
import psycopg2
from comparison import Benchmark, Table, in_turns, median, ratio

from pipeledger.reporting.html import html
from pipeledger.reporting.markdown import markdown
from pipeledger.reporting.report import Report, report
from pipeledger.store.database import Database
from pipeledger.store.read import Reader
from pipeledger.store.read.status import status

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
DAYS = 60
PERIOD = timedelta(days=29)
STATE = "CASE i % 50 WHEN 0 THEN 'failed' WHEN 1 THEN 'skipped' WHEN 2 THEN 'abandoned' ELSE 'success' END"
_POSTGRESQL = (
    "INSERT INTO namespace (name, created_at) SELECT 'team_' || i, now() FROM generate_series(0, 9) i",
    "INSERT INTO pipeline_type (namespace_id, name, timeliness_number, timeliness_datepart, created_at,"
    " updated_at) SELECT id, 'airflow_task', 1, 'hour', now(), now() FROM namespace",
    "INSERT INTO pipeline (namespace_id, pipeline_type_id, name, freshness_number, freshness_datepart,"
    " created_at, updated_at) SELECT n.id, t.id, 'pipeline_' || i, CASE WHEN i % 2 = 0 THEN 1 END,"
    " CASE WHEN i % 2 = 0 THEN 'day' END, now(), now() FROM generate_series(0, {pipelines} - 1) i"
    " JOIN namespace n ON n.name = 'team_' || i % 10 JOIN pipeline_type t ON t.namespace_id = n.id",
    "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_date, total_rows)"
    f" SELECT gen_random_uuid(), 1 + i % {{pipelines}}, {STATE}, at, at + interval '1 minute', i % 1000"
    " FROM generate_series(0, {executions} - 1) i, LATERAL (SELECT timestamptz '{first}'"
    " + i * interval '{step} seconds' AS at) a",
    "INSERT INTO finding (check_name, subject, pipeline_id, metric, severity, state, message, details,"
    " since, openings, opened_at, updated_at, resolved_at) SELECT c, 's' || i, 1 + i % {pipelines}, '',"
    " 'warning', 'resolved', 'x', '{{}}', at, 1, at, at, at + interval '5 hours'"
    " FROM generate_series(0, {findings} - 1) i, LATERAL (SELECT timestamptz '{first}'"
    " + i * interval '{finding_step} seconds' AS at, (ARRAY['timeliness', 'missing', 'freshness',"
    " 'volume'])[1 + i % 4] AS c) a",
    "INSERT INTO monitoring_check (name, checked_at, checked, state) SELECT unnest(ARRAY['timeliness',"
    " 'missing', 'freshness', 'volume']), now(), 1, '{{}}'",
    "VACUUM ANALYZE",
)
_SERIES = "WITH RECURSIVE g (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < {most} - 1)"
_AT = "strftime('%Y-%m-%d %H:%M:%S', '{first}', '+' || CAST(i * {step} AS INTEGER) || ' seconds')"
_SQLITE = (
    "INSERT INTO namespace (name, created_at) " + _SERIES.format(most=10) + " SELECT 'team_' || i,"
    " '2026-01-01 00:00:00.000000' FROM g",
    "INSERT INTO pipeline_type (namespace_id, name, timeliness_number, timeliness_datepart, created_at,"
    " updated_at) SELECT id, 'airflow_task', 1, 'hour', created_at, created_at FROM namespace",
    "INSERT INTO pipeline (namespace_id, pipeline_type_id, name, freshness_number, freshness_datepart,"
    " created_at, updated_at) " + _SERIES.format(most="{pipelines}") + " SELECT n.id, t.id,"
    " 'pipeline_' || i, CASE WHEN i % 2 = 0 THEN 1 END, CASE WHEN i % 2 = 0 THEN 'day' END,"
    " n.created_at, n.created_at FROM g JOIN namespace n ON n.name = 'team_' || (i % 10)"
    " JOIN pipeline_type t ON t.namespace_id = n.id ORDER BY i",
    "INSERT INTO pipeline_execution (run_key, pipeline_id, state, start_date, end_date, total_rows) "
    + _SERIES.format(most="{executions}")
    + f" SELECT printf('%032x', i), 1 + i % {{pipelines}}, {STATE}, {_AT} || '.000000',"
    f" {_AT} || '.500000', i % 1000 FROM g",
    "INSERT INTO finding (check_name, subject, pipeline_id, metric, severity, state, message, details,"
    " since, openings, opened_at, updated_at, resolved_at) "
    + _SERIES.format(most="{findings}")
    + " SELECT CASE i % 4 WHEN 0 THEN 'timeliness' WHEN 1 THEN 'missing' WHEN 2 THEN 'freshness'"
    " ELSE 'volume' END, 's' || i, 1 + i % {pipelines}, '', 'warning', 'resolved', 'x', '{{}}',"
    f" {_AT.replace('{step}', '{finding_step}')} || '.000000', 1, '{{first}}', '{{first}}',"
    f" {_AT.replace('{step}', '{finding_step} + 18000')} || '.000000' FROM g",
    "INSERT INTO monitoring_check (name, checked_at, checked, state) SELECT DISTINCT check_name,"
    " '2026-01-01 00:00:00.000000', 1, '{{}}' FROM finding",
)
RAW = (
    "SELECT pipeline_id, state, count(*) FROM pipeline_execution"
    " WHERE start_date >= {0} AND start_date < {0} GROUP BY pipeline_id, state"
)


def sizes(benchmark: Benchmark) -> dict[str, Any]:
    executions, findings = benchmark.size("executions"), benchmark.size("findings")
    return {
        "pipelines": benchmark.size("pipelines"),
        "executions": executions,
        "findings": findings,
        "first": (NOW - timedelta(days=DAYS)).strftime("%Y-%m-%d %H:%M:%S"),
        "step": DAYS * 86_400 / executions,
        "finding_step": DAYS * 86_400 / findings,
    }


def timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(benchmark: Benchmark, name: str, url: str, raw: Any) -> None:
    """One database: the report, its parts, and the raw statement, in turns."""
    reader = Reader.open(url)
    made: list[Report] = []

    def ours() -> None:
        made[:] = [report(reader, NOW - PERIOD, NOW)]

    def screen() -> None:
        with reader.connection() as connection:
            status(connection, NOW, None, 100)

    ours()
    arms = {
        "raw SQL: runs by pipeline and state": lambda: timed(raw),
        "ours: the report's values": lambda: timed(ours),
        "ours: Markdown of them": lambda: timed(lambda: markdown(made[0])),
        "ours: HTML of them": lambda: timed(lambda: html(made[0])),
        "ours: JSON of them": lambda: timed(lambda: made[0].to_json()),
        "ours: `pipeledger status`": lambda: timed(screen),
    }
    taken = in_turns(arms, benchmark.size("rounds"))
    below = taken["raw SQL: runs by pipeline and state"]
    table = Table(
        f"A report of {PERIOD.days + 1} days and the {PERIOD.days + 1} before on {name}",
        ("arm", "median s", "times the raw SQL"),
        f"{len(made[0].pipelines):,} pipelines, {made[0].total.health.runs.runs:,} runs in the period,"
        f" score {made[0].total.health.score:.1f}.",
    )
    for arm, seconds in taken.items():
        table.add(arm, median(seconds), ratio(seconds, below))
    benchmark.show(table)


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        pipelines=(10_000, "pipelines"),
        executions=(1_000_000, f"executions, over {DAYS} days"),
        findings=(100_000, "findings, over the same days"),
        rounds=(5, "turns"),
    )
    values = sizes(benchmark)
    bounds = (NOW - PERIOD * 2, NOW)
    with databases.postgres() as server:
        server.make_durable(False)
        url = server.ledger("report")
        for statement in _POSTGRESQL:
            server.run(statement.format(**values), database="report")
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:

            def on_postgresql() -> None:
                cursor.execute(RAW.format("%s"), bounds)
                cursor.fetchall()

            measure(benchmark, "PostgreSQL", url, on_postgresql)
    with databases.folder() as folder:
        url = databases.sqlite_ledger(Path(folder) / "report.db")
        with closing(sqlite3.connect(Database.parse(url).dsn)) as file:
            for statement in _SQLITE:
                file.execute(statement.format(**values))
            file.commit()

            def on_sqlite() -> None:
                texts = [bound.strftime("%Y-%m-%d %H:%M:%S.%f") for bound in bounds]
                file.execute(RAW.format("?"), texts).fetchall()

            measure(benchmark, "SQLite", url, on_sqlite)


if __name__ == "__main__":
    main()
