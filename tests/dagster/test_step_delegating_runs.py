"""Runs whose executor hands each step to something else: Kubernetes, Docker, Celery."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger


def test_steps_on_a_step_delegating_executor_are_recorded_and_one_that_died_has_failed(
    ledger: Ledger, instance: dg.DagsterInstance, rebuilt: Callable[[str], Ledger]
) -> None:
    from projects import delegating

    with dg.execute_job(dg.reconstructable(delegating.delegated_job), instance=instance) as result:
        assert not result.success
    rows = rows_of(ledger, result.run_id)
    assert (rows.run.state.value, rows.run.state_detail) == ("failed", "failure")
    assert rows.states() == {
        ("delegated.first", 1): ("success", "success"),
        ("delegated.stumbles", 1): ("failed", "up_for_retry"),
        ("delegated.stumbles", 2): ("success", "success"),
        ("delegated.dies", 1): ("failed", "failure"),
    }
    died = rows.one("delegated.dies")
    assert died.error is not None and "ended with -9" in died.error.message
    assert died.started_at is not None and died.ended_at is not None
    pids = {s.attributes["pid"] for s in rows.steps if s.attributes}
    assert len(pids) == 4
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)
