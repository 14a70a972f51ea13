"""Bad databases get one sentence of the right kind, and never a password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from pipeledger.model.errors import (
    InvalidDatabaseUrl,
    LedgerUnavailable,
    PipeledgerError,
    SchemaMismatch,
)
from pipeledger.store.read import Reader
from pipeledger.store.read.engine import engine_for

PASSWORD = "hunter2-very-secret"


def _error(url: str) -> PipeledgerError:
    with pytest.raises(PipeledgerError) as caught:
        Reader.open(url).pipelines()
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "",
        "banana",
        "mysql://u:{p}@h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://",
        "postgresql://u:{p}@h",
        "postgresql+asyncpg://u:{p}@h/db",
        "postgresql://u:{p}@h:notaport/db",
    ],
)
def test_a_url_that_names_no_database_of_ours_is_refused(url: str) -> None:
    assert isinstance(_error(url.format(p=PASSWORD)), InvalidDatabaseUrl)


def test_reading_a_file_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    error = _error(f"sqlite:///{tmp_path / 'none.db'}")
    assert isinstance(error, LedgerUnavailable) and "there is no ledger at" in str(error)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are not the bytes you are looking for" * 100)
    error = _error(f"sqlite:///{path}")
    assert isinstance(error, InvalidDatabaseUrl) and "is not a SQLite database" in str(error)


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    error = _error(f"sqlite:///{tmp_path}")
    assert isinstance(error, LedgerUnavailable) and "is a folder" in str(error)


def test_a_database_of_something_else_holds_no_ledger(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sales (id integer)"))
    engine.dispose()
    error = _error(empty_database_url)
    assert isinstance(error, SchemaMismatch) and "holds no ledger yet" in str(error)


@pytest.mark.parametrize(
    ("revision", "said"),
    [("0000", "older schema"), ("9999", "newer schema"), ("a1b2c3", "another program's")],
)
def test_another_schema_revision_is_named(database_url: str, revision: str, said: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()
    error = _error(database_url)
    assert isinstance(error, SchemaMismatch) and said in str(error)


def test_a_table_that_is_gone_is_a_schema_that_does_not_fit(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE watermark"))
    engine.dispose()
    assert isinstance(_error(database_url), SchemaMismatch)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    error = _error(f"postgresql://someone:{PASSWORD}@127.0.0.1:1/ledger")
    assert isinstance(error, LedgerUnavailable) and "cannot be reached" in str(error)


def test_a_database_that_the_server_does_not_have_is_named(postgres_server_url: str) -> None:
    url = postgres_server_url.replace("/postgres?", "/nowhere?")
    error = _error(url)
    assert isinstance(error, LedgerUnavailable) and "is not there: create the database" in str(
        error
    )


def test_a_locked_file_is_waited_for_and_then_named(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeledger.store.read.engine.BUSY_SECONDS", 0.05)
    path = sqlite_url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("PRAGMA journal_mode = DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        error = _error(sqlite_url)
    finally:
        holder.close()
    assert isinstance(error, LedgerUnavailable) and "locked by another process" in str(error)


def test_a_reader_cannot_write(database_url: str) -> None:
    with (
        engine_for(database_url).connect() as connection,
        pytest.raises(Exception, match=r"read-?only"),
    ):
        connection.execute(text("DELETE FROM namespace"))


def test_a_read_only_file_can_be_read(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.chmod(0o400)
    assert len(Reader.open(sqlite_url).pipelines()) == 0


@pytest.mark.parametrize("negated", [False, True])
def test_ids_are_looked_up_so_that_an_index_is_used(negated: bool) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    from pipeledger.store.read.among import Among
    from pipeledger.store.tables import pipeline

    clause = Among(pipeline.c.id, "ids")
    statement = select(pipeline.c.name).where(~clause if negated else clause)
    on_sqlite = str(statement.compile(dialect=sqlite.dialect()))
    on_postgresql = str(statement.compile(dialect=postgresql.dialect()))
    assert "pipeline.id IN (SELECT value FROM json_each(" in on_sqlite and "= 1" not in on_sqlite
    assert "pipeline.id = ANY(CAST(" in on_postgresql
    assert ("NOT" in on_sqlite or "= 0" in on_sqlite) == negated
