"""Airflow 3.3: the names it keeps to itself, and how its objects are told apart.

Every function answers with plain values and asks Airflow for nothing that it would have to load
twice. The private names, each read in the source of 3.3.2: ``_ti_context_from_server``,
``_post_execute_hook``, ``OutletEventAccessors._dict``, ``SUPERVISOR_COMMS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from pipeledger_airflow.states import plain


class TaskRow(NamedTuple):
    """One try as Airflow's own database has it, copied; ``state`` is Airflow's word.

    Times without a zone are in UTC. A tuple, because a scheduler's hook makes one for each try.
    """

    task_id: str
    map_index: int
    try_number: int
    state: str | None
    start_date: datetime | None
    end_date: datetime | None
    hostname: str | None
    operator: str | None
    queue: str | None
    pool: str | None


TASK_FIELDS = TaskRow._fields


@dataclass(frozen=True, slots=True)
class DagVersionRow:
    """The version of the DAG that a run's tasks come from; a DAG under test has no number."""

    number: int | None
    declared_at: datetime


def is_task_process(task_instance: object) -> bool:
    """Whether this is the task's own process: elsewhere hooks get rows of the database."""
    return hasattr(type(task_instance), "get_template_context")


def is_task_runner(component: object) -> bool:
    """Whether ``on_starting`` and ``before_stopping`` speak of a task's process."""
    return type(component).__name__ == "TaskRunnerMarker"


def executors() -> tuple[str, ...]:
    """The class names of the configured executors, ``LocalExecutor`` for one."""
    from airflow.configuration import conf

    return executor_names(conf.get("core", "executor", fallback="LocalExecutor"))


def executor_names(text: str) -> tuple[str, ...]:
    """The class names in ``[core] executor``: entries between commas, teams between semicolons, each
    ``Name``, ``package.module.Name`` or ``alias:Name``, a team's first with ``team=`` before it."""
    names = (entry.rpartition("=")[2].strip() for entry in re.split("[,;]", text))
    return tuple(name.rpartition(":")[2].rpartition(".")[2] for name in names if name)


def hook_lineage_reader() -> type:
    """The class whose presence in a plugin makes Airflow collect what hooks read and write."""
    from airflow.sdk.lineage import HookLineageReader

    return HookLineageReader


# -- in the task's process ---------------------------------------------------------------------


def dag_run_facts(task_instance: Any) -> Any:
    """The task's DAG run as the API server described it (``clear_number``, ``run_type`` ...)."""
    context = getattr(task_instance, "_ti_context_from_server", None)
    if context is not None:
        return context.dag_run
    return task_instance.get_template_context().get("dag_run")


def resumptions(task_instance: Any) -> dict[str, Any]:
    """Whether this is a later part of a deferred or rescheduled try."""
    context = getattr(task_instance, "_ti_context_from_server", None)
    if context is None:
        return {}
    facts: dict[str, Any] = {}
    if context.next_method:
        facts["resumed_with"] = context.next_method
    if context.task_reschedule_count:
        facts["reschedules"] = context.task_reschedule_count
    return facts


def watch_result(task_instance: Any, seen: Callable[[object], None]) -> None:
    """Have ``seen`` called with what the task returns, before it becomes an XCom.

    The copy of the operator that runs is this process's own (``prepare_for_execution``). Asking for
    the XCom afterwards would cost every task a call to the API server. ``seen`` must not raise.
    """
    task = task_instance.task
    theirs = task._post_execute_hook

    def post_execute(context: Mapping[str, Any], result: Any = None) -> Any:
        seen(result)
        return None if theirs is None else theirs(context, result)

    if theirs is not None and _is_generator(theirs):
        return  # Airflow feeds on what it yields; a wrapper would have to as well
    task._post_execute_hook = post_execute


def _is_generator(function: object) -> bool:
    import inspect

    return inspect.isgeneratorfunction(function)


