"""What a script does, statement by statement and as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from pipeledger.sql.names import Dataset


class Kind(str, Enum):
    """How a source column reaches its target.

    The value itself comes from it (direct, transformed, aggregated); or it only decides which rows
    there are and in what order (join, filter, group, sort).
    """

    DIRECT = "direct"
    TRANSFORMED = "transformed"
    AGGREGATED = "aggregated"
    JOIN = "join"
    FILTER = "filter"
    GROUP = "group"
    SORT = "sort"

    @property
    def is_influence(self) -> bool:
        return self in (Kind.JOIN, Kind.FILTER, Kind.GROUP, Kind.SORT)


@dataclass(frozen=True, slots=True)
class ColumnEdge:
    """A source column and the target column it goes into. ``*`` is a row's every column.

    An influence (``kind``) concerns every column of the target: its ``target_column`` is ``*``.
    ``source`` is None where the SQL alone cannot say which of several tables has the column;
    ``candidates`` are those tables. ``target`` is None for a query that nobody stores.
    """

    source: Dataset | None
    source_column: str
    target: Dataset | None
    target_column: str
    kind: Kind
    candidates: tuple[Dataset, ...] = ()

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "source": None if self.source is None else str(self.source),
            "source_column": self.source_column,
            "target": None if self.target is None else str(self.target),
            "target_column": self.target_column,
            "kind": self.kind.value,
        }
        if self.candidates:
            out["candidates"] = [str(c) for c in self.candidates]
        return out


@dataclass(frozen=True, slots=True)
class TableEdge:
    """Data of ``source`` goes into ``target``."""

    source: Dataset
    target: Dataset


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read: why, and where. ``line`` counts from 1, in the whole text."""

    statement: int
    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class StatementLineage:
    """One statement: what it reads and writes.

    ``kind`` is its verb (``insert``, ``create table``, ``merge``, ``select``, ...). ``columns`` are
    those of its targets, or, for a query that nobody stores, of its result. ``own`` are tables for
    the script's own use that it fills: they are no outputs, edges lead through them.
    """

    index: int
    line: int
    kind: str
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    edges: tuple[TableEdge, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    own: tuple[Dataset, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "line": self.line,
            "kind": self.kind,
            "inputs": [str(t) for t in self.inputs],
            "outputs": [str(t) for t in self.outputs],
            "own": [str(t) for t in self.own],
            "result": [c.to_json() for c in self.columns if c.target is None],
        }


@dataclass(frozen=True)
class Script:
    """All statements of a text, and what they do together.

    What is created in the script for its own use only (temporary, or dropped or renamed again) is
    neither input nor output: edges lead through it.
    """

    dialect: str
    statements: tuple[StatementLineage, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether something was not read: ``problems`` says what."""
        return bool(self.problems)

    @cached_property
    def inputs(self) -> tuple[Dataset, ...]:
        """What is read before the script itself has written it."""
        found: dict[Dataset, None] = {}
        written: set[Dataset] = set()
        for statement in self.statements:
            found.update(dict.fromkeys(t for t in statement.inputs if t not in written))
            written.update(statement.outputs)
        return tuple(found)

    @cached_property
    def outputs(self) -> tuple[Dataset, ...]:
        """What is written."""
        return tuple(dict.fromkeys(t for s in self.statements for t in s.outputs))

    @cached_property
    def edges(self) -> tuple[TableEdge, ...]:
        return tuple(dict.fromkeys(e for s in self.statements for e in s.edges))

    @cached_property
    def column_edges(self) -> tuple[ColumnEdge, ...]:
        """Edges of stored columns, influences among them; those of bare queries are left out."""
        return tuple(
            dict.fromkeys(c for s in self.statements for c in s.columns if c.target is not None)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "dialect": self.dialect,
            "partial": self.partial,
            "inputs": [str(t) for t in self.inputs],
            "outputs": [str(t) for t in self.outputs],
            "edges": [{"source": str(e.source), "target": str(e.target)} for e in self.edges],
            "column_edges": [c.to_json() for c in self.column_edges],
            "statements": [s.to_json() for s in self.statements],
            "problems": [
                {"statement": p.statement, "line": p.line, "reason": p.reason}
                for p in self.problems
            ],
        }
