"""The laws of lineage in time: facts, aliases and closure are the reference model's and networkx's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole_ledger import emptied

from pipeledger.housekeeping.address_closure import rebuild, refresh
from pipeledger.housekeeping.session import in_transaction
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.lineage import (
    KINDS,
    WHOLE,
    Column,
    ColumnEdge,
    DatasetReport,
    LineageReport,
)
from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store import address_closure, lineage
from pipeledger.store.database import Connection, Database
from pipeledger.store.statement import Statement
from pipeledger.testing import ModelRecorder

EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
START = datetime(2024, 1, 1, tzinfo=timezone.utc)
LATER = START + timedelta(days=700)
TTL = timedelta(days=5)
ADDRESSES = [
    Address("postgres://dwh:5432", "shop.public.orders"),
    Address("postgres://dwh:5432", "shop.public.Orders"),
    Address("dagster", "orders"),
    Address("default", "orders"),
    Address("s3://bucket", "orders.parquet"),
]
PIPELINES = [PipelineRef("load"), PipelineRef("load", "team"), PipelineRef("report")]

moments = st.integers(0, 12).map(lambda day: START + timedelta(days=day))
addresses = st.sampled_from(ADDRESSES)
names = st.sampled_from(["id", "Id", "amount"])
edges = st.lists(st.tuples(addresses, addresses), max_size=4).map(tuple)
column_edges = st.lists(
    st.builds(
        ColumnEdge, addresses, names, addresses, names | st.just(WHOLE), st.sampled_from(KINDS)
    ),
    max_size=3,
).map(tuple)
some = st.lists(addresses, max_size=2).map(tuple)
observations = st.builds(
    LineageReport,
    pipeline=st.sampled_from(PIPELINES),
    occurred_at=moments,
    edges=edges,
    columns=column_edges,
    inputs=some,
    outputs=some,
    observed=st.just(True),
)
declarations = st.builds(
    LineageReport,
    pipeline=st.sampled_from(PIPELINES),
    occurred_at=moments,
    edges=edges,
    columns=column_edges,
    inputs=some,
    outputs=some,
)
datasets = st.builds(
    DatasetReport,
    address=addresses,
    occurred_at=moments,
    columns=st.none()
    | st.lists(st.builds(Column, names, st.none() | st.sampled_from(["int", "text"]))).map(tuple),
    aliases=some,
    not_aliases=some,
)


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    recorder = SqlRecorder(Database.parse(database_url), observed_for=TTL)
    yield recorder
    recorder.close()


def rows(recorder: SqlRecorder, sql: str, **parameters: Any) -> set[tuple[Any, ...]]:
    connection = recorder._connection
    assert connection is not None
    found = set(connection.rows(Statement(sql), parameters))
    connection.rollback()
    return found


def moment_of(recorder: SqlRecorder, at: datetime) -> str | None:
    connection = recorder._connection
    assert isinstance(connection, Connection)
    return connection.time(at)


_NAMED = (
    " FROM {table} f JOIN pipeline p ON p.id = f.pipeline_id JOIN namespace n ON n.id = p.namespace_id"
    " {joins} WHERE f.began_at <= :at AND f.ended_at > :at"
)
_ENDS = "JOIN address s ON s.id = f.source_address_id JOIN address t ON t.id = f.target_address_id"
_EDGES = "SELECT n.name, p.name, s.namespace, s.name, t.namespace, t.name" + _NAMED.format(
    table="lineage_edge", joins=_ENDS
)
_COLUMNS = (
    "SELECT n.name, p.name, s.namespace, s.name, f.source_column, t.namespace, t.name,"
    " f.target_column, f.kind" + _NAMED.format(table="lineage_column_edge", joins=_ENDS)
)
_USES = "SELECT n.name, p.name, s.namespace, s.name, f.role" + _NAMED.format(
    table="pipeline_address", joins="JOIN address s ON s.id = f.address_id"
)


def in_database(recorder: SqlRecorder, at: datetime) -> dict[str, set[tuple[Any, ...]]]:
    at_ = moment_of(recorder, at)
    return {
        "edges": rows(recorder, _EDGES, at=at_),
        "columns": rows(recorder, _COLUMNS, at=at_),
        "uses": rows(recorder, _USES, at=at_),
    }


def in_model(model: ModelRecorder, at: datetime) -> dict[str, set[tuple[Any, ...]]]:
    held = [(ref, report) for ref, found in model.lineage(at).items() for report in found]
    return {
        "edges": {(r.namespace, r.name, *s.key, *t.key) for r, x in held for s, t in x.edges},
        "columns": {(r.namespace, r.name, *c.key) for r, x in held for c in x.columns},
        "uses": {(r.namespace, r.name, *a.key, role) for r, x in held for a, role in x.uses},
    }


def every_moment() -> Iterator[datetime]:
    for day in range(-1, 20):
        yield START + timedelta(days=day)
        yield START + timedelta(days=day, hours=12)


@EXAMPLES
@given(data=st.data())
def test_lineage_at_every_moment_is_that_of_the_declaration_in_force_in_every_order(
    recorder: SqlRecorder, data: st.DataObject
) -> None:
    """Declarations that differ from one another, each at a moment of its own."""
    drawn = data.draw(
        st.lists(
            declarations, max_size=6, unique_by=(lambda r: r.occurred_at, lambda r: r.content_hash)
        )
    )
    again = data.draw(st.lists(st.sampled_from(drawn), max_size=3)) if drawn else []
    shuffled = data.draw(st.permutations([*drawn, *again]))
    cut = data.draw(st.integers(0, len(shuffled)))
    model, sql = ModelRecorder(TTL), emptied(recorder)
    model.record(drawn)
    sql.record(shuffled[:cut])
    for report in shuffled[cut:]:
        sql.record([report])
    for at in every_moment():
        assert in_database(sql, at) == in_model(model, at), at


@EXAMPLES
@given(reports=st.lists(st.one_of(declarations, observations), max_size=8), data=st.data())
def test_lineage_at_every_moment_is_the_models_where_declarations_come_in_order(
    recorder: SqlRecorder, reports: list[LineageReport], data: st.DataObject
) -> None:
    """With repetitions and observations, which come in any order."""
    declared = sorted(
        (r for r in reports if not r.observed), key=lambda r: (r.occurred_at, r.content_hash)
    )
    order = iter(declared)
    shuffled = [r if r.observed else next(order) for r in data.draw(st.permutations(reports))]
    model, sql = ModelRecorder(TTL), emptied(recorder)
    for report in shuffled:
        model.record([report])
        sql.record([report])
    for at in every_moment():
        assert in_database(sql, at) == in_model(model, at), at


@EXAMPLES
@given(reports=st.lists(observations, max_size=6), data=st.data())
def test_what_runs_observed_adds_up_to_one_result_in_every_order(
    recorder: SqlRecorder, reports: list[LineageReport], data: st.DataObject
) -> None:
    sql = emptied(recorder)
    sql.record(reports)
    named = (
        "SELECT s.namespace, s.name, t.namespace, t.name, f.began_at, f.ended_at, f.last_seen_at,"
        f" f.pipeline_id > 0 FROM lineage_edge f {_ENDS}"
    )
    together = rows(sql, named)
    sql = emptied(recorder)
    for report in data.draw(st.permutations([*reports, *reports[:2]])):
        sql.record([report])
    assert rows(sql, named) == together


def standing_in_database(recorder: SqlRecorder) -> dict[tuple[str, str], tuple[str, str]]:
    found = rows(
        recorder,
        "SELECT a.namespace, a.name, s.namespace, s.name FROM address a"
        " JOIN address s ON s.id = a.same_as_id",
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in found}


_POINTERS = (
    "SELECT s.namespace, s.name, ss.namespace, ss.name, t.namespace, t.name, tt.namespace, tt.name"
    f" FROM {{}} f {_ENDS} JOIN address ss ON ss.id = f.source_id"
    " JOIN address tt ON tt.id = f.target_id"
)


@EXAMPLES
@given(
    reports=st.lists(st.one_of(datasets, declarations, observations), max_size=8), data=st.data()
)
def test_every_fact_names_the_address_that_stands_for_its_own_in_every_order(
    recorder: SqlRecorder, reports: list[Any], data: st.DataObject
) -> None:
    model, sql = ModelRecorder(TTL), emptied(recorder)
    model.record(reports)
    for report in data.draw(st.permutations([*reports, *reports[:2]])):
        sql.record([report])
    stands = {a.key: s.key for a, s in model.standing().items()}
    assert standing_in_database(sql) == {a: s for a, s in stands.items() if a != s}
    for table in ("lineage_edge", "lineage_column_edge"):
        for row in rows(sql, _POINTERS.format(table)):
            source, source_stands, target, target_stands = (row[i : i + 2] for i in range(0, 8, 2))
            assert source_stands == stands.get(source, source)
            assert target_stands == stands.get(target, target)
    uses = (
        "SELECT a.namespace, a.name, s.namespace, s.name FROM pipeline_address f"
        " JOIN address a ON a.id = f.address_id JOIN address s ON s.id = f.same_id"
    )
    for row in rows(sql, uses):
        assert row[2:] == stands.get(row[:2], row[:2])


_SCHEMA = (
    "SELECT a.namespace, a.name, c.ordinal, c.name, c.data_type FROM address_column c"
    " JOIN address a ON a.id = c.address_id WHERE c.ended_at > :at"
)


@EXAMPLES
@given(reports=st.lists(datasets, max_size=6), data=st.data())
def test_the_columns_of_an_address_are_those_reported_last_in_every_order(
    recorder: SqlRecorder, reports: list[DatasetReport], data: st.DataObject
) -> None:
    model, sql = ModelRecorder(TTL), emptied(recorder)
    model.record(reports)
    sql.record([])
    for report in data.draw(st.permutations([*reports, *reports[:2]])):
        sql.record([report])
    expected = {
        (*address.key, place, column.name, column.type or "")
        for address in ADDRESSES
        for place, column in enumerate(model.schema(address), 1)
    }
    last = moment_of(sql, LATER)
    assert rows(sql, _SCHEMA, at=last) == expected


def closure_in_database(recorder: SqlRecorder) -> dict[tuple[Any, ...], int]:
    found = rows(
        recorder,
        "SELECT s.namespace, s.name, t.namespace, t.name, c.depth FROM address_lineage_closure c"
        " JOIN address s ON s.id = c.source_address_id JOIN address t ON t.id = c.target_address_id",
    )
    return {row[:4]: row[4] for row in found}


def closure_of(model: ModelRecorder, cutoff: int | None = None) -> dict[tuple[Any, ...], int]:
    stands = model.standing()
    graph: nx.DiGraph[Address] = nx.DiGraph()
    for reports in model.lineage(LATER).values():
        for report in reports:
            graph.add_edges_from((stands.get(s, s), stands.get(t, t)) for s, t in report.edges)
    lengths = nx.all_pairs_shortest_path_length(graph, cutoff=cutoff)
    return {(*s.key, *t.key): n for s, found in lengths for t, n in found.items()}


@EXAMPLES
@given(reports=st.lists(st.one_of(declarations, declarations, datasets), max_size=8))
def test_the_closure_of_addresses_is_reachability_after_every_change(
    recorder: SqlRecorder, reports: list[Any]
) -> None:
    model, sql = ModelRecorder(), emptied(recorder)
    for report in reports:
        model.record([report])
        sql.record([report])
        assert closure_in_database(sql) == closure_of(model)


@EXAMPLES
@given(
    reports=st.lists(st.one_of(declarations, declarations, datasets), max_size=6),
    depth=st.integers(1, 3),
)
def test_a_rebuilt_closure_is_reachability_to_its_depth(
    recorder: SqlRecorder, reports: list[Any], depth: int
) -> None:
    model, sql = ModelRecorder(), emptied(recorder)
    model.record(reports)
    sql.record(reports)
    connection = sql._connection
    assert connection is not None
    for whole_below, cutoff in ((1, depth), (100, None)):
        rebuild(connection, LATER, whole_below, depth)
        expected = closure_of(model, cutoff)
        assert closure_in_database(sql) == expected
        state = rows(sql, "SELECT depth, is_behind FROM address_lineage_closure_state")
        is_empty = rows(sql, "SELECT count(*) FROM address") == {(0,)}
        assert state == {(None if is_empty else cutoff, False)}


def test_a_change_that_touches_many_pairs_leaves_the_closure_behind_until_it_is_rebuilt(
    recorder: SqlRecorder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_closure, "MOST_PAIRS", 3)
    chain = tuple(pairwise(ADDRESSES))
    recorder.record([LineageReport(PIPELINES[0], START, chain[:1])])
    recorder.record([LineageReport(PIPELINES[1], START, chain)])
    assert _is_behind(recorder)
    recorder.record([LineageReport(PIPELINES[2], START, chain[2:])])  # leaves it as it is
    assert len(closure_in_database(recorder)) < 15
    assert refresh(Database.parse(database_url))
    assert not _is_behind(recorder)
    assert len(closure_in_database(recorder)) == 15
    assert not refresh(Database.parse(database_url))


def test_an_edge_that_changes_during_a_rebuild_leaves_the_closure_behind(
    recorder: SqlRecorder, database_url: str
) -> None:
    chain = tuple(pairwise(ADDRESSES))
    recorder.record([LineageReport(PIPELINES[0], START, chain[:2])])
    connection = recorder._connection
    assert connection is not None
    step = in_transaction(connection, lambda c: address_closure.begin_rebuild(c, LATER, 100, 3))
    recorder.record([LineageReport(PIPELINES[1], START, chain)])
    assert in_transaction(connection, lambda c: address_closure.go_on(c, step, LATER)) is None
    assert _is_behind(recorder)
    refresh(Database.parse(database_url))
    assert len(closure_in_database(recorder)) == 15


def test_what_was_observed_long_ago_leaves_the_closure_with_the_next_refresh(
    recorder: SqlRecorder, database_url: str
) -> None:
    edge = (ADDRESSES[0], ADDRESSES[4])
    recorder.record([LineageReport(PIPELINES[0], times.now(), (edge,), observed=True)])
    assert len(closure_in_database(recorder)) == 3
    database = Database.parse(database_url)
    assert not refresh(database)
    assert refresh(database, now=times.now() + TTL)
    assert closure_in_database(recorder) == {}


def _is_behind(recorder: SqlRecorder) -> bool:
    ((behind,),) = rows(recorder, "SELECT is_behind FROM address_lineage_closure_state")
    return bool(behind)


recently = st.integers(0, 6).map(lambda days: times.now() - timedelta(days=days))


@EXAMPLES
@given(reports=st.lists(observations, max_size=6), data=st.data())
def test_what_is_seen_again_holds_as_long_as_if_all_of_it_were_read(
    recorder: SqlRecorder, reports: list[LineageReport], data: st.DataObject
) -> None:
    """The short way for what is there already leaves the rows that the long way leaves."""
    seen = [replace(report, occurred_at=data.draw(recently)) for report in reports]
    again = [*seen, *(data.draw(st.lists(st.sampled_from(seen), max_size=4)) if seen else [])]
    named = (
        "SELECT s.namespace, s.name, t.namespace, t.name, p.name, f.began_at, f.ended_at,"
        f" f.last_seen_at FROM {{}} f {_ENDS} JOIN pipeline p ON p.id = f.pipeline_id"
    )
    held = []
    for way in (lineage.extend, lambda *_: False):
        sql = emptied(recorder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lineage, "extend", way)
            for report in again:
                sql.record([report])
        held.append([rows(sql, named.format(t)) for t in ("lineage_edge", "lineage_column_edge")])
    assert held[0] == held[1]


def test_what_is_seen_again_is_neither_read_nor_locked(
    recorder: SqlRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = (ADDRESSES[0], ADDRESSES[4])
    first, second = times.now() - timedelta(days=2), times.now() - timedelta(days=1)
    recorder.record([LineageReport(PIPELINES[0], first, (edge,), observed=True)])
    monkeypatch.setattr(lineage, "save", None)
    recorder.record([LineageReport(PIPELINES[0], second, (edge,), observed=True)])
    spans = rows(recorder, "SELECT began_at, ended_at, last_seen_at FROM lineage_edge")
    ((_, ended, seen),) = spans
    assert (str(ended)[:16], str(seen)[:16]) == (str(second + TTL)[:16], str(second)[:16])
