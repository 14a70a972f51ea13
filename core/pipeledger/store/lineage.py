"""The lineage that pipelines declare and that runs observe, written as facts in spans of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipeledger.model.address import Address
from pipeledger.model.lineage import LineageReport
from pipeledger.model.spans import FOREVER, holding, holds_after, lacking, until
from pipeledger.store.database import Connection, read_time
from pipeledger.store.names import Names
from pipeledger.store.pipelines import is_later
from pipeledger.store.spans import NUMBER, TEXT, Change, Held, Key, SpanTable
from pipeledger.store.statement import Statement

DECLARED, OBSERVED = "declared", "observed"
Pair = tuple[int, int]

EDGES = SpanTable(
    "lineage_edge",
    "pipeline_id",
    {"source_address_id": NUMBER, "target_address_id": NUMBER},
    stands_for={"source_id": "source_address_id", "target_id": "target_address_id"},
    more=("namespace_id", "configuration_hash"),
)
COLUMN_EDGES = SpanTable(
    "lineage_column_edge",
    "pipeline_id",
    {
        "source_address_id": NUMBER,
        "source_column": TEXT,
        "target_address_id": NUMBER,
        "target_column": TEXT,
        "kind": TEXT,
    },
    stands_for={"source_id": "source_address_id", "target_id": "target_address_id"},
    more=("namespace_id",),
)
USES = SpanTable(
    "pipeline_address",
    "pipeline_id",
    {"address_id": NUMBER, "role": TEXT},
    stands_for={"same_id": "address_id"},
    more=("namespace_id",),
)
TABLES = (EDGES, COLUMN_EDGES, USES)

_STORED_SQL = (
    "SELECT lineage_hash, lineage_declared_at, configuration_hash, namespace_id FROM pipeline"
    " WHERE id = :id"
)
_STORED = Statement(_STORED_SQL, postgresql=_STORED_SQL + " FOR NO KEY UPDATE")
_TOUCH = Statement("UPDATE pipeline SET lineage_declared_at = :at WHERE id = :id")
_DECLARE = Statement(
    "UPDATE pipeline SET lineage_hash = :hash, lineage_declared_at = :at WHERE id = :id"
)


def addresses(report: LineageReport) -> Iterable[Address]:
    """Every address that a report names."""
    for edge in report.edges:
        yield from edge
    for column in report.columns:
        yield column.source
        yield column.target
    yield from report.inputs
    yield from report.outputs


def save(
    connection: Connection,
    names: Names,
    report: LineageReport,
    ids: Mapping[tuple[str, str], int],
    now: datetime,
    observed_for: timedelta,
) -> set[Pair]:
    """Store what a pipeline's lineage is, or was seen to be; the edges that have come or gone by it.

    ``ids``: of the addresses that it names. Pairs are ids of addresses as they were reported.
    """
    known = names.pipeline(connection, report.pipeline, now)
    row = connection.rows(_STORED, {"id": known.id})[0]
    digest, stored_at, more = row[0], read_time(row[1]), {"namespace_id": row[3]}
    hashes = {EDGES: {"configuration_hash": row[2]}}
    facts = _facts(report, ids)
    at = report.occurred_at
    if report.observed:
        changes = {
            table: _seen(connection, table, known.id, keys, at, until(at, observed_for))
            for table, keys in facts.items()
        }
    else:
        is_latest = is_later(at, report.content_hash, stored_at, digest)
        if is_latest and report.content_hash == digest:
            connection.run(_TOUCH, {"id": known.id, "at": connection.time(at)})
            return set()
        held = {table: table.since(connection, known.id, at, DECLARED) for table in facts}
        ended = FOREVER if is_latest else _next_change(held.values(), at, stored_at)
        if ended is None:
            return set()
        changes = {table: _declared(held[table], keys, at, ended) for table, keys in facts.items()}
        if is_latest:
            values = {"id": known.id, "hash": report.content_hash, "at": connection.time(at)}
            connection.run(_DECLARE, values)
    origin = OBSERVED if report.observed else DECLARED
    for table, changed in changes.items():
        table.write(connection, known.id, changed, origin, **more, **hashes.get(table, {}))
    return {
        (int(key[0]), int(key[1]))
        for key, change in changes[EDGES].items()
        if holds_after(change.before.spans, now) != holds_after(change.after.spans, now)
    }


def extend(
    connection: Connection,
    names: Names,
    report: LineageReport,
    now: datetime,
    observed_for: timedelta,
) -> bool:
    """Keep what a run observed for longer, if all of it is there already; whether it is.

    The short way of what is seen again and again: nothing is read, and nobody waits for anybody but
    for the same facts. Where it is not all there, what was done is right as far as it goes.
    """
    known = names.known_pipeline(connection, report.pipeline)
    ids = None if known is None else names.known_addresses(connection, addresses(report))
    if known is None or ids is None:
        return False
    at = report.occurred_at
    ended = until(at, observed_for)
    return all(
        table.extend(connection, known.id, keys, at, ended, now, OBSERVED)
        for table, keys in _facts(report, ids).items()
        if keys
    )


def _facts(
    report: LineageReport, ids: Mapping[tuple[str, str], int]
) -> dict[SpanTable, frozenset[Key]]:
    return {
        EDGES: frozenset((ids[s.key], ids[t.key]) for s, t in report.edges),
        COLUMN_EDGES: frozenset(
            (ids[c.source.key], c.source_column, ids[c.target.key], c.target_column, c.kind)
            for c in report.columns
        ),
        USES: frozenset(
            [(ids[s.key], "input") for s, _ in report.edges]
            + [(ids[t.key], "output") for _, t in report.edges]
            + [(ids[a.key], "input") for a in report.inputs]
            + [(ids[a.key], "output") for a in report.outputs]
        ),
    }


def _seen(
    connection: Connection,
    table: SpanTable,
    owner: int,
    keys: frozenset[Key],
    at: datetime,
    ended: datetime,
) -> dict[Key, Change]:
    """Each fact holds from here on for as long as it may go unseen."""
    if not keys:
        return {}
    held = table.of_keys(connection, owner, sorted(keys), OBSERVED)
    changes = dict.fromkeys(keys - held.keys(), _begun(at, ended))
    for key, before in held.items():
        spans = holding(before.spans, at, ended)
        seen = {
            span[0]: max(
                [at] * (span[0] <= at < span[1])
                + [s for began, s in (before.last_seen or {}).items() if span[0] <= began < span[1]]
            )
            for span in spans
        }
        after = Held(spans, seen)
        if after != before:
            changes[key] = Change(before, after)
    return changes


def _begun(at: datetime, ended: datetime) -> Change:
    """A fact that was not there before."""
    spans = holding((), at, ended)
    return Change(Held(), Held(spans, dict.fromkeys((began for began, _ in spans), at)))


def _declared(
    held: Mapping[Key, Held], keys: frozenset[Key], at: datetime, ended: datetime
) -> dict[Key, Change]:
    """Exactly these facts hold from here to ``ended``, when the next declaration says what does."""
    changes = dict.fromkeys(keys - held.keys(), _begun(at, ended))
    for key, before in held.items():
        spans = (holding if key in keys else lacking)(before.spans, at, ended)
        if spans != before.spans:
            seen = {began: before.seen(began) or max(began, at) for began, _ in spans}
            changes[key] = Change(before, Held(spans, seen))
    return changes


def _next_change(
    tables: Iterable[Mapping[Key, Held]], at: datetime, stored_at: datetime | None
) -> datetime | None:
    """When a declaration that comes late was replaced; None: another one of the same moment is there.

    That is the next change known. Repetitions of one declaration are not kept one by one, so that a
    late one in between reaches to the next that differs, at most to the last one of all.
    """
    marks = {
        moment for held in tables for h in held.values() for span in h.spans for moment in span
    }
    if at in marks or stored_at is None or at >= stored_at:
        return None
    return min((m for m in (*marks, stored_at) if m > at), default=stored_at)
