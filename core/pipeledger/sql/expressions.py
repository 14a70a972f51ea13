"""Which stored columns an expression is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import queries
from pipeledger.sql.bounds import Limits
from pipeledger.sql.lineage import Kind
from pipeledger.sql.names import Location, TableName
from pipeledger.sql.relation import (
    WHOLE_ROW,
    ColumnRef,
    Influences,
    Output,
    Relation,
    Sources,
    Star,
    merge,
    stronger,
)
from pipeledger.sql.scan import keywords
from pipeledger.sql.session import Session
from pipeledger.sql.templates import is_placeholder

_PSEUDO = keywords("ROWNUM ROWID LEVEL SYSDATE SYSTIMESTAMP USER UID NEXTVAL CURRVAL")
_EMPTY: Sources = {}


class TooMuch(Exception):
    """More column edges than a statement may have."""


@dataclass
class Reading:
    """One statement that is being read: the session it stands in, and what it has cost so far."""

    session: Session
    limits: Limits
    work: int = 0
    moves: list[Any] = field(default_factory=list)
    """What statements inside it (INSERT in WITH) write: ``statements.Move``."""

    def merge(self, into: Sources, more: Sources, kind: Kind = Kind.DIRECT) -> None:
        self.work += len(more)
        if self.work > self.limits.edges * 5:
            raise TooMuch
        merge(into, more, kind)

    def fold(self, identifier: exp.Expr) -> str:
        """A column's or an alias's name as the dialect folds it."""
        is_quoted = isinstance(identifier, exp.Identifier) and bool(identifier.args.get("quoted"))
        return self.session.dialect.columns(identifier.name, is_quoted)

    def key(self, name: str) -> str:
        return self.session.dialect.columns.key(name)


@dataclass
class Source:
    """A table, subquery or function in FROM. ``names``: how columns may be qualified with it."""

    names: tuple[str, ...]
    relation: Relation
    table: TableName | None = None


@dataclass
class Scope:
    """What a name can mean at one place of a query. ``result``: what is read there adds up in it."""

    parent: Scope | None = None
    ctes: dict[str, Relation] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, Sources] = field(default_factory=dict)
    own_names: set[str] = field(default_factory=set)
    """Aliases whose expression names a column of that name: then the table has one."""
    result: Relation = field(default_factory=Relation)
    shared: set[str] = field(default_factory=set)
    """Keys of columns that joins equate: USING, NATURAL."""


def sources(reading: Reading, node: exp.Expr | None, scope: Scope, first: str = "table") -> Sources:
    """The stored columns that the expression is computed from, and how.

    ``first``: whether an unqualified name means a column of a table or an alias of the select list,
    if it can be both. Subqueries in it add their tables and influences to the scope's result.
    """
    found: Sources = {}
    if node is None:
        return found
    stack: list[tuple[exp.Expr, Kind, frozenset[str]]] = [(node, Kind.DIRECT, frozenset())]
    while stack:
        node, kind, bound = stack.pop()
        if isinstance(node, exp.Column):
            if not isinstance(node.this, exp.Star):
                if not (bound and reading.key(reading.fold(node.parts[0])) in bound):
                    reading.merge(found, column(reading, node, scope, first), kind)
                continue
            reading.merge(found, _row(reading, node, scope), stronger(kind, Kind.TRANSFORMED))
        elif isinstance(node, exp.Query):
            inner = queries.relation(reading, node, scope.ctes, scope)
            scope.result.read(inner)
            for output in inner.outputs:
                reading.merge(found, _of(output), kind)
        elif isinstance(node, exp.Exists):
            if isinstance(node.this, exp.Query):
                scope.result.read(queries.relation(reading, node.this, scope.ctes, scope))
        elif isinstance(node, (exp.Alias, exp.Paren, exp.Dot, exp.Ordered, exp.Aliases)):
            if isinstance(node.this, exp.Expr):
                stack.append((node.this, kind, bound))
            if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
                stack.append((node.expression, stronger(kind, Kind.TRANSFORMED), bound))
        elif isinstance(node, exp.Star):
            reading.merge(found, _rows(scope), Kind.AGGREGATED)
        elif isinstance(node, exp.Parameter) and isinstance(node.this, exp.Literal):
            reading.merge(found, _of_file(node, scope), kind)
        elif isinstance(node, exp.Lambda):
            bound = bound | {reading.key(reading.fold(p)) for p in node.expressions}
            stack.append((node.this, kind, bound))
        elif isinstance(node, (exp.Identifier, exp.Literal, exp.DataType, exp.Var)):
            continue
        else:
            kind = stronger(kind, Kind.AGGREGATED if _aggregates(node) else Kind.TRANSFORMED)
            stack.extend((child, kind, bound) for child in node.iter_expressions(reverse=True))
    return found


def influence(
    reading: Reading, node: exp.Expr | None, scope: Scope, kind: Kind, first: str = "table"
) -> None:
    """Note that the expression's columns decide which rows there are, or in what order."""
    if node is None:
        return
    into: Influences = scope.result.influences
    found = sources(reading, node, scope, first)
    into.update(((ref, kind), None) for ref in found if ref.column != WHOLE_ROW)


