"""Lineage edges as a walk needs them: neighbours of addresses, the edges among addresses."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, func, select

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput, NotFound
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read.among import Among
from pipeledger.store.tables import address, address_lineage, address_type, namespace, pipeline

UPSTREAM = "upstream"
DOWNSTREAM = "downstream"
_NEAR = {
    UPSTREAM: address_lineage.c.target_address_id,
    DOWNSTREAM: address_lineage.c.source_address_id,
}
_FAR = {
    UPSTREAM: address_lineage.c.source_address_id,
    DOWNSTREAM: address_lineage.c.target_address_id,
}
_NEIGHBOURS = {
    direction: select(_FAR[direction])
    .where(Among(_NEAR[direction], "ids"))
    .distinct()
    .order_by(_FAR[direction])
    .limit(bindparam("most"))
    for direction in (UPSTREAM, DOWNSTREAM)
}
_BEYOND = {
    direction: select(_NEAR[direction])
    .where(Among(_NEAR[direction], "ids"), ~Among(_FAR[direction], "known"))
    .distinct()
    .order_by(_NEAR[direction])
    for direction in (UPSTREAM, DOWNSTREAM)
}
_EDGES_AMONG = (
    select(
        address_lineage.c.source_address_id,
        address_lineage.c.target_address_id,
        namespace.c.name.label("namespace"),
        pipeline.c.name,
    )
    .select_from(address_lineage.join(pipeline).join(namespace))
    .where(
        Among(address_lineage.c.source_address_id, "ids"),
        # Plus 0: an index over both columns would be searched once for every pair of ids.
        Among(address_lineage.c.target_address_id + 0, "ids"),
    )
    .order_by(
        address_lineage.c.source_address_id,
        address_lineage.c.target_address_id,
        namespace.c.name,
        pipeline.c.name,
    )
)
_ADDRESS = select(
    address.c.id,
    address.c.namespace,
    address.c.name,
    address_type.c.name.label("type"),
    address_type.c.group_name,
).select_from(address.join(address_type))
_OF_IDS = _ADDRESS.where(Among(address.c.id, "ids"))
_OF_KEY = _ADDRESS.where(
    address.c.namespace == bindparam("namespace"), address.c.name == bindparam("name")
)
_OF_NAME = _ADDRESS.where(address.c.name == bindparam("name")).limit(6)
_ENDING = (
    _ADDRESS.where(
        func.lower(address.c.name).like(bindparam("dotted"), escape="\\")
        | func.lower(address.c.name).like(bindparam("slashed"), escape="\\")
    )
    .order_by(address.c.namespace, address.c.name)
    .limit(6)
)


def neighbours(
    connection: Connection, direction: str, ids: Collection[int], most: int
) -> list[int]:
    """The addresses one step up- or downstream of any of these, each once, at most ``most``."""
    parameters = {"ids": ids, "most": most}
    return list(connection.execute(_NEIGHBOURS[direction], parameters).scalars())


def with_more_beyond(
    connection: Connection, direction: str, ids: Collection[int], known: Collection[int]
) -> list[int]:
    """Those of ``ids`` with a neighbour that is not among ``known``."""
    return list(connection.execute(_BEYOND[direction], {"ids": ids, "known": known}).scalars())


def edges_among(
    connection: Connection, ids: Collection[int]
) -> dict[tuple[int, int], tuple[PipelineRef, ...]]:
    """The edges whose both ends are among these, with the pipelines that own them."""
    edges: dict[tuple[int, int], tuple[PipelineRef, ...]] = {}
    for source, target, space, name in connection.execute(_EDGES_AMONG, {"ids": ids}):
        edges[source, target] = (*edges.get((source, target), ()), PipelineRef(name, space))
    return edges


def addresses(connection: Connection, ids: Collection[int]) -> dict[int, Address]:
    """Addresses by id."""
    rows = connection.execute(_OF_IDS, {"ids": ids})
    return {id_: Address(space, name, kind, group) for id_, space, name, kind, group in rows}


def find(connection: Connection, wanted: Address | str) -> tuple[int, Address]:
    """An address by its namespace and name, its URL, or the last part of its name; and its id.

    Raises NotFound, InvalidInput where several names end so, InvalidAddress.
    """
    if isinstance(wanted, str):
        text = wanted.strip()
        if ":" not in text and text:
            return _by_ending(connection, text)
        wanted = Address.parse(text)
    key = {"namespace": wanted.namespace, "name": wanted.name}
    row = connection.execute(_OF_KEY, key).one_or_none()
    if row is None:
        raise NotFound(
            f"the ledger knows no address {wanted} (namespace {wanted.namespace!r}, name"
            f" {wanted.name!r}): no recorded run or declared lineage has named it"
        )
    return row.id, Address(row.namespace, row.name, row.type, row.group_name)


def _by_ending(connection: Connection, text: str) -> tuple[int, Address]:
    rows = connection.execute(_OF_NAME, {"name": text}).all()
    if not rows:
        escaped = "".join("\\" + c if c in "\\%_" else c for c in text.lower())
        endings = {"dotted": f"%.{escaped}", "slashed": f"%/{escaped}"}
        rows = connection.execute(_ENDING, endings).all()
    if not rows:
        raise NotFound(
            f"the ledger knows no address whose name is, or ends with, {text!r}; pass the whole"
            " address, e.g. postgres://dwh:5432/sales.public.orders"
        )
    if len(rows) > 1:
        several = ", ".join(str(Address(row.namespace, row.name)) for row in rows[:5])
        raise InvalidInput(f"several addresses are called {text!r}: {several}; pass the whole one")
    row = rows[0]
    return row.id, Address(row.namespace, row.name, row.type, row.group_name)
