"""Findings as they are written: a look saved whole, and what people do with findings.

Of two looks of one check the later one counts, whoever saves first: the stored findings are always
those of the latest look, so checkers that run at once make one finding of one cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model.canonical import canonical_json
from pipeledger.model.finding import Cause
from pipeledger.store.database import Connection, read_json, read_time
from pipeledger.store.statement import Statement

_AT_ONCE = 2_000
_FIELDS = {
    "subject": "text", "namespace_id": "bigint", "pipeline_id": "bigint",
    "pipeline_execution_id": "bigint", "run_key": "uuid", "address_id": "bigint",
    "metric": "text", "severity": "text", "state": "text", "message": "text", "details": "jsonb",
    "since": "timestamptz", "openings": "integer",
}  # fmt: skip
_LOCK = Statement(
    "SELECT 1", postgresql="SELECT pg_advisory_xact_lock(hashtext('pipeledger check ' || :check))"
)
_SEEN = Statement("SELECT checked_at, state FROM monitoring_check WHERE name = :check")
_SEE = Statement(
    "INSERT INTO monitoring_check (name, checked_at, checked, state)"
    " VALUES (:check, :at, :checked, :state) ON CONFLICT (name) DO UPDATE SET"
    " checked_at = excluded.checked_at, checked = excluded.checked, state = excluded.state"
)
_UNRESOLVED = Statement(
    "SELECT id, subject, state, severity, message, pipeline_id, pipeline_execution_id, address_id,"
    " metric, details FROM finding WHERE check_name = :check AND state <> 'resolved'"
)
_REOPENED = "t.state = 'resolved' AND excluded.state = 'open' AND t.unflagged_at IS NULL"
_MERGE = (
    " ON CONFLICT (check_name, subject) DO UPDATE SET"
    " severity = excluded.severity, message = excluded.message, details = excluded.details,"
    " since = excluded.since, pipeline_execution_id = excluded.pipeline_execution_id,"
    " run_key = excluded.run_key, updated_at = excluded.updated_at,"
    " state = CASE WHEN excluded.state = 'resolved' OR t.unflagged_at IS NOT NULL THEN 'resolved'"
    " WHEN t.state = 'resolved' THEN 'open' ELSE t.state END,"
    " resolved_at = CASE WHEN excluded.state = 'resolved' OR t.unflagged_at IS NOT NULL"
    " THEN COALESCE(t.resolved_at, excluded.updated_at) END,"
    f" openings = t.openings + CASE WHEN {_REOPENED} THEN 1 ELSE 0 END,"
    f" opened_at = CASE WHEN {_REOPENED} THEN excluded.opened_at ELSE t.opened_at END,"
    f" acknowledged_at = CASE WHEN {_REOPENED} THEN NULL ELSE t.acknowledged_at END,"
    f" acknowledged_by = CASE WHEN {_REOPENED} THEN NULL ELSE t.acknowledged_by END"
    " WHERE t.message <> excluded.message OR t.severity <> excluded.severity"
    " OR (t.state = 'resolved') <> (excluded.state = 'resolved' OR t.unflagged_at IS NOT NULL)"
)
_COLUMNS = f"check_name, {', '.join(_FIELDS)}, opened_at, updated_at"
_KEEP = Statement(
    f"INSERT INTO finding AS t ({_COLUMNS}) SELECT :check,"
    + ", ".join(f" json_extract(r.value, '$.{name}')" for name in _FIELDS)
    + f", :at, :at FROM json_each(:rows) AS r WHERE true{_MERGE}",
    postgresql=f"INSERT INTO finding AS t ({_COLUMNS}) SELECT :check, {', '.join(_FIELDS)},"
    " CAST(:at AS timestamptz), CAST(:at AS timestamptz)"
    f" FROM json_to_recordset(:rows) AS r ({', '.join(f'{n} {t}' for n, t in _FIELDS.items())})"
    f" WHERE true{_MERGE}",
)
_RESOLVE = Statement(
    "UPDATE finding SET state = 'resolved', resolved_at = :at, updated_at = :at"
    " WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'resolved'",
    postgresql="UPDATE finding SET state = 'resolved', resolved_at = :at, updated_at = :at"
    " WHERE id = ANY(CAST(:ids AS bigint[])) AND state <> 'resolved'",
)
_ACKNOWLEDGE = Statement(
    "UPDATE finding SET state = 'acknowledged', acknowledged_at = :at, acknowledged_by = :by,"
    " note = COALESCE(:note, note), updated_at = :at WHERE id = :id AND state = 'open'"
)
_MUTE = Statement(
    "UPDATE finding SET muted_until = :until, note = COALESCE(:note, note), updated_at = :at"
    " WHERE id = :id AND state <> 'resolved'"
)
_UNFLAG = Statement(
    "UPDATE finding SET unflagged_at = :at, note = :note, updated_at = :at,"
    " resolved_at = COALESCE(resolved_at, :at), state = 'resolved'"
    " WHERE id = :id AND check_name = 'volume' AND unflagged_at IS NULL"
)
_OLD = "FROM finding WHERE state = 'resolved' AND resolved_at < :before"
_COUNT_OLD = Statement(f"SELECT COUNT(*) {_OLD}")
_FIND_OLD = Statement(f"SELECT id {_OLD} ORDER BY id LIMIT :most")
_IN_SQLITE, _IN_POSTGRESQL = (
    "IN (SELECT value FROM json_each(:ids))",
    "= ANY(CAST(:ids AS bigint[]))",
)
_DELETE_ALERTS, _DELETE = (
    Statement(
        f"DELETE FROM {table} WHERE {column} {_IN_SQLITE}",
        postgresql=f"DELETE FROM {table} WHERE {column} {_IN_POSTGRESQL}",
    )
    for table, column in (("alert", "finding_id"), ("finding", "id"))
)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A finding that is open or acknowledged, as the next look of its check needs it."""

    id: int
    subject: str
    state: str
    severity: str
    message: str
    pipeline_id: int | None
    execution_id: int | None
    address_id: int | None
    metric: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """Where the last look of a check left off."""

    at: datetime | None
    state: dict[str, Any]
    unresolved: tuple[Unresolved, ...]