def column(reading: Reading, node: exp.Column, scope: Scope, first: str = "table") -> Sources:
    """What a column's name means here; nothing for what is not a column at all."""
    parts = [p for p in node.parts if isinstance(p, exp.Expr)]
    if isinstance(node.this, exp.Parameter):
        name = "$" + node.this.name
    elif node.name and not is_placeholder(node.name):
        name = reading.fold(parts[-1])
    else:
        return _EMPTY
    if len(parts) == 1:
        return _unqualified(reading, name, scope, first)
    qualifier = tuple(reading.fold(p) for p in parts[:-1])
    around: Scope | None = scope
    while around is not None:
        for source in around.sources:
            if is_named(reading, source, qualifier):
                return _in(reading, source, name)
        around = around.parent
    if reading.session.dialect.structs or len(parts) > 2:
        # A field: table.column.field, or column.field.
        for cut in range(1, len(parts) - 1):
            around = scope
            while around is not None:
                for source in around.sources:
                    if is_named(reading, source, qualifier[:cut]):
                        return _in(reading, source, reading.fold(parts[cut]))
                around = around.parent
        if reading.session.dialect.structs:
            return _unqualified(reading, qualifier[0], scope, first)
    return _unnamed(reading, qualifier, name, scope)


def _unnamed(reading: Reading, qualifier: tuple[str, ...], name: str, scope: Scope) -> Sources:
    """A qualifier that FROM does not know: a row that is there by the statement's kind, or unknown."""
    key = reading.key(qualifier[-1]).upper()
    if key in ("NEW", "OLD", "INSERTED", "DELETED", "EXCLUDED"):
        return _EMPTY
    for source in scope.sources:
        # The table's name, though it has an alias here.
        if source.table is not None:
            by_table = Source(source.table.parts, source.relation, source.table)
            if is_named(reading, by_table, qualifier):
                return _in(reading, source, name)
    # Without a FROM it is a variable of the body around it.
    return {ColumnRef(None, name): Kind.DIRECT} if scope.sources else _EMPTY


def _unqualified(reading: Reading, name: str, scope: Scope, first: str) -> Sources:
    key = reading.key(name)
    alias = scope.aliases.get(key)
    if alias is not None and first == "alias":
        return alias
    around: Scope | None = scope
    open_sources: list[Source] = []
    while around is not None:
        for source in around.sources:
            found = source.relation.find(name, reading.key)
            if found is not None:
                if key in around.shared:
                    return _shared(reading, name, around)
                return found
        open_sources = [s for s in around.sources if not s.relation.is_closed]
        if open_sources:
            break
        around = around.parent
    if alias is not None and not (key in scope.own_names and open_sources):
        return alias
    if around is None or not open_sources:
        return _nowhere(reading, name, scope)
    if len(open_sources) == 1:
        return _in(reading, open_sources[0], name)
    if key in around.shared:
        return _shared(reading, name, around)
    refs: Sources = {}
    for source in open_sources:
        reading.merge(refs, _in(reading, source, name))
    candidates = tuple(dict.fromkeys(r.dataset for r in refs if r.dataset is not None))
    if len(candidates) == 1:
        return refs
    return {ColumnRef(None, name, candidates): Kind.DIRECT}


