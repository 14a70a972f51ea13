"""The select list: which columns its items give, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import expressions as exp

from pipeledger.sql.lineage import Kind
from pipeledger.sql.relation import ColumnRef, Output, Star

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading, Scope


def projections(reading: Reading, expression: exp.Expr, scope: Scope) -> list[Output | Star]:
    """The columns that one item of a select list gives, added to the aliases of the scope."""
    from pipeledger.sql import expressions

    inner = expression.this if isinstance(expression, exp.Alias) else expression
    star = _star_of(inner)
    if star is not None:
        return list(expand(reading, inner, star, scope))
    dialect = reading.session.dialect
    found = expressions.sources(reading, expression, scope)
    if isinstance(expression, exp.Aliases):
        return [Output(reading.fold(a), found) for a in expression.args.get("expressions") or ()]
    name = output_name(reading, expression)
    if isinstance(expression, exp.Alias):
        key = reading.key(name)
        if any(ref.column == name or reading.key(ref.column) == key for ref in found):
            scope.own_names.add(key)
        if dialect.aliases:
            scope.aliases.setdefault(key, found)
    return [Output(name, found)]


def _star_of(node: exp.Expr) -> exp.Star | None:
    if isinstance(node, exp.Star):
        return node
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return node.this
    return None


def expand(
    reading: Reading, node: exp.Expr, star: exp.Star, scope: Scope
) -> Iterator[Output | Star]:
    """The columns of ``*`` or ``t.*``, as far as they are known, with EXCEPT, REPLACE and RENAME."""
    from pipeledger.sql import expressions

    without = {reading.key(reading.fold(_name(e))) for e in star.args.get("except_") or ()}
    replaced: dict[str, exp.Expr] = {
        reading.key(reading.fold(e.args["alias"])): e
        for e in star.args.get("replace") or ()
        if isinstance(e, exp.Alias)
    }
    renamed: dict[str, str] = {
        reading.key(reading.fold(_name(e.this))): reading.fold(e.args["alias"])
        for e in star.args.get("rename") or ()
        if isinstance(e, exp.Alias)
    }
    qualifier: tuple[str, ...] = ()
    if isinstance(node, exp.Column):
        qualifier = tuple(reading.fold(p) for p in node.parts[:-1])
    given: set[str] = set()
    for source in _starred(reading, scope, qualifier):
        for output in source.relation.outputs:
            if isinstance(output, Star):
                changed = without | set(replaced) | set(renamed)
                yield replace(output, without=output.without | changed)
                for key, new in renamed.items():
                    if key not in given:
                        given.add(key)
                        yield Output(new, {ColumnRef(output.dataset, key): Kind.DIRECT})
                continue
            key = reading.key(output.name)
            if key in without or (key in scope.shared and key in given and not qualifier):
                continue
            given.add(key)
            if key in replaced:
                found = expressions.sources(reading, replaced.pop(key), scope)
                yield Output(output.name, found)
            else:
                yield Output(renamed.get(key, output.name), output.sources)
        if source.relation.anything is not None and not source.relation.outputs:
            yield Output("*", source.relation.anything)
    for expression in replaced.values():
        yield Output(
            output_name(reading, expression), expressions.sources(reading, expression, scope)
        )


def _starred(reading: Reading, scope: Scope, qualifier: tuple[str, ...]) -> list[Any]:
    from pipeledger.sql.expressions import is_named

    around: Scope | None = scope
    while around is not None:
        found = [s for s in around.sources if not qualifier or is_named(reading, s, qualifier)]
        if found or not qualifier:
            return found
        around = around.parent
    return []


def _name(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Column) else node


def output_name(reading: Reading, node: exp.Expr) -> str:
    """The column's alias or name; for an expression without one, its text."""
    if isinstance(node, exp.Alias):
        return reading.fold(node.args["alias"])
    written = node
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        return reading.fold(node.this)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        return reading.fold(node.expression)
    if isinstance(node, exp.Star):
        return "*"
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select) and node.alias:
        return node.alias
    if reading.session.dialect.name in ("postgres", "redshift", "materialize", "risingwave"):
        return _postgres_name(reading, node)
    try:
        text = written.sql(
            reading.session.dialect.sqlglot, comments=False, normalize_functions=False
        )
    except Exception:
        return type(node).__name__.lower()
    return reading.session.template.written(text[:200])


def _postgres_name(reading: Reading, node: exp.Expr) -> str:
    """PostgreSQL's FigureColname: a function's name, a cast's operand, else ``?column?``."""
    while isinstance(node, (exp.Cast, exp.Paren, exp.Window)):
        node = node.this
    if isinstance(node, exp.Column):
        return output_name(reading, node)
    if isinstance(node, exp.Case):
        return "case"
    if isinstance(node, (exp.Anonymous, exp.Func)) and not isinstance(node, exp.Connector):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        return name.lower()
    return "?column?"
