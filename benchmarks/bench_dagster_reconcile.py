"""How fast finished Dagster runs are read from Dagster's event log into the ledger.

A few real runs of a chain of ops are copied, event by event, under new run ids until the log is as long
as asked for. Each pass reconciles a whole log from nothing, in a process of its own; then a few runs are
added, and only they are read. PostgreSQL counts the rows that it reads: what a run costs may not depend
on how long the log is.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import databases
import psycopg2
from bench_dagster import QUIET, definitions
from comparison import Benchmark, Table

from pipeledger.store.database import Database
from pipeledger.store.statement import Statement
from pipeledger_dagster import Cursor, Options, reconcile
from pipeledger_dagster.reconciliation import OVERLAP

REAL = 5
"""Runs that Dagster executes; the others are copies of them."""
ADDED = 100
"""Runs that are added to a log that has been read."""
TICK = 200
APART = timedelta(seconds=1)
COLUMNS = "snapshot_id, pipeline_name, status, create_timestamp, start_time, end_time"


class OnSqlite:
    """Dagster's default storages: a file for each run's events."""

    name = "SQLite"

    def __init__(self, home: Path) -> None:
        self._home = home
        self.overrides: dict[str, Any] = {}

    @property
    def _runs(self) -> Path:
        (found,) = self._home.rglob("runs.db")
        return found

    def copy(self, instance: dg.DagsterInstance, run_id: str, new_id: str, at: datetime) -> None:
        shards = self._runs.parent / "runs"
        shutil.copy(shards / f"{run_id}.db", shards / f"{new_id}.db")
        with closing(sqlite3.connect(shards / f"{new_id}.db")) as shard, shard:
            shard.execute(
                "UPDATE event_logs SET run_id = ?, event = replace(event, ?, ?)",
                (new_id, run_id, new_id),
            )
        with closing(sqlite3.connect(self._runs)) as runs, runs:
            runs.execute(
                f"INSERT INTO runs (run_id, run_body, update_timestamp, {COLUMNS})"
                f" SELECT ?, replace(run_body, ?, ?), ?, {COLUMNS} FROM runs WHERE run_id = ?",
                (new_id, run_id, new_id, at.strftime("%Y-%m-%d %H:%M:%S.%f"), run_id),
            )

    def rows_read(self) -> dict[str, int]:
        return {}


class OnPostgresql:
    """Dagster's storages in PostgreSQL: one table for the events of all runs."""

    name = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self._url = url
        self.overrides = {
            "storage": {"postgres": {"postgres_url": url.replace("://", "+psycopg2://", 1)}}
        }

    def copy(self, instance: dg.DagsterInstance, run_id: str, new_id: str, at: datetime) -> None:
        columns = "dagster_event_type, timestamp, step_key, asset_key, partition"
        self._run(
            f"INSERT INTO event_logs (run_id, event, {columns})"
            f" SELECT %s, replace(event, %s, %s), {columns} FROM event_logs WHERE run_id = %s ORDER BY id",
            (new_id, run_id, new_id, run_id),
        )
        self._run(
            f"INSERT INTO runs (run_id, run_body, update_timestamp, {COLUMNS})"
            f" SELECT %s, replace(run_body, %s, %s), %s, {COLUMNS} FROM runs WHERE run_id = %s",
            (new_id, run_id, new_id, at.replace(tzinfo=None), run_id),
        )

    def rows_read(self) -> dict[str, int]:
        """Rows that PostgreSQL has read of each table, by index or by scanning it."""
        return dict(
            self._run(
                "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
                " FROM pg_stat_user_tables",
                (),
            )
        )

    def settle(self) -> None:
        """As after a night: the planner knows how large the tables are."""
        self._run("VACUUM ANALYZE", ())

    def _run(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        with closing(psycopg2.connect(self._url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []


Storage = OnSqlite | OnPostgresql


class Log:
    """A Dagster instance with a log that can be made longer."""

    def __init__(self, home: Path, storage: Storage, steps: int) -> None:
        home.mkdir()
        self.home, self.storage = home, storage
        job = definitions(steps).resolve_job_def("chain")
        self._at = datetime.now(timezone.utc) - timedelta(days=30)
        self.runs = REAL
        with opened(home, storage.overrides) as instance:
            self._real = [
                job.execute_in_process(instance=instance, run_config=QUIET).run_id
                for _ in range(REAL)
            ]
            self._age()

    def _age(self) -> None:
        """The real runs are the oldest: copies come after them."""
        where = "UPDATE runs SET update_timestamp = "
        if isinstance(self.storage, OnSqlite):
            with closing(sqlite3.connect(self.storage._runs)) as runs, runs:
                runs.execute(f"{where} ?", (self._at.strftime("%Y-%m-%d %H:%M:%S.%f"),))
        else:
            self.storage._run(f"{where} %s", (self._at.replace(tzinfo=None),))

    @property
    def end(self) -> str:
        """The cursor of who has read it all."""
        return str(Cursor(updated_after=self._at.timestamp() + OVERLAP.total_seconds()))

    def grow(self, runs: int) -> None:
        """Copy the real runs until there are so many."""
        with opened(self.home, self.storage.overrides) as instance:
            while self.runs < runs:
                self._at += APART
                old = self._real[self.runs % REAL]
                self.storage.copy(instance, old, str(uuid4()), self._at)
                self.runs += 1
        if isinstance(self.storage, OnPostgresql):
            self.storage.settle()


@contextmanager
def opened(home: Path, overrides: dict[str, Any]) -> Iterator[dg.DagsterInstance]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with dg.instance_for_test(temp_dir=str(home), overrides=overrides) as instance:
            yield instance


@dataclass(frozen=True)
class Pass:
    """What one pass over the log took."""

    runs: int
    reports: int
    seconds: float
    peak_mb: float
    """By which the process grew."""
    cursor: str


def read_log(home: Path, overrides: dict[str, Any], url: str, cursor: str | None) -> Pass:
    """Reconcile until there is no more, in ticks as the sensor makes them."""
    warnings.simplefilter("ignore")
    runs = reports = 0
    at = Cursor.parse(cursor)
    with opened(home, overrides) as instance:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        while True:
            tick = reconcile(instance, Options(database_url=url), at, limit=TICK, seconds=3600.0)
            runs, reports, at = runs + tick.runs, reports + tick.reports, tick.cursor
            if not tick.has_more:
                break
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Pass(runs, reports, seconds, peak / 1024, str(at))


def in_its_own_process(log: Log, url: str, cursor: str | None) -> tuple[Pass, dict[str, int]]:
    before = log.storage.rows_read()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        done = pool.apply(read_log, (log.home, log.storage.overrides, url, cursor))
    time.sleep(1.5)  # a PostgreSQL backend tells its counts when it ends, or after a second
    after = log.storage.rows_read()
    return done, {table: rows - before.get(table, 0) for table, rows in after.items()}


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        runs=(1000, "runs in the log"),
        steps=(20, "steps of each run"),
        longer=(4, "how many times longer the longest log is"),
    )
    runs, steps = benchmark.size("runs"), benchmark.size("steps")
    warnings.simplefilter("ignore")
    table = Table(
        f"Reconciling finished runs of {steps} steps from Dagster's event log",
        (
            "Dagster on",
            "ledger on",
            "runs in the log",
            "runs read",
            "runs/s",
            "ms per run",
            "reports per run",
            "event rows read per run",
            "run rows read per tick",
            "grew by MB",
        ),
        f"The whole log from nothing; then the last {ADDED} runs of logs of two lengths. Ticks of {TICK} runs;"
        " rows read as PostgreSQL counts them.",
    )
    with ExitStack() as stack:
        server = stack.enter_context(databases.postgres())
        folder = stack.enter_context(databases.folder())
        os.environ["PIPELEDGER_SPOOL_DIR"] = str(folder / "spool")
        os.environ["PIPELEDGER_DEADLINE_SECONDS"] = "60"
        os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
        server.run("CREATE DATABASE dagster")
        storages: list[Storage] = [OnSqlite(folder / "sqlite"), OnPostgresql(server.url("dagster"))]
        for storage in storages:
            log = Log(folder / storage.name.lower(), storage, steps)
            urls = {
                "SQLite": databases.sqlite_ledger(folder / f"{storage.name}.db"),
                "PostgreSQL": server.ledger(f"ours_{storage.name}".lower()),
            }
            log.grow(runs)
            read = {ledger: measure(table, log, ledger, url, None) for ledger, url in urls.items()}
            for length in (runs, runs * benchmark.size("longer")):
                log.grow(length)
                read_so_far = log.end
                log.grow(length + ADDED)
                for ledger, url in urls.items():
                    read[ledger] += measure(table, log, ledger, url, read_so_far)
            for ledger, url in urls.items():
                check_recorded(url, read[ledger])
    benchmark.show(table)


def measure(table: Table, log: Log, ledger: str, url: str, cursor: str | None) -> int:
    """Read what the log holds after the cursor into the ledger; how many runs that were."""
    done, rows = in_its_own_process(log, url, cursor)
    table.add(
        log.storage.name,
        ledger,
        log.runs,
        done.runs,
        done.runs / done.seconds,
        done.seconds / done.runs * 1000,
        done.reports / done.runs,
        rows["event_logs"] / done.runs if rows else "",
        rows["runs"] / (done.runs // TICK + 1) if rows else "",
        done.peak_mb,
    )
    return done.runs


def check_recorded(url: str, runs: int) -> None:
    """Every run is in the ledger, ended."""
    ended = Statement(
        "SELECT count(*) FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id"
        " WHERE e.state = 'success' AND p.name = 'chain'"
    )
    with closing(Database.parse(url).connect()) as connection:
        found = connection.rows(ended, {})[0][0]
    assert found == runs, (url, found, runs)


if __name__ == "__main__":
    main()
