"""What executions wrote, and which executions read it later, by what was recorded of runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.model import times
from pipeledger.store.read.spelled import moment, rows, spelled

_VISIBLE = " AND p.namespace_id AMONG(namespaces)"
_PRODUCED = (
    "SELECT COALESCE(a.same_as_id, a.id), o.data_version, COALESCE(e.start_date, e.end_date)"
    " FROM EACH(ids) i FIRST JOIN pipeline_execution_closure c ON c.parent_execution_id = i.id"
    " JOIN pipeline_execution_output o ON o.execution_id = c.child_execution_id"
    " JOIN address a ON a.id = o.address_id JOIN pipeline_execution e ON e.id = o.execution_id"
    " JOIN pipeline p ON p.id = e.pipeline_id WHERE 1 = 1{visible}"
)
_CONSUMED = (
    "SELECT n.execution_id, COALESCE(a.same_as_id, a.id), n.data_version,"
    " COALESCE(e.start_date, e.end_date) FROM EACH(ids) i"
    " FIRST JOIN address a ON a.id = i.id OR a.same_as_id = i.id"
    " JOIN pipeline_execution_input n ON n.address_id = a.id"
    " JOIN pipeline_execution e ON e.id = n.execution_id JOIN pipeline p ON p.id = e.pipeline_id"
    " WHERE COALESCE(e.start_date, e.end_date) > :since{visible} ORDER BY n.execution_id LIMIT :most"
)
_INSIDE = spelled(
    "SELECT c.child_execution_id, e.pipeline_id FROM pipeline_execution_closure c"
    " JOIN pipeline_execution e ON e.id = c.child_execution_id WHERE c.parent_execution_id = :id"
)
_produced = {
    seen: spelled(_PRODUCED.format(visible=_VISIBLE if seen else "")) for seen in (False, True)
}
_consumed = {
    seen: spelled(_CONSUMED.format(visible=_VISIBLE if seen else "")) for seen in (False, True)
}


@dataclass(frozen=True, slots=True)
class Product:
    """Something was written to an address from ``since`` on; ``version`` of the data, where known."""

    address_id: int
    version: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Consumption:
    """An execution that started at ``at`` read an address."""

    execution_id: int
    address_id: int
    version: str | None
    at: datetime

    def takes(self, product: Product) -> bool:
        """Whether it may have read this: later, and not known to be another version."""
        return self.at > product.since and (
            self.version is None or product.version is None or self.version == product.version
        )


def inside(connection: Connection, execution_id: int) -> dict[int, int | None]:
    """The execution and all that ran inside it, each with its pipeline's id."""
    return dict(rows(connection, _INSIDE, {"id": execution_id}))


def products(
    connection: Connection, execution_ids: Collection[int], namespaces: tuple[int, ...] | None
) -> set[Product]:
    """What these executions, and all that ran inside them, wrote."""
    values: dict[str, Any] = {"ids": execution_ids}
    if namespaces is not None:
        values["namespaces"] = namespaces
    found = rows(connection, _produced[namespaces is not None], values)
    return {
        Product(address, version, times.FIRST if since is None else moment(since))
        for address, version, since in found
    }


def consumptions(
    connection: Connection,
    address_ids: Collection[int],
    since: datetime,
    namespaces: tuple[int, ...] | None,
    most: int,
) -> list[Consumption]:
    """What executions that started after a moment read of these addresses, under any name of them."""
    values: dict[str, Any] = {"ids": address_ids, "since": since, "most": most}
    if namespaces is not None:
        values["namespaces"] = namespaces
    found = rows(connection, _consumed[namespaces is not None], values)
    return [Consumption(e, a, version, moment(at)) for e, a, version, at in found]
