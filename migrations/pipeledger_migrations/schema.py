"""The schema of a ledger database: upgrade it, name its revision, compare it with the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from pipeledger.model.errors import SchemaMismatch
from pipeledger.store.read.engine import engine_for, safe_name, translated, wrong_revision
from pipeledger.store.tables import metadata
from pipeledger_migrations import comparison

LOCK = 0x70697065
"""The key of PostgreSQL's advisory lock that one upgrade holds ("pipe" in ASCII)."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for these revisions; the connection goes to ``env.py``."""
    config = Config()
    config.set_main_option("script_location", "pipeledger_migrations:")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this version knows."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None
    return revision


def upgrade(url: str, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the database to a revision; returns the one before and the one after.

    Creates a SQLite file that does not exist. Two at once do no harm: the second waits and finds
    nothing left to do. One transaction: a failure leaves the database as it was.
    """
    with locked_connection(url) as connection:
        before = _revision(connection)
        _refuse_foreign(connection, url, before)
        command.upgrade(configuration(connection), revision)
        return before, _revision(connection)


def downgrade(url: str, revision: str) -> None:
    """Bring the database back to an older revision (``base``: none of our tables). Data is lost."""
    with locked_connection(url) as connection:
        command.downgrade(configuration(connection), revision)


def current(url: str) -> str | None:
    """The database's revision; None where there is no ledger yet."""
    engine = engine_for(url)
    with translated(url), engine.connect() as connection:
        return _revision(connection)


def check(url: str) -> list[str]:
    """What keeps this database from being what this version works with, one line each.

    Empty: the revision is the newest and every table is as the tables say.
    """
    engine = engine_for(url)
    with translated(url), engine.connect() as connection:
        revision = _revision(connection)
        if revision != head():
            return [str(wrong_revision(url, revision))]
        return [_in_words(difference) for difference in differences(connection)]


def differences(connection: Connection) -> list[Any]:
    """What Alembic finds different between this database and ``pipeledger.store.tables``."""
    context = MigrationContext.configure(
        connection,
        opts={
            "target_metadata": metadata,
            "compare_type": comparison.compare_type,
            "include_object": comparison.include_object,
            "compare_server_default": False,
        },
    )
    return list(compare_metadata(context, metadata))


@contextmanager
def locked_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction that no other upgrade shares; commits at the end."""
    engine = engine_for(url, create=True)
    with translated(url), engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    try:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        raise SchemaMismatch(f"the table alembic_version cannot be read: {error.orig}") from error


def _refuse_foreign(connection: Connection, url: str, revision: str | None) -> None:
    """Refuse a database that a newer version, or something else, has made."""
    if revision is not None:
        script = ScriptDirectory.from_config(configuration())
        if revision not in {r.revision for r in script.walk_revisions()}:
            raise wrong_revision(url, revision)
        return
    there = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if there and connection.dialect.name == "sqlite":
        raise SchemaMismatch(
            f"{safe_name(url)} is a SQLite database of something else (no ledger in it):"
            " name another file in PIPELEDGER_DATABASE_URL"
        )
    taken = sorted(there & set(metadata.tables))
    if taken:
        raise SchemaMismatch(
            f"{safe_name(url)} holds a table {taken[0]!r} that Pipeledger did not make;"
            " use another database, or a PostgreSQL user with a schema of its own"
        )


def _in_words(difference: Any) -> str:
    if isinstance(difference, list):
        return "; ".join(_in_words(d) for d in difference)
    what, *rest = difference
    names = [str(getattr(r, "name", r)) for r in rest if r is not None and not isinstance(r, dict)]
    return f"{what.replace('_', ' ')}: {' '.join(names)}"
