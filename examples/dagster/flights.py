"""Reports on the flights that the Airflow example brought into the warehouse.

The one line that has every run recorded is the last: ``watch(...)``. Pipeledger is used for two
things more: the window that the incremental report has to fetch, and its row count.

    FLIGHTS_HOME   the folder of warehouse.db
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg

from pipeledger import Window
from pipeledger_dagster import PipeledgerResource, watch

WAREHOUSE = Path(os.environ["FLIGHTS_HOME"]).absolute() / "warehouse.db"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def address(table: str) -> dict[str, str]:
    """The metadata that says where an asset lies: the address Airflow writes to."""
    return {"dagster/uri": f"sqlite://{WAREHOUSE}/{table}", "dagster/table_name": table}


@contextmanager
def warehouse() -> Iterator[sqlite3.Connection]:
    """One transaction of the warehouse."""
    connection = sqlite3.connect(WAREHOUSE, isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def as_bounds(window: Window) -> tuple[str, str]:
    """After and up to, as ``time_hour`` is written; from the beginning: after the empty text."""
    after, upto = window.watermark, window.next_watermark
    return after.strftime(FORMAT) if after else "", upto.strftime(FORMAT)


def newest(table: str) -> datetime:
    """The last hour that a table has, which is how far a report can get."""
    with warehouse() as connection:
        (text,) = connection.execute(f"SELECT max(time_hour) FROM {table}").fetchone()
    return datetime.strptime(text, FORMAT).replace(tzinfo=timezone.utc)


flight_facts = dg.AssetSpec("flight_facts", metadata=address("flight_facts"))
airport_days = dg.AssetSpec("airport_days", metadata=address("airport_days"))
carrier_days = dg.AssetSpec("carrier_days", metadata=address("carrier_days"))


@dg.asset(deps=[flight_facts, airport_days], metadata=address("daily_delays"), kinds={"sqlite"})
def daily_delays(
    context: dg.AssetExecutionContext, pipeledger: PipeledgerResource
) -> dg.MaterializeResult[None]:
    """Each day: flights, the share that was late, and the delay that one in ten exceeded."""
    with (
        pipeledger.window(context, next_watermark=newest("flight_facts")) as window,
        warehouse() as connection,
    ):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS daily_delays (date TEXT PRIMARY KEY, flights INTEGER,"
            " cancelled INTEGER, late_percent REAL, mean_delay REAL, delay_of_worst_tenth INTEGER)"
        )
        rows = connection.execute(
            """
            INSERT OR REPLACE INTO daily_delays
            WITH touched AS (
                SELECT DISTINCT date FROM flight_facts WHERE time_hour > ? AND time_hour <= ?
            ), tenths AS (
                SELECT date, dep_delay, ntile(10) OVER (PARTITION BY date ORDER BY dep_delay) AS n
                FROM flight_facts WHERE dep_delay IS NOT NULL AND date IN touched
            )
            SELECT date, sum(flights), sum(cancelled), round(100.0 * sum(late) / sum(flights), 1),
                   round(sum(mean_delay * (flights - cancelled)) / sum(flights - cancelled), 2),
                   (SELECT min(dep_delay) FROM tenths WHERE n = 10 AND tenths.date = d.date)
            FROM airport_days AS d WHERE date IN touched GROUP BY date
            """,
            as_bounds(window),
        ).rowcount
    pipeledger.rows(context, inserts=rows)
    return dg.MaterializeResult()


@dg.asset(deps=[carrier_days], metadata=address("carrier_report"), kinds={"sqlite"})
def carrier_report() -> dg.MaterializeResult[None]:
    """Each carrier: flights, cancellations and mean delay over all days, the worst first."""
    with warehouse() as connection:
        connection.execute("DROP TABLE IF EXISTS carrier_report")
        connection.execute(
            """
            CREATE TABLE carrier_report AS
            SELECT carrier, name, sum(flights) AS flights, sum(cancelled) AS cancelled,
                   round(sum(mean_delay * (flights - cancelled)) / sum(flights - cancelled), 2)
                       AS mean_delay
            FROM carrier_days GROUP BY carrier, name ORDER BY mean_delay DESC
            """
        )
        (rows,) = connection.execute("SELECT count(*) FROM carrier_report").fetchone()
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


@dg.asset(
    deps=[daily_delays, carrier_report, carrier_days],
    metadata=address("punctuality"),
    kinds={"sqlite"},
)
def punctuality() -> dg.MaterializeResult[None]:
    """Each day beside its worst carrier: the page that the board asks for."""
    with warehouse() as connection:
        connection.execute("DROP TABLE IF EXISTS punctuality")
        connection.execute(
            """
            CREATE TABLE punctuality AS
            WITH ranked AS (
                SELECT c.date, c.name, c.mean_delay, r.mean_delay AS usual_delay,
                       row_number() OVER (PARTITION BY c.date ORDER BY c.mean_delay DESC) AS place
                FROM carrier_days AS c JOIN carrier_report AS r USING (carrier)
            )
            SELECT d.date, d.flights, d.late_percent, d.mean_delay, r.name AS worst_carrier,
                   r.mean_delay AS its_delay, r.usual_delay AS its_usual_delay
            FROM daily_delays AS d LEFT JOIN ranked AS r ON r.date = d.date AND r.place = 1
            ORDER BY d.date
            """
        )
        (rows,) = connection.execute("SELECT count(*) FROM punctuality").fetchone()
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


defs = watch(
    dg.Definitions(
        assets=[
            flight_facts,
            airport_days,
            carrier_days,
            daily_delays,
            carrier_report,
            punctuality,
        ],
        jobs=[dg.define_asset_job("flight_reports", executor_def=dg.multiprocess_executor)],
    )
)
