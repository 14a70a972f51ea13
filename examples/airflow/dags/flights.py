"""The flights that left New York, moved from an operational database into a warehouse.

The DAG is recorded because the plugin is installed; nothing here asks for it. Pipeledger is used
for two things only: the window a load has to fetch, and row counts that nobody else can know.

    FLIGHTS_HOME                     folder of operational.db (examples/data/build.py), warehouse.db
    AIRFLOW_CONN_FLIGHTS_WAREHOUSE   {"conn_type": "sqlite", "host": "<FLIGHTS_HOME>/warehouse.db"}
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, dag, get_current_context, task, task_group

from pipeledger import Window
from pipeledger_airflow import current_execution

HOME = Path(os.environ["FLIGHTS_HOME"]).absolute()
OPERATIONAL = HOME / "operational.db"
WAREHOUSE = HOME / "warehouse.db"
ORIGINS = ["EWR", "JFK", "LGA"]
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def source(table: str) -> Asset:
    return Asset(f"sqlite://{OPERATIONAL}/{table}")


def target(table: str) -> Asset:
    return Asset(f"sqlite://{WAREHOUSE}/{table}")


@contextmanager
def warehouse() -> Iterator[sqlite3.Connection]:
    """One transaction of the warehouse, with the operational database attached to it, read only."""
    connection = sqlite3.connect(WAREHOUSE.as_uri(), uri=True, isolation_level=None, timeout=30)
    try:
        connection.execute("ATTACH ? AS operational", (f"{OPERATIONAL.as_uri()}?mode=ro",))
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def as_time(text: str) -> datetime:
    return datetime.strptime(text, FORMAT).replace(tzinfo=timezone.utc)


def as_bounds(window: Window) -> tuple[str, str]:
    """After and up to, as ``time_hour`` is written; from the beginning: after the empty text."""
    after, upto = window.watermark, window.next_watermark
    return after.strftime(FORMAT) if after else "", upto.strftime(FORMAT)


def newest(database: Path, table: str) -> datetime:
    """The last hour that a table has, which is how far a load can get."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        (text,) = connection.execute(f"SELECT max(time_hour) FROM {table}").fetchone()
    return as_time(text)


def copy(connection: sqlite3.Connection, table: str, bounds: tuple[str, str]) -> int:
    """Bring the rows of one window into the warehouse; a repeated call brings them again."""
    rows = f"FROM operational.{table} WHERE time_hour > ? AND time_hour <= ?"
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM operational.{table} WHERE false"
    )
    connection.execute(f"DELETE FROM {table} WHERE time_hour > ? AND time_hour <= ?", bounds)
    return connection.execute(f"INSERT INTO {table} SELECT * {rows}", bounds).rowcount