def seen(connection: Connection, check: str) -> Seen:
    """What the last look of this check left: its moment (None: there was none), state, findings."""
    rows = connection.rows(_SEEN, {"check": check})
    unresolved = tuple(
        Unresolved(
            int(row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8],
            read_json(row[9]),
        )
        for row in connection.rows(_UNRESOLVED, {"check": check})
    )  # fmt: skip
    if not rows:
        return Seen(None, {}, unresolved)
    return Seen(read_time(rows[0][0]), read_json(rows[0][1]), unresolved)


def save(
    connection: Connection,
    check: str,
    causes: Iterable[Cause],
    *,
    at: datetime,
    checked: int,
    state: Any,
) -> bool:
    """Make the stored findings of a check what a look at ``at`` saw; false: a later look is stored.

    In the caller's transaction, which then holds this check's lock.
    """
    connection.rows(_LOCK, {"check": check})
    last = seen(connection, check)
    if last.at is not None and last.at > at:
        return False
    moment = connection.time(at)
    found = {cause.subject: cause for cause in causes}
    stored = {u.subject: u for u in last.unresolved}
    news = [cause for cause in found.values() if _is_news(cause, stored.get(cause.subject))]
    for first in range(0, len(news), _AT_ONCE):
        rows = canonical_json([_row(connection, c) for c in news[first : first + _AT_ONCE]])
        connection.run(_KEEP, {"check": check, "at": moment, "rows": rows})
    gone = [u.id for subject, u in stored.items() if subject not in found]
    if gone:
        connection.run(_RESOLVE, {"ids": _array(connection, gone), "at": moment})
    connection.run(
        _SEE, {"check": check, "at": moment, "checked": checked, "state": canonical_json(state)}
    )
    return True


def _is_news(cause: Cause, stored: Unresolved | None) -> bool:
    """Whether the row has to change: what is stored unresolved and says the same stays untouched."""
    if stored is None:
        return True
    return not cause.holds or (cause.message, cause.severity.value) != (
        stored.message,
        stored.severity,
    )


def _row(connection: Connection, cause: Cause) -> dict[str, Any]:
    details = dict(cause.details)
    return {
        "subject": cause.subject,
        "namespace_id": cause.namespace_id,
        "pipeline_id": cause.pipeline_id,
        "pipeline_execution_id": cause.execution_id,
        "run_key": None if cause.run_key is None else str(cause.run_key),
        "address_id": cause.address_id,
        "metric": cause.metric,
        "severity": cause.severity.value,
        "state": "open" if cause.holds else "resolved",
        "message": cause.message,
        "details": details,
        "since": connection.time(cause.since),
        "openings": 1 if cause.holds else 0,
    }


def acknowledge(
    connection: Connection, ids: Sequence[int], by: str, note: str | None, now: datetime
) -> list[int]:
    """Mark open findings as seen by somebody; the ids of those that were open."""
    values = {"by": by, "note": note, "at": connection.time(now)}
    return [id_ for id_ in ids if connection.run(_ACKNOWLEDGE, {**values, "id": id_})]


def mute(
    connection: Connection, ids: Sequence[int], until: datetime, note: str | None, now: datetime
) -> list[int]:
    """Keep findings quiet until a moment; the ids of those that were not resolved."""
    values = {"until": connection.time(until), "note": note, "at": connection.time(now)}
    return [id_ for id_ in ids if connection.run(_MUTE, {**values, "id": id_})]


def unflag(connection: Connection, ids: Sequence[int], note: str, now: datetime) -> list[int]:
    """Say of odd volumes that they were in order: resolved, and normal for later looks."""
    values = {"note": note, "at": connection.time(now)}
    return [id_ for id_ in ids if connection.run(_UNFLAG, {**values, "id": id_})]


def count_old(connection: Connection, before: datetime) -> int:
    """How many findings were over before this moment."""
    return int(connection.rows(_COUNT_OLD, {"before": connection.time(before)})[0][0])


def delete_old(connection: Connection, before: datetime, most: int) -> int:
    """Delete findings that were over before this moment, with their alerts; how many that were."""
    values = {"before": connection.time(before), "most": most}
    ids = [int(row[0]) for row in connection.rows(_FIND_OLD, values)]
    if ids:
        connection.run(_DELETE_ALERTS, {"ids": _array(connection, ids)})
        connection.run(_DELETE, {"ids": _array(connection, ids)})
    return len(ids)


def _array(connection: Connection, ids: Sequence[int]) -> str:
    inside = ",".join(map(str, ids))
    return f"[{inside}]" if connection.is_sqlite else f"{{{inside}}}"
