"""How old data is: of pipelines by their last change and their watermark, of addresses by their writers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.model.pipeline import Threshold
from pipeledger.store.database import read_time
from pipeledger.store.read import thresholds
from pipeledger.store.read.spelled import moment, rows, spelled

_NUMBER, _DATEPART = thresholds.number("freshness"), thresholds.datepart("freshness")
_TYPE = " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id"
_WATCHED = f"p.active AND {_NUMBER} IS NOT NULL AND {thresholds.is_not_muted('freshness')}"
# The least of it is computed in a subquery: a macro inside a macro would not be read.
_STALE_PIPELINES = spelled(
    "SELECT w.id, w.namespace_id, w.changed_at, w.created_at, w.number, w.datepart, w.own FROM ("
    "SELECT p.id, p.namespace_id, p.created_at,"
    " NEWEST(p.last_target_insert, p.last_target_update, p.last_target_soft_delete) AS changed_at,"
    f" {_NUMBER} AS number, {_DATEPART} AS datepart, {thresholds.is_own('freshness')} AS own"
    f" FROM pipeline p{_TYPE} WHERE {_WATCHED}) w"
    " WHERE SECONDS(COALESCE(w.changed_at, w.created_at), :now) >="
    f" {thresholds.least_seconds('w.number', 'w.datepart')}"
)
_COUNT_PIPELINES = spelled(f"SELECT COUNT(*) FROM pipeline p{_TYPE} WHERE {_WATCHED}")
_ADDRESSES = spelled(
    "SELECT x.address_id, a.namespace, a.name, x.created_at, x.freshness_number,"
    " x.freshness_datepart, x.completeness_number, x.completeness_datepart,"
    " (SELECT MAX(NEWEST(p.last_target_insert, p.last_target_update, p.last_target_soft_delete))"
    " FROM pipeline_address u JOIN pipeline p ON p.id = u.pipeline_id"
    " WHERE u.same_id = COALESCE(a.same_as_id, a.id) AND u.role = 'output' AND u.ended_at > :now)"
    " FROM address_expectation x JOIN address a ON a.id = x.address_id WHERE NOT x.mute"
    " ORDER BY x.address_id"
)
_MARKS = spelled(
    "SELECT p.id, p.namespace_id, p.created_at, p.completeness_number, p.completeness_datepart,"
    " MIN(COALESCE(w.value_order, '')), COUNT(w.pipeline_id) FROM pipeline p"
    " LEFT JOIN watermark w ON w.pipeline_id = p.id"
    " WHERE p.active AND NOT p.mute_freshness_check AND p.completeness_number IS NOT NULL"
    " GROUP BY p.id, p.namespace_id, p.created_at, p.completeness_number, p.completeness_datepart"
)


@dataclass(frozen=True, slots=True)
class Old:
    """A pipeline whose data may be older than allowed; the calendar decides."""

    pipeline_id: int
    namespace_id: int
    changed_at: datetime | None
    """The last insert, update or delete; None: there was none yet."""
    registered_at: datetime
    threshold: Threshold
    is_own: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """An address whose age is watched. ``changed_at``: the last change by any of its writers."""

    address_id: int
    address: Address
    expected_since: datetime
    freshness: Threshold | None
    completeness: Threshold | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Marked:
    """A pipeline whose time watermark may only become so old. ``order``: the least of its values."""

    pipeline_id: int
    namespace_id: int
    registered_at: datetime
    completeness: Threshold
    order: str


def old_pipelines(connection: Connection, now: datetime) -> list[Old]:
    """Active pipelines with a freshness threshold, unmuted, that have not changed anything for as long."""
    return [
        Old(id_, namespace, read_time(changed), moment(created), Threshold(number, part), bool(own))
        for id_, namespace, changed, created, number, part, own in rows(
            connection, _STALE_PIPELINES, {"now": now}
        )
    ]


def watched_pipelines(connection: Connection) -> int:
    """How many pipelines have a freshness threshold that is in force."""
    return int(rows(connection, _COUNT_PIPELINES, {})[0][0])


def addresses(connection: Connection, now: datetime) -> list[Expected]:
    """The addresses whose age or completeness is watched."""
    return [
        Expected(
            id_, Address(store, name), moment(created), _threshold(fresh, fresh_part),
            _threshold(complete, complete_part), read_time(changed),
        )
        for id_, store, name, created, fresh, fresh_part, complete, complete_part, changed in rows(
            connection, _ADDRESSES, {"now": now}
        )
    ]  # fmt: skip


def marked_pipelines(connection: Connection) -> list[Marked]:
    """The active pipelines that say how old their time watermark may become."""
    return [
        Marked(id_, namespace, moment(created), Threshold(number, part), order if held else "")
        for id_, namespace, created, number, part, order, held in rows(connection, _MARKS, {})
    ]


def _threshold(number: int | None, datepart: str | None) -> Threshold | None:
    return None if number is None or datepart is None else Threshold(number, datepart)
