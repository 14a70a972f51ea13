"""UPDATE, DELETE, MERGE, TRUNCATE: rows that are there already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import froms, projection, queries, targets
from pipeledger.sql.ctes import ctes_of
from pipeledger.sql.expressions import Reading, Scope, Source, influence, is_named, sources
from pipeledger.sql.lineage import Kind
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import Dataset, TableName
from pipeledger.sql.relation import Output, Relation, Star


def _assignments(
    reading: Reading, node: exp.Expr, scope: Scope, target: Dataset
) -> Iterator[Output]:
    """What SET puts into which column of the target."""
    for assignment in node.expressions:
        if not isinstance(assignment, exp.EQ):
            continue
        left, right = assignment.this, assignment.expression
        if isinstance(left, (exp.Tuple, exp.Paren)):
            columns = left.expressions if isinstance(left, exp.Tuple) else [left.this]
            if isinstance(right, exp.Tuple):
                values = [sources(reading, v, scope) for v in right.expressions]
            elif isinstance(right, exp.Query):
                inner = queries.relation(reading, right, scope.ctes, scope)
                scope.result.read(inner)
                values = [o.sources for o in inner.columns]
            else:
                values = [sources(reading, right, scope)] * len(columns)
        else:
            columns, values = [left], [sources(reading, right, scope)]
        for column, found in zip(columns, values, strict=False):
            if isinstance(column, exp.Column) and column.name:
                name = reading.fold(column.this)
                yield Output(name, targets.without_itself(found, target, name))


def update(reading: Reading, node: exp.Update, ctes: dict[str, Relation] | None = None) -> Effect:
    ctes = ctes_of(reading, node, ctes or {})
    scope = Scope(None, ctes)
    written = targets.written(node)
    if written is None:
        return Effect("update", problem="not understood: what is updated")
    froms.add_all(reading, node, scope)
    read = list(scope.sources)
    target = _aliased(reading, written, scope)
    if target is None and written.args.get("joins"):
        # MySQL: UPDATE a JOIN b SET a.x = ...: the assigned columns say which.
        froms.add(reading, written, scope)
        first = next((a.this for a in node.expressions if isinstance(a, exp.EQ)), None)
        target = scope.sources[len(read)] if len(scope.sources) > len(read) else None
        if isinstance(first, exp.Column) and first.table:
            qualifier = (reading.fold(first.args["table"]),)
            named = [s for s in scope.sources if is_named(reading, s, qualifier)]
            target = named[0] if named else target
    if target is not None and target.table is not None:
        dataset: Dataset = target.table
        target.relation = replace(target.relation, tables={}, influences={}, _index=None)
    elif target is not None and target.relation.tables:
        # Through a CTE or subquery: the table that it shows.
        dataset = next(iter(target.relation.tables))
        target.relation = replace(target.relation, tables={}, _index=None)
    else:
        found = froms.dataset_of(reading, written)
        if found is None:
            return Effect("update", problem="not understood: what is updated")
        dataset = found
        scope.sources.insert(0, targets.row_of(reading, dataset, written))
    outputs: list[Output | Star] = list(_assignments(reading, node, scope, dataset))
    influence(reading, _condition(node), scope, Kind.FILTER)
    return _changed("update", dataset, outputs, scope)


def _condition(node: exp.Expr) -> exp.Expr | None:
    where = node.args.get("where")
    return where.this if isinstance(where, exp.Where) else where


def _changed(kind: str, target: Dataset, outputs: list[Output | Star], scope: Scope) -> Effect:
    for source in scope.sources:
        scope.result.read(source.relation)
    result = scope.result
    return Effect(kind, [Move(target, outputs, dict(result.tables), dict(result.influences))])


def _aliased(reading: Reading, written: exp.Table, scope: Scope) -> Source | None:
    """T-SQL: ``UPDATE t ... FROM orders t``: the source of FROM that the target's name means."""
    if written.args.get("db") or not isinstance(written.this, exp.Identifier):
        qualifier = tuple(reading.fold(p) for p in written.parts)
    else:
        qualifier = (reading.fold(written.this),)
    alias = written.args.get("alias")
    if alias is not None:
        return None
    is_reread = reading.session.dialect.name in ("tsql", "fabric", "ansi", "snowflake", "teradata")
    for source in scope.sources:
        if is_named(reading, source, qualifier) and (is_reread or source.table is None):
            return source
    if len(qualifier) == 1:
        cte = scope.ctes.get(reading.key(qualifier[0]))
        if cte is not None:
            source = Source(qualifier, cte)
            scope.sources.insert(0, source)
            return source
    return None


