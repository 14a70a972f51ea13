"""What a query gives: its columns with their sources, its tables, what influences its rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import expressions as exp

from pipeledger.sql import clauses, projection
from pipeledger.sql.ctes import ctes_of
from pipeledger.sql.lineage import Kind
from pipeledger.sql.relation import Output, Relation, Sources, Star

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading, Scope


def relation(
    reading: Reading, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None = None
) -> Relation:
    """What the query gives. ``outer``: where it stands, which a correlated subquery may name."""
    inner = ctes_of(reading, node, ctes, outer)
    found = _relation(reading, node, inner, outer)
    if inner is not ctes:
        # One that nobody reads is still named in the text.
        for key, cte in inner.items():
            if ctes.get(key) is not cte:
                found.tables.update(cte.tables)
    return found


def _relation(
    reading: Reading, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None
) -> Relation:
    if isinstance(node, exp.Select):
        return _select(reading, node, ctes, outer)
    if isinstance(node, exp.SetOperation):
        return _set_operation(reading, node, ctes, outer)
    if isinstance(node, (exp.Subquery, exp.Paren)):
        return _subquery(reading, node, ctes, outer)
    if isinstance(node, exp.Values):
        return _values(reading, node, ctes, outer)
    if isinstance(node, exp.Table):
        from pipeledger.sql import froms

        scope = scope_of(ctes, outer)
        froms.add(reading, node, scope)
        return joined(scope)
    if isinstance(node, exp.DML):
        from pipeledger.sql import statements

        return statements.inside(reading, node, ctes)
    return Relation()


def scope_of(ctes: dict[str, Relation], outer: Scope | None) -> Scope:
    from pipeledger.sql.expressions import Scope

    return Scope(outer, ctes)


def _select(
    reading: Reading, node: exp.Select, ctes: dict[str, Relation], outer: Scope | None
) -> Relation:
    from pipeledger.sql import expressions, froms

    scope = scope_of(ctes, outer)
    result = scope.result
    args = node.args
    froms.add_all(reading, node, scope)
    for source in scope.sources:
        result.read(source.relation)
    for expression in node.expressions:
        result.outputs += projection.projections(reading, expression, scope)
    clauses.influences(reading, node, scope)
    into = args.get("into")
    if into is not None and outer is None:
        reading.moves.append(("into", into, result))
    for pivot in args.get("pivots") or ():
        result = froms.pivoted(reading, pivot, result, scope)
    expressions.influence(reading, args.get("limit"), scope, Kind.FILTER)
    return result


def _subquery(
    reading: Reading, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None
) -> Relation:
    from pipeledger.sql import froms

    scope = scope_of(ctes, outer)
    froms.add(reading, node, scope)
    result = joined(scope)
    scope.result = result
    clauses.influences(reading, node, scope)
    return result


def joined(scope: Scope) -> Relation:
    """All columns of all sources, as ``SELECT *`` gives them."""
    if len(scope.sources) == 1 and not scope.result.influences:
        found = scope.sources[0].relation
        return Relation(
            list(found.outputs), dict(found.tables), dict(found.influences), found.anything
        )
    result = scope.result
    for source in scope.sources:
        result.read(source.relation)
        result.outputs += source.relation.outputs
    return result


def _set_operation(
    reading: Reading, node: exp.SetOperation, ctes: dict[str, Relation], outer: Scope | None
) -> Relation:
    branches: list[tuple[exp.SetOperation, exp.Expr]] = []
    left: exp.Expr = node
    while isinstance(left, exp.SetOperation):
        branches.append((left, left.expression))
        left = left.this
        if left.args.get("with_") is not None:
            ctes = ctes_of(reading, left, ctes, outer)
    before = len(reading.moves)
    result = relation(reading, left, ctes, outer)
    result = Relation(
        [Output(o.name, dict(o.sources)) if isinstance(o, Output) else o for o in result.outputs],
        dict(result.tables),
        dict(result.influences),
    )
    for operation, branch in reversed(branches):
        other = relation(reading, branch, ctes, outer)
        result.read(other)
        if isinstance(operation, exp.Except):
            # Its rows take rows away; none of its values comes through.
            refs = (ref for o in other.columns for ref in o.sources)
            result.influences.update(((ref, Kind.FILTER), None) for ref in refs)
        else:
            _union(reading, result, other, bool(operation.args.get("by_name")))
    for i in range(before, len(reading.moves)):
        if isinstance(reading.moves[i], tuple):
            # SELECT ... INTO t ... UNION ...: t gets all of it.
            reading.moves[i] = (*reading.moves[i][:2], result)
    scope = scope_of(ctes, outer)
    scope.result = result
    clauses.influences(reading, node, scope)
    return result


_UNIONS = count(1)


def _union(reading: Reading, result: Relation, other: Relation, by_name: bool) -> None:
    """Add a branch's columns: by position as far as that is known, else by name."""
    mine, more = result.outputs, other.outputs
    at = 0
    if not by_name:
        while at < len(mine) and at < len(more):
            one, two = mine[at], more[at]
            if isinstance(one, Star) or isinstance(two, Star):
                if isinstance(one, Star) and isinstance(two, Star):
                    # The same column of either branch.
                    union = one.union or two.union or next(_UNIONS)
                    mine[at] = replace(one, union=union)
                    more = [*more[:at], replace(two, union=union), *more[at + 1 :]]
                break
            reading.merge(one.sources, two.sources)
            at += 1
        if result.is_closed and other.is_closed:
            return
    named = {reading.key(o.name): o for o in mine[at:] if isinstance(o, Output)}
    for output in more[at:]:
        if isinstance(output, Star):
            if output not in mine:
                mine.append(output)
            continue
        known = named.get(reading.key(output.name))
        if known is not None:
            reading.merge(known.sources, output.sources)
        else:
            mine.append(Output(output.name, dict(output.sources)))
    result._index = None


def _values(
    reading: Reading, node: exp.Values, ctes: dict[str, Relation], outer: Scope | None
) -> Relation:
    from pipeledger.sql import expressions

    scope = scope_of(ctes, outer)
    columns: list[Sources] = []
    for row in node.expressions:
        cells = row.expressions if isinstance(row, exp.Tuple) else [row]
        for i, cell in enumerate(cells):
            if i == len(columns):
                columns.append({})
            if not isinstance(cell, exp.Literal):
                reading.merge(columns[i], expressions.sources(reading, cell, scope))
    scope.result.outputs += [Output(f"column{i + 1}", s) for i, s in enumerate(columns)]
    return scope.result
