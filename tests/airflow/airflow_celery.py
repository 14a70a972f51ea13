"""An Airflow whose tasks are run by Celery workers over Redis, with its own database on PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
from airflow_ledger import Recorded
from airflow_standalone import Standalone, free_ports, wait_for
from psycopg2.extras import RealDictCursor

from pipeledger.store.database import Database

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKER = ("celery worker --skip-serve-logs",)


def rows_of(url: str, sql: str, *parameters: Any) -> list[Any]:
    """Rows of a PostgreSQL database, read by column name; parameters stand where a ``?`` does."""
    with (
        contextlib.closing(psycopg2.connect(Database.parse(url).dsn)) as database,
        database.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(sql.replace("%", "%%").replace("?", "%s"), parameters)
        return list(cursor.fetchall())


class OnCelery(Standalone):
    """A running Airflow: CeleryExecutor and one worker, each component a process of its own."""

    command = (
        "sh",
        "-c",
        "airflow db migrate && { "
        + " ".join(f"airflow {each} &" for each in (*COMPONENTS, *WORKER))
        + " wait; }",
    )

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return rows_of(self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], sql, *parameters)


class RecordedInPostgres(Recorded):
    """The ledger in a PostgreSQL database, its values as they are read from SQLite."""

    def __init__(self, url: str) -> None:
        super().__init__(Path())
        self._url = url

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return [
            {name: _as_in_sqlite(value) for name, value in row.items()}
            for row in rows_of(self._url, sql, *parameters)
        ]


def _as_in_sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return json.dumps(value) if isinstance(value, (dict, list)) else value


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of its own that keeps nothing; its URL without a database."""
    (port,) = free_ports(1)
    server = shutil.which("redis-server")
    assert server is not None
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "logfile": str(folder / "redis.log"),
    }
    arguments = [each for name, value in options.items() for each in (f"--{name}", value)]
    process = subprocess.Popen([server, *arguments], stdout=subprocess.DEVNULL)
    try:
        wait_for("Redis", lambda: "eady to accept" in _text(folder / "redis.log"), 30)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
