"""The laws of a ledger as questions to its database: every row that such a question returns breaks one.

The closure needs no recursion. Every execution has its pair with itself; every pair above depth 0
rests on the pair of its upper end with the lower one's parent; every such pair of the parent is
continued. By induction along the parents these three say that the closure is the parent relation's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, text

from pipeledger.model.canonical import content_hash
from pipeledger.model.record import ENDED
from pipeledger.model.watermark import WatermarkValue
from pipeledger.store.read import lineage_laws
from pipeledger.store.read.question import EXAMPLES, Broken, Question
from pipeledger.store.tables import metadata


def _differ(a: str, b: str) -> str:
    return f"CASE WHEN {a} = {b} OR ({a} IS NULL AND {b} IS NULL) THEN 0 ELSE 1 END = 1"


_PIPELINE = "n.name AS namespace, p.name AS pipeline"
_JOIN_PIPELINE = (
    " JOIN pipeline p ON p.id = {0}.pipeline_id JOIN namespace n ON n.id = p.namespace_id"
)
_CURRENT = "COALESCE(w.value_order, '')"
_OF_EPOCH = (
    "(e.epoch = COALESCE(w.epoch, 0) OR (e.epoch IS NULL AND (w.epoch_started_at IS NULL"
    " OR e.start_date >= w.epoch_started_at)))"
)
_MOVES = (
    "SELECT h.*, lag(h.id) OVER o AS before_id, lag(h.new_value) OVER o AS before_value,"
    " COALESCE(lag(h.epoch) OVER o, 0) AS before_epoch FROM watermark_history h"
    " WINDOW o AS (PARTITION BY h.pipeline_id, h.partition_key ORDER BY h.id)"
)

QUESTIONS = (
    Question(
        "closure_self",
        "every execution is in the closure with itself, at depth 0",
        "SELECT e.run_key FROM pipeline_execution e LEFT JOIN pipeline_execution_closure c"
        " ON c.parent_execution_id = e.id AND c.child_execution_id = e.id"
        " WHERE c.depth IS NULL OR c.depth <> 0",
        True,
    ),
    Question(
        "closure_missing",
        "what lies above an execution's parent lies above the execution, one deeper",
        "SELECT u.run_key AS upper, e.run_key AS lower FROM pipeline_execution e"
        " JOIN pipeline_execution_closure a ON a.child_execution_id = e.parent_id"
        " JOIN pipeline_execution u ON u.id = a.parent_execution_id"
        " LEFT JOIN pipeline_execution_closure c ON c.parent_execution_id = a.parent_execution_id"
        " AND c.child_execution_id = e.id AND c.depth = a.depth + 1 WHERE c.depth IS NULL",
        True,
    ),
    Question(
        "closure_extra",
        "the closure holds no pair that the parents do not make",
        "SELECT u.run_key AS upper, e.run_key AS lower FROM pipeline_execution_closure c"
        " JOIN pipeline_execution e ON e.id = c.child_execution_id"
        " JOIN pipeline_execution u ON u.id = c.parent_execution_id"
        " WHERE c.parent_execution_id <> c.child_execution_id AND NOT EXISTS (SELECT 1"
        " FROM pipeline_execution_closure a WHERE a.parent_execution_id = c.parent_execution_id"
        " AND a.child_execution_id = e.parent_id AND a.depth = c.depth - 1)",
        True,
    ),
    Question(
        "state",
        "an execution has ended exactly where an end was reported",
        "SELECT e.run_key, e.state FROM pipeline_execution e"
        " WHERE CASE WHEN e.end_rank >= :ended THEN e.state IN ('running', 'abandoned')"
        " WHEN e.end_rank IS NULL THEN e.state <> 'running'"
        " ELSE e.state NOT IN ('running', 'abandoned') END",
    ),
    Question(
        "watermark_history",
        "a watermark is where its history ends",
        f"SELECT {_PIPELINE}, w.partition_key, w.value, h.new_value FROM watermark w"
        + _JOIN_PIPELINE.format("w")
        + " LEFT JOIN watermark_history h ON h.id = (SELECT max(x.id) FROM watermark_history x"
        " WHERE x.pipeline_id = w.pipeline_id AND x.partition_key = w.partition_key) WHERE "
        + _differ("w.value", "h.new_value")
        + " OR w.epoch <> COALESCE(h.epoch, 0)",
    ),
    Question(
        "watermark_missing",
        "every history of a watermark has its watermark",
        f"SELECT DISTINCT {_PIPELINE}, h.partition_key FROM watermark_history h"
        + _JOIN_PIPELINE.format("h")
        + " WHERE NOT EXISTS (SELECT 1 FROM watermark w WHERE w.pipeline_id = h.pipeline_id"
        " AND w.partition_key = h.partition_key)",
    ),
    Question(
        "watermark_chain",
        "every move of a watermark starts where the one before ended; only set and rewind raise its epoch",
        f"SELECT {_PIPELINE}, m.partition_key, m.old_value, m.new_value FROM ({_MOVES}) m"
        + _JOIN_PIPELINE.format("m")
        + " WHERE (m.cause <> 'initial' AND "
        + _differ("m.old_value", "m.before_value")
        + ") OR m.epoch <> m.before_epoch + CASE WHEN m.cause IN ('set', 'rewind') THEN 1 ELSE 0 END",
    ),
    Question(
        "watermark_twice",
        "a success moves a watermark once",
        f"SELECT {_PIPELINE}, m.partition_key, m.run_key FROM (SELECT h.pipeline_id, h.partition_key,"
        " h.run_key FROM watermark_history h WHERE h.run_key IS NOT NULL"
        " GROUP BY h.pipeline_id, h.partition_key, h.epoch, h.run_key HAVING count(*) > 1) m"
        + _JOIN_PIPELINE.format("m"),
    ),
    Question(
        "watermark_behind",
        "a success that joins on to its watermark has moved it",
        f"SELECT {_PIPELINE}, e.run_key FROM pipeline_execution e"
        + _JOIN_PIPELINE.format("e")
        + " LEFT JOIN watermark w ON w.pipeline_id = e.pipeline_id AND w.partition_key = e.partition_key"
        " WHERE e.succeeded AND NOT e.absorbed AND e.to_order IS NOT NULL AND e.from_order IS NOT NULL"
        f" AND {_OF_EPOCH} AND CASE WHEN substr(e.to_order, 1, 1) = 't'"
        f" THEN e.from_order = {_CURRENT} AND e.to_order <> {_CURRENT}"
        f" ELSE e.from_order <= {_CURRENT} AND e.to_order > {_CURRENT} END",
    ),
    Question(
        "watermark_mirror",
        "a pipeline shows the value of its watermark",
        f"SELECT {_PIPELINE}, p.watermark, w.value FROM pipeline p"
        " JOIN namespace n ON n.id = p.namespace_id"
        " LEFT JOIN watermark w ON w.pipeline_id = p.id AND w.partition_key = '' WHERE "
        + _differ("p.watermark", "w.value"),
        True,
    ),
)


def orphans() -> Iterator[Question]:
    """One question per foreign key: what refers to nothing."""
    for table in metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda k: k.parent.name):
            column, other = key.parent.name, key.column.table.name
            yield Question(
                f"orphan_{table.name}_{column}",
                f"{table.name}.{column} names a row of {other}",
                f"SELECT t.{column} FROM {table.name} t WHERE t.{column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT 1 FROM {other} o WHERE o.id = t.{column})",
            )


def ask(connection: Connection, question: Question) -> Broken | None:
    """What breaks a law; None: nothing does."""
    sql = f"SELECT x.*, count(*) OVER () FROM ({question.sql}) x LIMIT {EXAMPLES}"
    parameters = {"ended": ENDED} if ":ended" in sql else {}
    rows = connection.execute(text(sql), parameters).all()
    if not rows:
        return None
    examples = tuple(_shown(row[:-1]) for row in rows)
    return Broken(
        question.check, question.says, int(rows[0][-1]), examples, question.can_be_repaired
    )


def _shown(values: Any) -> str:
    return " ".join("null" if value is None else str(value) for value in values)


_MARKS = text(
    f"SELECT {_PIPELINE}, w.partition_key, w.kind, w.value, w.value_order FROM watermark w"
    + _JOIN_PIPELINE.format("w")
)
_CONFIGURATIONS = text(
    f"SELECT p.id, {_PIPELINE}, p.configuration_hash, (SELECT c.configuration"
    " FROM pipeline_configuration c WHERE c.pipeline_id = p.id"
    " AND c.configuration_hash = p.configuration_hash ORDER BY c.declared_at DESC LIMIT 1)"
    " FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
    " WHERE p.configuration_hash IS NOT NULL AND p.id > :after ORDER BY p.id LIMIT 500"
)
_DEPENDENCIES = text(
    "SELECT d.pipeline_id, un.name, u.name, dn.name, w.name FROM pipeline_dependency d"
    " JOIN pipeline u ON u.id = d.upstream_pipeline_id JOIN namespace un ON un.id = u.namespace_id"
    " JOIN pipeline w ON w.id = d.downstream_pipeline_id JOIN namespace dn ON dn.id = w.namespace_id"
    " WHERE d.pipeline_id > :after AND d.pipeline_id <= :last"
)


def orders(connection: Connection) -> Iterator[Broken]:
    """Watermarks whose sortable form is not that of their value."""
    wrong = []
    for space, name, partition, kind, value, order in connection.execute(_MARKS):
        if value is None or kind is None:
            is_right = value is None and order == ""
        else:
            is_right = WatermarkValue.of(value, kind).order == order
        if not is_right:
            wrong.append(_shown((space, name, partition, value)))
    if wrong:
        yield _broken("watermark_order", "a watermark's order is that of its value", wrong, False)


def configurations(connection: Connection) -> Iterator[Broken]:
    """Pipelines whose configuration is not that of its hash, or whose dependencies are not its own."""
    unlike: list[str] = []
    undeclared: list[str] = []
    after = 0
    while rows := connection.execute(_CONFIGURATIONS, {"after": after}).all():
        last = int(rows[-1][0])
        stored: dict[int, set[tuple[str, ...]]] = {}
        for id_, *names in connection.execute(_DEPENDENCIES, {"after": after, "last": last}):
            stored.setdefault(int(id_), set()).add(tuple(names))
        for id_, space, name, digest, raw in rows:
            configuration = _document(raw)
            if configuration is None or content_hash(configuration) != digest:
                unlike.append(_shown((space, name)))
                continue
            declared = {tuple(pair) for pair in configuration.get("dependencies", ())}
            if declared != stored.get(int(id_), set()):
                undeclared.append(_shown((space, name)))
        after = last
    if unlike:
        yield _broken(
            "configuration", "a pipeline's configuration is kept and has its hash", unlike, False
        )
    if undeclared:
        yield _broken(
            "dependencies", "dependencies are those that were declared last", undeclared, True
        )


def _document(raw: Any) -> Any:
    return json.loads(raw) if isinstance(raw, str) else raw


def _broken(check: str, says: str, wrong: list[str], can_be_repaired: bool) -> Broken:
    return Broken(check, says, len(wrong), tuple(wrong[:EXAMPLES]), can_be_repaired)


def broken(
    connection: Connection, progress: Callable[[str], None] = lambda check: None
) -> Iterator[Broken]:
    """Every law that this ledger breaks, as of one moment."""
    for question in (*QUESTIONS, *lineage_laws.questions(), *orphans()):
        progress(question.check)
        found = ask(connection, question)
        if found is not None:
            yield found
    yield from orders(connection)
    yield from configurations(connection)
    yield from lineage_laws.aliases(connection)
