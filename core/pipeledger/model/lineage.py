"""Lineage as it is reported: edges between addresses and their columns, schemas, other names of data.

What is declared is whole: it replaces what its pipeline, or the address, declared before. What was
observed in a run adds up, and holds until it has not been seen for some time (``spans``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.canonical import content_hash
from pipeledger.model.errors import InvalidReport
from pipeledger.model.pipeline import PipelineRef

DIRECT, TRANSFORMED, AGGREGATED = "direct", "transformed", "aggregated"
FILTER, JOIN, GROUP, SORT = "filter", "join", "group", "sort"
KINDS = (DIRECT, TRANSFORMED, AGGREGATED, FILTER, JOIN, GROUP, SORT)
"""How a column goes into another: as it is, changed, or as one of many values; the last four only
decide which rows there are and in which order."""
INFLUENCES = (FILTER, JOIN, GROUP, SORT)
WHOLE = ""
"""In place of a target's column: all of its columns, as a filter influences them."""
MAX_COLUMN = 500
MAX_COLUMNS = 10_000


def checked_column(name: object, *, whole: bool = False) -> str:
    """The column's name, if it can be kept. Raises InvalidReport."""
    if isinstance(name, str) and "\x00" not in name and len(name) <= MAX_COLUMN:
        is_named = bool(name.strip()) or (whole and name == WHOLE)
        if is_named:
            return name
    shown = name[:80] if isinstance(name, str) else name
    raise InvalidReport(
        f"column {shown!r} cannot be kept; expected a name of at most {MAX_COLUMN} characters without NUL"
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an address, with its type as its store writes it; None: not known."""

    name: str
    type: str | None = None

    def __post_init__(self) -> None:
        checked_column(self.name)
        if self.type is not None:
            object.__setattr__(self, "type", self.type.replace("\x00", "?")[:MAX_COLUMN] or None)


@dataclass(frozen=True, slots=True)
class ColumnEdge:
    """A target's column is made from a source's column, or only influenced by it (``kind``)."""

    source: Address
    source_column: str
    target: Address
    target_column: str
    kind: str = DIRECT

    def __post_init__(self) -> None:
        checked_column(self.source_column)
        checked_column(self.target_column, whole=True)
        if self.kind not in KINDS:
            raise InvalidReport(
                f"column lineage of kind {self.kind!r}; expected one of {', '.join(KINDS)}"
            )

    @property
    def key(self) -> tuple[str, ...]:
        return (
            *self.source.key,
            self.source_column,
            *self.target.key,
            self.target_column,
            self.kind,
        )


Edge = tuple[Address, Address]


@dataclass(frozen=True, slots=True)
class LineageReport:
    """From where to where a pipeline moves data.

    Declared: whole, in place of what it declared before. ``observed``: seen in a run; adds up with
    what other runs saw. ``inputs`` and ``outputs`` are addresses that it reads or writes besides the
    ends of its edges, whose other end nobody knows. Column edges imply the edge of their addresses.
    """

    pipeline: PipelineRef
    occurred_at: datetime
    edges: tuple[Edge, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    inputs: tuple[Address, ...] = ()
    outputs: tuple[Address, ...] = ()
    observed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "occurred_at", times.as_utc(self.occurred_at, "occurred_at"))
        implied = ((c.source, c.target) for c in self.columns if c.source != c.target)
        edges = dict.fromkeys((*self.edges, *implied))
        columns = {c.key: c for c in self.columns}
        object.__setattr__(self, "edges", tuple(sorted(edges, key=lambda e: (e[0].key, e[1].key))))
        object.__setattr__(self, "columns", tuple(columns[key] for key in sorted(columns)))
        for name in ("inputs", "outputs"):
            unique = {a.key: a for a in getattr(self, name)}
            object.__setattr__(self, name, tuple(unique[key] for key in sorted(unique)))

    @property
    def subject(self) -> tuple[object, ...]:
        """What this declares, so that a later one of the same subject replaces it."""
        return ("lineage", self.pipeline)

    @property
    def content_hash(self) -> str:
        """sha256 of the canonical JSON of what holds, whoever saw it."""
        content: Any = [[list(source.key), list(target.key)] for source, target in self.edges]
        if self.columns or self.inputs or self.outputs:
            content = {
                "edges": content,
                "columns": [list(c.key) for c in self.columns],
                "inputs": [list(a.key) for a in self.inputs],
                "outputs": [list(a.key) for a in self.outputs],
            }
        return content_hash(content)

    @property
    def uses(self) -> frozenset[tuple[Address, str]]:
        """Every address with its role, ``input`` or ``output``."""
        ends = {(s, "input") for s, _ in self.edges} | {(t, "output") for _, t in self.edges}
        alone = {(a, "input") for a in self.inputs} | {(a, "output") for a in self.outputs}
        return frozenset(ends | alone)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "report": "lineage",
            "pipeline": [self.pipeline.namespace, self.pipeline.name],
            "occurred_at": times.isoformat(self.occurred_at),
            "edges": [[source.to_json(), target.to_json()] for source, target in self.edges],
        }
        if self.columns:
            out["columns"] = [
                [c.source.to_json(), c.source_column, c.target.to_json(), c.target_column, c.kind]
                for c in self.columns
            ]
        for name in ("inputs", "outputs"):
            if addresses := getattr(self, name):
                out[name] = [a.to_json() for a in addresses]
        if self.observed:
            out["observed"] = True
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LineageReport:
        read = Address.from_json
        return cls(
            pipeline=PipelineRef(data["pipeline"][1], data["pipeline"][0]),
            occurred_at=times.parse(data["occurred_at"], "occurred_at"),
            edges=tuple((read(s), read(t)) for s, t in data["edges"]),
            columns=tuple(
                ColumnEdge(read(s), sc, read(t), tc, kind)
                for s, sc, t, tc, kind in data.get("columns", ())
            ),
            inputs=tuple(read(a) for a in data.get("inputs", ())),
            outputs=tuple(read(a) for a in data.get("outputs", ())),
            observed=bool(data.get("observed", False)),
        )


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What is known of an address itself: its columns, whole and in order, and its other names.

    ``columns`` None: not known; of several reports the one that occurred last. Aliases add up:
    symlinks, an asset's key, a name without its namespace; ``not_aliases`` takes some back.
    """

    address: Address
    occurred_at: datetime
    columns: tuple[Column, ...] | None = None
    aliases: tuple[Address, ...] = ()
    not_aliases: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "occurred_at", times.as_utc(self.occurred_at, "occurred_at"))
        if self.columns is not None:
            unique = {c.name: c for c in self.columns}
            if len(unique) > MAX_COLUMNS:
                raise InvalidReport(
                    f"{self.address} is reported with {len(unique)} columns; at most {MAX_COLUMNS} are kept"
                )
            object.__setattr__(self, "columns", tuple(unique.values()))
        for name in ("aliases", "not_aliases"):
            unique_names = {a.key: a for a in getattr(self, name) if a != self.address}
            object.__setattr__(self, name, tuple(unique_names[k] for k in sorted(unique_names)))

    @property
    def pipeline(self) -> None:
        """None: an address belongs to everybody."""
        return None

    @property
    def subject(self) -> tuple[object, ...]:
        """What this declares; of one address, columns and names may come from different moments."""
        return ("dataset", self.address.key, self.columns is None)

    @property
    def schema_hash(self) -> str:
        """sha256 of the canonical JSON of names and types, in order."""
        return content_hash([[c.name, c.type] for c in self.columns or ()])

    @property
    def content_hash(self) -> str:
        """sha256 of the canonical JSON of all that it says."""
        columns = None if self.columns is None else [[c.name, c.type] for c in self.columns]
        names = [[list(a.key) for a in side] for side in (self.aliases, self.not_aliases)]
        return content_hash([columns, *names])

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "report": "dataset",
            "address": self.address.to_json(),
            "occurred_at": times.isoformat(self.occurred_at),
        }
        if self.columns is not None:
            out["columns"] = [[c.name, c.type] for c in self.columns]
        for name in ("aliases", "not_aliases"):
            if addresses := getattr(self, name):
                out[name] = [a.to_json() for a in addresses]
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatasetReport:
        columns = data.get("columns")
        return cls(
            address=Address.from_json(data["address"]),
            occurred_at=times.parse(data["occurred_at"], "occurred_at"),
            columns=None if columns is None else tuple(Column(n, t) for n, t in columns),
            aliases=tuple(Address.from_json(a) for a in data.get("aliases", ())),
            not_aliases=tuple(Address.from_json(a) for a in data.get("not_aliases", ())),
        )


def standing(addresses: Iterable[Address]) -> Address:
    """Which of several names of the same data stands for all of them.

    A place in a store before an orchestrator's name for it, that before a name without a namespace
    (``default``); among equals the one that sorts first. So it depends on the names alone.
    """
    return min(addresses, key=lambda address: (_distance_from_data(address), address.key))


def standing_of(pairs: Iterable[tuple[Address, Address]]) -> dict[Address, Address]:
    """For every address that some pair calls the same as another: which one stands for it."""
    groups: dict[Address, frozenset[Address]] = {}
    for first, second in pairs:
        both = groups.get(first, frozenset((first,))) | groups.get(second, frozenset((second,)))
        groups.update(dict.fromkeys(both, both))
    stands = {same: standing(same) for same in set(groups.values())}
    return {address: stands[same] for address, same in groups.items()}


def _distance_from_data(address: Address) -> int:
    if address.namespace == "default":
        return 2
    group = Address(address.namespace, address.name).group_name
    return int(group in ("orchestrator", "other"))
