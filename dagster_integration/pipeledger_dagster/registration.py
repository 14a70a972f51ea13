"""What is declared of a run's job, steps and assets: pipelines, dependencies and lineage.

Sent when its content changed since this process last sent it. What a run's plan alone shows (another
code location's run, ``PipeledgerResource`` without ``watch``) is dated ten years back, so that it
yields to what the code itself declares.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeledger.model import times
from pipeledger.model.lineage import ColumnEdge, LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport, Report
from pipeledger_dagster.address_book import AddressBook
from pipeledger_dagster.datasets import column_edges, columns_of, dataset
from pipeledger_dagster.declared import Declarations, DeclaredAsset
from pipeledger_dagster.facts import RunFacts
from pipeledger_dagster.naming import ASSET, EXTERNAL_ASSET, GROUP, JOB, MULTI_ASSET, Step
from pipeledger_dagster.rhythm import Rhythm

_DERIVED = timedelta(days=3652)
_OBSERVE_AGAIN = timedelta(hours=1)


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
        else:
            reports += dataset_registrations(declared, book, [asset], times.now())
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
    columns: list[ColumnEdge] = []
    for asset in assets:
        columns += column_edges(asset.metadata, book.of(asset.key), book.of)
        for upstream in asset.upstream:
            edges.append((book.of(upstream), book.of(asset.key)))
            maker = declared.assets.get(upstream)
            if maker is not None and maker.pipeline not in (None, ref.name):
                dependencies.add((PipelineRef(str(maker.pipeline), ref.namespace), ref))
    described = {a.key: _described(a) for a in assets}
    metadata = described[assets[0].key] if len(assets) == 1 else {"assets": described}
    rhythm: Rhythm | None = None
    for asset in assets:
        rhythm = asset.rhythm | rhythm if asset.rhythm else rhythm
    return [
        PipelineReport(
            ref,
            occurred_at,
            kind,
            GROUP,
            {**metadata, **(rhythm.metadata if rhythm else {})},
            schedule=str(rhythm) if rhythm else None,
            dependencies=tuple(dependencies),
            code_version=assets[0].code_version if len(assets) == 1 else None,
        ),
        LineageReport(
            ref,
            occurred_at,
            tuple(e for e in edges if e[0] != e[1]),
            columns=tuple(columns),
            outputs=() if kind == EXTERNAL_ASSET else tuple(book.of(asset.key) for asset in assets),
        ),
        *dataset_registrations(declared, book, assets, occurred_at),
    ]


def dataset_registrations(
    declared: Declarations,
    book: AddressBook,
    assets: Iterable[DeclaredAsset],
    occurred_at: datetime,
) -> list[Report]:
    """Where these assets and the external ones they are made from lie, and their columns.

    Columns that a materialization has told win over the definition's, and are not repeated here.
    """
    wanted = {asset.key: asset for asset in assets}
    for asset in list(wanted.values()):
        for upstream in asset.upstream:
            source = declared.assets.get(upstream)
            if source is not None and source.pipeline is None:
                wanted[upstream] = source
    reports: list[Report] = []
    for key, asset in wanted.items():
        newest = book.newest(key)
        told = None if newest is None else columns_of(newest.metadata)
        columns = columns_of(asset.metadata) if told is None else None
        place = book.place(key)
        reports += dataset(key, place or book.of(key), occurred_at, columns, place)
    return reports


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
    return [LineageReport(ref, report.occurred_at, edges, observed=True)] if edges else []


class Registry:
    """Remembers what this process has sent, so that only changed content is sent again.

    What was observed is sent again when some time has passed: that it still holds is news.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[object, ...], tuple[str, datetime]] = {}

    def changed(self, reports: Iterable[Report]) -> list[Report]:
        """Those whose content is not what was sent last."""
        out: list[Report] = []
        for report in reports:
            if isinstance(report, ExecutionReport):
                continue
            observed = getattr(report, "observed", False)
            # An address's columns and its other names come from different moments.
            is_named = getattr(report, "columns", ()) is None
            key, content = (*report.subject, observed, is_named), report.content_hash
            known, at = self._sent.get(key, ("", report.occurred_at))
            if known != content or (observed and abs(report.occurred_at - at) > _OBSERVE_AGAIN):
                self._sent[key] = (content, report.occurred_at)
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
        rhythm.metadata if rhythm else {},
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
