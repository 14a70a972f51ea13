"""The closure of addresses: pairs with their least depth, for people who ask in plain SQL.

Kept in the transaction that changes edges while little changes; else marked as behind, and built
again as a whole. Nothing that we answer is read from it. Edges are those that hold now, between the
addresses that stand for their names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeledger.model.canonical import canonical_json
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

Pair = tuple[int, int]

WHOLE_BELOW = 5_000
"""With fewer addresses in the ledger than this the closure goes all the way."""
DEPTH = 3
"""How deep it goes in a larger graph."""
MOST_PAIRS = 20_000
"""A change that touches more pairs than this waits for the next rebuild,"""
MOST_EDGES = 2_000
"""and so does one of more edges."""
_UNBOUNDED = 1_000_000

_LOCK_KEY = 0x636C6F73
"""The key of PostgreSQL's advisory lock that one who rebuilds holds ("clos" in ASCII)."""
_ONE_AT_A_TIME = Statement("", postgresql=f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
_STATE_SQL = "SELECT depth, is_behind, changes FROM address_lineage_closure_state WHERE id = 1"
_STATE = Statement(_STATE_SQL)
_LOCKED_STATE = Statement(_STATE_SQL, postgresql=_STATE_SQL + " FOR UPDATE")
_FIRST_STATE = Statement(
    "INSERT INTO address_lineage_closure_state (id, is_behind, changes) VALUES (1, :false, 0)"
    " ON CONFLICT (id) DO NOTHING"
)
_BEHIND = Statement(
    "UPDATE address_lineage_closure_state SET is_behind = :true, changes = changes + 1 WHERE id = 1"
)
_BUILT = Statement(
    "UPDATE address_lineage_closure_state SET is_behind = :false, depth = :depth, built_at = :now"
    " WHERE id = 1 AND changes = :changes"
)
_NOW = {"sqlite": ":now", "postgresql": "CAST(:now AS timestamptz)"}


def _both(sql: str) -> Statement:
    """``{pairs}``, ``{left}``: rows (a, b) of the parameter of that name; ``{now}``: the moment."""
    sqlite, postgresql = (sql.replace("{now}", _NOW[name]) for name in ("sqlite", "postgresql"))
    for name in ("pairs", "left"):
        in_sqlite = (
            "(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b"
            f" FROM json_each(:{name}))"
        )
        in_postgresql = (
            "(SELECT CAST(r.value->>0 AS bigint) AS a, CAST(r.value->>1 AS bigint) AS b"
            f" FROM jsonb_array_elements(CAST(:{name} AS jsonb)) AS r(value))"
        )
        sqlite = sqlite.replace("{" + name + "}", in_sqlite)
        postgresql = postgresql.replace("{" + name + "}", in_postgresql)
    return Statement(sqlite, postgresql=postgresql)


_LOOK = _both(
    "SELECT x.a, x.b, EXISTS (SELECT 1 FROM lineage_edge e WHERE e.source_id = x.a"
    " AND e.target_id = x.b AND e.ended_at > {now}), EXISTS (SELECT 1 FROM address_lineage_closure c"
    " WHERE c.source_address_id = x.a AND c.target_address_id = x.b AND c.depth = 1)"
    " FROM (SELECT DISTINCT COALESCE(s.same_as_id, s.id) AS a, COALESCE(t.same_as_id, t.id) AS b"
    " FROM {pairs} p JOIN address s ON s.id = p.a JOIN address t ON t.id = p.b"
    " UNION SELECT a, b FROM {left} l) x"
)
_SELVES = _both(
    "INSERT INTO address_lineage_closure (source_address_id, target_address_id, depth)"
    " SELECT a, a, 0 FROM {pairs} p WHERE true UNION SELECT b, b, 0 FROM {pairs} p WHERE true"
    " ON CONFLICT (source_address_id, target_address_id) DO NOTHING"
)
_SHORTER = (
    " ON CONFLICT (source_address_id, target_address_id) DO UPDATE SET depth = excluded.depth"
    " WHERE excluded.depth < t.depth"
)
_IN_NO_EDGE = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM lineage_edge e WHERE e.{end} ="
    " address_lineage_closure.source_address_id AND e.ended_at > {now})"
    for end in ("source_id", "target_id")
)
_DROP_SELVES = _both(
    "DELETE FROM address_lineage_closure WHERE depth = 0 AND source_address_id IN"
    f" (SELECT a FROM {{pairs}} p UNION SELECT b FROM {{pairs}} p) AND {_IN_NO_EDGE}"
)
# As arrays: PostgreSQL then knows how few they are, and does not read the whole closure (seen).
_AROUND_SQL = (
    "SELECT (SELECT count(DISTINCT source_address_id) FROM address_lineage_closure"
    " WHERE target_address_id {among_sources}) * (SELECT count(DISTINCT target_address_id)"
    " FROM address_lineage_closure WHERE source_address_id {among_targets})"
)
_AROUND = Statement(
    _AROUND_SQL.format(
        among_sources="IN (SELECT value FROM json_each(:sources))",
        among_targets="IN (SELECT value FROM json_each(:targets))",
    ),
    postgresql=_AROUND_SQL.format(
        among_sources="= ANY(CAST(:sources AS bigint[]))",
        among_targets="= ANY(CAST(:targets AS bigint[]))",
    ),
)
_THROUGH = _both(
    "INSERT INTO address_lineage_closure AS t (source_address_id, target_address_id, depth)"
    " SELECT u.source_address_id, d.target_address_id, MIN(u.depth + 1 + d.depth) FROM {pairs} p"
    " JOIN address_lineage_closure u ON u.target_address_id = p.a"
    " JOIN address_lineage_closure d ON d.source_address_id = p.b"
    " WHERE u.depth + 1 + d.depth <= :most GROUP BY 1, 2" + _SHORTER
)
_UPPER = (
    "SELECT c.source_address_id FROM {pairs} p JOIN address_lineage_closure c"
    " ON c.target_address_id = p.a"
)
_LOWER = (
    "SELECT c.target_address_id FROM {pairs} p JOIN address_lineage_closure c"
    " ON c.source_address_id = p.b"
)
_AFFECTED = _both(f"{_UPPER} GROUP BY 1"), _both(f"{_LOWER} GROUP BY 1")


