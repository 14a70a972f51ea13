"""What a run and its steps are called in the ledger.

A run is its job. A step that makes one asset is that asset, whichever job runs it, so that its
watermark is one; a step that makes several assets or only checks is its op's name, which is unique in
a code location; any other step is ``job.step``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

GROUP = "dagster"
JOB = "dagster_job"
OP = "dagster_op"
ASSET = "dagster_asset"
MULTI_ASSET = "dagster_multi_asset"
ASSET_CHECK = "dagster_asset_check"
EXTERNAL_ASSET = "dagster_external_asset"
BACKFILL = "dagster_backfill"

_DYNAMIC = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Step:
    """One step of an execution plan: its key there, its pipeline, and the assets it makes."""

    key: str
    pipeline: str
    type: str
    assets: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    """The keys of the steps that it waits for."""


def plain_key(step_key: str) -> str:
    """The key as the plan writes it: ``load[k0]`` is an instance of ``load[?]``."""
    return _DYNAMIC.sub("[?]", step_key) if "[" in step_key else step_key


def pipeline_step_key(step_key: str) -> str:
    """The key without its mapping: all instances of a dynamic step are one pipeline."""
    return _DYNAMIC.sub("", step_key)


def unknown_step(job_name: str, step_key: str) -> Step:
    """A step that no plan speaks of."""
    return Step(step_key, f"{job_name}.{pipeline_step_key(step_key)}", OP)


def steps_of(job_name: str, plan: Any | None) -> dict[str, Step]:
    """The steps of a plan snapshot by their keys."""
    steps: dict[str, Step] = {}
    for snap in plan.steps if plan is not None else ():
        assets: list[str] = []
        checks = 0
        others = 0
        for output in snap.outputs:
            properties = output.properties
            asset_key = getattr(properties, "asset_key", None)
            if asset_key is not None:
                assets.append(asset_key.to_user_string())
            elif getattr(properties, "asset_check_key", None) is not None:
                checks += 1
            else:
                others += 1
        name, kind = f"{job_name}.{pipeline_step_key(snap.key)}", OP
        if len(assets) == 1 and not others:
            name, kind = assets[0], ASSET
        elif assets:
            name, kind = pipeline_step_key(snap.key), MULTI_ASSET
        elif checks:
            name, kind = pipeline_step_key(snap.key), ASSET_CHECK
        upstream = {
            handle.step_key
            for step_input in snap.inputs
            for handle in step_input.upstream_output_handles
        }
        steps[snap.key] = Step(snap.key, name, kind, tuple(assets), tuple(sorted(upstream)))
    return steps
