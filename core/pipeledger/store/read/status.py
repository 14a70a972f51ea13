"""How the ledger stands: what runs, open findings, what failed lately, when the checks have looked.

Each question stops at what a screen shows, and none goes over the history: what runs and what is open
has indexes of its own, what failed is looked for among what started within eight days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from pipeledger.model.finding import CHECKS, Finding
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.status import FAILED_WITHIN, Checked, Running, Some, Status
from pipeledger.model.views import ExecutionView
from pipeledger.store.read import executions, findings
from pipeledger.store.read.findings import FindingFilter
from pipeledger.store.read.spelled import Value, rows, spelled

LONGEST_RUN = timedelta(days=7)
_SPACE = (
    " AND (:namespace IS NULL OR {0} IN (SELECT p.id FROM pipeline p"
    " JOIN namespace n ON n.id = p.namespace_id WHERE n.name = :namespace))"
)
# Not IS NOT NULL: SQLite would go over the whole index of pipelines.
_KNOWN = "COALESCE(e.pipeline_id, 0) > 0"
_WHERE_RUNNING = f"e.state = 'running' AND {_KNOWN}{_SPACE.format('e.pipeline_id')}"
_RUNNING = spelled(
    f"SELECT e.id FROM pipeline_execution e WHERE {_WHERE_RUNNING}"
    " ORDER BY CASE WHEN e.start_date IS NULL THEN 1 ELSE 0 END, e.start_date, e.id LIMIT :most"
)
_COUNT_RUNNING = spelled(f"SELECT count(*) FROM pipeline_execution e WHERE {_WHERE_RUNNING}")
_INSIDE = spelled(
    "SELECT e.id, p.name, n.name FROM EACH(ids) i FIRST JOIN pipeline_execution e ON e.id = i.id"
    " JOIN pipeline_execution o ON o.id = e.parent_id JOIN pipeline p ON p.id = o.pipeline_id"
    " JOIN namespace n ON n.id = p.namespace_id"
)
_WHERE_FAILED = (
    "e.start_date >= :started AND e.end_date >= :since AND e.state IN ('failed', 'abandoned')"
    f" AND {_KNOWN}{_SPACE.format('e.pipeline_id')}"
)
_FAILED = spelled(
    f"SELECT e.id, count(*) OVER () FROM pipeline_execution e WHERE {_WHERE_FAILED}"
    " ORDER BY e.end_date DESC, e.id DESC LIMIT :most"
)
_OPEN = "f.state = 'open' AND (f.muted_until IS NULL OR f.muted_until <= :now)"
_COUNT_FINDINGS = spelled(
    f"SELECT f.check_name, CASE WHEN {_OPEN} THEN 1 ELSE 0 END, count(*) FROM finding f"
    f" WHERE f.state <> 'resolved'{_SPACE.format('f.pipeline_id')} GROUP BY 1, 2"
)
_FINDINGS = spelled(
    f"SELECT f.id FROM finding f WHERE f.state <> 'resolved' AND {_OPEN}"
    f"{_SPACE.format('f.pipeline_id')}"
    " ORDER BY CASE f.severity WHEN 'critical' THEN 0 WHEN 'error' THEN 1 ELSE 2 END,"
    " f.opened_at DESC, f.id LIMIT :most"
)


def status(connection: Connection, now: datetime, namespace: str | None, most: int) -> Status:
    """How it stands; of each thing at most ``most``, with the count of all."""
    asked: dict[str, Value] = {"namespace": namespace, "now": now, "most": most}
    open_, quiet = _counts(connection, asked)
    looks = {look.check: look for look in findings.last_looks(connection)}
    return Status(
        at=now,
        running=_running(connection, asked),
        findings=_findings(connection, asked, sum(open_.values())),
        open=open_,
        quiet=quiet,
        failed=_failed(connection, asked, now),
        checks=tuple(
            Checked(check, looks[check].at, looks[check].checked)
            if check in looks
            else Checked(check, None, 0)
            for check in CHECKS
        ),
    )


def _running(connection: Connection, asked: dict[str, Value]) -> Some[Running]:
    ids = [id_ for (id_,) in rows(connection, _RUNNING, asked)]
    found = executions.of_ids(connection, ids)
    inside = {
        id_: PipelineRef(name, space)
        for id_, name, space in rows(connection, _INSIDE, {"ids": ids})
    }
    count = int(rows(connection, _COUNT_RUNNING, asked)[0][0])
    return Some(tuple(Running(found[id_], inside.get(id_)) for id_ in ids), count)


def _failed(connection: Connection, asked: dict[str, Value], now: datetime) -> Some[ExecutionView]:
    since = now - FAILED_WITHIN
    found = rows(connection, _FAILED, {**asked, "since": since, "started": since - LONGEST_RUN})
    ids = [id_ for id_, _ in found]
    views = executions.of_ids(connection, ids)
    return Some(tuple(views[id_] for id_ in ids), int(found[0][1]) if found else 0)


def _counts(connection: Connection, asked: dict[str, Value]) -> tuple[dict[str, int], int]:
    """What is open by check, and how much is acknowledged or muted."""
    found = rows(connection, _COUNT_FINDINGS, asked)
    open_ = {check: int(number) for check, is_open, number in found if is_open}
    return open_, sum(int(number) for _, is_open, number in found if not is_open)


def _findings(connection: Connection, asked: dict[str, Value], count: int) -> Some[Finding]:
    ids = [id_ for (id_,) in rows(connection, _FINDINGS, asked)]
    found = {f.id: f for f in findings.find(connection, FindingFilter(ids=ids))} if ids else {}
    return Some(tuple(found[id_] for id_ in ids if id_ in found), count)
