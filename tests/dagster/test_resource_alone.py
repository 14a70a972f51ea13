"""``PipeledgerResource`` without ``watch``: the steps that require it are recorded."""

from collections.abc import Callable
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger_dagster import build_reconcile_sensor


@pytest.fixture
def alone() -> ModuleType:
    from projects import alone

    return alone


def test_steps_that_require_it_are_recorded_and_the_sensor_adds_the_rest(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    alone: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    with dg.execute_job(dg.reconstructable(alone.mixed_job), instance=instance) as result:
        assert result.success
        run_id = result.run_id
    rows = rows_of(ledger, run_id)
    assert rows.states() == {("with_it", 1): ("success", "success")}
    assert (rows.run.name, rows.run.state.value, rows.run.pipeline_type) == (
        "mixed",
        "running",
        "dagster_job",
    )
    assert rows.run.started_at is not None
    assert rows.one("with_it").counts.inserts == 2
    assert ledger.watermark("with_it").native == 17

    context = dg.build_sensor_context(
        instance=instance,
        resources=alone.defs.resources,
        repository_def=alone.defs.get_repository_def(),
    )
    tick = build_reconcile_sensor().evaluate_tick(context)
    assert tick.skip_message is not None and tick.cursor is not None
    rows = rows_of(ledger, run_id)
    assert rows.run.state.value == "success"
    assert {name for name, _ in rows.states()} == {"with_it", "without_it"}
    assert ledger.watermark("with_it").native == 17
    assert by_key(rows_of(rebuilt(run_id), run_id)) == by_key(rows)


def test_in_one_process_one_requiring_step_is_enough_for_the_whole_run(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    alone: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    result = alone.mixed_job().execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert rows.run.state.value == "success"
    assert {name for name, _ in rows.states()} == {"with_it", "without_it"}
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)
