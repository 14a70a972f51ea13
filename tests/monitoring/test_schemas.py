"""Schema changes: what came, went or changed its type, who is downstream, and when it is over."""

from __future__ import annotations

from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.finding import Severity
from pipeledger.model.lineage import Column, DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.monitoring.schemas import NEWS

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "schema"
ORDERS = Address("postgres://dwh:5432", "sales.public.orders")
REPORT = Address("postgres://dwh:5432", "sales.public.report")


def has(runs: Runs, at: datetime, **columns: str | None) -> None:
    listed = tuple(Column(name, type_) for name, type_ in columns.items())
    runs.recorder.record([DatasetReport(ORDERS, at, listed)])


def test_a_first_schema_is_no_change_and_neither_is_another_order(runs: Runs) -> None:
    has(runs, NOW - DAY, id="int", total="numeric")
    has(runs, NOW - HOUR, total="numeric", id="int")
    assert runs.found(CHECK) == []


def test_a_change_is_found_with_its_difference(runs: Runs) -> None:
    has(runs, NOW - DAY, id="int", total="numeric", note="text")
    has(runs, NOW - HOUR, id="bigint", total="numeric", country="text")
    (changed,) = runs.found(CHECK)
    assert changed.address == ORDERS and changed.severity is Severity.WARNING
    assert changed.message == (
        "added country, removed note, id from int to bigint 2026-03-10 11:00Z"
    )
    assert changed.details["changed"] == {"id": {"from": "int", "to": "bigint"}}


def test_who_is_downstream_is_said_and_a_column_that_went_is_an_error(runs: Runs) -> None:
    runs.recorder.record([LineageReport(PipelineRef("b"), NOW - 9 * DAY, ((ORDERS, REPORT),))])
    has(runs, NOW - DAY, id="int", total="numeric")
    has(runs, NOW - HOUR, id="int")
    (changed,) = runs.found(CHECK)
    assert changed.severity is Severity.ERROR
    assert changed.message.endswith("removed total 2026-03-10 11:00Z; 1 address downstream")
    assert changed.details["downstream"] == [str(REPORT)]


def test_a_change_is_over_when_it_is_changed_back_or_has_become_usual(runs: Runs) -> None:
    has(runs, NOW - 2 * DAY, id="int", total="numeric")
    has(runs, NOW - DAY, id="int")
    assert len(runs.found(CHECK)) == 1
    assert runs.found(CHECK, now=NOW + NEWS) == []
    has(runs, NOW - HOUR, id="int", total="numeric")
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_type_that_becomes_known_is_no_change(runs: Runs) -> None:
    has(runs, NOW - DAY, id=None)
    has(runs, NOW - HOUR, id="int")
    assert runs.found(CHECK) == []


def test_a_schema_that_was_delivered_late_is_found_where_it_belongs(runs: Runs) -> None:
    has(runs, NOW - 3 * DAY, id="int")
    runs.check(CHECK)
    has(runs, NOW - 2 * DAY, id="int", total="numeric")
    (changed,) = runs.found(CHECK, now=NOW + MINUTE)
    assert changed.since == NOW - 2 * DAY
