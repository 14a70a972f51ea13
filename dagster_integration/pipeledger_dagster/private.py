"""Every name of Dagster that is not public, each with the public way that is taken without it.

Nothing else in this package touches a name that Dagster does not export or document. Seen to hold on
the versions of the compatibility table in ``docs/dagster.md``.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg


def add_event_listener(
    instance: dg.DagsterInstance, run_id: str, listener: Callable[[dg.EventLogEntry], None]
) -> bool:
    """Call ``listener`` for every event of the run that this process stores; False if that cannot be.

    Undocumented, used by Dagster itself for external steps. Without it the executor's own stream of
    events is read (``executor.WatchedExecutor``), which lacks timestamps.
    """
    add = getattr(instance, "add_event_listener", None)
    if add is None:
        return False
    add(run_id, listener)
    return True


def step_key_of(context: Any) -> str | None:
    """The step that a compute context belongs to; None outside a run.

    Public way round: the op's handle, which is the step's key but for dynamic steps.
    """
    op_context = getattr(context, "op_execution_context", context)
    try:
        return str(op_context.get_step_execution_context().step.key)
    except Exception:
        pass
    try:
        mapping_key = op_context.get_mapping_key()
        handle = str(op_context.op_handle)
    except Exception:
        return None
    return f"{handle}[{mapping_key}]" if mapping_key else handle


def observing_asset(source: dg.SourceAsset) -> dg.AssetsDefinition | None:
    """The asset that Dagster itself makes of an observable source when it resolves definitions.

    A source takes no hooks. Without it the executor and the reconcile sensor record its runs.
    """
    try:
        from dagster._core.definitions.external_asset import create_external_asset_from_source_asset
    except ImportError:
        return None
    return create_external_asset_from_source_asset(source)


def own_executor(job: dg.JobDefinition) -> dg.ExecutorDefinition | None:
    """The executor that the job itself names; None if it runs on its code location's."""
    specified = getattr(job, "has_specified_executor", None)
    if specified is None:
        # Public way round: an executor that is not the default was named by somebody.
        specified = job.executor_def is not dg.multi_or_in_process_executor
    return job.executor_def if specified else None


