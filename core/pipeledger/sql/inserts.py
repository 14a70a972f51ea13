"""INSERT in all its forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import clauses, froms, projection, queries, targets
from pipeledger.sql.ctes import ctes_of
from pipeledger.sql.expressions import Reading, Scope, Source, influence, sources
from pipeledger.sql.lineage import Kind
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.relation import Output, Relation


def insert(reading: Reading, node: exp.Insert, ctes: dict[str, Relation] | None = None) -> Effect:
    ctes = ctes_of(reading, node, ctes or {})
    around = list(ctes.values()) if node.args.get("with_") else []
    target = targets.target_of(reading, node)
    if target is None:
        return Effect("insert", problem="not understood: what is inserted into")
    query = node.args.get("expression") or node.args.get("source")
    relation = Relation()
    if isinstance(query, exp.Expr):
        scope = Scope(None, ctes)
        if isinstance(query, (exp.Query, exp.Values, exp.Table)):
            relation = queries.relation(reading, query, ctes)
        else:
            relation.outputs.append(Output("*", sources(reading, query, scope)))
            relation.read(scope.result)
    relation = Relation(relation.outputs, dict(relation.tables), relation.influences)
    for cte in around:
        relation.tables.update(cte.tables)
    names = targets.listed(reading, node.this)
    done = Effect("replace" if node.args.get("alternative") == "REPLACE" else "insert")
    move = Move.of(target, relation)
    if node.args.get("by_name") is not True:
        move = targets.named(reading, move, names)
    if (
        isinstance(query, exp.Values)
        and not names
        and targets.known_columns(reading, target) is None
    ):
        # Which columns the values go into, only the table knows.
        move.outputs = [replace(o, name="*") for o in move.outputs if isinstance(o, Output)]
    done.moves.append(move)
    _on_conflict(reading, node, move)
    return done


def _on_conflict(reading: Reading, node: exp.Insert, move: Move) -> None:
    """``DO UPDATE SET a = excluded.b``: the proposed row's b goes into a."""
    conflict = node.args.get("conflict")
    if not isinstance(conflict, exp.Expr):
        return
    proposed = Relation(list(move.outputs))
    row = targets.row_of(reading, move.target, targets.written(node))
    scope = Scope(None, {}, [Source(("excluded",), proposed), row])
    for assignment in conflict.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            name = reading.fold(assignment.this.this)
            found = sources(reading, assignment.expression, scope)
            move.outputs.append(Output(name, targets.without_itself(found, move.target, name)))


def multi_insert(reading: Reading, node: exp.MultitableInserts, ctes: Any = None) -> Effect:
    """INSERT ALL, INSERT FIRST; Hive's FROM ... INSERT ... INSERT."""
    query = node.args.get("source")
    ctes = ctes_of(reading, node, {})
    done = Effect("insert all")
    if not isinstance(query, exp.Expr):
        return done
    scope = Scope(None, ctes)
    if isinstance(query, exp.Query) and not isinstance(query, exp.Subquery):
        given = queries.relation(reading, query, ctes)
        scope.sources.append(Source((), given))
    else:
        froms.add(reading, query, scope)
        froms.joins(reading, node, scope)
        given = queries.joined(Scope(None, ctes, scope.sources))
    for item in node.expressions:
        insert = item.this if isinstance(item, exp.ConditionalInsert) else item
        target = targets.target_of(reading, insert)
        if target is None:
            continue
        own = Scope(None, ctes, list(scope.sources))
        if isinstance(item, exp.ConditionalInsert):
            influence(reading, item.args.get("expression"), own, Kind.FILTER)
        values = insert.args.get("expression")
        outputs = given.outputs
        if isinstance(values, exp.Values) and values.expressions:
            row = values.expressions[0]
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            outputs = [
                Output(projection.output_name(reading, c), sources(reading, c, own)) for c in cells
            ]
        elif isinstance(values, exp.Select):
            froms.joins(reading, values, own)
            outputs = [
                o for e in values.expressions for o in projection.projections(reading, e, own)
            ]
            clauses.influences(reading, values, own)
        move = Move(target, list(outputs), dict(given.tables), dict(given.influences))
        move.tables.update(own.result.tables)
        move.influences.update(own.result.influences)
        done.moves.append(targets.named(reading, move, targets.listed(reading, insert.this)))
    return done
