"""The executor that a watched code location runs on: the user's own, with a listener in the run worker.

It sees what a step's process cannot report: that it was killed, that a step was skipped, how the run
ended. ``execute_in_process`` and ``materialize`` bring their own executor; there the resource's set-up
installs the same listener.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from pipeledger_dagster import private
from pipeledger_dagster.facts import Options
from pipeledger_dagster.listening import RunListener, install, recorded_by_this_worker


class WatchedExecutor(dg.Executor):
    """Runs a plan on ``inner`` and records the run as it goes."""

    def __init__(self, inner: dg.Executor, options: Options) -> None:
        self._inner = inner
        self._options = options

    @property
    def retries(self) -> Any:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._inner.step_dependency_config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["_inner"], name)

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        listener = install(plan_context.instance, plan_context.dagster_run, self._options)
        if listener is not None:
            listener.open()
            with recorded_by_this_worker(plan_context.run_id):
                yield from self._heard(listener, plan_context, execution_plan)
        else:
            yield from self._inner.execute(plan_context, execution_plan)

    def _heard(
        self, listener: RunListener, plan_context: Any, execution_plan: Any
    ) -> Iterator[dg.DagsterEvent]:
        events = self._inner.execute(plan_context, execution_plan)
        if not listener.is_deaf:
            yield from events
            return
        for event in events:
            listener(private.entry_of(plan_context.run_id, event))
            yield event


class WatchedExecutorDefinition(dg.ExecutorDefinition):
    """The definition of a watched executor; marks that it is one."""


def watched(
    executor: dg.ExecutorDefinition | dg.Executor, options_of: Any
) -> dg.ExecutorDefinition:
    """The same executor, watched: name, configuration and requirements stay.

    ``options_of`` is called in the run worker, where environment variables have their values.
    """
    if isinstance(executor, WatchedExecutorDefinition):
        return executor
    definition = private.executor_definition(executor)
    create = definition.executor_creation_fn
    if create is None:
        raise ValueError(f"the executor {definition.name} has no creation function")

    def create_watched(context: dg.InitExecutorContext) -> dg.Executor:
        inner = create(context)
        if isinstance(inner, WatchedExecutor):
            return inner
        options = options_of()
        return inner if options is None else WatchedExecutor(inner, options)

    return WatchedExecutorDefinition(
        name=definition.name,
        config_schema=private.executor_config(definition),
        requirements=private.executor_requirements(definition),
        executor_creation_fn=create_watched,
        description=definition.description,
    )
