"""What ``watch`` does to definitions: it adds, and takes nothing away."""

import inspect
import logging
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster_ledger import rows_of

from pipeledger.ledger import Ledger
from pipeledger_dagster import PipeledgerResource, watch


@dg.asset
def numbers() -> int:
    return 1


@dg.op
def one() -> int:
    return 1


@dg.job
def plain() -> None:
    one()


@dg.job(
    executor_def=dg.in_process_executor, tags={"team": "core"}, description="has its own executor"
)
def own_executor() -> None:
    one()


class Warehouse(dg.ConfigurableResource):
    name: str = "dwh"


@dg.op
def query(warehouse: Warehouse) -> str:
    return warehouse.name


@dg.job(resource_defs={"warehouse": Warehouse(name="mine").get_resource_definition()})
def with_resources() -> None:
    query()


def _repository(defs: dg.Definitions) -> dg.RepositoryDefinition:
    dg.Definitions.validate_loadable(defs)
    return defs.get_repository_def()


def test_schedules_sensors_and_jobs_stay_and_hold_the_watched_jobs(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    asset_job = dg.define_asset_job("asset_job", [numbers], executor_def=dg.in_process_executor)

    @dg.sensor(job=plain)
    def files(context):
        return dg.RunRequest()

    @dg.sensor(jobs=[plain, own_executor])
    def both(context):
        return dg.SkipReason("nothing")

    @dg.run_failure_sensor(request_job=with_resources)
    def on_failure(context): ...

    @dg.asset_sensor(asset_key=dg.AssetKey("numbers"), job=own_executor)
    def on_numbers(context, event): ...

    schedules = [
        dg.ScheduleDefinition(job=asset_job, cron_schedule="0 5 * * *"),
        dg.ScheduleDefinition(
            job=own_executor, cron_schedule="@hourly", execution_timezone="Europe/Berlin"
        ),
        dg.ScheduleDefinition(name="by_name", job_name="plain", cron_schedule="@daily"),
        dg.ScheduleDefinition(name="by_target", target=[numbers], cron_schedule="@weekly"),
    ]
    defs = watch(
        dg.Definitions(
            assets=[numbers],
            jobs=[plain, own_executor, with_resources, asset_job],
            schedules=schedules,
            sensors=[files, both, on_failure, on_numbers],
        )
    )
    repository = _repository(defs)
    assert {s.name for s in repository.schedule_defs} == {
        "asset_job_schedule",
        "own_executor_schedule",
        "by_name",
        "by_target",
    }
    assert {s.name for s in repository.sensor_defs} >= {
        "files",
        "both",
        "on_failure",
        "on_numbers",
        "pipeledger_reconcile",
    }
    watched = repository.get_job("own_executor")
    assert (watched.description, dict(watched.tags)) == ("has its own executor", {"team": "core"})
    assert (
        repository.get_schedule_def("own_executor_schedule").execution_timezone == "Europe/Berlin"
    )
    assert repository.get_sensor_def("both").jobs[1] is repository.get_job("own_executor")
    kinds = {s.name: type(s).__name__ for s in defs.sensors or ()}
    assert kinds["on_failure"] == "RunStatusSensorDefinition"
    assert kinds["on_numbers"] == "AssetSensorDefinition"

    for name in ("plain", "own_executor", "with_resources", "asset_job"):
        result = repository.get_job(name).execute_in_process(instance=instance)
        assert rows_of(ledger, result.run_id).run.state.value == "success"
    data = repository.get_sensor_def("files").evaluate_tick(
        dg.build_sensor_context(instance=instance, repository_def=repository)
    )
    assert len(data.run_requests) == 1


def test_jobs_on_the_locations_resources_get_them_and_are_recorded(
    ledger: Ledger, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    @dg.job
    def on_location() -> None:
        query()

    @dg.job(executor_def=dg.in_process_executor)
    def on_location_with_executor() -> None:
        query()

    defs = watch(
        dg.Definitions(
            jobs=[on_location, on_location_with_executor],
            resources={"warehouse": Warehouse(name="the location's")},
            schedules=[
                dg.ScheduleDefinition(job=on_location_with_executor, cron_schedule="@daily")
            ],
        )
    )
    assert "not recorded live" not in caplog.text
    repository = _repository(defs)
    for name in ("on_location", "on_location_with_executor"):
        result = repository.get_job(name).execute_in_process(instance=instance)
        assert result.output_for_node("query") == "the location's"
        assert rows_of(ledger, result.run_id).one(f"{name}.query").state.value == "success"
        assert type(repository.get_job(name).executor_def).__name__ == "WatchedExecutorDefinition"


def test_a_schedule_of_a_partitioned_asset_job_with_its_own_executor_stays() -> None:
    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2013-01-01"))
    def daily() -> None: ...

    job = dg.define_asset_job("days", [daily], executor_def=dg.in_process_executor)
    defs = watch(
        dg.Definitions(
            assets=[daily], jobs=[job], schedules=[dg.build_schedule_from_partitioned_job(job)]
        )
    )
    assert _repository(defs).get_schedule_def("days_schedule").job_name == "days"


def test_jobs_with_their_own_executor_run_on_it_and_are_recorded(
    ledger: Ledger, instance: dg.DagsterInstance, kitchen: ModuleType
) -> None:
    job = dg.reconstructable(kitchen.nested_graph_job)
    with dg.execute_job(job, instance=instance) as result:
        assert result.success
    rows = rows_of(ledger, result.run_id)
    assert rows.run.state.value == "success" and len(rows.steps) == 2
    assert job.get_definition().executor_def.name == "in_process"


def test_an_executors_name_configuration_and_requirements_stay() -> None:
    limited = dg.multiprocess_executor.configured({"max_concurrent": 3})
    defs = watch(dg.Definitions(jobs=[plain], executor=limited))
    watched = _repository(defs).get_job("plain").executor_def
    assert watched.name == "multiprocess"
    assert watched.get_requirements({}) == limited.get_requirements({})
    resolved = watched.apply_config_mapping({"config": {}})
    assert resolved.value["config"]["max_concurrent"] == 3


def test_loggers_metadata_and_own_resources_stay() -> None:
    @dg.logger
    def quiet(context):
        return logging.getLogger("quiet")

    warehouse = Warehouse()
    defs = watch(
        dg.Definitions(
            assets=[numbers],
            loggers={"quiet": quiet},
            resources={"warehouse": warehouse},
            metadata={"owner": "core"},
        )
    )
    assert defs.loggers == {"quiet": quiet}
    assert defs.resources is not None and defs.resources["warehouse"] is warehouse
    assert defs.metadata["owner"].value == "core"


def test_wrapping_twice_is_harmless(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    once = watch(dg.Definitions(assets=[numbers], jobs=[plain, own_executor]))
    twice = watch(once)
    assert twice.executor is once.executor
    assert [s.name for s in twice.sensors or ()] == ["pipeledger_reconcile"]
    result = twice.resolve_job_def("own_executor").execute_in_process(instance=instance)
    hooks = [e for e in result.all_events if e.event_type_value.startswith("HOOK")]
    assert len(hooks) == 1
    assert len(ledger.read.executions().items) == 2


def test_definitions_that_were_watched_apart_can_be_merged() -> None:
    @dg.asset
    def letters() -> None: ...

    merged = dg.Definitions.merge(
        watch(dg.Definitions(assets=[numbers])), watch(dg.Definitions(assets=[letters]))
    )
    assert len(_repository(merged).asset_graph.materializable_asset_keys) == 2


def test_the_resource_in_the_definitions_is_used_under_its_own_key(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def counted(context: dg.AssetExecutionContext, book: PipeledgerResource) -> None:
        book.rows(context, inserts=4)

    defs = watch(
        dg.Definitions(assets=[counted], resources={"book": PipeledgerResource(namespace="team")})
    )
    assert set(defs.resources or ()) == {"book"}
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert rows_of(ledger, result.run_id).one(["team", "counted"][1]).counts.inserts == 4


def test_another_resource_of_the_name_is_left_alone(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = watch(dg.Definitions(assets=[numbers], resources={"pipeledger": Warehouse()}))
    assert isinstance((defs.resources or {})["pipeledger"], Warehouse)
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert rows_of(ledger, result.run_id).run.state.value == "success"


def test_external_assets_source_assets_and_specs_load_as_they_are() -> None:
    @dg.multi_observable_source_asset(specs=[dg.AssetSpec("seen")])
    def watch_files(): ...

    defs = watch(
        dg.Definitions(
            assets=[
                numbers,
                dg.AssetSpec("spec", deps=[numbers]),
                dg.SourceAsset("source"),
                watch_files,
            ]
        )
    )
    keys = {key.to_user_string() for key in _repository(defs).asset_graph.get_all_asset_keys()}
    assert keys == {"numbers", "spec", "source", "seen"}


def test_what_cannot_be_wrapped_is_named_in_one_warning_and_still_loads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Kept(dg.SensorDefinition):
        def with_updated_jobs(self, new_jobs):
            raise NotImplementedError("this kind holds the jobs that it was made with")

    kept = Kept(name="kept", evaluation_fn=lambda context: None, job=own_executor)
    with caplog.at_level(logging.WARNING, "pipeledger_dagster"):
        defs = watch(dg.Definitions(jobs=[plain, own_executor], sensors=[kept]))
    (said,) = [r.message for r in caplog.records if "pipeledger" in r.message]
    assert "job own_executor" in said and "kept" in said and "plain" not in said
    assert _repository(defs).get_sensor_def("kept") is kept


def test_something_else_than_definitions_comes_back_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert watch(plain) is plain  # type: ignore[arg-type]
    assert "put it around dg.Definitions" in caplog.text


def test_an_error_of_ours_leaves_the_definitions_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd:
        @property
        def resource_cls(self) -> None:
            raise RuntimeError("asked what it is")

    defs = dg.Definitions(assets=[numbers], resources={"odd": Odd()})
    assert watch(defs) is defs
    assert "changed nothing" in caplog.text
    _repository(defs)


def test_a_reconcile_sensor_can_be_left_out() -> None:
    assert list(watch(dg.Definitions(assets=[numbers]), reconcile=False).sensors or ()) == []


def test_the_definitions_of_a_dg_project_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    argument = "path_within_project=Path(__file__).parent"
    if "path_within_project" not in inspect.signature(dg.load_from_defs_folder).parameters:
        argument = f"project_root=Path({str(tmp_path)!r})"  # Dagster 1.11
    package = tmp_path / "src" / "shop"
    (package / "defs").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n'
    )
    (package / "__init__.py").write_text("")
    (package / "defs" / "__init__.py").write_text("")
    (package / "defs" / "assets.py").write_text(
        "import dagster as dg\n\n@dg.asset\ndef sold() -> int:\n    return 1\n"
    )
    (package / "definitions.py").write_text(
        "from pathlib import Path\n\nimport dagster as dg\nfrom pipeledger_dagster import watch\n\n"
        "@dg.definitions\ndef defs():\n"
        f"    return watch(dg.load_from_defs_folder({argument}))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    from shop import definitions

    loaded = definitions.defs()
    assert loaded.component_tree is not None
    result = loaded.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert rows_of(ledger, result.run_id).one("sold").state.value == "success"