Fingerprint = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Collected:
    """What hooks reported: assets read and written, statements executed as (SQL, rows)."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    statements: tuple[tuple[str, int], ...]


def lineage_counts() -> dict[Fingerprint, int]:
    """How often each thing was reported in this process so far.

    A task's own process begins with nothing; in ``dag.test()`` one process runs every task, and the
    collector still holds what earlier ones reported (seen, 3.3.2).
    """
    lineage = _hook_lineage()
    if lineage is None:
        return {}
    items = [*lineage.inputs, *lineage.outputs, *lineage.extra]
    return {_fingerprint(item): item.count for item in items}


def collected_lineage(before: Mapping[Fingerprint, int]) -> Collected | None:
    """What hooks reported since ``before``; None where no hook reported anything."""
    lineage = _hook_lineage()
    if lineage is None:
        return None

    def new(item: Any) -> int:
        return int(item.count) - before.get(_fingerprint(item), 0)

    statements = [
        (extra.value["sql"], extra.value["row_count"] * new(extra))
        for extra in lineage.extra
        if extra.key == "sql_job"
        and new(extra) > 0
        and isinstance(extra.value.get("sql"), str)
        and isinstance(extra.value.get("row_count"), int)
    ]
    return Collected(
        tuple(item.asset for item in lineage.inputs if new(item) > 0),
        tuple(item.asset for item in lineage.outputs if new(item) > 0),
        tuple(statements),
    )


def _hook_lineage() -> Any | None:
    from airflow.sdk.lineage import get_hook_lineage_collector

    if not get_hook_lineage_collector.cache_info().currsize:
        return None  # nobody has reported anything, and making a collector is slow
    collector = get_hook_lineage_collector()
    return collector.collected_assets if collector.has_collected else None


def _fingerprint(item: Any) -> Fingerprint:
    if hasattr(item, "asset"):
        return type(item).__name__, str(item.asset.uri), id(item.context)
    return str(item.key), str(item.value), id(item.context)


def outlet_events(task_instance: Any) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    """(asset name, asset uri, extra, came through an alias) of every asset event of this task."""
    from airflow.sdk.definitions.asset import AssetUniqueKey

    events = task_instance.get_template_context()["outlet_events"]
    for key, accessor in dict(events._dict).items():
        if isinstance(key, AssetUniqueKey):
            yield key.name, key.uri, accessor.extra or {}, False
        for event in accessor.asset_alias_events:
            yield event.dest_asset_key.name, event.dest_asset_key.uri, event.extra or {}, True


def triggered_run(task_instance: Any) -> tuple[str, str, int] | None:
    """(dag_id, run_id, clear number) of the DAG run that this TriggerDagRunOperator's try made.

    Airflow keeps no pointer from that run to this task; the task's XCom is the only trace, and it
    is cleared when a try starts, so what is there was triggered by this one. Two calls to the API
    server, in tasks of that operator only.
    """
    dag_id = getattr(task_instance.task, "trigger_dag_id", None)
    if not isinstance(dag_id, str):
        return None
    run_id = task_instance.xcom_pull(
        key="trigger_run_id", task_ids=task_instance.task_id, map_indexes=task_instance.map_index
    )
    if not isinstance(run_id, str):
        return None
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetDagRun

    answer = task_runner.SUPERVISOR_COMMS.send(GetDagRun(dag_id=dag_id, run_id=run_id))
    clear_number = getattr(answer, "clear_number", None)
    return None if clear_number is None else (dag_id, run_id, int(clear_number))


def current_task_instance() -> Any:
    """The task instance whose code is running. Raises RuntimeError outside of a task."""
    from airflow.sdk import get_current_context

    return get_current_context()["ti"]


# -- in the scheduler and the API server: reading only ------------------------------------------


def session_of(row: object) -> Any | None:
    """The session that Airflow holds the row in; only to read through."""
    from sqlalchemy.orm import object_session

    return object_session(row)


def current_tasks(dag_run: Any, session: Any) -> list[TaskRow]:
    """The current try of every task instance of the run, changes that are not flushed included.

    Columns of the table are selected, not objects, so nothing enters Airflow's session and no pickled
    ``executor_config`` is loaded; what the scheduler has changed in memory is laid over it.
    """
    from airflow.models.taskinstance import TaskInstance

    found = {(row.task_id, row.map_index): row for row in _rows_of(TaskInstance, dag_run, session)}
    for changed in [*session.dirty, *session.new]:
        if (
            isinstance(changed, TaskInstance)
            and changed.dag_id == dag_run.dag_id
            and changed.run_id == dag_run.run_id
        ):
            row = _task_row([getattr(changed, name) for name in TASK_FIELDS])
            found[row.task_id, row.map_index] = row
    return list(found.values())


def earlier_tries(dag_run: Any, session: Any) -> list[TaskRow]:
    """The tries of the run that are over, from Airflow's history.

    It holds none of a run that was not cleared and whose tries are all first ones.
    """
    from airflow.models.taskinstancehistory import TaskInstanceHistory

    return _rows_of(TaskInstanceHistory, dag_run, session)


def _rows_of(model: Any, dag_run: Any, session: Any) -> list[TaskRow]:
    """The run's rows in a table. Through the session's connection: as objects' columns, by a query
    that is made anew, they cost a scheduler three times as much (seen)."""
    of_run = {"of_dag": dag_run.dag_id, "of_run": dag_run.run_id}
    return [_task_row(row) for row in session.connection().execute(_rows_query(model), of_run)]


@cache
def _rows_query(model: Any) -> Any:
    from sqlalchemy import DateTime, bindparam, select, type_coerce

    table = model.__table__

    def column(name: str) -> Any:
        # Airflow's own type would put a time zone written in Python on each time.
        is_time = name.endswith("_date")
        return type_coerce(table.c[name], DateTime(timezone=True)) if is_time else table.c[name]

    return select(*map(column, TASK_FIELDS)).where(
        table.c.dag_id == bindparam("of_dag"), table.c.run_id == bindparam("of_run")
    )


def row_of(task_instance: Any, word: str) -> TaskRow:
    """One row of Airflow's database, copied from the object, with the state it is being given."""
    row = _task_row([getattr(task_instance, name) for name in TASK_FIELDS])
    return row if row.state == "up_for_retry" else row._replace(state=word)


