"""Addresses: found by a part of any of their names, with how many pipelines write and read them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, tuple_

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress, InvalidInput
from pipeledger.model.lineage_views import address_json
from pipeledger.model.views import Page
from pipeledger.store.read import cursor as cursors
from pipeledger.store.read.spelled import rows, spelled
from pipeledger.store.tables import address, address_type

MOST_IN_A_PAGE = 1_000
_CURSOR = "addresses"
_name = address.alias("named")
_SUMMARY = spelled(
    "SELECT a.id, a.namespace, a.name, t.name, t.group_name FROM EACH(ids) i"
    " FIRST JOIN address a ON a.id = i.id JOIN address_type t ON t.id = a.address_type_id"
)
_ALIASES = spelled(
    "SELECT a.same_as_id, a.namespace, a.name FROM EACH(ids) i"
    " FIRST JOIN address a ON a.same_as_id = i.id ORDER BY a.namespace, a.name"
)
_USERS = spelled(
    "SELECT u.same_id, u.role, COUNT(DISTINCT u.pipeline_id) FROM EACH(ids) i"
    " FIRST JOIN pipeline_address u ON u.same_id = i.id"
    " AND u.ended_at > :now AND u.began_at <= :now GROUP BY u.same_id, u.role"
)


@dataclass(frozen=True, slots=True)
class FoundAddress:
    """One address of a list. ``writers``, ``readers``: pipelines that write and read it now."""

    address: Address
    aliases: tuple[Address, ...]
    writers: int
    readers: int

    def to_json(self) -> dict[str, Any]:
        return {
            **address_json(self.address),
            "aliases": [str(a) for a in self.aliases],
            "writers": self.writers,
            "readers": self.readers,
        }


def page(
    connection: Connection,
    text: str | None = None,
    *,
    type: str | None = None,
    group: str | None = None,
    address_namespace: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    now: datetime | None = None,
) -> Page[FoundAddress]:
    """Addresses by namespace and name; of several names of one address, the one that stands for all.

    ``text`` is a part of a namespace or name, upper or lower case; with ``*`` or ``?`` a glob over the
    whole of one; or the URL of an address, or of where its name begins, as ``Address.parse`` reads it.
    It may be one of another name.
    Raises InvalidInput.
    """
    if not 1 <= limit <= MOST_IN_A_PAGE:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to {MOST_IN_A_PAGE}")
    wanted = (
        select(address.c.id, address.c.namespace, address.c.name)
        # Plus 0: SQLite would take that index, which nearly every row is in, and sort them all.
        .where((address.c.same_as_id + 0).is_(None))
        .order_by(address.c.namespace, address.c.name)
        .limit(limit + 1)
    )
    if text is not None and text.strip():
        wanted = wanted.where(_called(text.strip()))
    if address_namespace is not None:
        wanted = wanted.where(address.c.namespace == address_namespace)
    if type is not None or group is not None:
        kinds = select(address_type.c.id)
        kinds = kinds if type is None else kinds.where(address_type.c.name == type)
        kinds = kinds if group is None else kinds.where(address_type.c.group_name == group)
        ids = connection.scalars(kinds).all()
        if not ids:
            return Page(())
        wanted = wanted.where(address.c.address_type_id.in_(ids))
    if cursor is not None:
        after = cursors.decode(_CURSOR, cursor, (str, str))
        wanted = wanted.where(tuple_(address.c.namespace, address.c.name) > tuple_(*after))
    found = connection.execute(wanted).all()
    following = None
    if len(found) > limit:
        found = found[:limit]
        following = cursors.encode(_CURSOR, [found[-1].namespace, found[-1].name])
    return Page(_summaries(connection, [row.id for row in found], now or times.now()), following)


def _called(text: str) -> ColumnElement[bool]:
    """Whether an address, or one that it stands for, is called what the text says."""
    wild = "*" in text or "?" in text
    if "://" in text and not wild:
        try:
            whole = Address.parse(text)
        except InvalidAddress:
            pass
        else:
            # Few enough to be found by the index over namespaces, and looked at one by one.
            named = select(func.coalesce(_name.c.same_as_id, _name.c.id)).where(
                _name.c.namespace == whole.namespace,
                func.lower(_name.c.name).like(_like(whole.name) + "%", escape="\\"),
            )
            return address.c.id.in_(named)
    pattern = _like(text if wild else f"*{text}*")

    def matches(names: Any) -> ColumnElement[bool]:
        return or_(
            func.lower(names.c.name).like(pattern, escape="\\"),
            func.lower(names.c.namespace).like(pattern, escape="\\"),
        )

    others = select(_name.c.same_as_id).where(_name.c.same_as_id.is_not(None), matches(_name))
    return or_(matches(address), address.c.id.in_(others))


def _like(pattern: str) -> str:
    """A glob as a LIKE pattern in lower case: ``*`` and ``?`` are wild, nothing else is."""
    escaped = "".join("\\" + c if c in "\\%_" else c for c in pattern.lower())
    return escaped.replace("*", "%").replace("?", "_")


def _summaries(
    connection: Connection, ids: Collection[int], now: datetime
) -> tuple[FoundAddress, ...]:
    if not ids:
        return ()
    known = {row[0]: Address(*row[1:]) for row in rows(connection, _SUMMARY, {"ids": ids})}
    aliases: dict[int, list[Address]] = {}
    for id_, namespace, name in rows(connection, _ALIASES, {"ids": ids}):
        aliases.setdefault(id_, []).append(Address(namespace, name))
    users = {
        (id_, role): count
        for id_, role, count in rows(connection, _USERS, {"ids": ids, "now": now})
    }
    return tuple(
        FoundAddress(
            known[id_],
            tuple(aliases.get(id_, ())),
            users.get((id_, "output"), 0),
            users.get((id_, "input"), 0),
        )
        for id_ in ids
    )
