"""A ledger with findings in it, and real receivers: a webhook and a mailbox."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from .receivers import Mailbox, Webhook
from .watched import Watched


@pytest.fixture
def watched(database_url: str) -> Iterator[Watched]:
    """A ledger whose findings a test writes itself, on SQLite and on PostgreSQL."""
    made = Watched(database_url)
    yield made
    made.close()


@pytest.fixture
def watched_file(sqlite_url: str) -> Iterator[Watched]:
    """The same in a SQLite file, where the kind of database does not matter."""
    made = Watched(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Mailbox()
    yield made
    made.close()
