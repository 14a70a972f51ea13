"""``PipeledgerResource``: the ledger inside assets and ops."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import dagster as dg
from pydantic import Field

from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.keys import dagster_step_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, ExecutionReport
from pipeledger.model.watermark import Watermark, Window
from pipeledger.recording.heartbeat import LONGEST_SECONDS
from pipeledger_dagster import listening, private
from pipeledger_dagster.events import COUNT, WINDOW, WINDOW_BOUNDS
from pipeledger_dagster.facts import Options, namespace_of, plan_steps
from pipeledger_dagster.naming import pipeline_step_key, plain_key, unknown_step
from pipeledger_dagster.partitions import partition_scope, partition_window

log = logging.getLogger(__name__)

StepContext = dg.OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class PipeledgerResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The ledger that this code location records into, for ``watch`` and inside assets and ops.

    Alone, without ``watch``, it records the steps that require it.
    """

    database_url: Optional[str] = Field(  # noqa: UP045 (Dagster reads the annotation)
        default=None,
        description=(
            "The ledger's database, e.g. postgresql://user@host:5432/pipeledger; pass an EnvVar if it"
            " holds a password. Unset: PIPELEDGER_DATABASE_URL, else a SQLite file of the user's."
        ),
    )
    namespace: Optional[str] = Field(  # noqa: UP045
        default=None,
        description="The namespace of the pipelines. Unset: PIPELEDGER_NAMESPACE, else `default`.",
    )
    code_location_as_namespace: bool = Field(
        default=False,
        description="Use the code location's name as namespace where `namespace` is not set.",
    )
    address_namespaces: dict[str, str] = Field(
        default={},
        description=(
            "Where the tables of a storage kind lie, e.g. {'postgres': 'postgres://dwh:5432'}, so that"
            " `dagster/table_name` becomes an address that others know too."
        ),
    )

    heartbeat_seconds: float = Field(
        default=60.0,
        ge=0,
        le=LONGEST_SECONDS,
        description="How often a running step says that it is alive; 0: never.",
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        try:
            run = private.run_of(context)
            if run is not None and context.instance is not None:
                listening.install(context.instance, run, self.options())
        except Exception as error:
            # What a set-up raises fails the run; EnvVars that are not set have failed it already.
            log.warning("this process records nothing: %s", error, exc_info=True)

    @property
    def ledger(self) -> Ledger:
        """The ledger itself: everything that ``pipeledger.Ledger`` offers."""
        return listening.ledger_for(self.options())

    def options(self) -> Options:
        """The settings with environment variables resolved. Raises if one is not set."""
        return Options(
            database_url=_resolved(self.database_url),
            namespace=_resolved(self.namespace),
            code_location_as_namespace=self.code_location_as_namespace,
            address_namespaces={k: str(_resolved(v)) for k, v in self.address_namespaces.items()},
            heartbeat_seconds=self.heartbeat_seconds,
        )

    def watermark(self, context: StepContext, partition_key: str | None = None) -> Watermark:
        """How far this asset or op has got.

        Raises WatermarkUnavailable if the ledger cannot say.
        """
        step = _Step(context, self.options())
        scope = partition_scope(context) if partition_key is None else partition_key
        return self.ledger.watermark(step.pipeline, partition_key=scope)

    @contextmanager
    def window(
        self,
        context: StepContext,
        next_watermark: Any = None,
        partition_key: str | None = None,
    ) -> Iterator[Window]:
        """What this step has to process: from the watermark to ``next_watermark``.

        Recorded on the step's execution and in the metadata of what it makes; the step's success
        moves the watermark, unless the body of the ``with`` raised. A time-partitioned step that
        names no ``next_watermark`` gets its partition's window.

        Raises WatermarkUnavailable if the ledger cannot say where the window begins.
        """
        step = _Step(context, self.options())
        scope = partition_scope(context) if partition_key is None else partition_key
        window = partition_window(context, scope) if next_watermark is None else None
        if window is None:
            window = self.ledger.window(
                step.pipeline,
                run_key=step.run_key,
                next_watermark=next_watermark,
                partition_key=scope,
            )
        elif step.run_key is not None:
            self.ledger.record(
                ExecutionReport(
                    run_key=step.run_key,
                    occurred_at=times.now(),
                    pipeline=step.pipeline,
                    window=window,
                )
            )
        # Before the body, which may yield the outputs that this is to show on.
        bounds = dg.MetadataValue.json(window.to_json())
        step.add_metadata({WINDOW: _shown(window), WINDOW_BOUNDS: bounds})
        try:
            yield window
        except BaseException:
            step.withhold_watermark()
            raise

    def rows(
        self,
        context: StepContext,
        *,
        inserts: int | None = None,
        updates: int | None = None,
        soft_deletes: int | None = None,
        total_rows: int | None = None,
    ) -> None:
        """Say how many rows this step wrote; repeated calls add up.

        Recorded with the step's end, shown in the metadata of what it makes. Raises InvalidReport
        for what is no row count.
        """
        step = _Step(context, self.options())
        counts = step.add_counts(Counts(inserts, updates, soft_deletes, total_rows))
        step.add_metadata(
            {COUNT + n: v for n in Counts.NAMES if (v := getattr(counts, n)) is not None}
        )


class _Step:
    """The step that a context belongs to, as the ledger knows it."""

    def __init__(self, context: StepContext, options: Options) -> None:
        self._context = context
        self._op: Any = getattr(context, "op_execution_context", context)
        self.step_key = private.step_key_of(context)
        run = _quietly(lambda: self._op.run)
        instance = _quietly(lambda: self._op.instance)
        self._listener = (
            listening.listener_of(instance, run.run_id)
            if run is not None and instance is not None
            else None
        )
        if self.step_key is None or run is None:
            # A direct call in a test: no run, nothing to record it on.
            self.run_key = None
            self.pipeline = PipelineRef(_name_outside_runs(context), namespace_of(options, None))
            return
        self.run_key = dagster_step_key(run.run_id, self.step_key, self._op.retry_number + 1)
        if self._listener is not None:
            self.pipeline = self._listener.facts.step_pipeline(self.step_key)
        else:
            steps = plan_steps(instance, run)
            step = steps.get(plain_key(self.step_key)) or unknown_step(run.job_name, self.step_key)
            self.pipeline = PipelineRef(
                step.pipeline, namespace_of(options, private.code_location(run))
            )

    def withhold_watermark(self) -> None:
        if self._listener is not None and self.step_key is not None:
            self._listener.withhold_watermark(self.step_key)

    def add_counts(self, counts: Counts) -> Counts:
        if self._listener is None or self.step_key is None:
            return counts
        return self._listener.add_counts(self.step_key, counts)

    def add_metadata(self, metadata: dict[str, Any]) -> None:
        """Put it on every output that takes metadata; dynamic outputs and past ones do not."""
        for output in _quietly(lambda: list(self._op.selected_output_names)) or ():
            try:
                self._op.add_output_metadata(metadata, output_name=output)
            except Exception as error:
                log.debug("no metadata on output %s: %s", output, error)


def _quietly(read: Any) -> Any:
    try:
        return read()
    except Exception:
        return None


def _name_outside_runs(context: Any) -> str:
    key = _quietly(lambda: context.asset_key.to_user_string())
    return str(key or pipeline_step_key(_quietly(lambda: context.op_handle.name) or "unnamed"))


def _resolved(value: str | None) -> str | None:
    # An EnvVar is a str that equals the variable's NAME until it is resolved (seen, 1.13).
    if isinstance(value, dg.EnvVar):
        resolved: str | None = value.get_value()
        if resolved is None:
            raise ValueError(
                f"the environment variable {value.env_var_name} is not set; PipeledgerResource needs it"
            )
        return resolved
    return value


def _shown(window: Window) -> str:
    start = "the beginning" if window.from_beginning else str(window.lower or "?")
    return f"{start} → {window.upper if window.upper is not None else '?'}"
