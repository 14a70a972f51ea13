"""What each kind of statement moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import (
    alters,
    changes,
    commands,
    creates,
    froms,
    inserts,
    loads,
    projection,
    queries,
    targets,
)
from pipeledger.sql.expressions import Reading, Scope, Source
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import TableName
from pipeledger.sql.relation import Relation


def effect(reading: Reading, node: exp.Expr, is_body: bool = False) -> Effect:
    """What the statement does. ``is_body``: in a procedure, INTO names a variable."""
    for kind, handler in _HANDLERS:
        if isinstance(node, kind):
            done = handler(reading, node)
            break
    else:
        if isinstance(node, (exp.Condition, exp.Alias, exp.Tuple, exp.Identifier)):
            return Effect("unknown", problem="not parsed: this is no statement")
        if not isinstance(node, (exp.Query, exp.Values, exp.Table)):
            return Effect(type(node).__name__.lower())
        done = _query(reading, node, is_body)
    done.moves = [*_inner_moves(reading, done, is_body), *done.moves]
    return done


def inside(reading: Reading, node: exp.DML, ctes: dict[str, Relation]) -> Relation:
    """INSERT, UPDATE, DELETE inside WITH: noted as a move; gives what RETURNING says."""
    for kind, handler in _HANDLERS:
        if isinstance(node, kind):
            done = handler(reading, node, ctes)
            break
    else:
        return Relation()
    reading.moves += done.moves
    returning = node.args.get("returning")
    if returning is None or not done.moves:
        return Relation()
    move = done.moves[-1]
    outputs, tables = list(move.outputs), dict(move.tables)
    row = targets.row_of(reading, move.target, targets.written(node))
    if not isinstance(node, exp.Insert):
        # The rows that were there: of a column that was not set, the table's own.
        outputs += row.relation.outputs
        tables[move.target] = None
    scope = Scope(None, ctes, [Source(row.names, Relation(outputs, tables), row.table)])
    result = Relation(tables=tables)
    for item in returning.expressions:
        result.outputs += projection.projections(reading, item, scope)
    return result


def _inner_moves(reading: Reading, done: Effect, is_body: bool) -> Iterator[Move]:
    for move in reading.moves:
        if isinstance(move, Move):
            yield move
            continue
        _, into, result = move
        if is_body and not isinstance(into.this, exp.Table):
            continue
        for node in into.find_all(exp.Table):
            target = froms.dataset_of(reading, node)
            if target is None or (is_body and not _is_table_into(reading)):
                continue
            yield Move.of(target, result, creates=True)
            done.kind = "select into"
            done.result = None
            if into.args.get("temporary") and isinstance(target, TableName):
                done.temporary.add(target)
            break


def _is_table_into(reading: Reading) -> bool:
    return reading.session.dialect.name in ("tsql", "fabric", "redshift", "teradata")


def _query(reading: Reading, node: exp.Expr, is_body: bool) -> Effect:
    return Effect("select", result=queries.relation(reading, node, {}))


def _use(reading: Reading, node: exp.Use, ctes: Any = None) -> Effect:
    return commands.use(reading, node)


def _declare(reading: Reading, node: exp.Declare, ctes: Any = None) -> Effect:
    """T-SQL's table variables."""
    done = Effect("declare")
    for item in node.expressions:
        shape = item.args.get("kind")
        if isinstance(shape, exp.Schema):
            for variable in item.find_all(exp.Parameter):
                table = TableName("@" + variable.name)
                columns = tuple(targets.listed(reading, shape))
                done.moves.append(Move(table, columns=columns, creates=True))
                done.temporary.add(table)
    return done


def _command(reading: Reading, node: exp.Command, ctes: Any = None) -> Effect:
    return commands.effect(reading, f"{node.this} {node.text('expression')}")


_HANDLERS: tuple[tuple[type[exp.Expr], Callable[..., Effect]], ...] = (
    (exp.Insert, inserts.insert),
    (exp.Create, creates.create),
    (exp.Merge, changes.merge),
    (exp.Update, changes.update),
    (exp.Delete, changes.delete),
    (exp.MultitableInserts, inserts.multi_insert),
    (exp.Copy, loads.copy),
    (exp.LoadData, loads.load),
    (exp.Export, loads.export),
    (exp.Cache, loads.cache),
    (exp.TruncateTable, changes.truncate),
    (exp.Drop, alters.drop),
    (exp.Alter, alters.alter),
    (exp.Use, _use),
    (exp.Declare, _declare),
    (exp.Execute, alters.execute),
    (exp.Command, _command),
)