@task_group
def load() -> None:
    @task(inlets=[source("flights")], outlets=[target("flights")])
    def flights() -> int:
        window = current_execution().window(next_watermark=newest(OPERATIONAL, "flights"))
        with warehouse() as connection:
            rows = copy(connection, "flights", as_bounds(window))
        current_execution().rows(inserts=rows)
        return rows

    @task(
        inlets=[source("weather")],
        outlets=[target("weather")],
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
    def weather() -> None:
        window = current_execution().window(next_watermark=newest(OPERATIONAL, "weather"))
        with warehouse() as connection:
            rows = copy(connection, "weather", as_bounds(window))
            if get_current_context()["ti"].try_number == 1:
                raise ConnectionError("the weather service hung up, as it does the first time")
        current_execution().rows(inserts=rows)

    flights()
    weather()
    for table in ("airlines", "planes"):
        SQLExecuteQueryOperator(
            task_id=table,
            conn_id="flights_warehouse",
            sql=[
                f"ATTACH '{OPERATIONAL}' AS operational",
                f"CREATE TABLE IF NOT EXISTS {table}"
                f" AS SELECT * FROM operational.{table} WHERE false",
                f"DELETE FROM {table}",
                f"INSERT INTO {table} SELECT * FROM operational.{table}",
            ],
            inlets=[source(table)],
            outlets=[target(table)],
        )


@task.branch
def anything_new() -> str:
    """Whether the load brought flights, or there is nothing to build."""
    rows = get_current_context()["ti"].xcom_pull(task_ids="load.flights")
    return "build.flight_facts" if rows else "nothing_new"


@task_group
def build() -> None:
    @task(
        inlets=[target("flights"), target("weather"), target("planes")],
        outlets=[target("flight_facts")],
    )
    def flight_facts() -> None:
        """One row per flight with its weather at departure and the age of its plane."""
        hook = SqliteHook(sqlite_conn_id="flights_warehouse")
        window = current_execution().window(next_watermark=newest(WAREHOUSE, "flights"))
        bounds = dict(zip(("after", "upto"), as_bounds(window), strict=True))
        hook.run(
            [
                """
                CREATE TABLE IF NOT EXISTS flight_facts (
                    flight_id INTEGER PRIMARY KEY, time_hour TEXT, date TEXT, origin TEXT,
                    dest TEXT, carrier TEXT, cancelled INTEGER, dep_delay INTEGER,
                    arr_delay INTEGER, wind_speed REAL, visib REAL, precip REAL,
                    plane_age INTEGER, seats INTEGER)
                """,
                "CREATE INDEX IF NOT EXISTS flight_facts_time ON flight_facts (time_hour)",
                "DELETE FROM flight_facts WHERE time_hour > :after AND time_hour <= :upto",
                """
                INSERT INTO flight_facts
                SELECT f.flight_id, f.time_hour, f.date, f.origin, f.dest, f.carrier,
                       f.dep_time IS NULL, f.dep_delay, f.arr_delay,
                       w.wind_speed, w.visib, w.precip, f.year - p.year, p.seats
                FROM flights AS f
                LEFT JOIN weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
                LEFT JOIN planes AS p ON p.tailnum = f.tailnum
                WHERE f.time_hour > :after AND f.time_hour <= :upto
                """,
            ],
            parameters=bounds,
        )
        (rows,) = hook.get_first(
            "SELECT count(*) FROM flight_facts WHERE time_hour > :after AND time_hour <= :upto",
            parameters=bounds,
        )
        current_execution().rows(inserts=rows)

    @task(inlets=[target("flight_facts")], outlets=[target("airport_days")])
    def airport_days(origin: str) -> None:
        """Each day of one airport; each airport has a watermark of its own."""
        window = current_execution().window(
            next_watermark=newest(WAREHOUSE, "flight_facts"), partition_key=origin
        )
        with warehouse() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS airport_days (date TEXT, origin TEXT, flights INTEGER,"
                " cancelled INTEGER, late INTEGER, mean_delay REAL, worst_wind REAL,"
                " PRIMARY KEY (date, origin))"
            )
            rows = connection.execute(
                "INSERT OR REPLACE INTO airport_days"
                " SELECT date, origin, count(*), sum(cancelled), sum(dep_delay > 15),"
                " round(avg(dep_delay), 2), max(wind_speed) FROM flight_facts"
                " WHERE origin = ?1 AND date IN (SELECT DISTINCT date FROM flight_facts"
                " WHERE origin = ?1 AND time_hour > ?2 AND time_hour <= ?3) GROUP BY date, origin",
                (origin, *as_bounds(window)),
            ).rowcount
        current_execution().rows(inserts=rows)

    carrier_days = SQLExecuteQueryOperator(
        task_id="carrier_days",
        conn_id="flights_warehouse",
        sql=[
            """
            CREATE TABLE IF NOT EXISTS carrier_days (
                date TEXT, carrier TEXT, name TEXT, flights INTEGER, cancelled INTEGER,
                mean_delay REAL, PRIMARY KEY (date, carrier))
            """,
            "DELETE FROM carrier_days",
            """
            INSERT INTO carrier_days
            SELECT f.date, f.carrier, a.name, count(*), sum(f.cancelled), round(avg(f.arr_delay), 2)
            FROM flight_facts AS f LEFT JOIN airlines AS a USING (carrier)
            GROUP BY f.date, f.carrier
            """,
        ],
        inlets=[target("flight_facts"), target("airlines")],
        outlets=[target("carrier_days")],
    )

    facts = flight_facts()
    facts >> airport_days.expand(origin=ORIGINS)
    facts >> carrier_days


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["pipeledger", "example", "pipeledger:timeliness=2 minutes"],
    default_args={"owner": "analytics"},
)
def flights() -> None:
    load() >> (check := anything_new()) >> build()
    check >> EmptyOperator(task_id="nothing_new")


flights()
