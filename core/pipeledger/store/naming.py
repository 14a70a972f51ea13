"""The naming rule of a namespace, and the names that do not follow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipeledger.model.naming import NamingRule
from pipeledger.model.pipeline import MAX_TYPE_NAME, PipelineRef, checked_name
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

PAGE = 1000

_RULES = Statement(
    "SELECT id, name, naming_pattern FROM namespace"
    " WHERE CAST(:namespace AS TEXT) IS NULL OR name = :namespace ORDER BY name"
)
_SET = Statement(
    "INSERT INTO namespace (name, naming_pattern, created_at) VALUES (:namespace, :pattern, :now)"
    " ON CONFLICT (name) DO UPDATE SET naming_pattern = excluded.naming_pattern"
)
_PIPELINES = Statement(
    "SELECT id, name FROM pipeline WHERE namespace_id = :id AND id > :after ORDER BY id LIMIT :page"
)


def rules(
    connection: Connection, namespace: str | None = None
) -> list[tuple[int, str, NamingRule | None]]:
    """(id, name, rule) of every namespace, or of one."""
    return [
        (int(id_), name, None if pattern is None else NamingRule.of(pattern))
        for id_, name, pattern in connection.rows(_RULES, {"namespace": namespace})
    ]


def set_rule(
    connection: Connection, namespace: str, pattern: str | None, now: datetime
) -> NamingRule | None:
    """Give a namespace a rule, None for no rule. Raises InvalidName for a pattern that cannot be used."""
    checked_name("namespace", namespace, MAX_TYPE_NAME)
    rule = None if pattern is None else NamingRule.of(pattern)
    connection.run(_SET, {"namespace": namespace, "pattern": pattern, "now": connection.time(now)})
    return rule


def offenders(
    connection: Connection, namespace: str | None = None
) -> Iterator[tuple[PipelineRef, NamingRule]]:
    """Every pipeline whose name does not follow its namespace's rule, with the rule."""
    for id_, space, rule in rules(connection, namespace):
        if rule is None:
            continue
        after = 0
        while rows := connection.rows(_PIPELINES, {"id": id_, "after": after, "page": PAGE}):
            after = int(rows[-1][0])
            for _, name in rows:
                if not rule.allows(name):
                    yield PipelineRef(name, space), rule
