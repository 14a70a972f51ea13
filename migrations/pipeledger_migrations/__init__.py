"""Alembic revisions of the ledger database."""
