"""CREATE TABLE, CREATE VIEW and their like."""

from __future__ import annotations

from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import queries, targets
from pipeledger.sql.ctes import ctes_of
from pipeledger.sql.expressions import Reading
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import Location, TableName
from pipeledger.sql.relation import Output, Star


def create(reading: Reading, node: exp.Create, ctes: Any = None) -> Effect:
    kind = str(node.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW", "DICTIONARY", "STAGE"):
        return Effect(f"create {kind.lower()}")
    properties = node.args.get("properties")
    items = properties.expressions if properties is not None else []
    is_materialized = any(isinstance(p, exp.MaterializedProperty) for p in items)
    done = Effect(f"create {'materialized ' if is_materialized else ''}{kind.lower()}")
    if kind == "STAGE":
        return done
    target = targets.target_of(reading, node)
    if target is None:
        return done
    move = Move(target, creates=True)
    done.moves.append(move)
    if isinstance(target, TableName) and (
        any(isinstance(p, (exp.TemporaryProperty, exp.VolatileProperty)) for p in items)
        or target.name.startswith("#")
    ):
        done.temporary.add(target)
    for item in items:
        if isinstance(item, exp.ToTableProperty) and isinstance(item.this, exp.Table):
            # ClickHouse: the rows of the view are stored in that table.
            done.moves.append(Move(reading.session.table(item.this)))
        elif isinstance(item, exp.LocationProperty) and node.args.get("expression") is None:
            location = Location(reading.session.template.written(item.this.name))
            move.tables[location] = None
        elif isinstance(item, exp.LikeProperty):
            _like(reading, item.this, move)
    listed = targets.listed(reading, node.this)
    schema = node.this
    if isinstance(schema, exp.Schema):
        for item in schema.expressions:
            if isinstance(item, exp.LikeProperty):
                _like(reading, item.this, move)
    clone = node.args.get("clone")
    if clone is not None and isinstance(clone.this, exp.Table):
        _copy_of(reading, clone.this, move)
    query = node.args.get("expression")
    if isinstance(query, exp.Schema):
        query = None
    if isinstance(query, (exp.Query, exp.Values, exp.Table)):
        relation = queries.relation(reading, query, ctes_of(reading, node, {}))
        for each in done.moves:
            each.outputs = list(relation.outputs)
            each.tables.update(relation.tables)
            each.influences.update(relation.influences)
            targets.named(reading, each, listed)
    elif listed:
        move.columns = tuple(listed)
    if move.outputs and not any(isinstance(o, Star) for o in move.outputs):
        move.columns = tuple(o.name for o in move.outputs if isinstance(o, Output))
    return done


def _like(reading: Reading, node: exp.Expr, move: Move) -> None:
    """``CREATE TABLE a LIKE b``: b is named, for its shape; its rows stay where they are."""
    if isinstance(node, exp.Table):
        like = reading.session.table(node)
        move.tables[like] = None
        known = reading.session.columns(like)
        if known is not None:
            move.columns = known


def _copy_of(reading: Reading, node: exp.Table, move: Move) -> None:
    relation = reading.session.relation(reading.session.table(node))
    move.outputs = list(relation.outputs)
    move.tables.update(relation.tables)
