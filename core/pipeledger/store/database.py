"""The database behind the ledger: its address, raw connections, and errors in our words.

No SQLAlchemy here. A connection belongs to one thread at a time; a transaction is what happens
between ``begin`` and ``commit``. On SQLite ``begin`` is BEGIN IMMEDIATE: a deferred one that reads
first fails with "database is locked" when two meet (seen).
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pipeledger.model.errors import InvalidDatabaseUrl, LedgerUnavailable, PipeledgerError
from pipeledger.model.redaction import redact_text, redact_url
from pipeledger.model.times import UTC
from pipeledger.store.statement import Statement

SQLITE_OLDEST = (3, 35, 0)
NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs",
     "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "lustre", "beegfs", "ncpfs")
)  # fmt: skip
_EXPECTED = "expected sqlite:////path/to/ledger.db or postgresql://user:password@host:5432/database"
Row = tuple[Any, ...]


class Conflict(PipeledgerError):
    """Two transactions met; the loser rolled back and may start over."""


def time_text(value: datetime) -> str:
    """``2013-01-05 06:00:00.000000`` in UTC: what SQLite stores, and whose order is time order."""
    v = value.astimezone(UTC)
    return (
        f"{v.year:04d}-{v.month:02d}-{v.day:02d} {v.hour:02d}:{v.minute:02d}:{v.second:02d}"
        f".{v.microsecond:06d}"
    )


def read_time(value: Any) -> datetime | None:
    """A time that a raw connection returned, aware and in UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def read_json(value: Any) -> Any:
    """A JSON document that a raw connection returned: PostgreSQL's driver reads it, SQLite's does not."""
    return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Database:
    """Where the ledger lies. ``dialect`` is ``sqlite`` or ``postgresql``."""

    dialect: str
    dsn: str
    """The file's absolute path (``:memory:`` is refused), or a libpq URI. May hold a password."""

    @classmethod
    def parse(cls, url: str) -> Database:
        """Read a database URL. Raises InvalidDatabaseUrl, whose text holds no password."""
        text = url.strip()
        scheme = text.partition(":")[0].lower()
        base, _, driver = scheme.partition("+")
        if base == "sqlite":
            return cls("sqlite", _sqlite_path(text))
        if base in ("postgresql", "postgres"):
            if driver not in ("", "psycopg2"):
                raise InvalidDatabaseUrl(
                    f"database driver {driver!r} is not supported: write postgresql://... (psycopg2 is used)"
                )
            return cls("postgresql", _postgresql_dsn(text))
        raise InvalidDatabaseUrl(
            f"{redact_url(text)!r} is not a database URL Pipeledger can use: {_EXPECTED}"
        )

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @property
    def safe_url(self) -> str:
        """The URL without user and password, for people."""
        return f"sqlite:///{self.dsn}" if self.is_sqlite else redact_url(self.dsn)

    @property
    def sqlalchemy_url(self) -> str:
        """The URL for SQLAlchemy, with the driver named (2.1 reads a bare one as psycopg 3)."""
        if self.is_sqlite:
            return f"sqlite:///{self.dsn}"
        return "postgresql+psycopg2://" + self.dsn.partition("://")[2]

    def connect(self, timeout: float = 2.0) -> Connection:
        """Open a connection; ``timeout`` seconds bound the wait for SQLite's lock and for connecting.

        Does not look at the schema (``store.schema`` does). Raises LedgerUnavailable.
        """
        return (
            _SqliteConnection(self, timeout)
            if self.is_sqlite
            else _PostgresConnection(self, timeout)
        )


def _sqlite_path(url: str) -> str:
    rest = url.partition(":")[2]
    if not rest.startswith("///"):
        raise InvalidDatabaseUrl(
            f"{redact_url(url)!r} names no file: write sqlite:////absolute/path.db or sqlite:///relative.db"
        )
    path = unquote(rest[3:].partition("?")[0])
    if not path or path == ":memory:" or path.startswith("file:"):
        raise InvalidDatabaseUrl(
            "the ledger needs a file, an in-memory SQLite database would be gone with its process:"
            " write sqlite:////absolute/path.db"
        )
    if "\x00" in path:
        raise InvalidDatabaseUrl("the path of the SQLite file holds a NUL character")
    return os.path.abspath(os.path.expanduser(path))


