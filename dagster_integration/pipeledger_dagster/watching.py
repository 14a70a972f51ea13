"""``watch``: the one line around ``Definitions`` after which every run is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from pipeledger_dagster import private
from pipeledger_dagster.declared import remember
from pipeledger_dagster.executor import WatchedExecutorDefinition, watched
from pipeledger_dagster.facts import Options
from pipeledger_dagster.resource import PipeledgerResource
from pipeledger_dagster.sensor import NAME as SENSOR_NAME
from pipeledger_dagster.sensor import build_reconcile_sensor

log = logging.getLogger(__name__)

DEFAULT_KEY = "pipeledger"


def watch(
    definitions: dg.Definitions,
    resource: PipeledgerResource | None = None,
    *,
    reconcile: bool = True,
) -> dg.Definitions:
    """The same definitions, recorded: put it around the outermost ``Definitions``.

    Every step requires ``resource`` (by a hook), every executor reports to it, and a sensor reconciles
    the ledger with Dagster's event log unless ``reconcile`` is False. Without ``resource`` the
    ``PipeledgerResource`` in the definitions is taken, else one with its defaults.

    Schedules, sensors, jobs, executors, loggers and everything else stay what they are. Wrapping twice
    is harmless. What cannot be wrapped is named in one warning and left as it is: the reconcile sensor
    still records it.
    """
    if not isinstance(definitions, dg.Definitions):
        log.warning(
            "pipeledger: watch() got a %s and returns it as it is; put it around dg.Definitions(...)",
            type(definitions).__name__,
        )
        return definitions
    try:
        return _watched(definitions, resource, reconcile)
    except Exception as error:
        # A code location that does not load for our sake would stop every run in it.
        log.warning("pipeledger: watch() changed nothing: %s", error, exc_info=True)
        return definitions


def _watched(
    definitions: dg.Definitions, resource: PipeledgerResource | None, reconcile: bool
) -> dg.Definitions:
    key, resource = _resource(definitions, resource)
    watching = _Watching(key, resource, definitions.resources or {})
    watching.take_jobs(definitions)
    sensors = watching.holders(definitions.sensors)
    if reconcile and not any(getattr(s, "name", None) == SENSOR_NAME for s in sensors):
        sensors.append(_sensor(key))
    result: dg.Definitions = private.record_copy(
        definitions,
        assets=[watching.asset(a) for a in definitions.assets or ()],
        asset_checks=[watching.asset(a) for a in definitions.asset_checks or ()],
        jobs=[watching.job(j) for j in definitions.jobs or ()],
        schedules=watching.holders(definitions.schedules),
        sensors=sensors,
        resources={**(definitions.resources or {}), key: resource},
        executor=watching.executor(definitions.executor or dg.multi_or_in_process_executor),
    )
    if watching.left:
        log.warning(
            "pipeledger: not recorded live, only by the reconcile sensor: %s",
            "; ".join(watching.left),
        )
    remember(result)
    return result


def _resource(definitions: dg.Definitions, resource: PipeledgerResource | None) -> tuple[str, Any]:
    """The key and the resource to use: as passed, else the definitions' own, else the default one."""
    own = {key: value for key, value in (definitions.resources or {}).items() if _is_ours(value)}
    if own:
        key = DEFAULT_KEY if DEFAULT_KEY in own else next(iter(own))
        return key, own[key] if resource is None else resource
    key = DEFAULT_KEY
    while key in (definitions.resources or {}):
        key += "_"
    return key, _default_resource() if resource is None else resource


def _is_ours(value: Any) -> bool:
    return (
        isinstance(value, PipeledgerResource)
        or getattr(value, "resource_cls", None) is PipeledgerResource
    )