def _ids(name: str) -> tuple[str, str]:
    return (
        f"(SELECT value FROM json_each(:{name}))",
        f"(SELECT CAST(v AS bigint) FROM jsonb_array_elements_text(CAST(:{name} AS jsonb)) AS r(v))",
    )


def _among(sql: str) -> Statement:
    """``{uppers}`` and ``{lowers}``: the ids of those parameters."""
    texts = []
    for place, dialect in enumerate(("sqlite", "postgresql")):
        text = sql.replace("{now}", _NOW[dialect])
        for name in ("uppers", "lowers"):
            text = text.replace("{" + name + "}", _ids(name)[place])
        texts.append(text)
    return Statement(texts[0], postgresql=texts[1])


_FORGET = _among(
    "DELETE FROM address_lineage_closure WHERE source_address_id IN {uppers}"
    " AND target_address_id IN {lowers} AND depth > 0"
)
_RELAX = _among(
    "INSERT INTO address_lineage_closure AS t (source_address_id, target_address_id, depth)"
    " SELECT e.source_id, c.target_address_id, MIN(c.depth) + 1 FROM lineage_edge e"
    " JOIN address_lineage_closure c ON c.source_address_id = e.target_id"
    " WHERE e.source_id IN {uppers} AND c.target_address_id IN {lowers} AND e.ended_at > {now}"
    " AND e.source_id <> c.target_address_id AND c.depth < :most GROUP BY 1, 2" + _SHORTER
)
_EXPIRED = _both(
    "SELECT 1 FROM address_lineage_closure c WHERE c.depth = 1 AND NOT EXISTS (SELECT 1 FROM"
    " lineage_edge e WHERE e.source_id = c.source_address_id AND e.target_id = c.target_address_id"
    " AND e.ended_at > {now}) LIMIT 1"
)
_CLEAR = Statement("DELETE FROM address_lineage_closure")
_ENDS = (
    "SELECT source_id FROM lineage_edge WHERE ended_at > {now}"
    " UNION SELECT target_id FROM lineage_edge WHERE ended_at > {now}"
)
_SIZE = Statement("SELECT count(*) FROM (SELECT 1 FROM address LIMIT :most) a")
_ANALYZE = Statement("", postgresql="ANALYZE address_lineage_closure")
_ALL_SELVES = _both(
    "INSERT INTO address_lineage_closure (source_address_id, target_address_id, depth)"
    f" SELECT id, id, 0 FROM ({_ENDS.replace('source_id FROM', 'source_id AS id FROM')}) e"
)
_LEVEL = _both(
    "INSERT INTO address_lineage_closure (source_address_id, target_address_id, depth)"
    " SELECT DISTINCT c.source_address_id, e.target_id, c.depth + 1 FROM address_lineage_closure c"
    " JOIN lineage_edge e ON e.source_id = c.target_address_id AND e.ended_at > {now}"
    " WHERE c.depth = :level AND NOT EXISTS (SELECT 1 FROM address_lineage_closure k"
    " WHERE k.source_address_id = c.source_address_id AND k.target_address_id = e.target_id)"
)


