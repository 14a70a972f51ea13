"""Connections for reading: an engine per URL, and what databases raise, in our words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from pipeledger.model.errors import (
    InvalidDatabaseUrl,
    LedgerUnavailable,
    PipeledgerError,
    SchemaMismatch,
)
from pipeledger.model.redaction import redact_text
from pipeledger.store.database import Database, refuse_network_file_system
from pipeledger.store.schema import check_revision

BUSY_SECONDS = 5.0
CONNECT_SECONDS = 5


def engine_for(url: Database | str, *, create: bool = False) -> Engine:
    """An engine for reading; it connects when first used, and keeps no connection open.

    Reads see one moment: a transaction is a snapshot, and cannot write. A SQLite file that is not
    there is never made by reading it. ``create`` is for migrations: it may write and make the file.

    Raises InvalidDatabaseUrl.
    """
    database = _database(url)
    if database.is_sqlite:
        return _sqlite(Path(database.dsn), create)
    return _postgresql(database, create)


def _database(url: Database | str) -> Database:
    return Database.parse(url) if isinstance(url, str) else url


def _sqlite(path: Path, create: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        refuse_network_file_system(str(path))
        if create:
            _make_file(path)
        elif not path.exists():
            raise LedgerUnavailable(
                f"there is no ledger at {path}: the first recorded run makes it, or"
                " `pipeledger db upgrade`; PIPELEDGER_DATABASE_URL names another one"
            )
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA query_only = {'OFF' if create else 'ON'}")
            if create:
                _write_ahead(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if create else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for a lock here (seen with several at once), so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _make_file(path: Path) -> None:
    """An empty file that only its owner may read, in a folder that is there."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be created ({error.strerror}):"
            " name a file that you may write"
        ) from error


def _postgresql(database: Database, create: bool) -> Engine:
    try:
        url = make_url(database.sqlalchemy_url)
    except (exc.ArgumentError, ValueError):
        raise InvalidDatabaseUrl(
            f"{database.safe_url!r} cannot be read: expected postgresql://user:password@host:5432/database"
        ) from None
    arguments = {"connect_timeout": CONNECT_SECONDS, "application_name": "pipeledger"}
    given = {name: value for name, value in arguments.items() if name not in url.query}
    engine = create_engine(url, connect_args=given, poolclass=NullPool)
    if create:
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def safe_name(url: Database | str) -> str:
    """The database in a message: the SQLite file's path, or the URL without user and password."""
    database = _database(url)
    return database.dsn if database.is_sqlite else database.safe_url


def wrong_revision(url: Database | str, revision: str | None) -> SchemaMismatch:
    """The error for a database whose revision is not the one this version works with."""
    if revision is not None and not revision.isdigit():
        return SchemaMismatch(
            f"{safe_name(url)} is under another program's migrations (revision {revision!r});"
            " give the ledger a database, or a PostgreSQL schema, of its own"
        )
    try:
        check_revision(revision, _database(url))
    except SchemaMismatch as mismatch:
        return mismatch
    raise AssertionError(f"revision {revision} is the one this version works with")


def verify_schema(connection: Connection, url: Database | str) -> None:
    """Raise SchemaMismatch unless the database has the revision this version works with."""
    from pipeledger.store.sqlite_schema import REVISION

    try:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except (exc.OperationalError, exc.ProgrammingError) as error:
        if _names_missing_table(error.orig or error):
            raise wrong_revision(url, None) from error
        raise
    if revision != REVISION:
        raise wrong_revision(url, revision)


@contextmanager
def translated(url: Database | str) -> Iterator[None]:
    """Turn what a database raises into our errors; ``__cause__`` keeps the original."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _in_our_words(safe_name(url), error.orig or error) from error
    except sqlite3.Error as error:
        raise _in_our_words(safe_name(url), error) from error
    except exc.SQLAlchemyError as error:
        raise LedgerUnavailable(
            f"the ledger {safe_name(url)} cannot be read: {_line(error)}"
        ) from error


def _in_our_words(name: str, error: BaseException) -> PipeledgerError:
    line, code = _line(error), getattr(error, "pgcode", None)
    if "not a database" in line or "malformed" in line:
        return InvalidDatabaseUrl(
            f"{name} is not a SQLite database, or is damaged ({line}):"
            " name another file, or restore it"
        )
    if _names_missing_table(error):
        return SchemaMismatch(
            f"{name} does not hold the tables of a ledger ({line}):"
            " `pipeledger db check` says what differs"
        )
    if code == "3D000" or (code is None and "does not exist" in line and "database" in line):
        return LedgerUnavailable(
            f"the ledger {name} is not there: create the database, then run `pipeledger db upgrade`"
        )
    if code in ("28P01", "28000") or "authentication failed" in line:
        return LedgerUnavailable(f"the ledger {name} refused the user or password")
    if code == "42501":
        return PipeledgerError(f"the ledger {name} does not allow this: {line}")
    if "locked" in line:
        return LedgerUnavailable(
            f"the ledger {name} is locked by another process for longer than {BUSY_SECONDS:g} s:"
            " try again"
        )
    if "unable to open" in line:
        what = "is a folder" if os.path.isdir(name) else "cannot be opened"
        return LedgerUnavailable(
            f"the ledger {name} {what}: name a file that you may read and write"
        )
    return LedgerUnavailable(f"the ledger {name} cannot be reached: {line}")


def _names_missing_table(error: BaseException) -> bool:
    text = str(error)
    return (
        "no such table" in text
        or "no such column" in text
        or getattr(error, "pgcode", None) in ("42P01", "42703")
    )


def _line(error: BaseException) -> str:
    lines = [part.strip() for part in str(error).splitlines() if part.strip()]
    return redact_text(" ".join(lines[:2]) if lines else type(error).__name__)[:300]
