"""Runs in one process: ``execute_in_process``, the in-process executor, ``materialize``."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import by_key, rows_of

from pipeledger.ledger import Ledger
from pipeledger.model.keys import dagster_backfill_key, dagster_step_key
from pipeledger_dagster import PipeledgerResource, watch


def test_every_kind_of_asset_is_recorded_as_its_own_pipeline(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    result = kitchen.all_assets_job().execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert {(s.name, s.pipeline_type) for s in rows.steps} == {
        ("flights", "dagster_asset"),
        ("delays", "dagster_asset"),
        ("report", "dagster_asset"),
        ("marts", "dagster_multi_asset"),
        ("delays_delays_are_known", "dagster_asset_check"),
    }
    assert {(str(use.address), use.rows) for use in rows.one("marts").outputs} == {
        ("dagster:mart/carriers", 8),
        ("dagster:mart/origins", 7),
    }
    check = rows.one("delays_delays_are_known")
    assert check.metadata == {
        "checks": {"delays:delays_are_known": {"passed": True, "severity": "ERROR"}}
    }
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)


def test_a_part_of_a_multi_asset_is_the_same_pipeline_as_the_whole(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    job = kitchen.defs.resolve_implicit_global_asset_job_def()
    kitchen.all_assets_job().execute_in_process(instance=instance)
    key = dg.AssetKey(["mart", "origins"])
    result = job.execute_in_process(instance=instance, asset_selection=[key])
    rows = rows_of(ledger, result.run_id)
    assert rows.run.name == "__ASSET_JOB"
    assert [s.name for s in rows.steps] == ["marts"]
    assert [str(use.address) for use in rows.one("marts").outputs] == ["dagster:mart/origins"]
    edges = {(str(source), str(target)) for source, target in _edges(ledger, "marts")}
    assert edges == {
        ("dagster:report", "dagster:mart/carriers"),
        ("dagster:mart/carriers", "dagster:mart/origins"),
    }


@pytest.mark.parametrize("by", ["its executor", "execute_in_process"])
def test_an_observation_of_a_source_is_an_input_with_the_version_that_was_seen(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType, by: str
) -> None:
    if by == "execute_in_process":
        run_id = kitchen.weather_job().execute_in_process(instance=instance).run_id
    else:
        job = dg.reconstructable(kitchen.weather_job)
        in_process = {"execution": {"config": {"in_process": {}}}}
        with dg.execute_job(job, instance=instance, run_config=in_process) as result:
            run_id = result.run_id
    rows = rows_of(ledger, run_id)
    assert rows.run.state.value == "success"
    (seen,) = rows.one("weather").inputs
    assert (str(seen.address), seen.data_version) == ("sqlite:///data/warehouse.db/weather", "7")


def test_ops_are_recorded_with_retries_skips_and_dynamic_steps(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    result = kitchen.kitchen_job().execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    first, second = rows.of("kitchen.stumble")
    assert (first.state.value, first.state_detail) == ("failed", "up_for_retry")
    assert first.error is not None
    assert (first.error.type, first.error.message) == ("ValueError", "the first try always fails")
    assert (second.state.value, second.attempt) == ("success", 2)
    assert rows.one("kitchen.never_runs").state.value == "skipped"
    assert len(rows.of("kitchen.double")) == 2
    assert rows.run.attributes is not None
    assert rows.run.attributes["launched_by"] == "manual"
    assert rows.run.attributes["tags"]["team"] == "ops"
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)


def test_a_failed_run_says_why_without_secrets_and_what_never_started_has_no_row(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    rebuilt: Callable[[str], Ledger],
) -> None:
    result = kitchen.failing_job().execute_in_process(instance=instance, raise_on_error=False)
    rows = rows_of(ledger, result.run_id)
    assert rows.run.state.value == "failed"
    failed = rows.one("failing.fails")
    assert failed.error is not None and failed.error.type == "RuntimeError"
    assert "hunter2" not in failed.error.message and "was refused" in failed.error.message
    assert {s.name for s in rows.steps} == {"failing.one", "failing.fails"}
    assert by_key(rows_of(rebuilt(result.run_id), result.run_id)) == by_key(rows)


def test_steps_of_a_nested_graph_have_their_path_as_name(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    result = kitchen.defs.resolve_job_def("nested_graph").execute_in_process(instance=instance)
    assert {s.name for s in rows_of(ledger, result.run_id).steps} == {
        "nested_graph.inner.one",
        "nested_graph.inner.double",
    }


def test_a_run_on_an_instance_that_is_gone_afterwards_is_recorded(
    ledger: Ledger, kitchen: ModuleType
) -> None:
    result = kitchen.defs.resolve_job_def("nested_graph").execute_in_process()
    assert rows_of(ledger, result.run_id).run.state.value == "success"


def test_materialize_records_assets_that_are_watched(ledger: Ledger) -> None:
    @dg.asset
    def numbers() -> int:
        return 1

    defs = watch(dg.Definitions(assets=[numbers]))
    assert defs.assets is not None and defs.resources is not None
    result = dg.materialize(list(defs.assets), resources=dict(defs.resources))
    assert rows_of(ledger, result.run_id).one("numbers").state.value == "success"


def test_a_run_that_an_op_launches_runs_inside_that_step(
    ledger: Ledger, instance: dg.DagsterInstance, rebuilt: Callable[[str], Ledger]
) -> None:
    inner_ids: list[str] = []

    @dg.op
    def leaf() -> None: ...

    @dg.job
    def inside() -> None:
        leaf()

    @dg.op
    def launch(context):
        result = defs.resolve_job_def("inside").execute_in_process(instance=context.instance)
        inner_ids.append(result.run_id)
        with ledger.execution("plain python"):
            pass

    @dg.op
    def afterwards() -> None:
        with ledger.execution("plain python after"):
            pass

    @dg.job
    def outside() -> None:
        launch()
        afterwards()

    defs = watch(dg.Definitions(jobs=[inside, outside]))
    result = defs.resolve_job_def("outside").execute_in_process(instance=instance)
    outer = dagster_step_key(result.run_id, "launch", 1)
    assert ledger.read.execution(inner_ids[0]).parent == outer
    names = {v.name: v.parent for v in ledger.read.executions(limit=50).items}
    assert names["plain python"] == outer
    assert names["plain python after"] == dagster_step_key(result.run_id, "afterwards", 1)
    assert names["outside"] is None
    assert rebuilt(inner_ids[0]).read.execution(inner_ids[0]).parent == outer


def test_a_run_inside_a_plain_python_execution_is_its_child(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    with ledger.execution("nightly script") as script:
        result = kitchen.defs.resolve_job_def("nested_graph").execute_in_process(instance=instance)
    assert ledger.read.execution(result.run_id).parent == script.run_key


def test_a_run_is_nested_under_whatever_its_tag_names(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    with ledger.execution("an airflow task") as task:
        pass
    result = kitchen.defs.resolve_job_def("nested_graph").execute_in_process(
        instance=instance, tags={"pipeledger/parent": str(task.run_key)}
    )
    assert ledger.read.execution(result.run_id).parent == task.run_key


def test_a_reexecution_names_the_run_before_it(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    job = dg.reconstructable(kitchen.nested_graph_job)
    with dg.execute_job(job, instance=instance) as first:
        assert first.success
    options = dg.ReexecutionOptions(parent_run_id=first.run_id)
    with dg.execute_job(job, instance=instance, reexecution_options=options) as second:
        assert second.success
    again = ledger.read.execution(second.run_id)
    assert str(again.previous) == first.run_id
    assert again.attributes is not None and again.attributes["root_run_id"] == first.run_id


@pytest.mark.parametrize(
    ("tags", "who"),
    [
        ({"dagster/schedule_name": "daily"}, "schedule daily"),
        ({"dagster/sensor_name": "files"}, "sensor files"),
        ({"dagster/from_automation_condition": "true"}, "automation"),
        ({}, "manual"),
    ],
)
def test_a_run_says_who_launched_it(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    kitchen: ModuleType,
    tags: dict[str, str],
    who: str,
) -> None:
    job = kitchen.defs.resolve_job_def("nested_graph")
    result = job.execute_in_process(instance=instance, tags=tags)
    attributes = ledger.read.execution(result.run_id).attributes
    assert attributes is not None and attributes["launched_by"] == who


def test_the_runs_of_a_backfill_run_inside_it(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    job = kitchen.defs.resolve_job_def("nested_graph")
    runs = [
        job.execute_in_process(instance=instance, tags={"dagster/backfill": "bf1"})
        for _ in range(2)
    ]
    backfill = ledger.read.execution(dagster_backfill_key("bf1"))
    assert backfill.name == "backfill/nested_graph"
    assert {ledger.read.execution(r.run_id).parent for r in runs} == {backfill.run_key}


def test_the_namespace_is_the_resources(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    @dg.asset
    def numbers() -> None: ...

    defs = watch(dg.Definitions(assets=[numbers]), PipeledgerResource(namespace="analytics"))
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    rows = rows_of(ledger, result.run_id)
    assert rows.run.pipeline is not None and rows.run.pipeline.namespace == "analytics"
    assert str(rows.steps[0].pipeline) == "analytics/numbers"


def _edges(ledger: Ledger, pipeline: str) -> list[tuple[str, str]]:
    with ledger.read.connection() as connection:
        rows = connection.exec_driver_sql(
            "SELECT s.namespace, s.name, t.namespace, t.name FROM address_lineage l"
            " JOIN address s ON s.id = l.source_address_id JOIN address t ON t.id = l.target_address_id"
            " JOIN pipeline p ON p.id = l.pipeline_id WHERE p.name = ?",
            (pipeline,),
        ).all()
    return [(f"{a}:{b}", f"{c}:{d}") for a, b, c, d in rows]
