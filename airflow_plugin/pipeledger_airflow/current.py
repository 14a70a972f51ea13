"""The execution of the task whose code is running: its window, its row counts, its own words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeledger.execution import add_counts
from pipeledger.model.errors import PipeledgerError, WatermarkUnavailable
from pipeledger.model.keys import airflow_task_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts
from pipeledger.model.watermark import Window
from pipeledger.settings import Settings

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger


class NoCurrentExecution(PipeledgerError, RuntimeError):
    """Asked for the current execution where no Airflow task is running."""


class TaskExecution:
    """One try of one task, seen from inside.

    Counts and metadata are kept in this process and sent with the try's end; the window is recorded
    at once, and the watermark moves to its end when the task succeeds.
    """

    def __init__(
        self, ledger: Ledger | None, pipeline: PipelineRef, run_key: UUID, why_off: str = ""
    ) -> None:
        self._ledger = ledger
        self._why_off = why_off
        self._pipeline = pipeline
        self._run_key = run_key
        self._window: Window | None = None
        self._counts = Counts()
        self._returned = Counts()
        self._metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<TaskExecution {self._pipeline} {self._run_key}>"

    @property
    def run_key(self) -> UUID:
        """The execution's key in the ledger."""
        return self._run_key

    @property
    def pipeline(self) -> PipelineRef:
        """The pipeline of this task: ``dag_id.task_id``."""
        return self._pipeline

    def window(self, *, next_watermark: Any = None, partition_key: str = "") -> Window:
        """What this run is to process: from the pipeline's watermark to ``next_watermark``.

        ``.watermark`` of the answer is None only when nothing was ever processed (from the
        beginning). Without ``next_watermark`` the end may be given by a second call. Asked again
        with the same arguments, the same window is answered.

        Raises WatermarkUnavailable when the ledger cannot say where to begin: no answer would mean
        a full load.
        """
        if self._ledger is None:
            raise WatermarkUnavailable(
                f"the watermark of {self._pipeline} is not known, because Pipeledger is off here:"
                f" {self._why_off}"
            )
        self._window = self._ledger.window(
            self._pipeline,
            run_key=self._run_key,
            next_watermark=next_watermark,
            partition_key=partition_key,
        )
        return self._window

    @property
    def watermark(self) -> Any:
        """Where the window begins, exclusive; None at the beginning. Asks for it if need be."""
        return (self._window or self.window()).watermark

    @property
    def next_watermark(self) -> Any:
        """Where the window ends, inclusive; None while nobody has said."""
        return None if self._window is None else self._window.next_watermark

    def rows(
        self,
        *,
        inserts: int | None = None,
        updates: int | None = None,
        soft_deletes: int | None = None,
        total_rows: int | None = None,
    ) -> None:
        """Say how many rows this task changed and saw; repeated calls add up.

        Raises InvalidReport for what is no row count.
        """
        self._counts = add_counts(self._counts, Counts(inserts, updates, soft_deletes, total_rows))

    def metadata(self, **values: Any) -> None:
        """Say something about this run; kept with it, secrets removed. A later value replaces."""
        self._metadata.update(values)

    # What the hooks ask for at the end.

    def saw_result(self, counts: Counts) -> None:
        self._returned = counts

    @property
    def said(self) -> tuple[Counts, Counts, Mapping[str, Any], Window | None]:
        """(counts said by call, counts the task returned, metadata, window)"""
        return self._counts, self._returned, dict(self._metadata), self._window


_current: TaskExecution | None = None


def begin(execution: TaskExecution) -> TaskExecution:
    """Make it the current execution of this process, unless it is already (a deferred try)."""
    global _current
    if _current is None or _current.run_key != execution.run_key:
        _current = execution
    return _current


def end(run_key: UUID) -> TaskExecution | None:
    """The current execution if it is the one with this key; afterwards there is none."""
    global _current
    execution, _current = _current, None
    return execution if execution is not None and execution.run_key == run_key else None


def current_execution() -> TaskExecution:
    """The execution of the Airflow task that is running.

    Works in every task: where the plugin is turned off or the DAG is not recorded, counts and
    metadata go nowhere and only ``window`` raises. Raises NoCurrentExecution outside of a task.
    """
    from pipeledger_airflow.configuration import Configuration, TurnedOff
    from pipeledger_airflow.listener import ledger_for
    from pipeledger_airflow.tags import tags_of
    from pipeledger_airflow.versions import api

    try:
        ti = api.current_task_instance()
    except RuntimeError:
        raise NoCurrentExecution(
            "no Airflow task is running here; current_execution() is for code inside of a task"
        ) from None
    settings, ledger, why_off = Settings(), None, ""
    try:
        configuration = Configuration.read(os.environ, api.executors())
        settings = configuration.settings
        if configuration.records(ti.dag_id, tags_of(ti.task.dag)):
            ledger = ledger_for(settings)
        else:
            why_off = f"DAG {ti.dag_id} is not to be recorded, by a tag or a pattern of its id"
    except (TurnedOff, PipeledgerError) as error:
        why_off = str(error)
    run_key, pipeline = identity(ti, settings)
    return begin(TaskExecution(ledger, pipeline, run_key, why_off))


def identity(ti: Any, settings: Settings) -> tuple[UUID, PipelineRef]:
    """The key and the pipeline of a try."""
    map_index = -1 if ti.map_index is None else ti.map_index
    key = airflow_task_key(
        settings.deployment, ti.dag_id, ti.run_id, ti.task_id, map_index, ti.try_number
    )
    return key, PipelineRef(f"{ti.dag_id}.{ti.task_id}", settings.namespace)