def _task_row(values: Any) -> TaskRow:
    task_id, map_index, try_number, state, *rest = values
    return TaskRow(task_id, map_index, try_number, None if state is None else plain(state), *rest)


def stored_dag(dag_id: str, session: Any) -> Any | None:
    """The DAG as it is stored, where only its id is at hand (hooks for tasks in the API server)."""
    from airflow.models.serialized_dag import SerializedDagModel

    with session.no_autoflush:
        stored = SerializedDagModel.get(dag_id, session=session)
    return None if stored is None else stored.dag


def dag_version(dag_run: Any, session: Any) -> DagVersionRow | None:
    """The version that ``dag_run.dag`` is of, chosen as ``DBDagBag`` chooses it."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.serialized_dag import SerializedDagModel
    from sqlalchemy import select

    query = select(DagVersion.version_number, SerializedDagModel.last_updated).join(
        SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id
    )
    if dag_run.bundle_version and dag_run.created_dag_version_id:
        query = query.where(DagVersion.id == dag_run.created_dag_version_id)
    else:
        query = query.where(DagVersion.dag_id == dag_run.dag_id)
    with session.no_autoflush:
        row = session.execute(query.order_by(DagVersion.version_number.desc()).limit(1)).first()
    return None if row is None else DagVersionRow(row[0], row[1])


class BackfillRow(NamedTuple):
    """A backfill as Airflow's own database has it."""

    created_at: datetime
    from_date: datetime
    to_date: datetime
    reprocess_behavior: str
    max_active_runs: int
    triggering_user_name: str | None


def backfill(backfill_id: int, session: Any) -> BackfillRow | None:
    """The backfill with this id."""
    from airflow.models.backfill import Backfill
    from sqlalchemy import select

    columns = [getattr(Backfill, name) for name in BackfillRow._fields]
    with session.no_autoflush:
        row = session.execute(select(*columns).where(Backfill.id == backfill_id)).first()
    return None if row is None else BackfillRow(*row)


def runs_of_backfill(backfill_id: int, session: Any) -> list[tuple[str, datetime | None]]:
    """(state, end) of the backfill's DAG runs, changes that are not flushed included."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (DagRun.id, DagRun._state, DagRun.end_date)
    with session.no_autoflush:
        rows = session.execute(select(*columns).where(DagRun.backfill_id == backfill_id)).all()
    found = {number: (plain(state), ended) for number, state, ended in rows}
    for changed in session.dirty:
        if isinstance(changed, DagRun) and changed.id in found:
            found[changed.id] = plain(changed.state), changed.end_date
    return list(found.values())


def consumed_events(dag_run: Any) -> list[dict[str, Any]]:
    """Whose asset events set an asset-triggered run off: the runs it follows from."""
    if str(getattr(dag_run, "run_type", "")).rpartition(".")[2].lower() != "asset_triggered":
        return []
    session = session_of(dag_run)
    if session is None:
        return []
    with session.no_autoflush:
        events = list(dag_run.consumed_asset_events)
        return [
            {
                "asset": event.asset.uri if event.asset else None,
                "dag_id": event.source_dag_id,
                "run_id": event.source_run_id,
                "task_id": event.source_task_id,
                "map_index": event.source_map_index,
            }
            for event in events[:100]
        ]
