"""What is known of a run beside its events: who launched it, inside what, its steps and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import dagster as dg

from pipeledger.model.address import Address
from pipeledger.model.keys import dagster_backfill_key, dagster_run_key, dagster_step_key
from pipeledger.model.pipeline import DEFAULT_NAMESPACE, PipelineRef
from pipeledger_dagster import private
from pipeledger_dagster.addresses import asset_address, stated_address
from pipeledger_dagster.declared import Declarations, declarations_of
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


def moment(timestamp: float) -> datetime:
    """Dagster's seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(timestamp, timezone.utc)


def namespace_of(options: Options, location: str | None) -> str:
    """The pipelines' namespace: as set, else the code location where that was asked for."""
    if options.namespace:
        return options.namespace
    if options.code_location_as_namespace and location:
        return location
    from pipeledger.settings import Settings

    return Settings.from_environment().namespace or DEFAULT_NAMESPACE


class AddressBook:
    """The address of every asset: as its definition states it, else as its materializations do."""

    def __init__(
        self,
        declared: Declarations | None,
        namespaces: Mapping[str, str],
        instance: dg.DagsterInstance | None = None,
    ) -> None:
        self._declared = declared.assets if declared is not None else {}
        self._namespaces = {kind.lower(): namespace for kind, namespace in namespaces.items()}
        self._instance = instance
        self._known: dict[str, Address | None] = {}

    def of(self, asset_key: str) -> Address:
        """Where the asset's data lies; the asset's own address if nobody says."""
        if asset_key not in self._known:
            self._known[asset_key] = self._look_up(asset_key)
        return self._known[asset_key] or asset_address(asset_key)

    def learn(self, asset_key: str, metadata: Mapping[str, Any], *, path: bool) -> Address:
        """The address by a materialization's metadata on top of the definition's."""
        spec = self._declared.get(asset_key)
        merged = {**(spec.metadata if spec else {}), **metadata}
        if not path:
            merged.pop("path", None)
            if spec and "path" in spec.metadata:
                merged["path"] = spec.metadata["path"]
        address = stated_address(merged, spec.kinds if spec else (), self._namespaces)
        if address is None:
            return self.of(asset_key)
        self._known[asset_key] = address
        return address

    def look_up(self, asset_keys: Iterable[str]) -> None:
        """Read the addresses that only materializations state, of many assets at once."""
        unknown = [
            key
            for key in dict.fromkeys(asset_keys)
            if key not in self._known and not self._stated(key)
        ]
        if not unknown or self._instance is None:
            return
        found = private.latest_materializations(
            self._instance, [dg.AssetKey.from_user_string(key) for key in unknown]
        )
        for key in unknown:
            entry = found.get(dg.AssetKey.from_user_string(key))
            self._known[key] = self._by_materialization(key, entry)

    def _stated(self, asset_key: str) -> Address | None:
        spec = self._declared.get(asset_key)
        if spec is None:
            return None
        return stated_address(spec.metadata, spec.kinds, self._namespaces)

    def _look_up(self, asset_key: str) -> Address | None:
        address = self._stated(asset_key)
        if address is not None or self._instance is None:
            return address
        key = dg.AssetKey.from_user_string(asset_key)
        found = private.latest_materializations(self._instance, [key])
        return self._by_materialization(asset_key, found.get(key))

    def _by_materialization(self, asset_key: str, entry: dg.EventLogEntry | None) -> Address | None:
        materialization = entry.asset_materialization if entry is not None else None
        if materialization is None:
            return None
        spec = self._declared.get(asset_key)
        # The path of an IO manager's file cannot be told from a stated one here.
        return stated_address(
            materialization.metadata, spec.kinds if spec else (), self._namespaces, path=False
        )


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
    steps = steps_of(run.job_name, private.plan_snapshot(instance, run))
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
