"""Among findings that are told together, what explains the others is read first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.alerts.grouping import ordered
from pipeledger.model.address import Address
from pipeledger.model.finding import (
    FAILED,
    FRESHNESS,
    MISSING,
    SCHEMA,
    TIMELINESS,
    Finding,
    FindingState,
    Severity,
)
from pipeledger.model.lineage import DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State

from .receivers import Webhook
from .watched import HOUR, NOW, Watched, first_lines, route


def table(name: str) -> Address:
    return Address("postgres://dwh:5432", f"shop.public.{name}")


def moves(pipeline: str, *path: str) -> LineageReport:
    """The pipeline moves the data of each of these tables into the next."""
    pairs = tuple((table(a), table(b)) for a, b in pairwise(path))
    return LineageReport(PipelineRef(pipeline), NOW, pairs)


def ran(number: int, pipeline: str, parent: int | None = None) -> ExecutionReport:
    return ExecutionReport(
        UUID(int=number),
        NOW,
        pipeline=PipelineRef(pipeline),
        state=State.FAILED,
        started_at=NOW - HOUR,
        ended_at=NOW,
        parent=None if parent is None else UUID(int=parent),
    )


def told_first(watched: Watched, webhook: Webhook) -> list[str]:
    watched.send(route(webhook.url))
    return first_lines(str(webhook.accepted[-1]["message"]))


def test_the_failure_of_a_task_comes_before_that_of_the_run_it_is_part_of(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(ran(1, "nightly"), ran(2, "nightly.group", 1), ran(3, "nightly.load", 2))
    watched.record(ran(4, "unrelated"))
    for number, name in enumerate(("nightly", "nightly.group", "nightly.load", "unrelated"), 1):
        watched.opens(name, execution_id=watched.execution(UUID(int=number)))
    assert told_first(watched, webhook) == [
        "nightly.load: failed (failed, error)",
        "nightly.group: failed (failed, error)",
        "nightly: failed (failed, error)",
        "unrelated: failed (failed, error)",
    ]
    assert [line for line in webhook.accepted[-1]["message"].splitlines() if "follows" in line] == [
        "  follows from nightly.load: failed",
        "  follows from nightly.group: failed",
    ]


def test_what_writes_upstream_explains_what_is_missing_late_and_stale_downstream(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(moves("c_extract", "raw", "staged"), moves("b_load", "staged", "orders"))
    watched.record(moves("a_report", "orders", "report"), moves("other", "x", "y"))
    watched.record(DatasetReport(table("report"), NOW))
    watched.opens("a_report", MISSING, severity=Severity.CRITICAL)
    watched.opens("b_load", TIMELINESS)
    watched.opens("c_extract", FAILED)
    watched.opens("other", FAILED, subject="other")
    assert told_first(watched, webhook) == [
        "c_extract: failed (failed, error)",
        "b_load: late (timeliness, error)",
        "a_report: missing (missing, critical)",
        "other: failed (failed, error)",
    ]


def test_a_change_of_a_tables_schema_explains_the_failure_of_who_reads_it_under_another_name(
    watched: Watched, webhook: Webhook
) -> None:
    alias = Address("default", "orders")
    watched.record(moves("load", "staged", "orders"))
    watched.record(DatasetReport(table("orders"), NOW, aliases=(alias,)))
    watched.record(LineageReport(PipelineRef("report"), NOW, ((alias, table("report")),)))
    ids = watched.addresses()
    watched.opens("report", FAILED, since=NOW - 2 * HOUR)
    watched.opens("t", SCHEMA, address_alone=ids["shop.public.orders"])
    watched.opens("s", FRESHNESS, address_alone=ids["shop.public.report"], since=NOW - 3 * HOUR)
    orders, report = str(table("orders")), str(table("report"))
    assert told_first(watched, webhook) == [
        f"{orders}: schema changed (schema, error)",
        "report: failed (failed, error)",
        f"{report}: stale (freshness, error)",
    ]
    message = webhook.accepted[-1]["message"]
    assert f"follows from {orders}: schema changed" in message
    assert "follows from report: failed" in message


def test_what_a_task_of_the_run_writes_explains_what_is_downstream_of_the_run(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(ran(1, "nightly"), ran(2, "nightly.load", 1), moves("nightly.load", "raw", "t"))
    watched.record(moves("a_report", "t", "report"))
    watched.opens("nightly", execution_id=watched.execution(UUID(int=1)))
    watched.opens("a_report", MISSING, since=NOW - 2 * HOUR)
    assert told_first(watched, webhook)[0] == "nightly: failed (failed, error)"
    assert "follows from nightly: failed" in webhook.accepted[-1]["message"]


def test_a_failed_task_is_what_explains_and_not_the_run_it_is_part_of(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(ran(1, "nightly"), ran(2, "nightly.load", 1), moves("nightly.load", "raw", "t"))
    watched.record(moves("a_report", "t", "report"))
    for number, name in enumerate(("nightly", "nightly.load"), 1):
        watched.opens(name, execution_id=watched.execution(UUID(int=number)))
    watched.opens("a_report", MISSING)
    assert told_first(watched, webhook)[0] == "nightly.load: failed (failed, error)"
    assert webhook.accepted[-1]["message"].count("follows from nightly.load: failed") == 2


def test_a_failed_task_explains_its_run_though_the_run_also_writes_what_the_task_reads(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(ran(1, "nightly"), ran(2, "nightly.a", 1), ran(3, "nightly.b", 1))
    watched.record(moves("nightly.a", "raw", "staged"), moves("nightly.b", "staged", "orders"))
    watched.opens("nightly", execution_id=watched.execution(UUID(int=1)), since=NOW - 2 * HOUR)
    watched.opens("nightly.b", execution_id=watched.execution(UUID(int=3)))
    assert told_first(watched, webhook)[0] == "nightly.b: failed (failed, error)"


def test_where_pipelines_feed_each_other_the_one_that_began_first_is_the_root(
    watched: Watched, webhook: Webhook
) -> None:
    watched.record(moves("there", "a", "b"), moves("back", "b", "a"), moves("below", "b", "c"))
    watched.opens("below", since=NOW - 3 * HOUR)
    watched.opens("there", since=NOW - HOUR)
    watched.opens("back", since=NOW - 2 * HOUR)
    assert told_first(watched, webhook) == [
        "back: failed (failed, error)",
        "there: failed (failed, error)",
        "below: failed (failed, error)",
    ]


def finding(id_: int, minutes: int = 0, severity: Severity = Severity.ERROR) -> Finding:
    at: datetime = NOW + timedelta(minutes=minutes)
    return Finding(
        id_,
        FAILED,
        severity,
        FindingState.OPEN,
        "m",
        at,
        at,
        at,
        1,
        pipeline=PipelineRef(f"p{id_}"),
    )


pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(pairs, st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_every_finding_is_there_once_and_after_what_it_is_said_to_follow_from(
    explains: list[tuple[int, int]], minutes: list[int]
) -> None:
    findings = [finding(number, minutes[number]) for number in range(8)]
    places = ordered(findings, explains)
    order = [place.finding.id for place in places]
    assert sorted(order) == list(range(8))
    graph = nx.DiGraph([(a, b) for a, b in explains if a != b])
    graph.add_nodes_from(range(8))
    for place in places:
        if place.cause is None:
            continue
        assert nx.has_path(graph, place.cause.id, place.finding.id)
        assert order.index(place.cause.id) < order.index(place.finding.id)
    for id_ in range(8):
        if graph.in_degree(id_) == 0:
            assert places[order.index(id_)].cause is None, "nothing explains it"
        elif not any(
            id_ in nx.descendants(graph, root) for root in range(8) if graph.in_degree(root) == 0
        ):
            continue
        else:
            assert places[order.index(id_)].cause is not None


def test_the_worst_root_comes_first() -> None:
    mild, bad = finding(1), replace(finding(2), severity=Severity.CRITICAL)
    assert [p.finding.id for p in ordered([mild, bad], ())] == [2, 1]
