"""What a DAG declares: its own pipeline and its tasks', the task graph, the lineage of assets."""

from __future__ import annotations

import weakref
from typing import Any

from pipeledger.model import times
from pipeledger.model.canonical import content_hash
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Report
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.fence import attribute, read
from pipeledger_airflow.lineage import declared_ends, every_pair
from pipeledger_airflow.rhythm import rhythm_of
from pipeledger_airflow.tags import declared, tags_of
from pipeledger_airflow.versions import api

GROUP = "airflow"
DAG_TYPE = "airflow_dag"
TASK_TYPE = "airflow_task"


class Registrar:
    """Reports a DAG's declaration when this process sees it for the first time or changed.

    The scheduler keeps a DAG's deserialized form while its version lasts, so "the same object as
    last time" costs nothing for all runs but the first.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._seen: dict[str, weakref.ref[Any]] = {}
        self._sent: dict[str, str] = {}
        self._hashes: dict[str, str] = {}

    def configuration_hash(self, dag_id: str) -> str | None:
        """The hash of what the DAG declared when it was last registered here."""
        return self._hashes.get(dag_id)

    def reports(self, dag_run: Any, session: Any) -> list[Report]:
        """The declarations of this run's DAG; none if they were reported already.

        They occurred when Airflow wrote this version of the DAG, so that a late run of an old
        version does not undo a newer declaration.
        """
        dag = getattr(dag_run, "dag", None)
        if dag is None:
            return []
        known = self._seen.get(dag.dag_id)
        if known is not None and known() is dag:
            return []
        # dag.test() holds its run in no session, and its DAG is the file as it is now.
        now = api.DagVersionRow(None, times.now())
        version = now if session is None else api.dag_version(dag_run, session)
        if version is None:
            return []
        self._seen[dag.dag_id] = weakref.ref(dag)
        pipelines = declarations(dag, version, self._configuration)
        edges = lineage_declarations(dag, version, self._configuration)
        reports: list[Report] = [*pipelines, *edges]
        content = content_hash([report.to_json() for report in reports])
        if self._sent.get(dag.dag_id) == content:
            return []
        self._sent[dag.dag_id] = content
        self._hashes[dag.dag_id] = pipelines[0].configuration_hash
        return reports


def declarations(
    dag: Any, version: api.DagVersionRow, configuration: Configuration
) -> list[PipelineReport]:
    """The DAG's pipeline with its task graph, then one pipeline for each task."""
    namespace = configuration.namespace

    def pipeline(task_id: str) -> PipelineRef:
        return PipelineRef(f"{dag.dag_id}.{task_id}", namespace)

    said = declared(dag.dag_id, tags_of(dag))
    code_version = None if version.number is None else str(version.number)
    reports = [
        PipelineReport(
            pipeline=PipelineRef(dag.dag_id, namespace),
            occurred_at=version.declared_at,
            type=said.type or DAG_TYPE,
            group=said.group or GROUP,
            freshness=said.freshness,
            timeliness=said.timeliness,
            metadata=_without_unknown(
                description=attribute(dag, "description"),
                owner=attribute(dag, "owner"),
                tags=read(lambda: sorted(dag.tags)),
                file=attribute(dag, "fileloc"),
                tasks=len(dag.task_dict),
                max_active_runs=attribute(dag, "max_active_runs"),
                deployment=configuration.deployment,
                rhythm=read(lambda: rhythm_of(dag.timetable)),
                rhythm_until=read(lambda: dag.end_date and times.isoformat(dag.end_date)),
            ),
            schedule=schedule_of(dag),
            dependencies=tuple(
                (pipeline(task.task_id), pipeline(downstream))
                for task in dag.task_dict.values()
                for downstream in task.downstream_task_ids
            ),
            code_version=code_version,
        )
    ]
    for task in dag.task_dict.values():
        reports.append(
            PipelineReport(
                pipeline=pipeline(task.task_id),
                occurred_at=version.declared_at,
                type=TASK_TYPE,
                group=GROUP,
                watermark_kind=said.watermark_kind,
                completeness=said.completeness,
                metadata=_without_unknown(
                    operator=attribute(task, "operator_name"),
                    owner=attribute(task, "owner"),
                    tags=read(lambda: sorted(dag.tags)),
                    task_group=attribute(task, "task_group.group_id"),
                    pool=attribute(task, "pool"),
                    queue=attribute(task, "queue"),
                    retries=attribute(task, "retries"),
                    mapped=attribute(task, "is_mapped") or None,
                    file=attribute(dag, "fileloc"),
                ),
                code_version=code_version,
            )
        )
    return reports


def lineage_declarations(
    dag: Any, version: api.DagVersionRow, configuration: Configuration
) -> list[LineageReport]:
    """What inlets and outlets declare, whole; nothing at all takes earlier edges away."""
    reports = []
    for task in dag.task_dict.values():
        ref = PipelineRef(f"{dag.dag_id}.{task.task_id}", configuration.namespace)
        inputs, outputs = declared_ends(task)
        edges = tuple(every_pair(inputs, outputs))
        reports.append(
            LineageReport(ref, version.declared_at, edges, inputs=inputs, outputs=outputs)
        )
    return reports


def schedule_of(dag: Any) -> str | None:
    """The DAG's rhythm in Airflow's words (cron text, an interval); None without one."""
    summary = attribute(dag, "timetable.summary")
    return summary if isinstance(summary, str) and summary not in ("", "None") else None


def _without_unknown(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}
