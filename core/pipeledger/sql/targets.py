"""Where a statement puts its rows: the target, its columns, its row as a source."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import expressions as exp

from pipeledger.sql import froms
from pipeledger.sql.expressions import Reading, Source
from pipeledger.sql.moves import Move
from pipeledger.sql.names import Dataset, Location, TableName
from pipeledger.sql.relation import Relation, Sources, Star


def written(node: exp.Expr) -> exp.Table | None:
    """The table node of a target, without its column list."""
    target = node.this
    if isinstance(target, exp.Schema):
        target = target.this
    return target if isinstance(target, exp.Table) else None


def target_of(reading: Reading, node: exp.Expr) -> Dataset | None:
    this = node.this.this if isinstance(node.this, exp.Schema) else node.this
    if isinstance(this, exp.Directory):
        return Location(this.name)
    if isinstance(this, exp.Table):
        return froms.dataset_of(reading, this) or _function_target(this)
    return _function_target(this) if isinstance(this, exp.Func) else None


def _function_target(node: exp.Expr) -> Dataset | None:
    """INSERT INTO FUNCTION s3('url', ...)."""
    text = next((str(e.this) for e in node.find_all(exp.Literal) if e.is_string), None)
    return Location(text) if text else None


def listed(reading: Reading, node: exp.Expr) -> list[str]:
    """The names in a target's column list, or in its column definitions."""
    if not isinstance(node, exp.Schema):
        return []
    names = []
    for item in node.expressions:
        if isinstance(item, (exp.Identifier, exp.Column)):
            names.append(reading.fold(item.this if isinstance(item, exp.Column) else item))
        elif isinstance(item, exp.ColumnDef):
            names.append(reading.fold(item.this))
    return names


def named(reading: Reading, move: Move, names: list[str]) -> Move:
    """The move with its columns named as the target's are: listed, else known, else as the query's."""
    listed = bool(names)
    if not names and isinstance(move.target, TableName) and not move.creates:
        known = reading.session.columns(move.target)
        if known is not None and not any(isinstance(o, Star) for o in move.outputs):
            names = list(known)[: len(move.outputs)]
    if names:
        relation = Relation(move.outputs).renamed(names)
        move.outputs = relation.outputs[: len(names)] if listed else relation.outputs
    return move


def known_columns(reading: Reading, target: Dataset) -> tuple[str, ...] | None:
    return reading.session.columns(target) if isinstance(target, TableName) else None


def row_of(reading: Reading, target: Dataset, node: exp.Table | None) -> Source:
    """The target's row as a source of columns; the table itself is not read by that."""
    relation = reading.session.relation(target)
    names: tuple[str, ...] = ()
    if node is not None:
        names = tuple(reading.fold(p) for p in node.parts if isinstance(p, exp.Identifier))
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.this is not None:
            names = (reading.fold(alias.this),)
    table = target if isinstance(target, TableName) else None
    return Source(names, replace(relation, tables={}, influences={}, _index=None), table)


def without_itself(found: Sources, target: Dataset, name: str) -> Sources:
    return {ref: kind for ref, kind in found.items() if (ref.dataset, ref.column) != (target, name)}