def change(
    connection: Connection, edges: Collection[Pair], left: Collection[Pair], now: datetime
) -> None:
    """Bring the closure up to edges that may have come or gone, or mark it as behind.

    ``edges``: pairs of ids as they were reported; ``left``: pairs of addresses that stood for the
    ends of edges until now. To be called last in a transaction: the row of its state is locked, so
    that of two who change edges the second sees the first's.
    """
    if not edges and not left:
        return
    depth, is_behind = _locked_state(connection)
    if is_behind or len(edges) + len(left) > MOST_EDGES:
        connection.run(_BEHIND, {"true": True})
        return
    moment = {"now": connection.time(now)}
    looked = {
        (int(s), int(t)): (bool(holds), bool(is_known))
        for s, t, holds, is_known in connection.rows(
            _LOOK,
            {
                "pairs": canonical_json(sorted(edges)),
                "left": canonical_json(sorted(left)),
                **moment,
            },
        )
    }
    holding = {pair for pair, (holds, _) in looked.items() if holds}
    known = {pair for pair, (_, is_known) in looked.items() if is_known}
    gone = known - holding
    new = {(s, t) for s, t in holding - known if s != t}
    grown = connection.run(_SELVES, {"pairs": canonical_json(sorted(holding))}) if holding else 0
    if any(_is_large(connection, changed) for changed in (gone, new) if changed):
        connection.run(_BEHIND, {"true": True})
        return
    most = depth or _UNBOUNDED
    if gone:
        _remove(connection, gone, most, moment)
    if new:
        _add(connection, new, most)
    if holding != looked.keys():
        lost = canonical_json(sorted(looked.keys() - holding))
        connection.run(_DROP_SELVES, {"pairs": lost, **moment})
    if grown and depth is None and not _has_fewer(connection, WHOLE_BELOW):
        connection.run(_BEHIND, {"true": True})


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild: what makes it this one, how deep it goes (None: all the way), the next level."""

    changes: int
    depth: int | None
    level: int = 0


def begin_rebuild(connection: Connection, now: datetime, whole_below: int, depth: int) -> Rebuild:
    """Empty the closure and mark it as behind until ``go_on`` has built all of it.

    In steps with a transaction each, so that nobody who records waits for a whole one.
    """
    _alone(connection)
    _locked_state(connection)
    connection.run(_BEHIND, {"true": True})
    _, _, changes = connection.rows(_STATE, {})[0]
    moment = {"now": connection.time(now)}
    connection.run(_CLEAR, {})
    is_small = _has_fewer(connection, whole_below)
    connection.run(_ALL_SELVES, moment)
    return Rebuild(int(changes), None if is_small else depth)


def go_on(connection: Connection, rebuild: Rebuild, now: datetime) -> Rebuild | None:
    """Build the next level; None when there is nothing more to do.

    Where edges have changed meanwhile, or somebody else has begun to rebuild, it stays behind.
    """
    _alone(connection)
    if connection.rows(_STATE, {})[0][2] != rebuild.changes:
        return None
    moment: dict[str, Any] = {"now": connection.time(now)}
    is_deep_enough = rebuild.depth is not None and rebuild.level >= rebuild.depth
    if not is_deep_enough and connection.run(_LEVEL, {**moment, "level": rebuild.level}):
        return replace(rebuild, level=rebuild.level + 1)
    _locked_state(connection)
    values = {**moment, "false": False, "depth": rebuild.depth, "changes": rebuild.changes}
    connection.run(_BUILT, values)
    if not connection.is_sqlite:
        # Until somebody has looked at so many new rows PostgreSQL reads all of them for each new edge.
        connection.run(_ANALYZE, {})
    return None


def is_behind(connection: Connection, now: datetime) -> bool:
    """Whether edges have changed since the closure was built, or ended by themselves."""
    rows = connection.rows(_STATE, {})
    if rows and rows[0][1]:
        return True
    return bool(connection.rows(_EXPIRED, {"now": connection.time(now)}))


def _alone(connection: Connection) -> None:
    if not connection.is_sqlite:
        connection.rows(_ONE_AT_A_TIME, {})


def _locked_state(connection: Connection) -> tuple[int | None, bool]:
    rows = connection.rows(_LOCKED_STATE, {})
    if not rows:
        connection.run(_FIRST_STATE, {"false": False})
        rows = connection.rows(_LOCKED_STATE, {})
    depth, behind, _ = rows[0]
    return depth, bool(behind)


def _has_fewer(connection: Connection, addresses: int) -> bool:
    return int(connection.rows(_SIZE, {"most": addresses})[0][0]) < addresses


def _is_large(connection: Connection, pairs: Collection[Pair]) -> bool:
    ends = (sorted({s for s, _ in pairs}), sorted({t for _, t in pairs}))
    sources, targets = (canonical_json(ids) if connection.is_sqlite else ids for ids in ends)
    found = connection.rows(_AROUND, {"sources": sources, "targets": targets})
    return int(found[0][0] or 0) > MOST_PAIRS


def _add(connection: Connection, pairs: Collection[Pair], most: int) -> None:
    """Every pair that goes through new edges; again while a way through several of them is found."""
    parameters = {"pairs": canonical_json(sorted(pairs)), "most": most}
    while connection.run(_THROUGH, parameters):
        if len(pairs) == 1:
            return


def _remove(
    connection: Connection, pairs: Collection[Pair], most: int, moment: dict[str, Any]
) -> None:
    """Forget every pair whose shortest way may have gone through these, and find what ways are left."""
    json = canonical_json(sorted(pairs))
    uppers, lowers = (
        [int(row[0]) for row in connection.rows(statement, {"pairs": json})]
        for statement in _AFFECTED
    )
    among = {"uppers": canonical_json(uppers), "lowers": canonical_json(lowers)}
    connection.run(_FORGET, among)
    while connection.run(_RELAX, {**among, **moment, "most": most}):
        pass
