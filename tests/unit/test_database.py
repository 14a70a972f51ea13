"""Where a ledger may lie, and how the address of one is read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipeledger.model.errors import InvalidDatabaseUrl, LedgerUnavailable
from pipeledger.store import database
from pipeledger.store.database import Database, file_system_of
from pipeledger.store.statement import Statement


@pytest.mark.parametrize(
    ("url", "dialect", "dsn"),
    [
        ("sqlite:////srv/ledger.db", "sqlite", "/srv/ledger.db"),
        ("sqlite:////srv/with%20blank.db", "sqlite", "/srv/with blank.db"),
        ("postgresql://u:p@h:5433/d", "postgresql", "postgresql://u:p@h:5433/d"),
        ("postgres://h/d", "postgresql", "postgresql://h/d"),
        (
            "postgresql+psycopg2://h/d?sslmode=require",
            "postgresql",
            "postgresql://h/d?sslmode=require",
        ),
        ("postgresql:///d?host=/run/pg", "postgresql", "postgresql:///d?host=/run/pg"),
    ],
)
def test_a_database_url_is_read(url: str, dialect: str, dsn: str) -> None:
    found = Database.parse(url)
    assert (found.dialect, found.dsn) == (dialect, dsn)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not a database URL"),
        ("ledger.db", "not a database URL"),
        ("mysql://u:hunter2@h/d", "not a database URL"),
        ("postgresql+asyncpg://u:hunter2@h/d", "driver 'asyncpg' is not supported"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://u:hunter2@h:port/d", "cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "would be gone with its process"),
        ("sqlite:///a\x00b", "NUL"),
    ],
)
def test_what_names_no_database_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match=why) as caught:
        Database.parse(url)
    assert "hunter2" not in str(caught.value)


def test_the_url_for_people_has_no_user_and_no_password() -> None:
    assert Database.parse("postgresql://u:hunter2@h:1/d").safe_url == "postgresql://h:1/d"


MOUNTS = [
    "/dev/vda / ext4 rw 0 0",
    "server:/home /home nfs4 rw 0 0",
    r"//server/share /mnt/a\040share cifs rw 0 0",
    "tmpfs /home/me/local tmpfs rw 0 0",
]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", "ext4"),
        ("/home", "nfs4"),
        ("/home/me", "nfs4"),
        ("/homework", "ext4"),
        ("/home/me/local/x", "tmpfs"),
        ("/mnt/a share/x", "cifs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(folder: str, kind: str) -> None:
    assert file_system_of(folder, MOUNTS) == kind


def test_a_network_file_system_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_file_system", lambda folder: "nfs4")
    with pytest.raises(InvalidDatabaseUrl, match=r"network file system \(nfs4\).*PostgreSQL"):
        Database.parse(f"sqlite:///{tmp_path}/ledger.db").connect()


def test_a_sqlite_library_that_is_too_old_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(LedgerUnavailable, match=r"3\.35 or newer"):
        Database.parse(f"sqlite:///{tmp_path}/ledger.db").connect()


def test_parameters_are_written_once_for_both_drivers() -> None:
    statement = Statement("SELECT :a, b::text, '100%' WHERE c LIKE :pattern")
    assert statement.sqlite == "SELECT :a, b::text, '100%' WHERE c LIKE :pattern"
    assert statement.postgresql == "SELECT %(a)s, b::text, '100%%' WHERE c LIKE %(pattern)s"
