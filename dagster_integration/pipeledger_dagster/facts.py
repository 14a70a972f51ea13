"""What is known of a run beside its events: who launched it, inside what, its steps and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import dagster as dg

from pipeledger.model.keys import dagster_backfill_key, dagster_run_key, dagster_step_key
from pipeledger.model.pipeline import DEFAULT_NAMESPACE, PipelineRef
from pipeledger_dagster import private
from pipeledger_dagster.address_book import AddressBook
from pipeledger_dagster.declared import Declarations, declarations_of
from pipeledger_dagster.moments import moment
from pipeledger_dagster.naming import Step, plain_key, steps_of, unknown_step

PARENT_TAG = "pipeledger/parent"
BACKFILL_TAG = "dagster/backfill"
_LAUNCHERS = (
    ("schedule", "dagster/schedule_name"),
    ("sensor", "dagster/sensor_name"),
    ("automation", "dagster/from_automation_condition"),
    ("backfill", BACKFILL_TAG),
    ("retry", "dagster/retry_number"),
    ("user", "user"),
)
# Set while or after the run runs: what a start says must not depend on when it is read.
_LATE_TAGS = {
    PARENT_TAG,
    "dagster/will_retry",
    "dagster/failure_reason",
    "dagster/auto_retry_run_id",
    "dagster/did_retry",
}


@dataclass(frozen=True)
class Options:
    """How this code location records: the settings of its ``PipeledgerResource``, resolved."""

    database_url: str | None = None
    namespace: str | None = None
    code_location_as_namespace: bool = False
    address_namespaces: Mapping[str, str] = field(default_factory=dict)
    heartbeat_seconds: float = 60.0


def namespace_of(options: Options, location: str | None) -> str:
    """The pipelines' namespace: as set, else the code location where that was asked for."""
    if options.namespace:
        return options.namespace
    if options.code_location_as_namespace and location:
        return location
    from pipeledger.settings import Settings

    return Settings.from_environment().namespace or DEFAULT_NAMESPACE


@dataclass(frozen=True)
class RunFacts:
    """One run: its keys, names and attributes, and the steps of its plan."""

    run_id: str
    job_name: str
    namespace: str
    book: AddressBook
    declared: Declarations | None
    steps: Mapping[str, Step]
    started_at: datetime | None
    created_at: datetime | None
    parent: UUID | None
    backfill_id: str | None
    previous: UUID | None
    attributes: Mapping[str, Any]
    is_whole: bool
    """Whether the run executes its whole job, so that its plan shows the job's graph."""
    configurations: dict[str, str] = field(default_factory=dict)
    """Pipeline name -> the hash of the configuration that it runs under, once it was declared."""

    @property
    def run_key(self) -> UUID:
        return dagster_run_key(self.run_id)

    @property
    def pipeline(self) -> PipelineRef:
        return PipelineRef(self.job_name, self.namespace)

    def look_up_addresses(self, steps: Iterable[Step]) -> None:
        """Read at once the addresses of all assets that the steps make or that these depend on."""
        keys = [key for step in steps for key in step.assets]
        assets = self.declared.assets if self.declared is not None else {}
        upstream = [up for key in keys if key in assets for up in assets[key].upstream]
        self.book.look_up([*keys, *upstream])

    def step(self, step_key: str) -> Step:
        """The step of the plan that this step key is an instance of."""
        return self.steps.get(plain_key(step_key)) or unknown_step(self.job_name, step_key)

    def step_pipeline(self, step_key: str) -> PipelineRef:
        return PipelineRef(self.step(step_key).pipeline, self.namespace)


def run_facts(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    options: Options,
    *,
    record: dg.RunRecord | None = None,
    parent: UUID | None = None,
) -> RunFacts:
    """Gather the facts of a run: its plan and its row are read from Dagster's storage."""
    if record is None:
        record = private.run_record(instance, run.run_id)
    steps = plan_steps(instance, run)
    assets = [asset for step in steps.values() for asset in step.assets]
    declared = declarations_of(assets, run.job_name)
    backfill_id = run.tags.get(BACKFILL_TAG)
    if parent is None:
        parent = parent_of_tag(run.tags.get(PARENT_TAG))
    if parent is None and backfill_id:
        parent = dagster_backfill_key(backfill_id)
    created = getattr(record, "create_timestamp", None)
    start_time = getattr(record, "start_time", None)
    return RunFacts(
        run_id=run.run_id,
        job_name=run.job_name,
        namespace=namespace_of(options, private.code_location(run)),
        book=AddressBook(declared, options.address_namespaces, instance),
        declared=declared,
        steps=steps,
        started_at=moment(start_time) if start_time else None,
        created_at=created,
        parent=parent,
        backfill_id=backfill_id,
        previous=dagster_run_key(run.parent_run_id) if run.parent_run_id else None,
        attributes=_attributes(run),
        is_whole=not (
            run.asset_selection
            or run.asset_check_selection
            or getattr(run, "resolved_op_selection", None)
        ),
    )


_plans: dict[tuple[str, str], Mapping[str, Step]] = {}
_MOST_PLANS = 200


def plan_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Mapping[str, Step]:
    """The steps of the run's plan by their keys; a plan that was read is kept.

    A snapshot's id is the hash of its content, and runs of one job share it.
    """
    key = (run.job_name, str(getattr(run, "execution_plan_snapshot_id", None)))
    known = _plans.get(key)
    if known is None:
        plan = private.plan_snapshot(instance, run)
        known = steps_of(run.job_name, plan)
        if plan is not None:
            while len(_plans) >= _MOST_PLANS:
                _plans.pop(next(iter(_plans)), None)
            _plans[key] = known
    return known


def parent_tag(run_id: str, step_key: str, attempt: int) -> str:
    """The tag's value that makes a run a child of a step attempt."""
    return f"{run_id}:{step_key}:{attempt}"


def parent_of_tag(value: str | None) -> UUID | None:
    """The run key that the tag names: a step attempt, or any run key as a UUID (an Airflow task's)."""
    if not value:
        return None
    try:
        if value.count(":") >= 2:
            run_id, _, rest = value.partition(":")
            step_key, _, attempt = rest.rpartition(":")
            return dagster_step_key(run_id, step_key, int(attempt))
        return UUID(value)
    except ValueError:
        return None


def launched_by(tags: Mapping[str, str]) -> str:
    """Who launched the run: ``schedule daily``, ``sensor files``, ``manual``."""
    for what, tag in _LAUNCHERS:
        if tag in tags:
            return what if what == "automation" else f"{what} {tags[tag]}"
    return "manual"


def _attributes(run: dg.DagsterRun) -> dict[str, Any]:
    tags = {
        name: value
        for name, value in run.tags.items()
        if not name.startswith(".dagster/") and name not in _LATE_TAGS
    }
    out: dict[str, Any] = {
        "run_id": run.run_id,
        "job": run.job_name,
        "launched_by": launched_by(run.tags),
        "code_location": private.code_location(run),
        "partition": run.tags.get("dagster/partition"),
        "asset_selection": sorted(key.to_user_string() for key in run.asset_selection or ())
        or None,
        "step_selection": sorted(run.step_keys_to_execute or ()) or None,
        "root_run_id": run.root_run_id,
        "parent_run_id": run.parent_run_id,
        "tags": tags or None,
    }
    return {name: value for name, value in out.items() if value is not None}
