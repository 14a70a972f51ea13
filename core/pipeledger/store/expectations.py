"""When pipelines are expected, as the missing check writes it down; how old an address may become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeledger.model.canonical import canonical_json
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


def _parts(name: str, threshold: Threshold | None) -> dict[str, object]:
    return {
        f"{name}_number": None if threshold is None else threshold.number,
        f"{name}_datepart": None if threshold is None else threshold.datepart,
    }