class _Watching:
    """One wrapping: the same job, met at several places, becomes the same watched job."""

    def __init__(self, key: str, resource: Any, resources: Mapping[str, Any]) -> None:
        self._key = key
        self._resources = resources
        self._resource = resource
        self._hook = _hook(key)
        self._jobs: dict[int, tuple[Any, Any]] = {}
        self.left: list[str] = []

    def asset(self, asset: Any) -> Any:
        """The asset or check with the hook; specs, external assets and others have no steps of ours."""
        if isinstance(asset, dg.SourceAsset) and asset.is_observable:
            asset = private.observing_asset(asset) or asset
        if not isinstance(asset, dg.AssetsDefinition) or not getattr(asset, "is_executable", True):
            return asset
        try:
            return asset if self._hook in asset.hook_defs else asset.with_hooks({self._hook})
        except Exception as error:
            keys = ", ".join(sorted(key.to_user_string() for key in asset.keys)) or "asset checks"
            self._leave(f"asset {keys}", error)
            return asset

    def executor(self, executor: Any) -> Any:
        """The executor, watched; the one of the code location is named if it cannot be."""
        try:
            return _watched_executor(executor, self._resource)
        except Exception as error:
            self._leave(f"executor {getattr(executor, 'name', executor)}", error)
            return executor

    def take_jobs(self, definitions: dg.Definitions) -> None:
        """Wrap every job once, also those that only a schedule or sensor names."""
        holders = (*(definitions.schedules or ()), *(definitions.sensors or ()))
        held = [job for holder in holders for job in _jobs_of(holder)]
        for job in (*(definitions.jobs or ()), *held):
            if id(job) not in self._jobs:
                self._jobs[id(job)] = (job, self._wrap(job))
        # A schedule or sensor that cannot hold the watched job would clash with it: the old one stays.
        for holder in holders:
            try:
                self._rebound(holder)
            except Exception as error:
                for job in _jobs_of(holder):
                    if self.job(job) is not job:
                        self._jobs[id(job)] = (job, job)
                        self._leave(f"job {job.name}", f"{holder.name} must hold it: {error}")

    def job(self, job: Any) -> Any:
        """The watched job in place of this one."""
        return self._jobs.get(id(job), (job, job))[1]

    def holders(self, holders: Iterable[Any] | None) -> list[Any]:
        """The schedules or sensors, holding the watched jobs."""
        return [self._rebound(holder) for holder in holders or ()]

    def _rebound(self, holder: Any) -> Any:
        old = _jobs_of(holder)
        new = [self.job(job) for job in old]
        if all(a is b for a, b in zip(old, new, strict=True)):
            return holder
        if isinstance(holder, dg.SensorDefinition):
            return private.sensor_with_jobs(holder, new)
        if isinstance(holder, dg.ScheduleDefinition):
            return holder.with_updated_job(new[0])
        return private.record_copy(holder, job=new[0])

    def _wrap(self, job: Any) -> Any:
        try:
            if not isinstance(job, dg.JobDefinition):
                return self._wrap_asset_job(job)
            try:
                return self._changed(job)
            except dg.DagsterInvalidDefinitionError:
                # A copy of a job that was given resources is checked at once (before 1.12 any copy
                # is): it must hold ours, and the location's, before it holds the hook.
                return self._changed(self._bound(job))
        except Exception as error:
            self._leave(f"job {getattr(job, 'name', job)}", error)
            return job

    def _wrap_asset_job(self, job: Any) -> Any:
        """An asset job has its assets' hooks; only an executor of its own is wrapped."""
        own = getattr(job, "executor_def", None)
        if own is None or isinstance(own, WatchedExecutorDefinition):
            return job
        return private.record_copy(job, executor_def=_watched_executor(own, self._resource))

    def _changed(self, job: dg.JobDefinition) -> dg.JobDefinition:
        """The job with the hook, and its own executor, if it has one, watched."""
        own = private.own_executor(job)
        if own is not None:
            executor = _watched_executor(own, self._resource)
            if executor is not own:
                job = private.with_executor(job, executor)
        return job if self._hook in job.hook_defs else job.with_hooks({self._hook})

    def _bound(self, job: dg.JobDefinition) -> dg.JobDefinition:
        """The job with the location's resources, as Definitions binds them later; its own win."""
        location = private.resource_definitions({**self._resources, self._key: self._resource})
        return job.with_top_level_resources({**location, **job.resource_defs})

    def _leave(self, what: str, why: object) -> None:
        self.left.append(
            f"{what} ({str(why).splitlines()[0][:200] if str(why) else type(why).__name__})"
        )


def _jobs_of(holder: Any) -> list[Any]:
    """The job objects that a schedule or sensor holds; none if it names them or targets assets."""
    targets = getattr(holder, "targets", None)
    if targets is not None:
        return [target.job_def for target in targets if target.has_job_def]
    if isinstance(holder, dg.ScheduleDefinition):
        return [holder.job] if private.holds_job(holder) else []
    job = getattr(holder, "job", None)
    return [] if job is None else [job]


_hooks: dict[str, dg.HookDefinition] = {}
_sensors: dict[str, dg.SensorDefinition] = {}
_executors: dict[tuple[int, int], tuple[Any, Any, dg.ExecutorDefinition]] = {}
_defaults: list[PipeledgerResource] = []


def _hook(key: str) -> dg.HookDefinition:
    """The hook that makes every step require the resource, the same object for the same key."""
    if key not in _hooks:

        @dg.success_hook(name="pipeledger", required_resource_keys={key})
        def recorded(context: dg.HookContext) -> None:
            """Does nothing: that it requires the resource sets it up in every step's process."""

        _hooks[key] = recorded
    return _hooks[key]


def _sensor(key: str) -> dg.SensorDefinition:
    """The same sensor for the same key, so that definitions watched apart can be merged."""
    if key not in _sensors:
        _sensors[key] = build_reconcile_sensor(key)
    return _sensors[key]


def _default_resource() -> PipeledgerResource:
    if not _defaults:
        _defaults.append(PipeledgerResource())
    return _defaults[0]


def _watched_executor(executor: Any, resource: Any) -> dg.ExecutorDefinition:
    """The same watched executor for the same executor and resource."""
    if isinstance(executor, WatchedExecutorDefinition):
        return executor
    identity = (id(executor), id(resource))
    if identity not in _executors:
        _executors[identity] = (executor, resource, watched(executor, _options_of(resource)))
    return _executors[identity][2]


def _options_of(resource: Any) -> Callable[[], Options | None]:
    def options() -> Options | None:
        if not isinstance(resource, PipeledgerResource):
            return None  # configured at launch: the steps' own resource records
        try:
            return resource.options()
        except Exception as error:
            # The steps cannot set the resource up either, and fail the run with this reason.
            log.warning("pipeledger: the run worker records nothing: %s", error)
            return None

    return options
