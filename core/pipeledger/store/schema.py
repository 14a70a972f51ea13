"""The schema a database holds: made on first use (SQLite), checked before anything is written."""

from __future__ import annotations

import os
import time

from pipeledger.model.errors import LedgerUnavailable, PipeledgerError, SchemaMismatch
from pipeledger.store.database import Connection, Database, _SqliteConnection
from pipeledger.store.sqlite_schema import DDL, REVISION
from pipeledger.store.statement import Statement

_REVISION = Statement("SELECT version_num FROM alembic_version")


def open_ledger(database: Database, timeout: float = 2.0) -> Connection:
    """A connection to a ledger of our schema; a SQLite file that is not there is created.

    Raises SchemaMismatch, LedgerUnavailable, InvalidDatabaseUrl.
    """
    if database.is_sqlite:
        _make_folder(database.dsn)
    connection = database.connect(timeout)
    try:
        if isinstance(connection, _SqliteConnection):
            _prepare_sqlite(connection, database, timeout)
        else:
            with connection.without_transaction():
                check_revision(_stored_revision(connection), database)
    except BaseException:
        connection.close()
        raise
    return connection


def check_revision(stored: str | None, database: Database) -> None:
    """Raise SchemaMismatch unless the stored revision is the one this version works with."""
    if stored == REVISION:
        return
    where = database.safe_url
    if stored is None:
        raise SchemaMismatch(f"{where} holds no ledger yet: run `pipeledger db upgrade`")
    if stored < REVISION:
        raise SchemaMismatch(
            f"{where} holds an older schema ({stored}) than this Pipeledger needs ({REVISION}):"
            " run `pipeledger db upgrade`"
        )
    raise SchemaMismatch(
        f"{where} holds a newer schema ({stored}) than this Pipeledger knows ({REVISION}):"
        " upgrade the package, pip install --upgrade pipeledger"
    )


def _stored_revision(connection: Connection) -> str | None:
    try:
        rows = connection.rows(_REVISION, {})
    except LedgerUnavailable:
        raise
    except PipeledgerError as error:
        if "alembic_version" in str(error):
            return None
        raise
    return str(rows[0][0]) if rows else None


def _make_folder(path: str) -> None:
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be created: its folder {folder} cannot be made ({error.strerror})"
        ) from error


def _prepare_sqlite(connection: _SqliteConnection, database: Database, timeout: float) -> None:
    if not _sqlite_tables(connection):
        _create(connection, database, timeout)
    has_revision = connection.execute_text(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    )
    if not has_revision:
        raise SchemaMismatch(
            f"{database.dsn} is a SQLite database of something else (no ledger in it):"
            " name another file in PIPELEDGER_DATABASE_URL"
        )
    check_revision(_stored_revision(connection), database)


def _sqlite_tables(connection: _SqliteConnection) -> int:
    return int(connection.execute_text("SELECT count(*) FROM sqlite_master")[0][0])


def _write_ahead(connection: _SqliteConnection, timeout: float) -> None:
    """Switch the file to WAL; the switch does not wait for the lock by itself (seen), so try again."""
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute_text("PRAGMA journal_mode = WAL")
            return
        except LedgerUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _create(connection: _SqliteConnection, database: Database, timeout: float) -> None:
    """One BEGIN EXCLUSIVE, so that many processes at first use make one schema (seen without: most fail).

    WAL is set first: it cannot be changed inside a transaction, and setting it twice does no harm.
    """
    _write_ahead(connection, timeout)
    connection.begin_exclusive()
    try:
        if not _sqlite_tables(connection):
            for statement in DDL:
                connection.execute_text(statement)
            connection.execute_text(
                f"INSERT INTO alembic_version (version_num) VALUES ('{REVISION}')"
            )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    try:
        os.chmod(database.dsn, 0o600)
    except OSError:
        pass  # somebody else's file: its owner decides who may read it
