"""The case table: SQL by statement kind, with what it reads and writes, in ``cases/*.sql``.

A case is a comment with its name, its dialect and what is known beforehand, the SQL, and below it
what must come out: ``in`` and ``out`` tables, ``target.column <- source.column kind``, ``problem``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeledger.sql import ColumnEdge, Limits, Script, TableName, parse

FOLDER = Path(__file__).parent / "cases"
_SCHEMA = re.compile(r"(\S+) \((.*)\)")


@dataclass
class Case:
    """One piece of SQL, and the lines that must come out of it."""

    kind: str
    name: str
    settings: dict[str, str] = field(default_factory=dict)
    schema: dict[str, list[str]] = field(default_factory=dict)
    sql: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind}: {self.name} ({self.settings['dialect']})"

    def parse(self) -> Script:
        known = self.schema

        def columns(table: TableName) -> list[str] | None:
            return known.get(str(table))

        return parse(
            "\n".join(self.sql),
            self.settings["dialect"],
            self.settings.get("default_catalog"),
            self.settings.get("default_schema"),
            columns if known else None,
            Limits(seconds=3600),
        )


def cases() -> Iterator[Case]:
    """Every case of every file, in order."""
    for path in sorted(FOLDER.glob("*.sql")):
        for block in re.split(r"^-- case: ", path.read_text(), flags=re.M)[1:]:
            name, *lines = block.rstrip("\n").split("\n")
            case = Case(path.stem, name)
            for line in lines:
                if line.startswith("--> "):
                    case.expected.append(line[4:])
                elif match := re.match(r"-- (dialect|default_\w+): (.*)", line):
                    case.settings[match.group(1)] = match.group(2)
                elif match := re.match(r"-- schema: (.*)", line):
                    table = _SCHEMA.fullmatch(match.group(1))
                    assert table is not None, line
                    case.schema[table.group(1)] = table.group(2).split(", ")
                elif case.sql or line:
                    case.sql.append(line)
            yield case


def lines(script: Script) -> list[str]:
    """What came out, in the form of the expectations."""
    return [
        *(f"in {t}" for t in script.inputs),
        *(f"out {t}" for t in script.outputs),
        *(_edge(e) for s in script.statements for e in s.columns),
        *(f"problem line {p.line}: {p.reason}" for p in script.problems),
    ]


def _edge(edge: ColumnEdge) -> str:
    target = edge.target_column if edge.target is None else f"{edge.target}.{edge.target_column}"
    source = f"{edge.source or '?'}.{edge.source_column}"
    if edge.candidates:
        source += f" ({' | '.join(map(str, edge.candidates))})"
    return f"{target} <- {source} {edge.kind.value}"
