"""The screen of ``pipeledger sql``."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.sql import ColumnEdge, Script, StatementLineage

MOST_COLUMNS = 200


def script(found: Script) -> RenderableType:
    """Statements, column edges, and what could not be read."""
    if not found.statements and not found.problems:
        return Text("no statements", "dim")
    parts: list[RenderableType] = []
    if found.statements:
        columns = (
            Column("line", right=True),
            Column("statement"),
            Column("reads", shrink=True, give=0.5),
            Column("writes", shrink=True, give=0.5),
        )
        parts.append(Columns(columns, [_statement(s) for s in found.statements]))
    edges = [c for s in found.statements for c in s.columns]
    if edges:
        shown = edges[:MOST_COLUMNS]
        of_columns = (
            Column("column", shrink=True, give=0.3),
            Column("comes from", shrink=True, give=0.3),
            Column("kind"),
        )
        parts += [Text(""), Columns(of_columns, [_edge(e) for e in shown])]
        if len(edges) > len(shown):
            parts.append(Text(f"{len(edges) - len(shown)} more: --json prints all", "dim"))
    parts += _problems(found)
    return Group(*parts)


def _statement(statement: StatementLineage) -> Row:
    writes = [str(t) for t in statement.outputs]
    writes += [f"{t} (own)" for t in statement.own]
    return Row(
        (
            Text(str(statement.line), "dim"),
            Text(statement.kind),
            Text(", ".join(str(t) for t in statement.inputs)),
            Text(", ".join(writes)),
        )
    )


def _edge(edge: ColumnEdge) -> Row:
    target = edge.target_column if edge.target is None else f"{edge.target}.{edge.target_column}"
    if edge.source is not None:
        source = f"{edge.source}.{edge.source_column}"
    else:
        tables = " or ".join(str(c) for c in edge.candidates) or "an unknown table"
        source = f"{edge.source_column} of {tables}"
    return Row((Text(target), Text(source), Text(edge.kind.value, "dim")))


def _problems(found: Script) -> Iterator[RenderableType]:
    for problem in found.problems:
        yield Text(str(problem), "yellow")
