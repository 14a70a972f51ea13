"""Queries drawn from a small grammar, whose lineage is known as they are built."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeledger.sql import Limits, parse

PATIENT = Limits(seconds=3600)

Column = tuple[str, str]
"""A stored column: table, column."""


@dataclass
class Query:
    """SQL text, each of its columns with its sources, and what it reads."""

    text: str
    columns: dict[str, frozenset[Column]]
    tables: frozenset[str]
    influences: frozenset[Column] = frozenset()


@dataclass
class Names:
    """Names that are used once."""

    number: count[int] = field(default_factory=count)

    def __call__(self, kind: str) -> str:
        return f"{kind}{next(self.number)}"


@dataclass
class Source:
    """An item of FROM: its text with an alias, and what its columns come from."""

    alias: str
    text: str
    columns: dict[str, frozenset[Column]]
    tables: frozenset[str]
    influences: frozenset[Column]


def table(draw: st.DrawFn, names: Names) -> Source:
    name, alias = draw(st.sampled_from(["raw.a", "raw.b", "c"])), names("t")
    columns = {c: frozenset({(name, c)}) for c in ("x", "y", "z")}
    return Source(alias, f"{name} AS {alias}", columns, frozenset({name}), frozenset())


def source(draw: st.DrawFn, names: Names, depth: int, ctes: dict[str, Query]) -> Source:
    kinds = ["table", "table"] + (["subquery"] if depth else []) + (["cte"] if ctes else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "table":
        return table(draw, names)
    alias = names("q")
    if kind == "cte":
        name = draw(st.sampled_from(sorted(ctes)))
        query = ctes[name]
        return Source(alias, f"{name} AS {alias}", query.columns, query.tables, query.influences)
    query = select(draw, names, depth - 1, ctes)
    return Source(
        alias, f"({query.text}) AS {alias}", query.columns, query.tables, query.influences
    )


def expression(
    draw: st.DrawFn, names: Names, depth: int, found: list[Source], ctes: dict[str, Query]
) -> tuple[str, frozenset[Column], frozenset[str], frozenset[Column]]:
    """Text, sources, tables read in it, influences in it."""
    nothing: tuple[frozenset[str], frozenset[Column]] = (frozenset(), frozenset())
    forms = ["column", "column", "literal"]
    forms += ["binary", "case", "call", "window", "scalar"] if depth else []
    form = draw(st.sampled_from(forms))
    if form == "literal":
        return (draw(st.sampled_from(["1", "'a.x'", "NULL"])), frozenset(), *nothing)
    if form == "column":
        one = draw(st.sampled_from(found))
        name = draw(st.sampled_from(sorted(one.columns)))
        return (f"{one.alias}.{name}", one.columns[name], *nothing)
    if form == "scalar":
        query = select(draw, names, depth - 1, ctes, width=1)
        (sources,) = query.columns.values()
        return (f"({query.text})", sources, query.tables, query.influences)
    parts = [expression(draw, names, depth - 1, found, ctes) for _ in range(2)]
    (a, *_), (b, *_) = parts
    text = {
        "binary": f"({a} || {b})",
        "case": f"CASE WHEN {a} = 1 THEN {b} END",
        "call": f"coalesce({a}, upper({b}))",
        "window": f"max({a}) OVER (PARTITION BY {b})",
    }[form]
    return (
        text,
        frozenset().union(*(p[1] for p in parts)),
        frozenset().union(*(p[2] for p in parts)),
        frozenset().union(*(p[3] for p in parts)),
    )


def select(
    draw: st.DrawFn, names: Names, depth: int, ctes: dict[str, Query], width: int = 0
) -> Query:
    found = [source(draw, names, depth, ctes) for _ in range(draw(st.integers(1, 3)))]
    tables = frozenset().union(*(s.tables for s in found))
    influences = frozenset().union(*(s.influences for s in found))
    columns: dict[str, frozenset[Column]] = {}
    items = []
    for _ in range(width or draw(st.integers(1, 3))):
        text, sources, more, within = expression(draw, names, depth, found, ctes)
        name = names("o")
        columns[name] = sources
        tables |= more
        influences |= within
        items.append(f"{text} AS {name}")
    joined = found[0].text
    for one in found[1:]:
        text, sources, more, within = expression(draw, names, depth, [*found[:1], one], ctes)
        joined += f" JOIN {one.text} ON {text} = 1"
        influences |= sources | within
        tables |= more
    out = f"SELECT {', '.join(items)} FROM {joined}"
    if draw(st.booleans()):
        text, sources, more, within = expression(draw, names, depth, found, ctes)
        out += f" WHERE {text} = 1"
        influences |= sources | within
        tables |= more
    query = Query(out, columns, tables, influences)
    if depth and draw(st.booleans()):
        other = select(draw, names, depth - 1, ctes, width=len(columns))
        pairs = zip(columns, other.columns.values(), strict=True)
        query = Query(
            f"{out} UNION ALL {other.text}",
            {name: columns[name] | sources for name, sources in pairs},
            tables | other.tables,
            influences | other.influences,
        )
    return query


@st.composite
def statements(draw: st.DrawFn) -> Query:
    names = Names()
    ctes: dict[str, Query] = {}
    for _ in range(draw(st.integers(0, 2))):
        ctes[names("w")] = select(draw, names, 1, dict(ctes))
    body = select(draw, names, 2, ctes)
    if not ctes:
        return body
    heads = ", ".join(f"{name} AS ({query.text})" for name, query in ctes.items())
    tables = body.tables.union(*(q.tables for q in ctes.values()))
    return Query(f"WITH {heads} {body.text}", body.columns, tables, body.influences)


@settings(max_examples=100, deadline=None)
@given(statements())
def test_a_query_has_the_lineage_that_it_was_built_with(query: Query) -> None:
    script = parse(f"CREATE TABLE out.t AS {query.text}", limits=PATIENT)
    assert not script.partial
    assert {str(t) for t in script.inputs} == query.tables
    edges = script.column_edges
    assert {
        (e.target_column, str(e.source), e.source_column) for e in edges if not e.kind.is_influence
    } == {(name, *ref) for name, sources in query.columns.items() for ref in sources}
    assert {
        (str(e.source), e.source_column) for e in edges if e.kind.is_influence
    } == query.influences


@settings(max_examples=50, deadline=None)
@given(statements())
def test_a_temporary_table_in_between_changes_nothing(query: Query) -> None:
    whole = parse(f"CREATE TABLE out.t AS {query.text}", limits=PATIENT)
    names = ", ".join(query.columns)
    steps = parse(
        f"CREATE TEMP TABLE u AS {query.text}; CREATE TABLE out.t AS SELECT {names} FROM u"
    )
    assert set(steps.column_edges) == set(whole.column_edges)
    assert set(steps.edges) == set(whole.edges)
