"""Common table expressions: what the names in WITH stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import expressions as exp

from pipeledger.sql import queries
from pipeledger.sql.relation import Output, Relation

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading, Scope

_ROUNDS = 4
"""How often a recursive query is read again, until what it gives does not grow."""


def ctes_of(
    reading: Reading, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None = None
) -> dict[str, Relation]:
    """The common table expressions that the node's parts see: those around it and its own."""
    with_ = node.args.get("with_")
    if with_ is None:
        return ctes
    ctes = dict(ctes)
    for cte in with_.expressions:
        alias = cte.args.get("alias")
        if alias is None or alias.this is None:
            continue
        key = reading.key(reading.fold(alias.this))
        names = [reading.fold(c) for c in alias.columns]
        body = cte.this
        if not isinstance(body, exp.Expr):
            continue
        if not isinstance(body, (exp.Query, exp.DML, exp.Values, exp.Table)):
            # ClickHouse: WITH expression AS name.
            from pipeledger.sql import expressions

            scope = queries.scope_of(ctes, outer)
            found = expressions.sources(reading, body, scope)
            ctes[key] = Relation([Output(alias.this.name, found)], scope.result.tables)
            continue
        if with_.recursive or _names_itself(reading, body, key):
            ctes[key] = _recursive(reading, body, ctes, key, names, outer)
        else:
            ctes[key] = queries.relation(reading, body, ctes, outer).renamed(names)
    return ctes


def _names_itself(reading: Reading, body: exp.Expr, key: str) -> bool:
    """Whether a union reads the CTE that it defines: not every dialect wants RECURSIVE for that."""
    if not isinstance(body, exp.SetOperation):
        return False
    name = reading.session.dialect.name
    if name not in ("tsql", "fabric", "oracle", "snowflake", "teradata", "exasol"):
        return False
    return any(
        not t.db and reading.key(reading.fold(t.this)) == key
        for t in body.find_all(exp.Table)
        if isinstance(t.this, exp.Identifier)
    )


def _recursive(
    reading: Reading,
    body: exp.Expr,
    ctes: dict[str, Relation],
    key: str,
    names: list[str],
    outer: Scope | None,
) -> Relation:
    if not isinstance(body, exp.SetOperation):
        return queries.relation(reading, body, ctes, outer).renamed(names)
    # The anchor names the columns; then again and again with what is known so far.
    anchor = body
    while isinstance(anchor.this, exp.SetOperation):
        anchor = anchor.this
    inside = ctes_of(reading, body, ctes, outer)
    so_far = queries.relation(reading, anchor.this, {**inside, key: Relation()}, outer).renamed(
        names
    )
    for _ in range(_ROUNDS):
        found = queries.relation(reading, body, {**ctes, key: so_far}, outer).renamed(names)
        if found.outputs == so_far.outputs and found.tables == so_far.tables:
            return found
        so_far = found
    return so_far
