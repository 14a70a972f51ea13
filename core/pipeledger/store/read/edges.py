"""Lineage edges as a walk needs them: what is reached from addresses, the edges among addresses.

Ids are those of the addresses that stand for their aliases. Which edges count is decided inside
every statement: those that hold at a moment, owned by pipelines that the asker may see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.model import times
from pipeledger.model.lineage_views import DOWNSTREAM, UPSTREAM
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read.spelled import Value, rows, spelled
from pipeledger.store.statement import Statement

HOLDS = "{e}.ended_at > :at AND {e}.began_at <= :at"
SEEN = " AND {e}.namespace_id AMONG(namespaces)"

_NEAR = (
    "SELECT e.{far} FROM EACH(ids) i FIRST JOIN lineage_edge e ON e.{near} = i.id"
    " WHERE {counts} GROUP BY e.{far}"
)
_NEAREST = _NEAR + " ORDER BY e.{far} LIMIT :most"
# Plus 0: an index over both columns would be searched once for every pair of ids.
# Not EXISTS, which PostgreSQL makes a join of: it takes "not among thousands" for next to nothing,
# reads the whole table for every id, and does not come back (seen).
_BEYOND = (
    "SELECT i.id FROM EACH(ids) i WHERE (SELECT 1 FROM lineage_edge e WHERE e.{near} = i.id"
    " AND {counts} AND NOT (e.{far} + 0 AMONG(known)) LIMIT 1) = 1"
)
_PAIRS = (
    "SELECT e.{near}, e.{far} FROM EACH(ids) i FIRST JOIN lineage_edge e"
    " ON e.{near} = i.id WHERE {counts} LIMIT :most"
)
_AMONG = (
    "SELECT DISTINCT e.source_id, e.target_id, e.pipeline_id FROM EACH(ids) i"
    " FIRST JOIN lineage_edge e ON e.source_id = i.id WHERE e.target_id + 0 AMONG(ids) AND {counts}"
)
_PIPELINES = spelled(
    "SELECT p.id, p.name, n.name FROM EACH(ids) i FIRST JOIN pipeline p ON p.id = i.id"
    " JOIN namespace n ON n.id = p.namespace_id"
)
_NAMESPACES = spelled("SELECT id, name FROM namespace")


@dataclass(frozen=True, slots=True)
class Counted:
    """Which facts count: those that hold at ``at``, of pipelines in these namespaces; None: in any."""

    at: datetime
    namespaces: tuple[int, ...] | None = None

    @property
    def values(self) -> dict[str, Value]:
        if self.namespaces is None:
            return {"at": self.at}
        return {"at": self.at, "namespaces": self.namespaces}


def counted(
    connection: Connection, as_of: datetime | None, namespaces: Collection[str] | None
) -> Counted:
    """What counts as of a moment (None: now) for who may see these namespaces (None: all).

    Raises InvalidInput for a moment without a zone.
    """
    at = times.now() if as_of is None else times.as_utc(as_of, "as_of")
    if namespaces is None:
        return Counted(at)
    wanted = set(namespaces)
    return Counted(
        at, tuple(id_ for id_, name in rows(connection, _NAMESPACES, {}) if name in wanted)
    )


class Variants:
    """One statement per direction, with and without a limit to what may be seen."""

    def __init__(self, sql: str, alias: str = "e") -> None:
        self._statements: dict[tuple[str, bool], Statement] = {}
        for direction, near in ((UPSTREAM, "target"), (DOWNSTREAM, "source")):
            far = "source" if near == "target" else "target"
            for is_limited in (False, True):
                counts = (HOLDS + (SEEN if is_limited else "")).format(e=alias)
                text = sql.format(
                    near=f"{near}_id", far=f"{far}_id", near_column=f"{near}_column",
                    far_column=f"{far}_column", counts=counts,
                )  # fmt: skip
                self._statements[direction, is_limited] = spelled(text)

    def of(self, counted: Counted, direction: str = DOWNSTREAM) -> Statement:
        return self._statements[direction, counted.namespaces is not None]


_near, _nearest = Variants(_NEAR), Variants(_NEAREST)
_beyond, _pairs, _among = Variants(_BEYOND), Variants(_PAIRS), Variants(_AMONG)


def levels(
    connection: Connection, direction: str, starts: Sequence[int], counted: Counted
) -> Iterator[list[int]]:
    """All that is reached, a level at a time, each id once; the starts come first."""
    seen: set[int] = set()
    last = sorted(set(starts))
    while last:
        yield last
        seen.update(last)
        near = neighbours(connection, direction, last, counted)
        last = sorted(id_ for id_ in near if id_ not in seen)


def neighbours(
    connection: Connection,
    direction: str,
    ids: Collection[int],
    counted: Counted,
    most: int | None = None,
) -> list[int]:
    """The addresses one step up- or downstream of any of these, each once, at most ``most``."""
    values: dict[str, Value] = {"ids": ids, **counted.values}
    if most is None:
        found = rows(connection, _near.of(counted, direction), values)
    else:
        found = rows(connection, _nearest.of(counted, direction), {**values, "most": most})
    return [row[0] for row in found]


def pairs(
    connection: Connection, direction: str, ids: Collection[int], counted: Counted, most: int
) -> list[tuple[int, int]]:
    """(one of these, an address one step up- or downstream of it), at most ``most``.

    As often as it is recorded: by several pipelines, or in several spans.
    """
    values = {"ids": ids, "most": most, **counted.values}
    found: list[tuple[int, int]] = rows(connection, _pairs.of(counted, direction), values)
    return found


def with_more_beyond(
    connection: Connection,
    direction: str,
    ids: Collection[int],
    known: Collection[int],
    counted: Counted,
) -> list[int]:
    """Those of ``ids`` with a neighbour that is not among ``known``."""
    if not ids:
        return []
    values = {"ids": ids, "known": known, **counted.values}
    return [row[0] for row in rows(connection, _beyond.of(counted, direction), values)]


def edges_among(
    connection: Connection, ids: Collection[int], counted: Counted
) -> dict[tuple[int, int], tuple[PipelineRef, ...]]:
    """The edges whose both ends are among these, with the pipelines that own them, by name."""
    found = rows(connection, _among.of(counted), {"ids": ids, **counted.values})
    refs = pipelines(connection, {pipeline for _, _, pipeline in found})
    owners: dict[tuple[int, int], list[PipelineRef]] = {}
    for source, target, pipeline in found:
        owners.setdefault((source, target), []).append(refs[pipeline])
    return {
        ends: tuple(sorted(names, key=lambda p: (p.namespace, p.name)))
        for ends, names in owners.items()
    }


def pipelines(connection: Connection, ids: Collection[int]) -> dict[int, PipelineRef]:
    """Pipelines by id."""
    found = rows(connection, _PIPELINES, {"ids": ids})
    return {id_: PipelineRef(name, namespace) for id_, name, namespace in found}
