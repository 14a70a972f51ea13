"""What the statements of a script know of each other: defaults, tables created, tables of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pipeledger.sql.dialects import Dialect
from pipeledger.sql.lineage import Kind
from pipeledger.sql.names import Dataset, Location, TableName
from pipeledger.sql.relation import ColumnRef, Output, Relation, Star
from pipeledger.sql.templates import Template

if TYPE_CHECKING:
    from sqlglot import expressions as exp

Schema: TypeAlias = (
    Mapping[TableName, Sequence[str]] | Callable[[TableName], Sequence[str] | None] | None
)


@dataclass(slots=True)
class Session:
    """Grows as the script is read. ``asked``: what the schema was asked, and answered."""

    dialect: Dialect
    catalog: str | None = None
    schema: str | None = None
    known: Schema = None
    template: Template = field(default_factory=lambda: Template(""))
    own: dict[TableName, Relation] = field(default_factory=dict)
    """Tables for the script's own use, with what is in them."""
    created: dict[TableName, tuple[str, ...]] = field(default_factory=dict)
    """Columns of tables that the script created."""
    asked: dict[TableName, tuple[str, ...] | None] = field(default_factory=dict)
    _spelled: dict[tuple[str, ...], TableName] = field(default_factory=dict)
    _columns: dict[tuple[Dataset, str], str] = field(default_factory=dict)

    def name(self, identifier: exp.Expr | None) -> str | None:
        """An identifier of a table as the dialect folds it; None for none."""
        from sqlglot import expressions as exp

        if identifier is None:
            return None
        text = identifier.name
        if not text:
            return None
        is_quoted = isinstance(identifier, exp.Identifier) and bool(identifier.args.get("quoted"))
        if self.template.found and (written := self.template.written(text)) != text:
            return written
        text = self.dialect.tables(text, is_quoted)
        if isinstance(identifier, exp.Identifier) and identifier.args.get("temporary"):
            return "#" + text
        return text

    def table(self, node: exp.Table) -> TableName:
        """The table that an identifier means here, with the defaults for the parts it leaves out."""
        from sqlglot import expressions as exp

        this = node.this
        parts = [this]
        while isinstance(parts[0], exp.Dot):
            parts[:1] = [parts[0].this, parts[0].expression]
        parts = [p for p in (node.args.get("catalog"), node.args.get("db")) if p] + parts
        names = [n for n in (self.name(p) for p in parts) if n] or ["?"]
        if isinstance(this, exp.Parameter):
            return TableName("@" + this.name)
        if self.dialect.name == "bigquery":
            names = [n for name in names for n in name.split(".") if n] or names
        elif len(names) > 1:
            names = [n for n in names if n]
        return self.named(*names)

    def named(self, *names: str) -> TableName:
        """The table of these folded parts, outermost first."""
        name = names[-1]
        if name.startswith(("#", "@")):
            return TableName(name)
        schema = names[-2] if len(names) > 1 else self.schema
        catalog = ".".join(names[:-2]) or None
        if catalog is None and (schema is not None or self.dialect.use == "catalog"):
            catalog = self.catalog
        table = TableName(name, schema, catalog)
        key = tuple(self.dialect.tables.key(p or "") for p in (catalog, schema, name))
        return self._spelled.setdefault(key, table)

    def column(self, dataset: Dataset, name: str) -> ColumnRef:
        """The column; one that the dialect takes for the same is spelled as it was first."""
        key = self.dialect.columns.key(name)
        return ColumnRef(dataset, self._columns.setdefault((dataset, key), name))

    def columns(self, table: TableName) -> tuple[str, ...] | None:
        """The table's columns as far as anybody knows them: the script itself, then the schema."""
        if table in self.created:
            return self.created[table]
        if self.known is None:
            return None
        if table not in self.asked:
            found = self.known(table) if callable(self.known) else self.known.get(table)
            self.asked[table] = None if not found else tuple(found)
        return self.asked[table]

    def relation(self, dataset: Dataset) -> Relation:
        """What reading it gives: for a table of the script's own, what was put into it."""
        if isinstance(dataset, Location):
            return Relation([Star(dataset)], {dataset: None})
        if dataset in self.own:
            return self.own[dataset]
        columns = self.columns(dataset)
        if columns is None:
            return Relation([Star(dataset)], {dataset: None})
        outputs: list[Output | Star] = [
            Output(c, {ColumnRef(dataset, c): Kind.DIRECT}) for c in columns
        ]
        return Relation(outputs, {dataset: None})
