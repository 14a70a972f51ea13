"""Findings, as people ask for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeledger.model.address import Address
from pipeledger.model.finding import Finding, FindingState, Severity
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.database import read_json, read_time
from pipeledger.store.read.spelled import Value, moment, rows, spelled
from pipeledger.store.statement import Statement

_COLUMNS = (
    "f.id, f.check_name, f.severity, f.state, f.message, f.since, f.opened_at, f.updated_at,"
    " f.openings, n.name, p.name, t.name, p.pipeline_metadata, f.run_key, a.namespace, a.name,"
    " f.metric, f.details, f.resolved_at, f.acknowledged_at, f.acknowledged_by, f.muted_until,"
    " f.unflagged_at, f.note, f.pipeline_id, f.pipeline_execution_id, f.address_id"
)
_FROM = (
    " LEFT JOIN pipeline p ON p.id = f.pipeline_id LEFT JOIN namespace n ON n.id = p.namespace_id"
    " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id"
    " LEFT JOIN address a ON a.id = f.address_id"
)
_SEVERITIES = "CASE f.severity WHEN 'critical' THEN 2 WHEN 'error' THEN 1 ELSE 0 END"


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings are wanted; what is None does not matter.

    ``checks``, ``severity`` (at least), ``namespace``, ``pipeline`` (with ``namespace``), ``address``
    (a name, whole). ``resolved``: also those whose cause is gone, since ``since``.
    """

    checks: Collection[str] = ()
    severity: Severity | None = None
    namespace: str | None = None
    pipeline: PipelineRef | None = None
    address: Address | None = None
    resolved: bool = False
    since: datetime | None = None
    ids: Collection[int] | None = None


def find(connection: Connection, wanted: FindingFilter, limit: int = 1_000) -> list[Finding]:
    """Findings, what is unresolved and worst first, then the latest."""
    where, values = _where(wanted)
    sql = (
        f"SELECT {_COLUMNS} FROM finding f{_FROM} WHERE {' AND '.join(where)}"
        f" ORDER BY CASE WHEN f.state = 'resolved' THEN 1 ELSE 0 END, {_SEVERITIES} DESC,"
        " f.opened_at DESC, f.id LIMIT :most"
    )
    found = rows(connection, spelled(sql), {**values, "most": limit})
    return [_finding(row) for row in found]


@dataclass(frozen=True, slots=True)
class LastLook:
    """When a check looked last, and at how many pipelines, executions or addresses."""

    check: str
    at: datetime
    checked: int


_LOOKS = Statement("SELECT name, checked_at, checked FROM monitoring_check ORDER BY name")


def last_looks(connection: Connection) -> list[LastLook]:
    """The checks that have looked."""
    return [
        LastLook(name, moment(at), int(number)) for name, at, number in rows(connection, _LOOKS, {})
    ]


def _where(wanted: FindingFilter) -> tuple[list[str], dict[str, Value]]:
    where = ["1 = 1"]
    values: dict[str, Value] = {}
    if wanted.ids is not None:
        where.append("f.id AMONG(ids)")
        values["ids"] = wanted.ids
    elif not wanted.resolved:
        where.append("f.state <> 'resolved'")
    if wanted.checks:
        names = [f"check_{i}" for i in range(len(wanted.checks))]
        where.append(f"f.check_name IN ({', '.join(':' + n for n in names)})")
        values.update(zip(names, sorted(wanted.checks), strict=True))
    if wanted.severity is not None:
        where.append(f"{_SEVERITIES} >= :severity")
        values["severity"] = wanted.severity.rank
    namespace = wanted.namespace
    if wanted.pipeline is not None:
        where.append("p.name = :pipeline")
        values["pipeline"], namespace = wanted.pipeline.name, wanted.pipeline.namespace
    if namespace is not None:
        where.append("n.name = :namespace")
        values["namespace"] = namespace
    if wanted.address is not None:
        where.append("a.namespace = :address_namespace AND a.name = :address_name")
        values["address_namespace"] = wanted.address.namespace
        values["address_name"] = wanted.address.name
    if wanted.since is not None:
        where.append("f.opened_at >= :since")
        values["since"] = wanted.since
    return where, values


def _finding(row: Sequence[Any]) -> Finding:
    (
        id_, check, severity, state, message, since, opened, updated, openings, namespace, pipeline,
        type_, metadata, run_key, store, address, metric, details, resolved, acknowledged, by, muted,
        unflagged, note, pipeline_id, execution_id, address_id,
    ) = row  # fmt: skip
    return Finding(
        id=int(id_),
        check=check,
        severity=Severity(severity),
        state=FindingState(state),
        message=message,
        since=moment(since),
        opened_at=moment(opened),
        updated_at=moment(updated),
        openings=openings,
        pipeline=None if pipeline is None else PipelineRef(pipeline, namespace),
        pipeline_type=type_,
        owner=_owner(read_json(metadata)),
        run_key=None if run_key is None else UUID(str(run_key)),
        address=None if address is None else Address(store, address),
        metric=metric,
        details=read_json(details),
        resolved_at=read_time(resolved),
        acknowledged_at=read_time(acknowledged),
        acknowledged_by=by,
        muted_until=read_time(muted),
        unflagged_at=read_time(unflagged),
        note=note,
        pipeline_id=pipeline_id,
        execution_id=execution_id,
        address_id=address_id,
    )


def _owner(metadata: Mapping[str, Any] | None) -> str | None:
    """Who the pipeline belongs to, where its metadata says so (`owner`, or the first of `owners`)."""
    if not isinstance(metadata, Mapping):
        return None
    owner = metadata.get("owner")
    if owner is None:
        owners = metadata.get("owners")
        owner = owners[0] if isinstance(owners, list) and owners else None
    return owner if isinstance(owner, str) else None
