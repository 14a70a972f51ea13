"""What a look asks first: the time, and which executions it has not seen in their present state."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.model import times
from pipeledger.store.read.spelled import moment, rows, spelled
from pipeledger.store.statement import Statement

_LAST = spelled("SELECT COALESCE(MAX(id), 0) FROM pipeline_execution")
_RUNNING = spelled(
    "SELECT id FROM pipeline_execution WHERE state = 'running' AND start_date IS NOT NULL ORDER BY id"
)
_SINCE_ID = spelled("SELECT id FROM pipeline_execution WHERE id > :after ORDER BY id")
_SINCE = spelled("SELECT id FROM pipeline_execution WHERE start_date >= :since ORDER BY id")
_CLOCK = Statement("", postgresql="SELECT clock_timestamp()")


def clock(connection: Connection) -> datetime:
    """The time by the database's clock, which all who ask it share; on SQLite this machine's."""
    if connection.dialect.name == "sqlite":
        return times.now()
    return moment(rows(connection, _CLOCK, {})[0][0])


def last_id(connection: Connection) -> int:
    """The highest id of an execution; 0 in an empty ledger."""
    return int(rows(connection, _LAST, {})[0][0])


def running(connection: Connection) -> list[int]:
    """The executions that run now."""
    return [row[0] for row in rows(connection, _RUNNING, {})]


def after(connection: Connection, id_: int) -> list[int]:
    """The executions that were first reported after this one."""
    return [row[0] for row in rows(connection, _SINCE_ID, {"after": id_})]


def started_since(connection: Connection, since: datetime) -> list[int]:
    """The executions that started at this moment or later."""
    return [row[0] for row in rows(connection, _SINCE, {"since": since})]


def union(*ids: Collection[int]) -> list[int]:
    """Each id once, in order."""
    return sorted(set().union(*ids))