def _shared(reading: Reading, name: str, scope: Scope) -> Sources:
    """A column that joins equate is the first table's that can have it."""
    for source in scope.sources:
        found = _in(reading, source, name) if not source.relation.is_closed else None
        known = source.relation.find(name, reading.key)
        if known is not None or found:
            return known if known is not None else found or _EMPTY
    return _EMPTY


def _nowhere(reading: Reading, name: str, scope: Scope) -> Sources:
    """No source is known to have it: the only table's, if its schema is older than the query."""
    if name.upper() in _PSEUDO:
        return _EMPTY
    tables = [s.table for s in scope.sources if s.table is not None]
    if len(tables) == 1 and len(scope.sources) == 1:
        return {reading.session.column(tables[0], name): Kind.DIRECT}
    if not scope.sources:
        return _EMPTY
    return {ColumnRef(None, name, tuple(tables)): Kind.DIRECT}


def is_named(reading: Reading, source: Source, qualifier: tuple[str, ...]) -> bool:
    keys = tuple(reading.key(q).lower() for q in qualifier)
    names = tuple(reading.key(n).lower() for n in source.names)
    return len(keys) <= len(names) and names[-len(keys) :] == keys


def _in(reading: Reading, source: Source, name: str) -> Sources:
    """The column of that source, which is known or may be in a table whose columns are not."""
    relation = source.relation
    found = relation.find(name, reading.key)
    if found is not None:
        return found
    if relation.anything is not None:
        return relation.anything
    key = reading.key(name)
    stars = [s for s in relation.stars if key not in s.without]
    if len(stars) == 1 or (stars and len({s.union or id(s) for s in stars}) == 1):
        return {reading.session.column(s.dataset, name): Kind.DIRECT for s in stars}
    if stars:
        candidates = tuple(dict.fromkeys(s.dataset for s in stars))
        return {ColumnRef(None, name, candidates): Kind.DIRECT}
    if source.table is not None and source.table in relation.tables:
        return {reading.session.column(source.table, name): Kind.DIRECT}
    return _EMPTY


def _row(reading: Reading, node: exp.Column, scope: Scope) -> Sources:
    """``t.*`` inside an expression."""
    found: Sources = {}
    qualifier = tuple(reading.fold(p) for p in node.parts[:-1])
    for source in scope.sources:
        if not qualifier or is_named(reading, source, qualifier):
            for output in source.relation.outputs:
                reading.merge(found, _of(output))
    return found


def _rows(scope: Scope) -> Sources:
    """``count(*)``: of every table that the rows come from."""
    return {
        ColumnRef(dataset, WHOLE_ROW): Kind.AGGREGATED
        for source in scope.sources
        for dataset in source.relation.tables
    }


def _of_file(node: exp.Parameter, scope: Scope) -> Sources:
    """Snowflake's ``$1``: a field of a staged file."""
    return {
        ColumnRef(dataset, f"${node.name}"): Kind.DIRECT
        for source in scope.sources
        for dataset in source.relation.tables
        if isinstance(dataset, Location)
    }


def _of(output: Output | Star) -> Sources:
    if isinstance(output, Star):
        return {ColumnRef(output.dataset, WHOLE_ROW): Kind.DIRECT}
    return output.sources


def _aggregates(node: exp.Expr) -> bool:
    if isinstance(node, exp.AggFunc):
        return True
    return isinstance(node, (exp.AnonymousAggFunc, exp.CombinedAggFunc))
