"""The columns that the ledger knows of tables, for whoever reads SQL that says ``*``."""

from __future__ import annotations

from collections.abc import Callable

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput, NotFound
from pipeledger.model.spans import FOREVER
from pipeledger.sql.names import TableName
from pipeledger.store.read import Reader, address_details, address_names


def columns_in(reader: Reader, namespace: str) -> Callable[[TableName], tuple[str, ...] | None]:
    """A ``schema`` for ``sql.parse``: the columns of a table in this store, in order; None: not known."""
    known: dict[TableName, tuple[str, ...] | None] = {}

    def columns(table: TableName) -> tuple[str, ...] | None:
        if table not in known:
            known[table] = _columns(reader, namespace, table)
        return known[table]

    return columns


def _columns(reader: Reader, namespace: str, table: TableName) -> tuple[str, ...] | None:
    try:
        address = Address.of_table(namespace, *table.parts)
        with reader.connection() as connection:
            id_, _ = address_names.find(connection, address)
            members = address_names.members(connection, id_)
            spans = address_details.columns(connection, members)
    except (InvalidInput, NotFound):
        return None
    now = [span for span in spans if span[5] == FOREVER]
    if not now:
        return None
    latest = max(now, key=lambda span: span[6])[0]
    return tuple(s[1] for s in sorted((s for s in now if s[0] == latest), key=lambda s: s[3]))
