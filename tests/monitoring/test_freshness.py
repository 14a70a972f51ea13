"""Freshness: by the last change of data, by the watermark, and of an address by all who write it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, Threshold
from pipeledger.model.watermark import WatermarkValue, Window
from pipeledger.monitoring.expect import expect

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "freshness"
ORDERS = Address("postgres://dwh:5432", "sales.public.orders")
REPORT = Address("postgres://dwh:5432", "sales.public.report")


def loads(runs: Runs, name: str, end: datetime, **more: Any) -> None:
    runs.run(name, end - MINUTE, end, rows=10, **more)


def test_a_pipeline_is_stale_when_its_last_change_is_older_than_allowed(runs: Runs) -> None:
    runs.declare("load", freshness=Threshold(1, "day"))
    loads(runs, "load", NOW - DAY)
    assert runs.found(CHECK, now=NOW) == []
    (stale,) = runs.found(CHECK, now=NOW + MINUTE)
    assert stale.message == "nothing loaded since 2026-03-09 12:00Z; allowed 1 day"
    assert stale.since == NOW
    loads(runs, "load", NOW + HOUR)
    assert runs.found(CHECK, now=NOW + 2 * HOUR) == []
    (again,) = runs.found(CHECK, now=NOW + 2 * DAY)
    assert again.id != stale.id


def test_a_run_that_changes_nothing_is_no_load(runs: Runs) -> None:
    runs.declare("load", freshness=Threshold(1, "day"))
    loads(runs, "load", NOW - 2 * DAY)
    runs.run("load", NOW - HOUR, NOW - MINUTE, rows=0)
    assert len(runs.found(CHECK)) == 1


def test_a_pipeline_that_never_loaded_is_stale_from_its_registration_on(runs: Runs) -> None:
    runs.declare("load", at=NOW - 3 * DAY, freshness=Threshold(2, "day"))
    (stale,) = runs.found(CHECK)
    assert stale.message == (
        "nothing loaded since it was registered 2026-03-07 12:00Z; allowed 2 days"
    )
    assert stale.since == NOW - DAY


def test_precedence_mutes_and_switched_off_pipelines(runs: Runs) -> None:
    for name, type_, own in (
        ("own", "t", Threshold(1, "week")),
        ("of_type", "t", None),
        ("muted", "t", None),
        ("of_muted_type", "quiet", Threshold(1, "hour")),
        ("inactive", "t", None),
    ):
        runs.declare(name, at=NOW - 2 * DAY, type=type_, freshness=own)
    runs.set(
        "UPDATE pipeline_type SET freshness_number = 1, freshness_datepart = 'day' WHERE name = 't'"
    )
    runs.set("UPDATE pipeline_type SET mute_freshness_check = :on WHERE name = 'quiet'", on=True)
    runs.set("UPDATE pipeline SET mute_freshness_check = :on WHERE name = 'muted'", on=True)
    runs.set("UPDATE pipeline SET active = :on WHERE name = 'inactive'", on=False)
    assert list(runs.messages(CHECK)) == ["of_type"]


def test_an_address_is_as_fresh_as_the_newest_of_its_writers(runs: Runs) -> None:
    for name in ("batch", "stream"):
        runs.recorder.record([LineageReport(PipelineRef(name), NOW - 9 * DAY, outputs=(ORDERS,))])
    loads(runs, "batch", NOW - 3 * DAY)
    loads(runs, "stream", NOW - HOUR)
    expect(runs.database, ORDERS, freshness=Threshold(1, "day"), now=NOW - 9 * DAY)
    assert runs.found(CHECK) == []
    (stale,) = runs.found(CHECK, now=NOW + 2 * DAY)
    assert stale.address == ORDERS and stale.pipeline is None
    assert stale.message == "no pipeline has written to it since 2026-03-10 11:00Z; allowed 1 day"
    expect(runs.database, ORDERS, now=NOW)
    assert runs.found(CHECK, now=NOW + 3 * DAY) == []


def test_an_address_that_nobody_writes_is_stale_since_it_is_watched(runs: Runs) -> None:
    expect(runs.database, ORDERS, freshness=Threshold(1, "day"), now=NOW - 2 * DAY)
    (stale,) = runs.found(CHECK)
    assert "since it is watched, 2026-03-08 12:00Z" in stale.message


def moved(runs: Runs, name: str, up_to: datetime) -> None:
    window = Window(upper=WatermarkValue.of(up_to), from_beginning=True)
    runs.run(name, NOW - HOUR, NOW - MINUTE, window=window)


def test_a_time_watermark_may_only_become_so_old(runs: Runs) -> None:
    runs.declare("load", watermark_kind="time", completeness=Threshold(2, "day"))
    moved(runs, "load", NOW - DAY)
    assert runs.found(CHECK) == []
    (behind,) = runs.found(CHECK, now=NOW + DAY + MINUTE)
    assert behind.message == "complete only up to 2026-03-09 12:00Z; allowed 2 days behind"


def test_an_address_is_complete_as_far_as_what_is_upstream_of_it(runs: Runs) -> None:
    source = Address("postgres://app:5432", "shop.orders")
    for name, inputs, outputs in (("load", source, ORDERS), ("build", ORDERS, REPORT)):
        runs.declare(name, watermark_kind="time")
        runs.recorder.record(
            [LineageReport(PipelineRef(name), NOW - 9 * DAY, edges=((inputs, outputs),))]
        )
    moved(runs, "load", NOW - 3 * DAY)
    moved(runs, "build", NOW - HOUR)
    expect(runs.database, REPORT, completeness=Threshold(1, "day"), now=NOW - 9 * DAY)
    (behind,) = runs.found(CHECK)
    assert behind.message == (
        "complete only up to 2026-03-07 12:00Z, held back by load; allowed 1 day behind"
    )
    moved(runs, "load", NOW - MINUTE)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_watchers_log_is_there_to_be_queried(runs: Runs) -> None:
    runs.declare("load", freshness=Threshold(1, "day"))
    loads(runs, "load", NOW - 3 * DAY)
    runs.check(CHECK)
    rows = runs.query(
        "SELECT p.name, l.freshness_number, l.freshness_datepart, l.last_dml_timestamp"
        " FROM freshness_pipeline_log l JOIN pipeline p ON p.id = l.pipeline_id"
    )
    assert [tuple(row)[:3] for row in rows] == [("load", 1, "day")]
    assert str(rows[0][3]).startswith("2026-03-07")