def delete(reading: Reading, node: exp.Delete, ctes: dict[str, Relation] | None = None) -> Effect:
    ctes = ctes_of(reading, node, ctes or {})
    scope = Scope(None, ctes)
    for using in node.args.get("using") or ():
        froms.add(reading, using, scope)
    named = [t for t in node.args.get("tables") or () if isinstance(t, exp.Table)]
    written = targets.written(node)
    moves = []
    if named:
        if written is not None:
            froms.add(reading, written, scope)
        for table in named:
            source = next(
                (
                    s for s in scope.sources
                    if is_named(reading, s, tuple(reading.fold(p) for p in table.parts))
                ),
                None,
            )  # fmt: skip
            if source is not None and source.table is not None:
                source.relation = replace(source.relation, tables={}, influences={}, _index=None)
                moves.append(Move(source.table))
            else:
                moves.append(Move(reading.session.table(table)))
    elif written is not None:
        target = _aliased(reading, written, scope)
        dataset = froms.dataset_of(reading, written)
        if target is not None and target.table is not None:
            dataset = target.table
            target.relation = replace(target.relation, tables={}, influences={}, _index=None)
        elif dataset is not None:
            joined = written.args.get("joins")
            scope.sources.insert(0, targets.row_of(reading, dataset, written))
            if joined:
                froms.joins(reading, written, scope)
        if dataset is not None:
            moves.append(Move(dataset))
    influence(reading, _condition(node), scope, Kind.FILTER)
    for source in scope.sources:
        scope.result.read(source.relation)
    for move in moves:
        move.tables.update(scope.result.tables)
        move.influences.update(scope.result.influences)
    return Effect("delete", moves)


def merge(reading: Reading, node: exp.Merge, ctes: dict[str, Relation] | None = None) -> Effect:
    ctes = ctes_of(reading, node, ctes or {})
    written = targets.written(node)
    target = targets.target_of(reading, node)
    if written is None or target is None:
        return Effect("merge", problem="not understood: what is merged into")
    scope = Scope(None, ctes)
    froms.add(reading, node.args["using"], scope)
    using = list(scope.sources)
    row = targets.row_of(reading, target, written)
    scope.sources.append(row)
    influence(reading, node.args.get("on"), scope, Kind.JOIN)
    outputs: list[Output | Star] = []
    whens = node.args.get("whens")
    for when in whens.expressions if whens is not None else ():
        influence(reading, when.args.get("condition"), scope, Kind.FILTER)
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            if any(isinstance(e, exp.Star) for e in then.expressions):
                outputs += _all(reading, target, using)
            else:
                outputs += _assignments(reading, then, scope, target)
            influence(reading, _condition(then), scope, Kind.FILTER)
        elif isinstance(then, exp.Insert):
            outputs += _inserted(reading, then, target, Scope(None, ctes, using), using)
        elif isinstance(then, exp.Var) and then.name.upper() in ("INSERT ROW", "ROW"):
            outputs += _all(reading, target, using)
    return _changed("merge", target, outputs, scope)


def _all(reading: Reading, target: Dataset, using: list[Source]) -> list[Output | Star]:
    """``UPDATE SET *``, ``INSERT ROW``: every column into the column of its name."""
    return [o for source in using for o in source.relation.outputs]


def _inserted(
    reading: Reading, then: exp.Insert, target: Dataset, scope: Scope, using: list[Source]
) -> list[Output | Star]:
    into, values = then.args.get("this"), then.args.get("expression")
    if isinstance(into, exp.Star) or not isinstance(values, exp.Expr):
        return _all(reading, target, using)
    if isinstance(values, exp.Values):
        values = values.expressions[0]
    cells = values.expressions if isinstance(values, exp.Tuple) else [values]
    if isinstance(values, exp.Var) and values.name.upper() == "ROW":
        return _all(reading, target, using)
    columns = into.expressions if isinstance(into, (exp.Tuple, exp.Schema)) else ()
    names = [
        reading.fold(c.this if isinstance(c, exp.Column) else c)
        for c in columns
        if isinstance(c, (exp.Column, exp.Identifier))
    ]
    if not names and isinstance(target, TableName):
        names = list(reading.session.columns(target) or ())
    out: list[Output | Star] = []
    for i, cell in enumerate(cells):
        name = names[i] if i < len(names) else projection.output_name(reading, cell)
        out.append(Output(name, sources(reading, cell, scope)))
    return out


def truncate(reading: Reading, node: exp.TruncateTable, ctes: Any = None) -> Effect:
    if node.args.get("is_database"):
        return Effect("truncate")
    tables = [t for t in node.expressions if isinstance(t, exp.Table)]
    return Effect("truncate", [Move(reading.session.table(t)) for t in tables])
