"""Failed and abandoned: the latest round of a pipeline, how many in a row, and what does not count."""

from __future__ import annotations

from uuid import UUID

from pipeledger.model.finding import Severity
from pipeledger.model.state import Authority, State
from pipeledger.model.watermark import Window
from pipeledger.monitoring.failures import MOST

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "failed"
FAILED, SUCCESS = State.FAILED, State.SUCCESS


def test_a_failure_is_found_with_its_reason_and_is_over_with_the_next_success(runs: Runs) -> None:
    key = runs.run("load", NOW - 2 * HOUR, NOW - HOUR, FAILED, error="no such table\norders")
    (failed,) = runs.found(CHECK)
    assert failed.message == "failed at 2026-03-10 11:00Z: ValueError: no such table orders"
    assert failed.severity is Severity.ERROR and failed.run_key == key
    runs.run("load", NOW - 30 * MINUTE)
    assert [f.id for f in runs.found(CHECK)] == [failed.id]
    runs.run("load", NOW - 20 * MINUTE, NOW - 10 * MINUTE)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_failures_in_a_row_are_one_finding_that_counts_and_becomes_critical(runs: Runs) -> None:
    ids = set()
    for n in range(1, 5):
        runs.run("load", NOW + n * HOUR, NOW + n * HOUR + MINUTE, FAILED)
        (failed,) = runs.found(CHECK, now=NOW + n * HOUR + 2 * MINUTE)
        ids.add(failed.id)
        assert failed.details["consecutive"] == n
        assert failed.severity is (Severity.CRITICAL if n >= 3 else Severity.ERROR)
    assert len(ids) == 1


def test_more_failures_than_are_looked_at_stay_one_finding(runs: Runs) -> None:
    for n in range(MOST + 10):
        runs.run("load", NOW + n * HOUR, NOW + n * HOUR + MINUTE, FAILED)
        if n % 10 == 0:
            (failed,) = runs.found(CHECK, now=NOW + n * HOUR + 2 * MINUTE)
            assert failed.id == 1
    (failed,) = runs.found(CHECK, now=NOW + (MOST + 20) * HOUR)
    assert failed.id == 1 and f"{MOST} or more times in a row" in failed.message


def test_a_try_that_will_be_tried_again_is_no_failure_yet(runs: Runs) -> None:
    parent = runs.run("dag", NOW - HOUR)
    first = runs.run(
        "dag.load", NOW - HOUR, NOW - 50 * MINUTE, FAILED, detail="up_for_retry", parent=parent
    )
    assert runs.found(CHECK) == []
    second = runs.run("dag.load", NOW - 40 * MINUTE, parent=parent, previous=first, attempt=2)
    assert runs.found(CHECK, now=NOW + MINUTE) == []
    runs.end("dag.load", second, NOW - 30 * MINUTE, FAILED)
    assert list(runs.messages(CHECK, now=NOW + 2 * MINUTE)) == ["dag.load"]


def test_a_rerun_counts_when_it_has_ended(runs: Runs) -> None:
    first = runs.run("load", NOW - 3 * HOUR, NOW - 2 * HOUR, FAILED)
    (failed,) = runs.found(CHECK)
    again = runs.run("load", NOW - HOUR, previous=first, attempt=2)
    assert [f.id for f in runs.found(CHECK, now=NOW + MINUTE)] == [failed.id]
    runs.end("load", again, NOW - MINUTE)
    assert runs.found(CHECK, now=NOW + 2 * MINUTE) == []


def test_one_failed_instance_of_a_mapped_task_is_not_hidden_by_the_others(runs: Runs) -> None:
    parent = runs.run("dag", NOW - HOUR, NOW)
    runs.run("dag.load", NOW - 50 * MINUTE, NOW - 49 * MINUTE, FAILED, parent=parent)
    for n in range(3):
        runs.run("dag.load", NOW - (48 - n) * MINUTE, NOW - 30 * MINUTE, parent=parent)
    said = runs.messages(CHECK)
    assert "(1 of 4 in that run)" not in said["dag.load"] and "failed at" in said["dag.load"]
    parent = runs.run("dag", NOW, NOW + HOUR)
    runs.run("dag.load", NOW + MINUTE, NOW + 2 * MINUTE, parent=parent)
    assert runs.found(CHECK, now=NOW + 2 * HOUR) == []


def test_partitions_fail_and_succeed_by_themselves(runs: Runs) -> None:
    runs.run("load", NOW - 4 * HOUR, NOW - 3 * HOUR, FAILED, window=Window(partition_key="north"))
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, SUCCESS, window=Window(partition_key="south"))
    (failed,) = runs.found(CHECK)
    assert failed.message.startswith("partition north failed")
    runs.run("load", NOW - HOUR, NOW, SUCCESS, window=Window(partition_key="north"))
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_skipped_run_says_nothing(runs: Runs) -> None:
    runs.run("load", NOW - 4 * HOUR, NOW - 3 * HOUR, FAILED)
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.SKIPPED)
    assert len(runs.found(CHECK)) == 1


def test_an_abandoned_run_is_found_and_taken_back_by_the_truth(runs: Runs) -> None:
    key = runs.run(
        "load", NOW - 4 * HOUR, NOW - 3 * HOUR, State.ABANDONED, authority=Authority.INFERRED
    )
    assert runs.messages(CHECK)["load"].startswith("abandoned at 2026-03-10 09:00Z")
    runs.end("load", key, NOW - 2 * HOUR)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_failure_that_was_delivered_late_is_found(runs: Runs) -> None:
    runs.check(CHECK, now=NOW)
    runs.run("load", NOW - 3 * DAY, NOW - 3 * DAY + MINUTE, FAILED, key=UUID(int=99))
    assert list(runs.messages(CHECK, now=NOW + MINUTE)) == ["load"]


def test_an_inactive_pipeline_does_not_matter(runs: Runs) -> None:
    runs.run("load", NOW - 3 * HOUR, NOW - 2 * HOUR, FAILED)
    assert len(runs.found(CHECK)) == 1
    runs.set("UPDATE pipeline SET active = :on WHERE name = 'load'", on=False)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_run_that_was_lost_before_it_could_start_is_found(runs: Runs) -> None:
    runs.run("load", NOW - 3 * HOUR, NOW - 2 * HOUR)
    runs.check(CHECK)
    lost = runs.ended("load", UUID(int=77), NOW + HOUR, FAILED, error="no worker took it")
    runs.recorder.record([lost])
    (failed,) = runs.found(CHECK, now=NOW + 2 * HOUR)
    assert failed.message == "failed at 2026-03-10 13:00Z: ValueError: no worker took it"
    runs.run("load", NOW + 3 * HOUR, NOW + 4 * HOUR)
    assert runs.found(CHECK, now=NOW + 5 * HOUR) == []
