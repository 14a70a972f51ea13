"""What is declared of a run's job, steps and assets: pipelines, dependencies and lineage.

Sent when its content changed since this process last sent it. What a run's plan alone shows (another
code location's run, ``PipeledgerResource`` without ``watch``) is dated ten years back, so that it
yields to what the code itself declares.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeledger.model import times
from pipeledger.model.canonical import content_hash
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport, LineageReport, Report
from pipeledger_dagster.declared import Declarations, DeclaredAsset
from pipeledger_dagster.facts import AddressBook, RunFacts
from pipeledger_dagster.naming import ASSET, EXTERNAL_ASSET, GROUP, JOB, MULTI_ASSET, Step

_DERIVED = timedelta(days=3652)


def run_registrations(facts: RunFacts) -> list[Report]:
    """The job of the run and the pipelines of its steps."""
    reports = job_registration(facts)
    for step in facts.steps.values():
        reports += step_registrations(facts, step)
    return reports


def job_registration(facts: RunFacts) -> list[Report]:
    """The job of the run; nothing if the run shows only a part of it."""
    job = _job(facts)
    return [] if job is None else _noted(facts, [job])


def step_registrations(facts: RunFacts, step: Step) -> list[Report]:
    """The pipeline of one step and, for assets, the lineage that their definitions declare."""
    ref = PipelineRef(step.pipeline, facts.namespace)
    declared = facts.declared
    assets = (
        [declared.assets[key] for key in step.assets if key in declared.assets] if declared else []
    )
    if declared is not None and assets:
        whole = _all_of(declared, assets, step)
        return _noted(
            facts, asset_registrations(declared, facts.book, ref, step.type, whole, times.now())
        )
    metadata = {"job": facts.job_name} if step.assets else {"job": facts.job_name, "step": step.key}
    at = times.now() if declared is not None and not step.assets else _derived(facts)
    return _noted(facts, [PipelineReport(ref, at, step.type, GROUP, metadata)])


def declared_registrations(
    declared: Declarations, book: AddressBook, namespace: str
) -> list[Report]:
    """Every asset of a code location, run or not, external ones with their dependencies too."""
    reports: list[Report] = []
    makers: dict[str, list[DeclaredAsset]] = {}
    for asset in declared.assets.values():
        if asset.pipeline is not None:
            makers.setdefault(asset.pipeline, []).append(asset)
        elif asset.upstream:
            ref = PipelineRef(asset.key, namespace)
            reports += asset_registrations(
                declared, book, ref, EXTERNAL_ASSET, [asset], times.now()
            )
    for pipeline, assets in makers.items():
        single = len(assets) == 1 and assets[0].key == pipeline
        ref = PipelineRef(pipeline, namespace)
        kind = ASSET if single else MULTI_ASSET
        reports += asset_registrations(declared, book, ref, kind, assets, times.now())
    return reports


def asset_registrations(
    declared: Declarations,
    book: AddressBook,
    ref: PipelineRef,
    kind: str,
    assets: Iterable[DeclaredAsset],
    occurred_at: datetime,
) -> list[Report]:
    """The pipeline that makes these assets, and its declared lineage."""
    assets = list(assets)
    dependencies = set()
    edges = []
    for asset in assets:
        for upstream in asset.upstream:
            edges.append((book.of(upstream), book.of(asset.key)))
            maker = declared.assets.get(upstream)
            if maker is not None and maker.pipeline not in (None, ref.name):
                dependencies.add((PipelineRef(str(maker.pipeline), ref.namespace), ref))
    metadata = {a.key: _described(a) for a in assets}
    return [
        PipelineReport(
            ref,
            occurred_at,
            kind,
            GROUP,
            metadata[assets[0].key] if len(assets) == 1 else {"assets": metadata},
            dependencies=tuple(dependencies),
            code_version=assets[0].code_version if len(assets) == 1 else None,
        ),
        LineageReport(ref, occurred_at, tuple(e for e in edges if e[0] != e[1])),
    ]


def seen_lineage(facts: RunFacts, report: ExecutionReport, step: Step) -> list[Report]:
    """The lineage that a step's own events show, where no definition is at hand to declare it."""
    if len(step.assets) != 1 or not report.inputs or not report.outputs:
        return []
    if facts.declared is not None and step.assets[0] in facts.declared.assets:
        return []
    ref = PipelineRef(step.pipeline, facts.namespace)
    edges = tuple(
        (source.address, target.address)
        for source in report.inputs
        for target in report.outputs
        if source.address != target.address
    )
    return [LineageReport(ref, _derived(facts), edges)]


class Registry:
    """Remembers what this process has sent, so that only changed content is sent again."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, PipelineRef], str] = {}

    def changed(self, reports: Iterable[Report]) -> list[Report]:
        """Those whose content is not what was sent last."""
        out: list[Report] = []
        for report in reports:
            if isinstance(report, PipelineReport):
                key, content = ("pipeline", report.pipeline), report.configuration_hash
            elif isinstance(report, LineageReport):
                edges = [[s.to_json(), t.to_json()] for s, t in report.edges]
                key, content = ("lineage", report.pipeline), content_hash(edges)
            else:
                continue
            if self._sent.get(key) != content:
                self._sent[key] = content
                out.append(report)
        return out


def _noted(facts: RunFacts, reports: list[Report]) -> list[Report]:
    """The same, and the facts know what the pipelines run under."""
    for report in reports:
        if isinstance(report, PipelineReport):
            facts.configurations[report.pipeline.name] = report.configuration_hash
    return reports


def _job(facts: RunFacts) -> PipelineReport | None:
    makes_assets = any(step.assets for step in facts.steps.values())
    if not makes_assets and not facts.is_whole:
        return None  # the plan of a part is not the job's graph
    dependencies = set()
    if not makes_assets:
        for step in facts.steps.values():
            for upstream in step.upstream:
                source = facts.step_pipeline(upstream)
                target = PipelineRef(step.pipeline, facts.namespace)
                if source != target:
                    dependencies.add((source, target))
    rhythm = facts.declared.schedules.get(facts.job_name) if facts.declared else None
    return PipelineReport(
        facts.pipeline,
        times.now() if facts.declared else _derived(facts),
        JOB,
        GROUP,
        # Nothing that depends on who launched the run: the content would change from run to run.
        {"schedule_timezone": rhythm.timezone} if rhythm and rhythm.timezone else {},
        schedule=str(rhythm) if rhythm else None,
        dependencies=tuple(dependencies),
    )


def _all_of(declared: Declarations, some: list[DeclaredAsset], step: Step) -> list[DeclaredAsset]:
    """All assets of the step's definition: a run may have selected only a part of them."""
    if step.type != MULTI_ASSET:
        return some
    makers = {a.pipeline for a in some}
    return sorted(
        (a for a in declared.assets.values() if a.pipeline in makers), key=lambda a: a.key
    )


def _described(asset: DeclaredAsset) -> dict[str, object]:
    out: dict[str, object] = {
        "group": asset.group,
        "owners": list(asset.owners) or None,
        "kinds": list(asset.kinds) or None,
        "description": asset.description,
        "partitions": asset.partitions,
    }
    return {name: value for name, value in out.items() if value is not None}


def _derived(facts: RunFacts) -> datetime:
    seen = facts.created_at or facts.started_at or times.now()
    return (seen if seen.tzinfo else seen.replace(tzinfo=times.UTC)) - _DERIVED
