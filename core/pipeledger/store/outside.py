"""A database that is not the ledger, asked through SQLAlchemy: how many rows, and the newest time."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, column, create_engine, event, exc, func, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from pipeledger.model.errors import InvalidInput, PipeledgerError
from pipeledger.model.redaction import redact_text
from pipeledger.model.watermark import TIME, WatermarkValue

_STEPS = 10_000
"""SQLite's own steps between two looks at the clock."""


class Unanswered(PipeledgerError):
    """The database did not answer the question. Its text holds no secret; ``kind`` is what was raised."""

    def __init__(self, message: str, kind: str = "Unanswered") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """``COUNT(*)`` of a table (``orders``, ``public.orders``) and ``MAX`` of a column, where named."""

    table: str
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a database answered; None: it was not asked, or has no row with a time."""

    count: int | None
    newest: datetime | None


def ask(url: str, question: TableQuestion | str, seconds: float) -> Figures:
    """The answer to a question, a table or a query of one row: a count, a newest time, or both.

    Nothing is written: PostgreSQL and SQLite are told so, and nothing is ever committed. Returns
    within about ``seconds``; a database that is still busy then is left to itself. A time without a
    zone is read as UTC. Raises InvalidInput for a URL that cannot be used, Unanswered.
    """
    engine = _engine(url, seconds)
    answer: list[Figures | BaseException] = []

    def work() -> None:
        try:
            with engine.connect() as connection:
                answer.append(_answer(connection, question, seconds))
        except BaseException as error:
            answer.append(error)

    thread = threading.Thread(target=work, name="pipeledger-probe", daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if not answer:
        raise Unanswered(
            f"{_place(engine.url)} gave no answer within {seconds:g} s", "TimeoutError"
        )
    found = answer[0]
    if isinstance(found, Figures):
        return found
    if isinstance(found, Unanswered):
        raise found
    raise _in_our_words(engine.url, found) from found


def _engine(text: str, seconds: float) -> Engine:
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        raise InvalidInput(
            "the database URL cannot be read: write it as SQLAlchemy does, dialect://host:port/database"
            " with user and password before the host, their / @ and : percent-encoded"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg2")
    dialect = url.get_backend_name()
    arguments: dict[str, Any] = {}
    if dialect == "sqlite":
        _refuse_missing_file(url)
        arguments = {"timeout": seconds}
    elif url.drivername == "postgresql+psycopg2" and "connect_timeout" not in url.query:
        arguments = {"connect_timeout": max(1, int(seconds)), "application_name": "pipeledger"}
    try:
        engine = create_engine(url, connect_args=arguments, poolclass=NullPool)
    except (exc.NoSuchModuleError, ImportError):
        raise InvalidInput(
            f"nothing is installed that speaks {url.drivername}://:"
            " install the SQLAlchemy dialect of that database, and its driver"
        ) from None
    if dialect == "sqlite":
        event.listen(engine, "connect", lambda raw, _: _read_only_until(raw, seconds))
    elif dialect == "postgresql":
        engine = engine.execution_options(postgresql_readonly=True)
    return engine


def _refuse_missing_file(url: URL) -> None:
    """SQLite would make the file that it does not find."""
    path = url.database or ":memory:"
    if not path.startswith("file:") and not os.path.isfile(path):
        raise InvalidInput(f"there is no SQLite file {path}")


def _read_only_until(raw: sqlite3.Connection, seconds: float) -> None:
    raw.execute("PRAGMA query_only = ON")
    end = time.monotonic() + seconds
    raw.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)


def _answer(connection: Connection, question: TableQuestion | str, seconds: float) -> Figures:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
    if isinstance(question, TableQuestion):
        schema, _, name = question.table.rpartition(".")
        asked: list[Any] = [func.count()]
        if question.updated_at:
            asked.append(func.max(column(question.updated_at)))
        result = connection.execute(select(*asked).select_from(table(name, schema=schema or None)))
    else:
        # As it is: no `:name` and no `%` in it means anything to us.
        result = connection.execution_options(no_parameters=True).exec_driver_sql(question)
        if not result.returns_rows:
            raise Unanswered("the query answers no row: write a SELECT of a count, a time, or both")
    rows = [tuple(row) for row in result.fetchmany(2)]
    return _figures(rows)


def _figures(rows: list[tuple[Any, ...]]) -> Figures:
    if len(rows) != 1 or len(rows[0]) not in (1, 2):
        many = "more than one" if len(rows) > 1 else "no" if not rows else "one"
        values = f" of {len(rows[0])} values" if rows else ""
        raise Unanswered(
            f"the query answered {many} row{values}: expected one row with the count of rows,"
            " the newest time, or the two in this order"
        )
    first, *rest = rows[0]
    if rest:
        return Figures(_count(first), _newest(rest[0]))
    if first is None or isinstance(first, (str, date)):
        return Figures(None, _newest(first))
    return Figures(_count(first), None)


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, (int, float, Decimal)) and value == value and int(value) == value >= 0:
        return int(value)
    raise Unanswered(f"the count is {str(value)[:60]!r}: expected a whole number of rows")


def _newest(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, (str, date)):
            found = WatermarkValue.of(value, TIME).native
            assert isinstance(found, datetime)
            return found
    except InvalidInput:
        pass
    raise Unanswered(
        f"the newest time is {str(value)[:60]!r}: expected a date or time; --query can convert it"
    )


def _in_our_words(url: URL, error: BaseException) -> Unanswered:
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    text = redact_text(" ".join(lines[:2]) or type(cause).__name__)
    if url.password:
        text = text.replace(str(url.password), "***")
    return Unanswered(f"{_place(url)} did not answer: {text[:500]}", type(cause).__name__)


def _place(url: URL) -> str:
    """Where it is, without user, password and parameters."""
    return URL.create(
        url.drivername, host=url.host, port=url.port, database=url.database
    ).render_as_string()
