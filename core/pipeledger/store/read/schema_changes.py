"""Columns that came, went or changed since an address's schema was first seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.model.spans import FOREVER
from pipeledger.store.read.spelled import moment, rows, spelled

# An address's first columns are no change: something must have been known of it before.
_CHANGED = spelled(
    "SELECT DISTINCT c.address_id FROM (SELECT address_id, began_at AS at FROM address_column"
    " WHERE began_at > :since AND began_at <= :now UNION SELECT address_id, ended_at FROM address_column"
    " WHERE ended_at > :since AND ended_at <= :now) c WHERE EXISTS (SELECT 1 FROM address_column o"
    " WHERE o.address_id = c.address_id AND o.began_at < c.at) ORDER BY c.address_id"
)
_SPANS = spelled(
    "SELECT c.address_id, c.name, c.data_type, c.began_at, c.ended_at FROM EACH(ids) i"
    " FIRST JOIN address_column c ON c.address_id = i.id"
    " ORDER BY c.address_id, c.began_at, c.ordinal, c.name"
)
_COUNT = spelled("SELECT COUNT(*) FROM address WHERE schema_hash IS NOT NULL")


@dataclass(frozen=True, slots=True)
class ColumnSpan:
    """A column with a type, from ``began_at`` until ``ended_at`` (None: it is there)."""

    name: str
    data_type: str
    began_at: datetime
    ended_at: datetime | None


def changed_addresses(connection: Connection, since: datetime, now: datetime) -> list[int]:
    """Addresses with a known schema that has changed between two moments."""
    return [row[0] for row in rows(connection, _CHANGED, {"since": since, "now": now})]


def columns(connection: Connection, ids: Collection[int]) -> dict[int, list[ColumnSpan]]:
    """All columns that these addresses have had, in order of their beginning."""
    found: dict[int, list[ColumnSpan]] = {}
    for id_, name, data_type, began, ended in rows(connection, _SPANS, {"ids": ids}):
        end = moment(ended)
        span = ColumnSpan(name, data_type, moment(began), None if end >= FOREVER else end)
        found.setdefault(id_, []).append(span)
    return found


def known_schemas(connection: Connection) -> int:
    """How many addresses have a schema that somebody reported."""
    return int(rows(connection, _COUNT, {})[0][0])
