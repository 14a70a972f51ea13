"""Dagster's own storages on PostgreSQL: one event log for all runs, where SQLite has one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger_dagster import Cursor, Options, reconcile


@pytest.fixture
def on_postgresql(
    tmp_path: Path, new_postgres_database: Callable[..., str], ledger: Ledger
) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance whose runs, events and schedules are in PostgreSQL."""
    home = tmp_path / "dagster"
    home.mkdir()
    storage = {"postgres": {"postgres_url": new_postgres_database()}}
    with dg.instance_for_test(temp_dir=str(home), overrides={"storage": storage}) as instance:
        yield instance


def test_rows_of_a_run_with_a_killed_step_equal_the_rebuilt_ones(
    ledger: Ledger,
    on_postgresql: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt_from: Callable[[dg.DagsterInstance, str], Ledger],
) -> None:
    job = dg.reconstructable(kitchen.kitchen_job)
    with dg.execute_job(job, instance=on_postgresql, tags={"kill": "stumble"}) as result:
        assert result.success
    rows = rows_of(ledger, result.run_id)
    assert rows.states()["kitchen.stumble", 1] == ("failed", "up_for_retry")
    assert rows.states()["kitchen.stumble", 2] == ("success", "success")
    assert by_key(rows_of(rebuilt_from(on_postgresql, result.run_id), result.run_id)) == by_key(
        rows
    )


def test_rows_of_assets_equal_the_rebuilt_ones(
    ledger: Ledger,
    on_postgresql: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt_from: Callable[[dg.DagsterInstance, str], Ledger],
) -> None:
    result = kitchen.all_assets_job().execute_in_process(instance=on_postgresql)
    rows = rows_of(ledger, result.run_id)
    assert len(rows.steps) == 5 and rows.one("flights").counts.total_rows == 42
    assert by_key(rows_of(rebuilt_from(on_postgresql, result.run_id), result.run_id)) == by_key(
        rows
    )


def test_ticks_read_every_run_once_and_go_on_where_they_stopped(
    ledger: Ledger, on_postgresql: dg.DagsterInstance
) -> None:
    @dg.op
    def one() -> int:
        return 1

    @dg.job
    def plain() -> None:
        one()

    ids = {plain.execute_in_process(instance=on_postgresql).run_id for _ in range(5)}
    tick = reconcile(on_postgresql, Options(), Cursor(), limit=3)
    assert (tick.runs, tick.has_more) == (3, True)
    while tick.has_more:
        tick = reconcile(on_postgresql, Options(), Cursor.parse(str(tick.cursor)), limit=3)
    found = ledger.read.executions(top_level=True).items
    assert {(str(view.run_key), view.state.value) for view in found} == {
        (run_id, "success") for run_id in ids
    }
    assert reconcile(on_postgresql, Options(), tick.cursor).runs == 0
