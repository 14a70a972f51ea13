"""``monitoring_definitions``: the ledger watched by the Dagster that is there, by one job."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import dagster as dg

from pipeledger.model import times
from pipeledger.model.finding import CHECKS
from pipeledger.monitoring.round import Plan, step
from pipeledger_dagster.resource import PipeledgerResource

NAME = "pipeledger_monitoring"
RESOURCE_KEY = "pipeledger_monitoring"
"""Not the key of the resource that records, so that both can stand in definitions that are merged."""
LONGEST = timedelta(hours=1)
"""A round that is older is taken for lost: it no longer keeps the next one from beginning."""
_GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def monitoring_definitions(
    schedule: str = "*/5 * * * *",
    *,
    resource: PipeledgerResource | None = None,
    spool: bool = True,
    reap_older_than: str | None = "1h",
    reap_silent_for: str = "7d",
    probes: bool = True,
    checks: Collection[str] | None = CHECKS,
    alerts: bool = True,
    prune_older_than: str | None = None,
    default_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.RUNNING,
) -> dg.Definitions:
    """A job with one op for each step of a round, and its schedule; False or None leaves a step out.

    For ``dg.Definitions.merge``, inside of ``watch`` or beside it. The ops run in one process, one
    after the other; one that fails stops no other, and fails the run at the end. It is not tried
    again: the next round is. ``resource``: the ledger, as it is passed to ``watch``; else the default
    one. ``prune_older_than`` (``90d``): delete old runs, once a day.

    Raises InvalidInput.
    """
    plan = Plan(
        spool=spool,
        reap_older_than=reap_older_than,
        reap_silent_for=reap_silent_for,
        probes=probes,
        checks=checks,
        alerts=alerts,
        prune_older_than=prune_older_than,
    )
    # Ops that need nothing of each other, so that none is skipped for another's failure; their
    # priorities put them into order where one process does them.
    ops = [_op(name, plan, priority) for priority, name in enumerate(reversed(plan.steps))]

    @dg.job(
        name=NAME,
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
        description="What keeps the Pipeledger ledger watched and tidy; `pipeledger findings`.",
    )
    def job() -> None:
        for op in ops:
            op()

    @dg.schedule(
        name=NAME,
        job=job,
        cron_schedule=schedule,
        default_status=default_status,
    )
    def ticks(context: dg.ScheduleEvaluationContext) -> Any:
        going = context.instance.get_run_records(
            dg.RunsFilter(job_name=NAME, statuses=_GOING, created_after=times.now() - LONGEST),
            limit=1,
        )
        if going:
            return dg.SkipReason(f"the round {going[0].dagster_run.run_id} is still going on")
        return dg.RunRequest()

    return dg.Definitions(
        jobs=[job],
        schedules=[ticks],
        resources={RESOURCE_KEY: PipeledgerResource() if resource is None else resource},
    )


def _op(name: str, plan: Plan, priority: int) -> dg.OpDefinition:
    @dg.op(
        name=name,
        required_resource_keys={RESOURCE_KEY},
        tags={"dagster/priority": str(priority)},
        out=dg.Out(dg.Nothing),
    )
    def op(context: dg.OpExecutionContext) -> None:
        ledger = getattr(context.resources, RESOURCE_KEY).ledger
        done = step(name, ledger, plan)
        for line in str(done).splitlines():
            (context.log.info if done.error is None else context.log.error)(line)
        metadata = {
            "said": done.done.said,
            **(
                {"lines": dg.MetadataValue.md("\n".join(f"- {line}" for line in done.done.lines))}
                if done.done.lines
                else {}
            ),
            **{key: _value(value) for key, value in done.done.facts.items()},
        }
        if done.error is not None:
            raise dg.Failure(done.error, metadata=metadata, allow_retries=False)
        context.add_output_metadata(metadata)

    return op


def _value(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else dg.MetadataValue.json(value)
