"""The latest executions of many pipelines, found by the index of each however long its history is."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.store.read.spelled import rows, spelled
from pipeledger.store.statement import Statement

# As a scalar of each pipeline: a subquery with a limit that is joined would be run for every execution.
_LATEST = (
    "SELECT i.id, (SELECT {join} FROM (SELECT y.id FROM pipeline_execution y WHERE y.pipeline_id = i.id"
    " AND {which} DESC, y.id DESC LIMIT :most) x) FROM EACH(ids) i"
)
_STARTED = "y.start_date IS NOT NULL ORDER BY y.start_date"
_NEVER_STARTED = "y.start_date IS NULL AND y.end_date IS NOT NULL ORDER BY y.end_date"


def _statement(which: str) -> Statement:
    sqlite = spelled(_LATEST.format(join="group_concat(x.id)", which=which))
    postgresql = spelled(_LATEST.format(join="string_agg(x.id::text, ',')", which=which))
    found = Statement(sqlite.sqlite)
    found.postgresql = postgresql.postgresql
    return found


_LATEST_STARTED, _LATEST_NEVER_STARTED = _statement(_STARTED), _statement(_NEVER_STARTED)


def started(connection: Connection, pipeline_ids: Collection[int], most: int) -> list[int]:
    """The executions of these pipelines that started last, at most ``most`` of each."""
    return _ids(rows(connection, _LATEST_STARTED, {"ids": pipeline_ids, "most": most}))


def never_started(connection: Connection, pipeline_ids: Collection[int], most: int) -> list[int]:
    """Those that ended last of the ones whose start nobody knows: lost before they could begin."""
    return _ids(rows(connection, _LATEST_NEVER_STARTED, {"ids": pipeline_ids, "most": most}))


def _ids(found: list[tuple[int, str | None]]) -> list[int]:
    return [int(id_) for _, listed in found if listed for id_ in listed.split(",")]
