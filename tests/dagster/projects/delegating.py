"""A code location on a step-delegating executor, as those for Kubernetes, Docker and Celery are.

Each step is a process that only Dagster's own command starts: it inherits nothing of the run worker's.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)

from pipeledger_dagster import watch
from pipeledger_dagster.listening import RECORDED_RUN


class CommandHandler(StepHandler):
    """Starts the command of each step on this host."""

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def name(self) -> str:
        return "CommandHandler"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        arguments = step_handler_context.execute_step_args
        assert arguments.step_keys_to_execute
        self._running[arguments.step_keys_to_execute[0]] = subprocess.Popen(
            [sys.executable, "-m", *arguments.get_command_args()],
            env={k: v for k, v in os.environ.items() if k != RECORDED_RUN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return iter(())

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        (step_key,) = step_handler_context.execute_step_args.step_keys_to_execute or ()
        code = self._running[step_key].poll()
        if code:
            return CheckStepHealthResult.unhealthy(f"the step's process ended with {code}")
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        for process in self._running.values():
            process.terminate()
        return iter(())


@dg.executor(
    name="command",
    requirements=[dg.ExecutorRequirement.RECONSTRUCTABLE_JOB],
    config_schema={},
)
def command_executor(context: dg.InitExecutorContext) -> dg.Executor:
    return StepDelegatingExecutor(
        CommandHandler(),
        retries=RetryMode.ENABLED,
        sleep_seconds=0.2,
        check_step_health_interval_seconds=1,
    )


@dg.op
def first() -> int:
    return 1


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def stumbles(context: dg.OpExecutionContext, x: int) -> int:
    if context.retry_number == 0:
        raise ValueError("the first try always fails")
    return x


@dg.op
def dies(x: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dg.job
def delegated():
    dies(stumbles(first()))


defs = watch(dg.Definitions(jobs=[delegated], executor=command_executor))


def delegated_job() -> dg.JobDefinition:
    return defs.resolve_job_def("delegated")
