"""Transactions of housekeeping: a connection that waits longer than a task may, and retries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pipeledger.model.errors import LedgerUnavailable
from pipeledger.store.database import Connection, Database
from pipeledger.store.schema import open_ledger
from pipeledger.store.unit_of_work import transact

T = TypeVar("T")
PATIENCE_SECONDS = 30.0


@contextmanager
def session(database: Database) -> Iterator[Connection]:
    """A connection to the ledger, closed at the end; housekeeping makes no ledger.

    Raises LedgerUnavailable, SchemaMismatch.
    """
    if database.is_sqlite and not os.path.exists(database.dsn):
        raise LedgerUnavailable(
            f"there is no ledger at {database.dsn}: the first recorded run makes it, or"
            " `pipeledger db upgrade`; PIPELEDGER_DATABASE_URL names another one"
        )
    connection = open_ledger(database, PATIENCE_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


def in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    """What ``work`` returns, committed; started over when it met another transaction."""
    return transact(connection, lambda again: work(connection), lambda: None)