def _postgresql_dsn(url: str) -> str:
    rest = url.partition("://")[2]
    if not rest:
        raise InvalidDatabaseUrl(f"{redact_url(url)!r} names no host: {_EXPECTED}")
    try:
        parts = urlsplit("postgresql://" + rest)
        _ = parts.port
    except ValueError:
        raise InvalidDatabaseUrl(f"{redact_url(url)!r} cannot be read: {_EXPECTED}") from None
    host_parameter = any(name == "host" for name, _ in parse_qsl(parts.query))
    if not parts.path.strip("/") and not host_parameter:
        raise InvalidDatabaseUrl(f"{redact_url(url)!r} names no database: {_EXPECTED}")
    query = urlencode(parse_qsl(parts.query, keep_blank_values=True), safe="/")
    # Not urlunsplit: without a host (a Unix socket) it drops the two slashes that libpq wants.
    return f"postgresql://{parts.netloc}{parts.path}" + (f"?{query}" if query else "")


_left_behind: list[Connection] = []
"""Connections of a parent process, kept for ever: to collect one would be to close it."""


class Connection:
    """One raw connection, with the few calls that the repositories need."""

    is_sqlite: bool

    def begin(self) -> None:
        raise NotImplementedError

    def commit(self) -> None:
        raise NotImplementedError

    def rollback(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def leave_behind(self) -> None:
        """In a forked child: never touch the parent's connection again, and hold nothing of it."""
        _left_behind.append(self)

    def rows(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement and fetch what it returns. Raises Conflict, LedgerUnavailable, InvalidInput."""
        raise NotImplementedError

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        """Run a statement that returns nothing; the count of rows it touched."""
        raise NotImplementedError

    @contextmanager
    def without_transaction(self) -> Iterator[None]:
        """Statements by themselves, between transactions: no BEGIN and no ROLLBACK to wait for."""
        yield

    def time(self, value: datetime | None) -> str | None:
        """A time as a parameter."""
        raise NotImplementedError


class _SqliteConnection(Connection):
    is_sqlite = True

    def __init__(self, database: Database, timeout: float) -> None:
        if sqlite3.sqlite_version_info < SQLITE_OLDEST:
            raise LedgerUnavailable(
                f"SQLite {sqlite3.sqlite_version} is too old for the ledger: 3.35 or newer is needed;"
                " use a newer Python, or PostgreSQL"
            )
        self._database = database
        refuse_network_file_system(database.dsn)
        try:
            self._raw = sqlite3.connect(
                database.dsn,
                timeout=timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=64,
            )
            self._raw.execute("PRAGMA foreign_keys = ON")
            self._raw.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def begin(self) -> None:
        self._execute("BEGIN IMMEDIATE")

    def begin_exclusive(self) -> None:
        self._execute("BEGIN EXCLUSIVE")

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        if self._raw.in_transaction:
            self._execute("ROLLBACK")

    def close(self) -> None:
        self._raw.close()

    def rows(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        return self._execute(statement.sqlite, parameters).fetchall()

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        return self._execute(statement.sqlite, parameters).rowcount

    def time(self, value: datetime | None) -> str | None:
        return None if value is None else time_text(value)

    def execute_text(self, sql: str) -> list[Row]:
        """Run fixed SQL text (schema and pragmas)."""
        return self._execute(sql).fetchall()

    def _execute(
        self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> sqlite3.Cursor:
        try:
            return self._raw.execute(sql, parameters)
        except (sqlite3.Error, OverflowError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> PipeledgerError:
        path, text = self._database.dsn, str(error)
        if "not a database" in text or "malformed" in text:
            return InvalidDatabaseUrl(
                f"{path} is not a SQLite database: name another file in PIPELEDGER_DATABASE_URL"
            )
        if "unable to open" in text:
            folder = os.path.dirname(path)
            what = "does not exist" if not os.path.isdir(folder) else "cannot be written"
            return LedgerUnavailable(
                f"the ledger {path} cannot be opened: its folder {folder} {what}"
            )
        if "locked" in text or "busy" in text:
            return LedgerUnavailable(
                f"the ledger {path} is locked by another process for longer than the deadline"
            )
        if isinstance(error, sqlite3.IntegrityError) and "FOREIGN KEY" in text:
            return Conflict(f"a row that was there is gone: {text}")
        if isinstance(error, (sqlite3.OperationalError, sqlite3.DatabaseError)):
            return LedgerUnavailable(f"the ledger {path} failed: {redact_text(text)}")
        return PipeledgerError(f"the ledger {path} refused a value: {redact_text(text)}")


class _PostgresConnection(Connection):
    is_sqlite = False

    def __init__(self, database: Database, timeout: float) -> None:
        import psycopg2

        self._database = database
        self._errors = psycopg2
        try:
            self._raw = psycopg2.connect(
                database.dsn,
                connect_timeout=max(1, int(timeout + 0.999)),
                application_name="pipeledger",
            )
        except psycopg2.Error as error:
            raise self._translated(error) from error
        self._cursor = self._raw.cursor()

    def begin(self) -> None:
        """psycopg2 begins with the first statement."""

    def commit(self) -> None:
        try:
            self._raw.commit()
        except self._errors.Error as error:
            raise self._translated(error) from error

    def rollback(self) -> None:
        try:
            self._raw.rollback()
        except self._errors.Error as error:
            raise self._translated(error) from error

    def close(self) -> None:
        self._raw.close()

    def leave_behind(self) -> None:
        """Whatever libpq still wants to say, a farewell for one, goes nowhere; and the server sees the
        parent's end when it comes, because the child does not hold the socket."""
        super().leave_behind()
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.dup2(nowhere, self._raw.fileno(), inheritable=False)
        except (OSError, self._errors.Error):
            pass  # it is closed
        finally:
            os.close(nowhere)

    @contextmanager
    def without_transaction(self) -> Iterator[None]:
        self._raw.autocommit = True
        try:
            yield
        finally:
            self._raw.autocommit = False

    def rows(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        try:
            self._cursor.execute(statement.postgresql, parameters)
            fetched: list[Row] = self._cursor.fetchall()
            return fetched
        except self._errors.Error as error:
            raise self._translated(error) from error
        except ValueError as error:  # psycopg2: "A string literal cannot contain NUL characters."
            raise PipeledgerError(f"the ledger refused a value: {error}") from error

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        try:
            self._cursor.execute(statement.postgresql, parameters)
            touched: int = self._cursor.rowcount
            return touched
        except self._errors.Error as error:
            raise self._translated(error) from error
        except ValueError as error:
            raise PipeledgerError(f"the ledger refused a value: {error}") from error

    def time(self, value: datetime | None) -> str | None:
        return None if value is None else time_text(value) + "+00"

    def _translated(self, error: Exception) -> PipeledgerError:
        text = redact_text(" ".join(str(error).split()))
        code = getattr(error, "pgcode", None)
        where = self._database.safe_url
        if code in ("40P01", "40001", "23503", "55P03") or (code == "23505"):
            return Conflict(text)
        if code in ("42501",):
            return PipeledgerError(f"the ledger {where} does not allow this: {text}")
        if code in ("28P01", "28000"):
            return LedgerUnavailable(f"the ledger {where} refused the user or password")
        if code == "3D000" or (code is None and "does not exist" in text and "database" in text):
            return LedgerUnavailable(
                f"the ledger {where} is not there: create the database, then run `pipeledger db upgrade`"
            )
        if isinstance(error, (self._errors.OperationalError, self._errors.InterfaceError)):
            return LedgerUnavailable(f"the ledger {where} cannot be reached: {text}")
        return PipeledgerError(f"the ledger {where} failed: {text}")


def refuse_network_file_system(path: str) -> None:
    """Raise InvalidDatabaseUrl where SQLite's locks do not hold (NFS, SMB and their like)."""
    kind = _file_system(os.path.dirname(path))
    if kind in NETWORK_FILE_SYSTEMS:
        raise InvalidDatabaseUrl(
            f"{path} lies on a network file system ({kind}), where SQLite loses data:"
            " use a local disk, or PostgreSQL"
        )


@lru_cache(maxsize=32)
def _file_system(folder: str) -> str:
    """The type of the file system that holds a folder; empty where /proc does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return file_system_of(os.path.realpath(folder), mounts.splitlines())


def file_system_of(folder: str, mounts: Iterable[str]) -> str:
    """The type of the mount that holds ``folder``, from lines of /proc/self/mounts."""
    best, kind = "", ""
    for line in mounts:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), fields[1])
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
