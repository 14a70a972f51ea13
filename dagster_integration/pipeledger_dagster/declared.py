"""What the definitions of this code location declare of assets and schedules.

Read from the objects that were passed to ``Definitions``, without resolving them into a repository:
Dagster does that itself, once, and may do it after more definitions were merged in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from pipeledger_dagster.addresses import kinds_of
from pipeledger_dagster.rhythm import Rhythm, of_condition, of_schedule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeclaredAsset:
    """One asset as its spec declares it; ``pipeline`` is who makes it, None for an external one."""

    key: str
    pipeline: str | None = None
    upstream: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    group: str | None = None
    owners: tuple[str, ...] = ()
    description: str | None = None
    code_version: str | None = None
    partitions: str | None = None
    rhythm: Rhythm | None = None


class Declarations:
    """The assets and schedules of one ``Definitions``."""

    def __init__(self, definitions: dg.Definitions) -> None:
        self.assets: dict[str, DeclaredAsset] = {}
        self.schedules: dict[str, Rhythm] = {}
        """Job name -> its rhythm."""
        self.jobs = {str(getattr(job, "name", "")) for job in definitions.jobs or ()}
        for source in (*(definitions.assets or ()), *(definitions.asset_checks or ())):
            try:
                for asset in _assets(source):
                    # An asset that is made here wins over a mention of it as an external one.
                    if asset.key not in self.assets or asset.pipeline is not None:
                        self.assets[asset.key] = asset
            except Exception as error:
                log.warning("cannot read the declaration of %s: %s", source, error)
        for schedule in definitions.schedules or ():
            try:
                self._add_schedule(schedule, definitions)
            except Exception as error:
                log.warning("cannot read the schedule %s: %s", schedule, error)

    def _add_schedule(self, schedule: Any, definitions: dg.Definitions) -> None:
        found = of_schedule(schedule, definitions)
        if found is not None:
            job_name, rhythm = found
            self.schedules[job_name] = rhythm | self.schedules.get(job_name)


def _assets(source: Any) -> Iterable[DeclaredAsset]:
    if isinstance(source, dg.AssetsDefinition):
        specs = list(source.specs)
        executable = bool(getattr(source, "is_executable", True))
        if not executable:
            return [_declared(spec, None) for spec in specs]
        if len(specs) == 1:
            return [_declared(specs[0], specs[0].key.to_user_string())]
        name = source.node_def.name if specs else ""
        return [_declared(spec, name) for spec in specs]
    if isinstance(source, dg.AssetSpec):
        return [_declared(source, None)]
    key = getattr(source, "key", None)
    if isinstance(key, dg.AssetKey):  # SourceAsset, observable or not
        observes = getattr(source, "is_observable", False)
        name = key.to_user_string()
        return [
            DeclaredAsset(
                name,
                pipeline=name if observes else None,
                metadata=dict(getattr(source, "metadata", None) or {}),
                kinds=kinds_of(getattr(source, "tags", None) or {}),
                group=getattr(source, "group_name", None),
            )
        ]
    return []


def _declared(spec: dg.AssetSpec, pipeline: str | None) -> DeclaredAsset:
    return DeclaredAsset(
        key=spec.key.to_user_string(),
        pipeline=pipeline,
        upstream=tuple(sorted({dep.asset_key.to_user_string() for dep in spec.deps})),
        metadata=dict(spec.metadata or {}),
        kinds=kinds_of(spec.tags or {}, sorted(spec.kinds or ())),
        group=spec.group_name,
        owners=tuple(spec.owners or ()),
        description=spec.description,
        code_version=spec.code_version,
        partitions=None if spec.partitions_def is None else str(spec.partitions_def)[:500],
        rhythm=of_condition(spec.automation_condition),
    )


_remembered: list[tuple[dg.Definitions, list[Declarations]]] = []
_MOST = 64


def remember(definitions: dg.Definitions) -> None:
    """Keep the definitions for the runs of this process; they are read when the first run asks."""
    _remembered.insert(0, (definitions, []))
    del _remembered[_MOST:]


def declarations_of(assets: Iterable[str], job_name: str) -> Declarations | None:
    """The remembered declarations that know these assets, or this job; None if none does."""
    wanted = set(assets)
    known = all_declarations()
    for declared in known:
        if wanted and wanted <= declared.assets.keys():
            return declared
    for declared in known:
        if wanted & declared.assets.keys() or job_name in declared.jobs | declared.schedules.keys():
            return declared
    return None


def all_declarations() -> list[Declarations]:
    """Everything that was remembered, newest first."""
    for definitions, read in _remembered:
        if not read:
            read.append(Declarations(definitions))
    return [read[0] for _, read in _remembered]
