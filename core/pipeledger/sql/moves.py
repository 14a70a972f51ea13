"""What one statement does, before the script's own tables are resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeledger.sql.names import Dataset, TableName
from pipeledger.sql.relation import Influences, Output, Relation, Star


@dataclass(slots=True)
class Move:
    """Data that goes into ``target``: its columns, the tables they come from, what influences them.

    ``columns``: all columns of the target where the statement says them. ``fills``: False for a
    target that the statement only makes or empties.
    """

    target: Dataset
    outputs: list[Output | Star] = field(default_factory=list)
    tables: dict[Dataset, None] = field(default_factory=dict)
    influences: Influences = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    creates: bool = False

    @classmethod
    def of(cls, target: Dataset, relation: Relation, creates: bool = False) -> Move:
        return cls(
            target, list(relation.outputs), dict(relation.tables), dict(relation.influences),
            creates=creates,
        )  # fmt: skip


@dataclass(slots=True)
class Effect:
    """A statement's kind, what it moves, and what else it changes.

    ``result``: of a query that nobody stores. ``gone``: tables that it drops; ``renamed``: from, to.
    """

    kind: str
    moves: list[Move] = field(default_factory=list)
    result: Relation | None = None
    reads: dict[Dataset, None] = field(default_factory=dict)
    gone: list[TableName] = field(default_factory=list)
    renamed: list[tuple[TableName, TableName]] = field(default_factory=list)
    temporary: set[TableName] = field(default_factory=set)
    problem: str | None = None
    catalog: str | None = None
    schema: str | None = None
