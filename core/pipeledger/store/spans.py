"""Tables of facts that hold in spans of time: what they hold, and what is to be written to change it.

Rows go to and fro as one JSON document, so that ten thousand are one statement as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model.canonical import canonical_json
from pipeledger.model.spans import Spans
from pipeledger.store.database import Connection, read_time
from pipeledger.store.statement import Statement

Key = tuple[Any, ...]
NUMBER, TEXT = "bigint", "text"
_AT_ONCE = 5_000
_LARGER = "{0} = CASE WHEN {1} > t.{0} THEN {1} ELSE t.{0} END"


@dataclass(frozen=True, slots=True)
class Held:
    """The spans in which one fact holds, and when it was seen last in each (by its beginning)."""

    spans: Spans = ()
    last_seen: Mapping[datetime, datetime] | None = None

    def seen(self, began: datetime) -> datetime | None:
        return None if self.last_seen is None else self.last_seen.get(began)


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a fact, or of several alike."""

    before: Held
    after: Held


class SpanTable:
    """One table of such facts, each of them of an owner (a pipeline, or an address)."""

    def __init__(
        self,
        name: str,
        owner: str,
        key: Mapping[str, str],
        *,
        origin: bool = True,
        stands_for: Mapping[str, str] | None = None,
        more: Collection[str] = (),
    ) -> None:
        """``key``: the columns that tell facts of an owner apart, with their kind. ``stands_for``:
        the columns that name the address which stands for the one in a column of the key.
        ``more``: columns that are the same for all facts written at once."""
        self.name = name
        self._key = dict(key)
        self._owner = owner
        self._more = tuple(more)
        columns = ", ".join(self._key)
        own = f"{owner} = :owner" + (" AND origin = :origin" if origin else "")
        held = f"SELECT {columns}, began_at, ended_at, last_seen_at FROM {name} WHERE {own}"
        self._since = Statement(
            f"{held} AND ended_at >= :since",
            postgresql=f"{held} AND ended_at >= CAST(:since AS timestamptz)",
        )
        self._of_keys = self._both(f"{held} AND ({columns}) IN (SELECT {{key}} FROM {{rows}})")
        among = f"{own} AND ({columns}, began_at) IN (SELECT {{key}}, {{began}} FROM {{rows}})"
        self._delete = self._both(f"DELETE FROM {name} WHERE {among}")
        same = " AND ".join(f"t.{column} = {{{column}}}" for column in (*self._key, "began"))
        same = same.replace("t.began ", "t.began_at ")
        own_t = own.replace(owner, f"t.{owner}").replace("origin =", "t.origin =")
        self._update = self._both(
            f"UPDATE {name} AS t SET ended_at = {{ended}}, last_seen_at = {{seen}} FROM {{rows}}"
            f" WHERE {own_t} AND {same}"
        )
        later = " AND ".join(f"l.{column} = t.{column}" for column in (owner, *self._key))
        later += " AND l.origin = t.origin" if origin else ""
        same_fact = " AND ".join(f"t.{column} = {{{column}}}" for column in self._key)
        self._extend = self._both(
            f"UPDATE {name} AS t SET {_LARGER.format('ended_at', '{ended}')},"
            f" {_LARGER.format('last_seen_at', '{seen}')} FROM {{rows}} WHERE {own_t} AND {same_fact}"
            " AND t.began_at <= {seen} AND t.ended_at >= {seen} AND t.ended_at > {began}"
            f" AND NOT EXISTS (SELECT 1 FROM {name} l WHERE {later} AND l.began_at > t.began_at)"
        )
        stands = dict(stands_for or {})
        joins = "".join(
            f" JOIN address a_{column} ON a_{column}.id = {{{of}}}" for column, of in stands.items()
        )
        values = {
            owner: ":owner",
            **{column: f"{{{column}}}" for column in self._key},
            **({"origin": ":origin"} if origin else {}),
            "began_at": "{began}",
            "ended_at": "{ended}",
            "last_seen_at": "{seen}",
            **{column: f"COALESCE(a_{column}.same_as_id, a_{column}.id)" for column in stands},
            **{column: f":{column}" for column in self._more},
        }
        self._insert = self._both(
            f"INSERT INTO {name} ({', '.join(values)}) SELECT {', '.join(values.values())}"
            f" FROM {{rows}}{joins}"
        )

    def _both(self, sql: str) -> Statement:
        """The statement for both databases; ``{column}`` is that column of a row given as JSON."""
        kinds = {**self._key, "began": "timestamptz", "ended": "timestamptz", "seen": "timestamptz"}
        sqlite, postgresql = sql, sql
        for place, (column, kind) in enumerate(kinds.items()):
            in_sqlite = f"json_extract(r.value, '$[{place}]')"
            in_postgresql = f"CAST(r.value->>{place} AS {kind})"
            sqlite = sqlite.replace("{" + column + "}", in_sqlite)
            postgresql = postgresql.replace("{" + column + "}", in_postgresql)
        keys = range(len(self._key))
        sqlite = sqlite.replace(
            "{key}", ", ".join(f"json_extract(r.value, '$[{i}]')" for i in keys)
        )
        postgresql = postgresql.replace(
            "{key}",
            ", ".join(f"CAST(r.value->>{i} AS {k})" for i, k in enumerate(self._key.values())),
        )
        return Statement(
            sqlite.replace("{rows}", "json_each(:rows) AS r"),
            postgresql=postgresql.replace(
                "{rows}", "jsonb_array_elements(CAST(:rows AS jsonb)) AS r(value)"
            ),
        )

    def since(
        self, connection: Connection, owner: int, moment: datetime, origin: str | None = None
    ) -> dict[Key, Held]:
        """The facts of an owner with a span that had not ended before a moment, with those spans."""
        parameters = {"owner": owner, "origin": origin, "since": connection.time(moment)}
        return self._held(connection.rows(self._since, parameters))

    def of_keys(
        self, connection: Connection, owner: int, keys: Iterable[Key], origin: str | None = None
    ) -> dict[Key, Held]:
        """These facts of an owner, those that are there, with all their spans."""
        found: dict[Key, Held] = {}
        for part in _parts([list(key) for key in keys]):
            parameters = {"owner": owner, "origin": origin, "rows": part}
            found.update(self._held(connection.rows(self._of_keys, parameters)))
        return found

    def extend(
        self,
        connection: Connection,
        owner: int,
        keys: Collection[Key],
        seen: datetime,
        ended: datetime,
        now: datetime,
        origin: str | None = None,
    ) -> bool:
        """Let these facts of an owner hold until ``ended`` where they hold at ``seen`` and now, in the
        last of their spans; whether all of them did."""
        moments = [connection.time(moment) for moment in (now, ended, seen)]
        extended = 0
        for part in _parts([[*key, *moments] for key in sorted(keys)]):
            extended += connection.run(
                self._extend, {"owner": owner, "origin": origin, "rows": part}
            )
        return extended == len(keys)

    def write(
        self,
        connection: Connection,
        owner: int,
        changes: Mapping[Key, Change],
        origin: str | None = None,
        **more: object,
    ) -> None:
        """Make the table hold what comes after. ``more``: a value for each of those columns."""
        gone: list[list[Any]] = []
        moved: list[list[Any]] = []
        new: list[list[Any]] = []
        rows_of: dict[int, tuple[list[list[Any]], ...]] = {}
        for key, change in sorted(changes.items(), key=lambda item: item[0]):
            alike = rows_of.get(id(change))
            if alike is None:  # most facts of a declaration change in the same way
                alike = rows_of[id(change)] = _rows(connection, change)
            for into, ends in zip((gone, moved, new), alike, strict=True):
                for end in ends:
                    into.append([*key, *end])
        common: dict[str, object] = {"owner": owner, "origin": origin, **more}
        for statement, rows in ((self._delete, gone), (self._update, moved), (self._insert, new)):
            for part in _parts(rows):
                connection.run(statement, {**common, "rows": part})

    def _held(self, rows: Iterable[tuple[Any, ...]]) -> dict[Key, Held]:
        width = len(self._key)
        spans: dict[Key, dict[datetime, tuple[datetime, datetime]]] = {}
        for row in rows:
            began, ended, seen = (_moment(value) for value in row[width : width + 3])
            spans.setdefault(tuple(row[:width]), {})[began] = (ended, seen)
        return {
            key: Held(
                tuple(sorted((began, ended) for began, (ended, _) in found.items())),
                {began: seen for began, (_, seen) in found.items()},
            )
            for key, found in spans.items()
        }


def _rows(connection: Connection, change: Change) -> tuple[list[list[Any]], ...]:
    """The beginnings that go, and the (began, ended, last seen) that move and that are new."""
    time = connection.time
    before, after = dict(change.before.spans), dict(change.after.spans)
    gone: list[list[Any]] = [[time(began)] for began in before.keys() - after.keys()]
    moved: list[list[Any]] = []
    new: list[list[Any]] = []
    for began, ended in after.items():
        seen = change.after.seen(began) or began
        if began not in before:
            new.append([time(began), time(ended), time(seen)])
        elif (before[began], change.before.seen(began)) != (ended, seen):
            moved.append([time(began), time(ended), time(seen)])
    return gone, moved, new


def _moment(value: Any) -> datetime:
    moment = read_time(value)
    assert moment is not None
    return moment


def _parts(rows: list[list[Any]]) -> Iterable[str]:
    for first in range(0, len(rows), _AT_ONCE):
        yield canonical_json(rows[first : first + _AT_ONCE])
