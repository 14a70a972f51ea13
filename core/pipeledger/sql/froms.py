"""FROM, JOIN, LATERAL, PIVOT: what stands there, and under which names."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlglot import expressions as exp

from pipeledger.sql import queries
from pipeledger.sql.ctes import ctes_of
from pipeledger.sql.expressions import Reading, Scope, Source, influence, sources
from pipeledger.sql.lineage import Kind
from pipeledger.sql.names import Dataset, Location, TableName
from pipeledger.sql.relation import ColumnRef, Output, Relation, Sources, Star
from pipeledger.sql.scan import keywords

_FILE = re.compile(
    r"://|^\.{0,2}/|\.(csv|tsv|json|jsonl|ndjson|parquet|avro|orc|gz|zst|xlsx)$", re.I
)
_FILE_FORMATS = keywords("parquet csv json delta orc avro text binaryfile iceberg")
_READERS = keywords(
    "read_csv read_csv_auto read_parquet parquet_scan read_json read_json_auto read_ndjson read_text"
    " read_blob read_xlsx s3 s3cluster url urlcluster file gcs hdfs azureblobstorage deltalake iceberg"
    " iceberg_scan delta_scan read_files openrowset"
)


def add_all(reading: Reading, node: exp.Expr, scope: Scope) -> None:
    """Add everything that FROM, JOIN and LATERAL VIEW of a query name to the scope."""
    from_ = node.args.get("from_")
    if from_ is not None:
        add(reading, from_.this, scope)
        for more in from_.expressions:
            add(reading, more, scope)
    for lateral in node.args.get("laterals") or ():
        add(reading, lateral, scope)
    joins(reading, node, scope)


def joins(reading: Reading, node: exp.Expr, scope: Scope) -> None:
    """Add the joins of a query or of a table that is joined in brackets."""
    for join in node.args.get("joins") or ():
        add(reading, join.this, scope)
        using = [u for u in join.args.get("using") or () if isinstance(u, exp.Expr)]
        scope.shared |= {reading.key(reading.fold(u)) for u in using}
        for named in using:
            identifier = named.this if isinstance(named, exp.Column) else named
            for source in scope.sources:
                found = sources(reading, exp.column(identifier.copy()), Scope(None, {}, [source]))
                if found:
                    scope.result.influences.update(((r, Kind.JOIN), None) for r in found)
        if join.args.get("method") == "NATURAL":
            scope.shared |= _common(reading, scope)
        influence(reading, join.args.get("on"), scope, Kind.JOIN)
        influence(reading, join.args.get("match_condition"), scope, Kind.JOIN)


def _common(reading: Reading, scope: Scope) -> set[str]:
    keys = [{reading.key(o.name) for o in s.relation.columns} for s in scope.sources]
    return {k for i, some in enumerate(keys) for k in some if any(k in o for o in keys[:i])}


def add(reading: Reading, node: exp.Expr, scope: Scope) -> None:
    """Add one item of FROM, with what is joined to it inside its brackets."""
    if isinstance(node, exp.Alias) and isinstance(node.this, exp.Expr):
        node = node.this
    alias = node.args.get("alias")
    name, columns = _alias(reading, node)
    table: TableName | None = None
    names: tuple[str, ...] = (name,) if name else ()
    if isinstance(node, exp.Table):
        found, table, written = _table(reading, node, scope)
        names = names or written
    elif (
        isinstance(node, (exp.Subquery, exp.Paren))
        and isinstance(node.this, (exp.Table, exp.Subquery, exp.Paren))
        and not (isinstance(node.this, exp.Subquery) and node.this.alias and name)
    ):
        if not name and not node.args.get("pivots"):
            add(reading, node.this, scope)
            joins(reading, node, scope)
            return
        inner = Scope(scope.parent, ctes_of(reading, node, scope.ctes))
        add(reading, node.this, inner)
        joins(reading, node, inner)
        found = queries.joined(inner)
    elif isinstance(node, exp.Subquery):
        ctes = ctes_of(reading, node, scope.ctes)
        found = queries.relation(reading, node.this, ctes, scope.parent)
    elif isinstance(node, exp.Lateral):
        found = _lateral(reading, node, scope)
    elif isinstance(node, exp.Unnest):
        found = _function(reading, list(node.expressions), scope)
        offset = node.args.get("offset")
        if isinstance(offset, exp.Identifier):
            found.outputs.append(Output(reading.fold(offset), {}))
        if reading.session.dialect.name == "bigquery" and columns and not name:
            names = (columns[0],)
    elif isinstance(node, (exp.Values, exp.Select, exp.SetOperation, exp.DML)):
        found = queries.relation(reading, node, scope.ctes, scope.parent)
    else:
        found = _function(reading, [node], scope)
    if columns:
        if isinstance(node, exp.Lateral) and found.outputs and found.anything is not None:
            found.outputs = []
        found = found.renamed(columns) if found.outputs or found.anything is None else Relation(
            [Output(c, dict(found.anything)) for c in columns], found.tables, found.influences,
            found.anything if isinstance(alias, exp.TableAlias) and not name else None,
        )  # fmt: skip
    for pivot in node.args.get("pivots") or ():
        found = pivoted(reading, pivot, found, scope)
        pivot_name, pivot_columns = _alias(reading, pivot)
        if pivot_name:
            names = (pivot_name,)
        if pivot_columns:
            found = found.renamed(pivot_columns)
    scope.sources.append(Source(names, found, table))
    for lateral in node.args.get("laterals") or ():
        add(reading, lateral, scope)
    joins(reading, node, scope)


def _alias(reading: Reading, node: exp.Expr) -> tuple[str | None, list[str]]:
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias):
        name = reading.fold(alias.this) if alias.this is not None else None
        columns = [reading.fold(_column_name(c)) for c in alias.columns]
        return name, columns
    if isinstance(alias, exp.Identifier):
        return reading.fold(alias), []
    return None, []


def _column_name(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.ColumnDef) else node


def _table(
    reading: Reading, node: exp.Table, scope: Scope
) -> tuple[Relation, TableName | None, tuple[str, ...]]:
    """What a table in FROM is: a CTE, a table, a file, a function; and how columns name it."""
    this = node.this
    session = reading.session
    if isinstance(this, exp.Identifier) and not node.args.get("db"):
        cte = scope.ctes.get(reading.key(reading.fold(this)))
        if cte is not None:
            return cte, None, (reading.fold(this),)
    dataset = dataset_of(reading, node)
    if dataset is None:
        return _function(reading, [this], scope), None, (_function_name(this),)
    if isinstance(dataset, Location):
        return session.relation(dataset), None, (dataset.text,)
    if session.dialect.name == "oracle" and dataset.name == "DUAL":
        return Relation(), None, ("DUAL",)
    if session.dialect.name == "bigquery" and dataset.schema and not node.args.get("catalog"):
        # FROM t, t.items: an array of a table that stands to its left.
        for source in scope.sources:
            if source.names[-1:] == (node.args["db"].name,) if node.args.get("db") else False:
                ref = sources(reading, exp.column(this.copy(), node.args["db"].copy()), scope)
                return Relation([], {}, {}, ref), None, (reading.fold(this),)
    parts = [p for p in node.parts if isinstance(p, exp.Identifier)]
    return session.relation(dataset), dataset, tuple(reading.fold(p) for p in parts)


def dataset_of(reading: Reading, node: exp.Table) -> Dataset | None:
    """The table, file or stage that stands there; None for a function."""
    this = node.this
    if isinstance(this, exp.Var) or (isinstance(this, exp.Literal) and this.is_string):
        return Location(reading.session.template.written(this.name))
    if isinstance(this, exp.Identifier):
        text = this.name
        db = node.args.get("db")
        if db is not None and db.name.lower() in _FILE_FORMATS and "/" in text:
            return Location(text)
        if text.startswith("@") and reading.session.dialect.name == "snowflake":
            return Location(text)
        if this.args.get("quoted") and db is None and _FILE.search(text):
            return Location(text)
    if isinstance(this, (exp.ReadCSV, exp.ReadParquet)) or (
        isinstance(this, exp.Func) and _function_name(this).lower() in _READERS
    ):
        text = next((str(e.this) for e in this.find_all(exp.Literal) if e.is_string), "")
        if text:
            return Location(reading.session.template.written(text))
        return None
    if isinstance(this, exp.Func):
        return None
    return reading.session.table(node)


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        return str(node.this)
    if isinstance(node, exp.Func):
        return node.sql_name()
    return node.name


def _function(reading: Reading, arguments: list[exp.Expr], scope: Scope) -> Relation:
    """A function in FROM: each of its columns may come from any of its arguments."""
    inner = Scope(scope, scope.ctes)
    found: Sources = {}
    for argument in arguments:
        reading.merge(found, sources(reading, argument, inner), Kind.TRANSFORMED)
        for table in _named_tables(reading, argument):
            relation = reading.session.relation(table)
            inner.result.read(relation)
            found[ColumnRef(table, "*")] = Kind.TRANSFORMED
    return Relation([], inner.result.tables, inner.result.influences, found)


def _named_tables(reading: Reading, node: exp.Expr) -> list[Dataset]:
    """Tables that are an argument: ``f(TABLE t)``, ``MODEL m``."""
    found = []
    for table in node.find_all(exp.Table):
        if table.find_ancestor(exp.Query) is None or not _inside_query(table, node):
            dataset = dataset_of(reading, table)
            if dataset is not None:
                found.append(dataset)
    return found


def _inside_query(table: exp.Expr, top: exp.Expr) -> bool:
    node = table.parent
    while node is not None and node is not top:
        if isinstance(node, exp.Query):
            return True
        node = node.parent
    return isinstance(top, exp.Query)


def _lateral(reading: Reading, node: exp.Lateral, scope: Scope) -> Relation:
    this = node.this
    if isinstance(this, exp.Subquery):
        return queries.relation(reading, this.this, scope.ctes, scope)
    if isinstance(this, exp.Query):
        return queries.relation(reading, this, scope.ctes, scope)
    if isinstance(this, exp.Table):
        inner = Scope(scope, scope.ctes)
        add(reading, this, inner)
        return inner.sources[0].relation
    return _function(reading, [this], scope)


def pivoted(reading: Reading, pivot: exp.Expr, base: Relation, scope: Scope) -> Relation:
    """PIVOT and UNPIVOT: which columns of the base stay, and which come instead."""
    inner = Scope(scope.parent, scope.ctes, [Source((), base)])
    inner.result.read(base)
    used: set[str] = set()
    new: list[Output | Star] = []
    fields = [f for f in pivot.args.get("fields") or () if isinstance(f, exp.In)]
    if pivot.args.get("unpivot"):
        cells: Sources = {}
        for field in fields:
            for item in field.expressions:
                reading.merge(cells, sources(reading, item, inner))
                used |= _columns(reading, item)
        for value in pivot.expressions:
            for column in value.find_all(exp.Identifier):
                new.append(Output(reading.fold(column), dict(cells)))
        for field in fields:
            for column in field.this.find_all(exp.Identifier):
                new.append(Output(reading.fold(column), {}))
    else:
        values: Sources = {}
        by: Sources = {}
        for value in pivot.expressions:
            reading.merge(values, sources(reading, value, inner))
            used |= _columns(reading, value)
        for field in fields:
            reading.merge(by, sources(reading, field.this, inner))
            used |= _columns(reading, field.this)
        inner.result.influences.update(((ref, Kind.FILTER), None) for ref in by)
        columns = pivot.args.get("columns") or ()
        new += [Output(reading.fold(c), dict(values)) for c in columns]
        if not columns:
            return Relation([], inner.result.tables, inner.result.influences, {**values, **by})
    kept: list[Output | Star] = []
    for output in base.outputs:
        if isinstance(output, Star):
            kept.append(replace(output, without=output.without | frozenset(used)))
        elif reading.key(output.name) not in used:
            kept.append(output)
    return Relation(kept + new, inner.result.tables, inner.result.influences, base.anything)


def _columns(reading: Reading, node: exp.Expr) -> set[str]:
    return {reading.key(reading.fold(c.this)) for c in node.find_all(exp.Column) if c.name}
