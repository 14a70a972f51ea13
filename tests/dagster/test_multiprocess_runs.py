"""Runs on the multiprocess executor: every step in a process of its own, one of them killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger_dagster import reconcile_run


def test_steps_of_a_multiprocess_run_are_recorded_with_their_attempts_and_a_killed_one(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    job = dg.reconstructable(kitchen.kitchen_job)
    with dg.execute_job(job, instance=instance, tags={"kill": "stumble"}) as result:
        assert result.success
        run_id = result.run_id

    rows = rows_of(ledger, run_id)
    assert (rows.run.name, rows.run.state.value, rows.run.state_detail) == (
        "kitchen",
        "success",
        "success",
    )
    assert rows.run.pipeline_type == "dagster_job"
    assert rows.states() == {
        ("kitchen.fan_out", 1): ("success", "success"),
        ("kitchen.double", 1): ("success", "success"),
        ("kitchen.add_up", 1): ("success", "success"),
        ("kitchen.stumble", 1): ("failed", "up_for_retry"),
        ("kitchen.stumble", 2): ("success", "success"),
        ("kitchen.nothing_to_do", 1): ("success", "success"),
        ("kitchen.never_runs", 1): ("skipped", "skipped"),
    }
    assert len(rows.of("kitchen.double")) == 2
    assert {s.attributes["step_key"] for s in rows.of("kitchen.double")} == {
        "double[k0]",
        "double[k1]",
    }
    killed, again = rows.of("kitchen.stumble")
    assert killed.error is not None and killed.error.type == "ChildProcessCrashException"
    assert again.previous == killed.run_key
    assert all(s.started_at and s.ended_at for s in rows.steps if s.state.value != "skipped")

    assert by_key(rows_of(rebuilt(run_id), run_id)) == by_key(rows)

    reconcile_run(instance, run_id)
    assert by_key(rows_of(ledger, run_id)) == by_key(rows)


def test_assets_of_a_multiprocess_run_are_recorded_with_rows_window_and_addresses(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    with dg.execute_job(dg.reconstructable(kitchen.landing_job), instance=instance) as result:
        assert result.success
        run_id = result.run_id

    rows = rows_of(ledger, run_id)
    flights = rows.one("flights")
    assert (flights.counts.inserts, flights.counts.total_rows) == (5, 42)
    assert flights.window is not None and flights.window.from_beginning
    assert [(str(use.address), use.rows) for use in flights.outputs] == [
        ("sqlite:///data/warehouse.db/flights", 42)
    ]
    (mark,) = ledger.read.watermarks("flights")
    assert mark.value == "2013-01-02"
    assert {str(use.address) for use in rows.one("delays").inputs} == {
        "sqlite:///data/warehouse.db/flights",
        "sqlite:///data/warehouse.db/planes",
    }

    rebuilt_ledger = rebuilt(run_id)
    assert by_key(rows_of(rebuilt_ledger, run_id)) == by_key(rows)
    assert rebuilt_ledger.watermark("flights").native is None


def test_a_killed_step_without_retries_fails_and_what_it_had_reported_is_kept(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    job = dg.reconstructable(kitchen.failing_job)
    with dg.execute_job(job, instance=instance, tags={"kill": "fails"}) as result:
        assert not result.success
        run_id = result.run_id

    rows = rows_of(ledger, run_id)
    assert (rows.run.state.value, rows.run.state_detail) == ("failed", "failure")
    assert rows.states() == {
        ("failing.one", 1): ("success", "success"),
        ("failing.fails", 1): ("failed", "failure"),
    }
    killed = rows.one("failing.fails")
    assert killed.error is not None and killed.error.type == "ChildProcessCrashException"
    assert killed.started_at is not None and killed.ended_at is not None
    assert by_key(rows_of(rebuilt(run_id), run_id)) == by_key(rows)


def test_steps_forked_from_a_server_record_into_postgresql(
    postgres_url: str,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", postgres_url)
    forkserver = {"multiprocess": {"start_method": {"forkserver": {}}}}
    job = dg.reconstructable(kitchen.landing_job)
    with dg.execute_job(
        job, instance=instance, run_config={"execution": {"config": forkserver}}
    ) as result:
        assert result.success
        run_id = result.run_id
    on_postgres = Ledger(postgres_url)
    rows = rows_of(on_postgres, run_id)
    assert rows.run.state.value == "success"
    assert {s.state.value for s in rows.steps} == {"success"} and len(rows.steps) == 3
    assert on_postgres.read.watermarks("flights")[0].value == "2013-01-02"
    pids = {s.attributes["pid"] for s in rows.steps if s.attributes}
    assert len(pids) == 3


def test_an_attempt_that_ends_before_it_starts_counts(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    rebuilt: Callable[[str], Ledger],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from projects import fragile

    monkeypatch.setenv("FRAGILE_FOLDER", str(tmp_path))
    with dg.execute_job(dg.reconstructable(fragile.fragile), instance=instance) as result:
        pass
    rows = rows_of(ledger, result.run_id)
    if int(dg.__version__.split(".")[1]) < 12:
        # Dagster 1.11 retries no step whose resources fail, and writes no end of it either.
        assert (rows.run.state.value, rows.steps) == ("failed", ())
        return
    assert result.success
    assert rows.states() == {
        ("fragile_job.use_fragile", 1): ("failed", "up_for_retry"),
        ("fragile_job.use_fragile", 2): ("success", "success"),
    }
    never_started, second = rows.of("fragile_job.use_fragile")
    assert never_started.started_at is None and never_started.ended_at is not None
    assert never_started.error is not None and never_started.error.message == "not yet"
    assert second.previous == never_started.run_key
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)
