"""How old the data of an address may become: said once, and held by every check from then on."""

from __future__ import annotations

from datetime import datetime

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.pipeline import Threshold
from pipeledger.store import expectations
from pipeledger.store.database import Connection, Database
from pipeledger.store.names import Names


def expect(
    database: Database,
    address: Address | str,
    *,
    freshness: Threshold | None = None,
    completeness: Threshold | None = None,
    now: datetime | None = None,
) -> None:
    """Say how old the data of an address may become, and its complete-up-to, in place of what was said.

    ``freshness``: since the last insert, update or delete by any pipeline that writes it.
    ``completeness``: how far the watermarks upstream may lie back. Neither: it is watched no longer.
    Raises InvalidAddress, LedgerUnavailable.
    """
    wanted = Address.parse(address) if isinstance(address, str) else address
    at = now or times.now()
    names = Names()

    def said(connection: Connection) -> None:
        ids = names.addresses(connection, [wanted], at)
        expectations.expect(connection, ids[wanted.key], freshness, completeness, at)

    with session(database) as connection:
        in_transaction(connection, said)
