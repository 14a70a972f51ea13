"""Which pipelines are expected when: what has to be computed anew, what is due, when runs started."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeledger.store.database import read_json, read_time
from pipeledger.store.read import latest_runs, thresholds
from pipeledger.store.read.spelled import moment, rows, spelled

_LAST_START = "(SELECT MAX(x.start_date) FROM pipeline_execution x WHERE x.pipeline_id = p.id)"
# When this configuration was declared first: an unchanged one is declared again and again.
_DECLARED_AT = (
    "(SELECT MAX(c.declared_at) FROM pipeline_configuration c"
    " WHERE c.pipeline_id = p.id AND c.configuration_hash = p.configuration_hash)"
)
_IS_MUTED = f"NOT ({thresholds.is_not_muted('timeliness')})"
_COLUMNS = (
    "p.id, p.namespace_id, p.schedule, p.pipeline_metadata, p.configuration_hash, p.created_at,"
    f" {_DECLARED_AT}, e.source, e.rhythm, e.expected_at, {_IS_MUTED}, e.details, {_LAST_START}"
)
_FROM = (
    " FROM pipeline p LEFT JOIN pipeline_expectation e ON e.pipeline_id = p.id"
    " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id"
)
_NEW = spelled(
    f"SELECT {_COLUMNS}{_FROM} WHERE p.active AND (e.pipeline_id IS NULL"
    " OR e.configuration_hash IS DISTINCT FROM p.configuration_hash)"
)
_DUE = spelled(
    f"SELECT {_COLUMNS} FROM pipeline_expectation e JOIN pipeline p ON p.id = e.pipeline_id"
    " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id WHERE e.look_at <= :now AND p.active"
    f" AND {thresholds.is_not_muted('timeliness')} AND e.configuration_hash IS NOT DISTINCT FROM"
    " p.configuration_hash ORDER BY e.look_at, e.pipeline_id"
)
_STARTS = spelled(
    "SELECT x.pipeline_id, x.start_date, x.parent_id FROM EACH(ids) i"
    " FIRST JOIN pipeline_execution x ON x.id = i.id ORDER BY x.pipeline_id, x.start_date DESC"
)
_RUNNING = spelled(
    "SELECT DISTINCT e.pipeline_id FROM EACH(ids) i FIRST JOIN pipeline_execution e"
    " ON e.pipeline_id = i.id WHERE e.state = 'running' AND e.start_date IS NOT NULL"
    " AND e.start_date = (SELECT MAX(x.start_date) FROM pipeline_execution x WHERE x.pipeline_id = i.id)"
)
_COUNT = spelled("SELECT COUNT(*) FROM pipeline_expectation WHERE expected_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Expected:
    """A pipeline with what it declares of its rhythm, and what is known of when it comes.

    ``source`` is None where nothing has been computed for its present configuration.
    """

    pipeline_id: int
    namespace_id: int
    schedule: str | None
    metadata: Mapping[str, Any]
    configuration_hash: str | None
    created_at: datetime
    declared_at: datetime | None
    source: str | None
    rhythm: str | None
    expected_at: datetime | None
    is_muted: bool
    details: Mapping[str, Any]
    last_start: datetime | None


def new(connection: Connection) -> list[Expected]:
    """Active pipelines of which nothing is stored yet, or that were configured anew since."""
    return [_expected(row) for row in rows(connection, _NEW, {})]


def due(connection: Connection, now: datetime) -> list[Expected]:
    """Active, unmuted pipelines at which somebody has to look by now, the longest due first."""
    return [_expected(row) for row in rows(connection, _DUE, {"now": now})]


def starts(
    connection: Connection, pipeline_ids: Collection[int], most: int
) -> dict[int, list[tuple[datetime, bool]]]:
    """The latest starts of pipelines, the last first, each with whether it ran inside another run."""
    found: dict[int, list[tuple[datetime, bool]]] = {}
    ids = latest_runs.started(connection, pipeline_ids, most)
    for id_, started, parent in rows(connection, _STARTS, {"ids": ids}):
        found.setdefault(id_, []).append((moment(started), parent is not None))
    return found


def still_running(connection: Connection, pipeline_ids: Collection[int]) -> set[int]:
    """Those of these pipelines whose latest run has not ended."""
    return {row[0] for row in rows(connection, _RUNNING, {"ids": pipeline_ids})}


def count(connection: Connection) -> int:
    """How many pipelines are expected at some time."""
    return int(rows(connection, _COUNT, {})[0][0])


def _expected(row: Any) -> Expected:
    metadata, details = read_json(row[3]), read_json(row[11])
    return Expected(
        row[0], row[1], row[2], metadata if isinstance(metadata, dict) else {}, row[4],
        moment(row[5]), read_time(row[6]), row[7], row[8], read_time(row[9]), bool(row[10]),
        details if isinstance(details, dict) else {}, read_time(row[12]),
    )  # fmt: skip
