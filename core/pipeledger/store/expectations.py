"""When pipelines are expected, as the missing check writes it down; how old an address may become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeledger.model.canonical import canonical_json
from pipeledger.model.errors import NotFound
from pipeledger.model.pipeline import Threshold
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

_AT_ONCE = 5_000
_FIELDS = {
    "pipeline_id": "bigint", "source": "text", "rhythm": "text", "expected_at": "timestamptz",
    "grace_seconds": "integer", "look_at": "timestamptz", "configuration_hash": "text",
    "details": "jsonb",
}  # fmt: skip
_MERGE = " ON CONFLICT (pipeline_id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _FIELDS if name != "pipeline_id"
)
_COLUMNS = ", ".join(_FIELDS)
_KEEP = Statement(
    f"INSERT INTO pipeline_expectation ({_COLUMNS}) SELECT"
    + ",".join(f" json_extract(r.value, '$.{name}')" for name in _FIELDS)
    + f" FROM json_each(:rows) AS r WHERE true{_MERGE}",
    postgresql=f"INSERT INTO pipeline_expectation ({_COLUMNS}) SELECT {_COLUMNS}"
    f" FROM json_to_recordset(:rows) AS r ({', '.join(f'{n} {t}' for n, t in _FIELDS.items())})"
    f" WHERE true{_MERGE}",
)
_EXPECT = Statement(
    "INSERT INTO address_expectation (address_id, freshness_number, freshness_datepart,"
    " completeness_number, completeness_datepart, mute, created_at, updated_at)"
    " VALUES (:id, :freshness_number, :freshness_datepart, :completeness_number,"
    " :completeness_datepart, :false, :now, :now) ON CONFLICT (address_id) DO UPDATE SET"
    " freshness_number = excluded.freshness_number,"
    " freshness_datepart = excluded.freshness_datepart,"
    " completeness_number = excluded.completeness_number,"
    " completeness_datepart = excluded.completeness_datepart, updated_at = excluded.updated_at"
)
_FORGET = Statement(
    "UPDATE address_expectation SET freshness_number = NULL, freshness_datepart = NULL,"
    " completeness_number = NULL, completeness_datepart = NULL, updated_at = :now"
    " WHERE address_id = :id"
)
_FIND_TYPE = Statement(
    "SELECT t.id FROM pipeline_type t JOIN namespace n ON n.id = t.namespace_id"
    " WHERE n.name = :namespace AND t.name = :name"
)
_TYPES = Statement(
    "SELECT t.name FROM pipeline_type t JOIN namespace n ON n.id = t.namespace_id"
    " WHERE n.name = :namespace ORDER BY t.name LIMIT 20"
)
# Set where something is said of it: a threshold that is not named stays.
_SET_TYPE = {
    what: Statement(
        f"UPDATE pipeline_type SET {what}_number = :number, {what}_datepart = :datepart,"
        " updated_at = :now WHERE id = :id"
    )
    for what in ("timeliness", "freshness")
}
_MUTE = {
    (table, what): Statement(
        f"UPDATE {table} SET mute_{what}_check = :muted, updated_at = :now WHERE id = :id"
    )
    for table in ("pipeline", "pipeline_type")
    for what in ("timeliness", "freshness")
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """When a pipeline is expected next, how much later it may come, and when to look at it again.

    ``source``: ``declared``, ``learned``, or ``none`` where nothing can be expected.
    """

    pipeline_id: int
    source: str
    look_at: datetime
    configuration_hash: str | None
    rhythm: str | None = None
    expected_at: datetime | None = None
    grace_seconds: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


def keep(connection: Connection, expectations: Collection[Expectation]) -> None:
    """Store what is expected, each in place of what was. In the caller's transaction."""
    rows = [
        {
            "pipeline_id": e.pipeline_id,
            "source": e.source,
            "rhythm": e.rhythm,
            "expected_at": connection.time(e.expected_at),
            "grace_seconds": e.grace_seconds,
            "look_at": connection.time(e.look_at),
            "configuration_hash": e.configuration_hash,
            "details": dict(e.details),
        }
        for e in sorted(expectations, key=lambda e: e.pipeline_id)
    ]
    for first in range(0, len(rows), _AT_ONCE):
        connection.run(_KEEP, {"rows": canonical_json(rows[first : first + _AT_ONCE])})


def expect(
    connection: Connection,
    address_id: int,
    freshness: Threshold | None,
    completeness: Threshold | None,
    now: datetime,
) -> None:
    """Say how old an address may become, and its complete-up-to; what is not said is not watched."""
    if freshness is None and completeness is None:
        connection.run(_FORGET, {"id": address_id, "now": connection.time(now)})
        return
    connection.run(
        _EXPECT,
        {
            "id": address_id,
            "false": False,
            "now": connection.time(now),
            **_parts("freshness", freshness),
            **_parts("completeness", completeness),
        },
    )


def find_type(connection: Connection, namespace: str, name: str) -> int:
    """The id of a type of pipelines. Raises NotFound, which names those that there are."""
    rows = connection.rows(_FIND_TYPE, {"namespace": namespace, "name": name})
    if not rows:
        there = ", ".join(str(row[0]) for row in connection.rows(_TYPES, {"namespace": namespace}))
        raise NotFound(
            f"there is no type {name!r} in namespace {namespace}: "
            + (
                f"its types are {there}"
                if there
                else "no pipeline there has been declared with one"
            )
        )
    return int(rows[0][0])


def allow(
    connection: Connection, type_id: int, what: str, threshold: Threshold | None, now: datetime
) -> None:
    """Set the threshold of a type (``timeliness`` or ``freshness``); None: it has none."""
    values = {"number": None, "datepart": None}
    if threshold is not None:
        values = {"number": threshold.number, "datepart": threshold.datepart}  # type: ignore[dict-item]
    connection.run(_SET_TYPE[what], {**values, "id": type_id, "now": connection.time(now)})


def mute(
    connection: Connection, table: str, id_: int, what: str, muted: bool, now: datetime
) -> None:
    """Mute a check (``timeliness``, which missing belongs to, or ``freshness``), or hear it again.

    ``table``: pipeline or pipeline_type.
    """
    values = {"muted": muted, "id": id_, "now": connection.time(now)}
    connection.run(_MUTE[table, what], values)


def _parts(name: str, threshold: Threshold | None) -> dict[str, object]:
    return {
        f"{name}_number": None if threshold is None else threshold.number,
        f"{name}_datepart": None if threshold is None else threshold.datepart,
    }
