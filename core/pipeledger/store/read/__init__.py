"""The read side: questions to the ledger, with SQLAlchemy Core. ``Reader`` is the way in."""

from sqlalchemy import Connection

from pipeledger.store.read.reader import Reader

__all__ = ["Connection", "Reader"]
