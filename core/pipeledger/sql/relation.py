"""What a query gives: columns with the stored columns that they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pipeledger.sql.lineage import Kind
from pipeledger.sql.names import Dataset

WHOLE_ROW = "*"
_RANK = {Kind.DIRECT: 0, Kind.TRANSFORMED: 1, Kind.AGGREGATED: 2}


class ColumnRef(NamedTuple):
    """A stored column; ``dataset`` is None where one of several ``candidates`` has it."""

    dataset: Dataset | None
    column: str
    candidates: tuple[Dataset, ...] = ()


Sources: TypeAlias = dict[ColumnRef, Kind]
Influences: TypeAlias = dict[tuple[ColumnRef, Kind], None]


def stronger(one: Kind, other: Kind) -> Kind:
    """The kind of two steps one after the other."""
    return one if _RANK[one] >= _RANK[other] else other


def merge(into: Sources, more: Sources, kind: Kind = Kind.DIRECT) -> None:
    """Add sources that a further step of ``kind`` was done to."""
    for ref, inner in more.items():
        whole = stronger(kind, inner)
        known = into.get(ref)
        into[ref] = whole if known is None else stronger(known, whole)


@dataclass(slots=True)
class Output:
    """A column of a result: its name, and what it comes from."""

    name: str
    sources: Sources


@dataclass(frozen=True, slots=True)
class Star:
    """Every column of a table whose columns are not known, but for some.

    Stars of one ``union`` each have the column that is asked for; of others, only one of them has.
    """

    dataset: Dataset
    without: frozenset[str] = frozenset()
    union: int = 0


@dataclass(slots=True)
class Relation:
    """Columns in order, the tables that were read for them, and what influences which rows there are.

    ``anything``: a function's result, of which every column comes from these.
    """

    outputs: list[Output | Star] = field(default_factory=list)
    tables: dict[Dataset, None] = field(default_factory=dict)
    influences: Influences = field(default_factory=dict)
    anything: Sources | None = None
    _index: dict[str, Output] | None = None

    @property
    def stars(self) -> list[Star]:
        return [o for o in self.outputs if isinstance(o, Star)]

    @property
    def is_closed(self) -> bool:
        """Whether all columns are known."""
        return self.anything is None and not any(isinstance(o, Star) for o in self.outputs)

    @property
    def columns(self) -> Iterator[Output]:
        return (o for o in self.outputs if isinstance(o, Output))

    def find(self, name: str, key: Callable[[str], str]) -> Sources | None:
        """Sources of the column of that name; None where it is not known to be there."""
        if self._index is None:
            self._index = {}
            for output in self.columns:
                self._index.setdefault(key(output.name), output)
        found = self._index.get(key(name))
        return None if found is None else found.sources

    def read(self, other: Relation) -> None:
        """Take over what the other one was made from."""
        self.tables.update(other.tables)
        self.influences.update(other.influences)

    def renamed(self, names: Iterable[str]) -> Relation:
        """The same with other names for the first columns: ``AS t (a, b)``."""
        outputs: list[Output | Star] = []
        left = list(names)
        if not left:
            return self
        for output in self.outputs:
            if isinstance(output, Output) and left:
                outputs.append(Output(left.pop(0), output.sources))
            elif isinstance(output, Star) and left:
                # By position in a table whose columns are not known.
                ref = ColumnRef(output.dataset, WHOLE_ROW)
                outputs += [Output(name, {ref: Kind.DIRECT}) for name in left]
                left = []
            else:
                outputs.append(output)
        if self.anything is not None:
            outputs += [Output(name, dict(self.anything)) for name in left]
        else:
            outputs += [Output(name, {}) for name in left]
        return Relation(outputs, self.tables, self.influences)
