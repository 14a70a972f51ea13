"""Addresses by id and by name. An address is found by any of its names; answers show the one that stands
for all of them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput, NotFound
from pipeledger.store.read.spelled import rows, spelled

_ADDRESS = "a.namespace, a.name, t.name, t.group_name"
_FROM = "JOIN address_type t ON t.id = a.address_type_id"
_OF_IDS = spelled(f"SELECT a.id, {_ADDRESS} FROM address a {_FROM} WHERE a.id AMONG(ids)")
# The one that stands for what was named, and what was named.
_NAMED = (
    f"SELECT a.id, {_ADDRESS}, n.namespace, n.name FROM address n"
    f" JOIN address a ON a.id = COALESCE(n.same_as_id, n.id) {_FROM} WHERE "
)
_OF_KEY = spelled(_NAMED + "n.namespace = :namespace AND n.name = :name")
_OF_NAME = spelled(_NAMED + "n.name = :name ORDER BY n.namespace LIMIT 20")
_ENDING = spelled(
    _NAMED + r"LOWER(n.name) LIKE :dotted ESCAPE '\' OR LOWER(n.name) LIKE :slashed ESCAPE '\'"
    " ORDER BY n.namespace, n.name LIMIT 20"
)
_MEMBERS = spelled("SELECT id FROM address WHERE id = :id OR same_as_id = :id ORDER BY id")


def of_ids(connection: Connection, ids: Collection[int]) -> dict[int, Address]:
    """Addresses by id."""
    return {
        id_: Address(namespace, name, kind, group)
        for id_, namespace, name, kind, group in rows(connection, _OF_IDS, {"ids": ids})
    }


def members(connection: Connection, id_: int) -> list[int]:
    """The address that stands for others, and all it stands for."""
    return [row[0] for row in rows(connection, _MEMBERS, {"id": id_})]


def find(connection: Connection, wanted: Address | str) -> tuple[int, Address]:
    """An address by its namespace and name, its URL, or the last part of its name; and its id.

    Of an alias: the address that stands for it. Raises NotFound, InvalidInput where several names
    end so, InvalidAddress.
    """
    if isinstance(wanted, str):
        text = wanted.strip()
        if ":" not in text and text:
            return _by_ending(connection, text)
        wanted = Address.parse(text)
    key = {"namespace": wanted.namespace, "name": wanted.name}
    found = rows(connection, _OF_KEY, key)
    if not found:
        raise NotFound(
            f"the ledger knows no address {wanted} (namespace {wanted.namespace!r}, name"
            f" {wanted.name!r}): no recorded run or declared lineage has named it"
        )
    return found[0][0], Address(*found[0][1:5])


def _by_ending(connection: Connection, text: str) -> tuple[int, Address]:
    found = rows(connection, _OF_NAME, {"name": text})
    if not found:
        escaped = "".join("\\" + c if c in "\\%_" else c for c in text.lower())
        endings = {"dotted": f"%.{escaped}", "slashed": f"%/{escaped}"}
        found = rows(connection, _ENDING, endings)
    if not found:
        raise NotFound(
            f"the ledger knows no address whose name is, or ends with, {text!r}; pass the whole"
            " address, e.g. postgres://dwh:5432/sales.public.orders"
        )
    if len({row[0] for row in found}) > 1:
        several = ", ".join(str(Address(row[5], row[6])) for row in found[:5])
        raise InvalidInput(f"several addresses are called {text!r}: {several}; pass the whole one")
    return found[0][0], Address(*found[0][1:5])