def with_executor(job: dg.JobDefinition, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    """A copy of the job that runs on ``executor``."""
    changed: dg.JobDefinition = job.with_executor_def(executor)
    return changed


def resource_definitions(resources: Mapping[str, Any]) -> dict[str, dg.ResourceDefinition]:
    """The definitions of resources that may have been given as objects.

    Public way round: each by its kind.
    """
    try:
        from dagster._core.execution.build_resources import wrap_resources_for_execution

        return dict(wrap_resources_for_execution(resources))
    except ImportError:
        return {key: _resource_definition(value) for key, value in resources.items()}


def _resource_definition(value: Any) -> dg.ResourceDefinition:
    if isinstance(value, dg.ResourceDefinition):
        return value
    if hasattr(value, "get_resource_definition"):
        definition: dg.ResourceDefinition = value.get_resource_definition()
        return definition
    if isinstance(value, dg.IOManager):
        return dg.IOManagerDefinition.hardcoded_io_manager(value)
    return dg.ResourceDefinition.hardcoded_resource(value)


def executor_definition(executor: dg.ExecutorDefinition | dg.Executor) -> dg.ExecutorDefinition:
    """The definition of an executor that may have been given as an instance."""
    if isinstance(executor, dg.ExecutorDefinition):
        return executor
    definition: dg.ExecutorDefinition = dg.ExecutorDefinition.hardcoded_executor(executor)
    return definition


def executor_config(executor: dg.ExecutorDefinition) -> Any:
    """The schema of its configuration, as a definition takes it."""
    return executor.config_schema


def executor_requirements(executor: dg.ExecutorDefinition) -> Callable[[Any], Any]:
    """What the executor needs of a job, as a function of its configuration."""
    return executor.get_requirements


def record_copy(value: Any, **changes: Any) -> Any:
    """A copy of one of Dagster's records (Definitions, an unresolved asset job) with changes.

    Public way round: the class called with the attributes that its constructor names.
    """
    try:
        from dagster_shared.record import replace

        return replace(value, **changes)
    except ImportError:
        import inspect

        names = list(inspect.signature(type(value).__new__).parameters)[1:]
        current = {name: getattr(value, name) for name in names if hasattr(value, name)}
        return type(value)(**{**current, **changes})


def holds_job(schedule: dg.ScheduleDefinition) -> bool:
    """Whether the schedule holds a job object, rather than a name or a selection of assets."""
    target = getattr(schedule, "target", None)
    if target is not None and hasattr(target, "has_job_def"):
        return bool(target.has_job_def)
    try:
        return schedule.job is not None
    except Exception:
        return False


def sensor_with_jobs(sensor: dg.SensorDefinition, jobs: list[Any]) -> dg.SensorDefinition:
    """A copy of the sensor, of the same kind, that holds these jobs.

    Before 1.13 Dagster's own copy of a run status or asset sensor is a plain sensor; then the targets
    of that copy are put into a copy of the object itself. Raises ValueError where that cannot be.
    """
    if len(jobs) != len(list(sensor.targets)):
        raise ValueError("it also names jobs by their names")
    changed: dg.SensorDefinition = sensor.with_updated_jobs(jobs)
    if type(changed) is type(sensor):
        return changed
    same_kind = copy.copy(sensor)
    if "_targets" not in vars(changed) or "_targets" not in vars(same_kind):
        raise ValueError(f"its copy is no {type(sensor).__name__}")
    vars(same_kind)["_targets"] = vars(changed)["_targets"]
    return same_kind


def runs_updated_after(instance: dg.DagsterInstance, moment: Any, limit: int) -> list[dg.RunRecord]:
    """Runs whose row changed after a moment, oldest change first: works on every run storage.

    All states are named, because Dagster's index of change times begins with the state: without that
    the whole table of runs would be read each time (seen on PostgreSQL and SQLite, 1.13).
    """
    return list(
        instance.get_run_records(
            filters=dg.RunsFilter(updated_after=moment, statuses=list(dg.DagsterRunStatus)),
            limit=limit,
            order_by="update_timestamp",
            ascending=True,
        )
    )


def runs_by_id(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> list[dg.RunRecord]:
    """The run records with these ids."""
    wanted = list(run_ids)
    return list(instance.get_run_records(filters=dg.RunsFilter(run_ids=wanted))) if wanted else []


def run_record(instance: dg.DagsterInstance, run_id: str) -> dg.RunRecord | None:
    """The run with its start, end and change times."""
    return instance.get_run_record_by_id(run_id)


def run_events(
    instance: dg.DagsterInstance,
    run_id: str,
    types: Iterable[dg.DagsterEventType],
    cursor: str | None = None,
    limit: int = 1000,
) -> tuple[list[dg.EventLogEntry], str, bool]:
    """A page of a run's events in order, the cursor after it, and whether there is more.

    Public way round: ``all_logs``, which reads them all.
    """
    read = getattr(instance, "get_records_for_run", None)
    if read is None:
        wanted = set(types)
        entries = list(instance.all_logs(run_id, of_type=wanted))
        start = int(cursor or 0)
        return entries[start:], str(len(entries)), False
    page = read(run_id, cursor=cursor, of_type=set(types), limit=limit)
    return [record.event_log_entry for record in page.records], page.cursor, page.has_more


def run_of(context: dg.InitResourceContext) -> dg.DagsterRun | None:
    """The run that a resource is set up for; ``run`` was called ``dagster_run`` before 1.12."""
    if hasattr(type(context), "run"):
        return context.run
    return context.dagster_run


def plan_snapshot(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Any | None:
    """The snapshot of the run's execution plan: steps, their inputs and the assets they make.

    Without it a step is named by its key, and its assets by their events alone.
    """
    snapshot_id = getattr(run, "execution_plan_snapshot_id", None)
    read = getattr(instance, "get_execution_plan_snapshot", None)
    if snapshot_id is None or read is None:
        return None
    return read(snapshot_id)


def code_location(run: dg.DagsterRun) -> str | None:
    """The code location that the run belongs to, where it was launched through one."""
    origin = getattr(run, "remote_job_origin", None) or getattr(run, "external_job_origin", None)
    name = getattr(origin, "location_name", None)
    return name or run.tags.get("dagster/code_location")


_TRIGGERING = {
    "AndAutomationCondition",
    "OrAutomationCondition",
    "NewlyTrueCondition",
    "SinceCondition",
}


def cron_ticks(condition: Any) -> list[tuple[str, str | None]]:
    """The (cron text, time zone) that an automation condition waits for.

    Only where a tick makes it true: not behind a "not", not of its dependencies, not where it resets.
    A condition of another shape has none.
    """
    cron = getattr(condition, "cron_schedule", None)
    if isinstance(cron, str):
        return [(cron, getattr(condition, "cron_timezone", None))]
    kind = type(condition).__name__
    if kind not in _TRIGGERING:
        return []
    children = list(getattr(condition, "children", ()))
    if kind == "SinceCondition":
        children = children[:1]  # what it waits for; the other resets it
    return [tick for child in children for tick in cron_ticks(child)]


def backfill(instance: dg.DagsterInstance, backfill_id: str) -> Any | None:
    """Dagster's record of a backfill (status and times); None where it cannot be read."""
    read = getattr(instance, "get_backfill", None)
    return None if read is None else read(backfill_id)


def latest_materializations(
    instance: dg.DagsterInstance, keys: list[dg.AssetKey]
) -> dict[dg.AssetKey, dg.EventLogEntry]:
    """The newest materialization of each asset that has one.

    Public way round: one query for each asset.
    """
    read = getattr(instance, "get_asset_records", None)
    found: dict[dg.AssetKey, dg.EventLogEntry] = {}
    if read is None:
        for key in keys:
            entry = instance.get_latest_materialization_event(key)
            if entry is not None:
                found[key] = entry
        return found
    for record in read(keys):
        latest = record.asset_entry.last_materialization_record
        if latest is not None:
            found[record.asset_entry.asset_key] = latest.event_log_entry
    return found


def entry_of(run_id: str, event: dg.DagsterEvent) -> dg.EventLogEntry:
    """An event of an executor's stream, which has no time of its own, as an entry of now."""
    make: Any = dg.EventLogEntry
    entry: dg.EventLogEntry = make(
        error_info=None,
        level=20,
        user_message=event.message or "",
        run_id=run_id,
        timestamp=time.time(),
        step_key=event.step_key,
        job_name=event.job_name,
        dagster_event=event,
    )
    return entry
