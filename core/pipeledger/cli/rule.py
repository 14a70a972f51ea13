"""``pipeledger rule``: mean and standard deviations as the detector of a metric of a pipeline."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeledger.cli.context import Context, print_json
from pipeledger.model import times
from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.model.pipeline import PipelineRef

app = typer.Typer(
    help="Rules for odd volumes (mean and standard deviations): set, list, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Pipeline = Annotated[str, typer.Argument(help="The pipeline's name.")]
Metric = Annotated[
    str,
    typer.Argument(
        help="inserts, updates, soft_deletes, total_rows, duration_seconds or throughput."
    ),
]
Namespace = Annotated[str | None, typer.Option(help="The pipeline's namespace.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("set")
def set_rule(
    context: typer.Context,
    pipeline: Pipeline,
    metric: Metric,
    z: Annotated[
        float, typer.Option(help="Standard deviations from the mean that are still usual, 1 to 10.")
    ] = 3.0,
    lookback_days: Annotated[int, typer.Option(help="Days of history, 1 to 365.")] = 30,
    minimum_executions: Annotated[
        int, typer.Option(help="Runs at the same hour of the day that it needs, 5 to 1000.")
    ] = 30,
    namespace: Namespace = None,
    as_json: Json = False,
) -> None:
    """Judge a metric of a pipeline by mean and standard deviations at the same hour of the day.

    Until there are runs enough the default detector goes on judging it.
    """
    from pipeledger.housekeeping.session import in_transaction, session
    from pipeledger.store import anomaly_rules
    from pipeledger.store.database import Database

    cli = Context.of(context)
    rule = AnomalyRule(metric, z, lookback_days, minimum_executions)
    ref = cli.pipeline(pipeline, namespace)
    with session(Database.parse(cli.url)) as connection:
        id_ = in_transaction(connection, lambda c: anomaly_rules.put(c, ref, rule, times.now()))
    if as_json:
        print_json(_json(ref, id_, rule))
    else:
        print(_text(ref, rule))


@app.command("list")
def list_rules(
    context: typer.Context,
    pipeline: Annotated[str | None, typer.Argument(help="Only the rules of this pipeline.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    as_json: Json = False,
) -> None:
    """List the rules that are set."""
    from pipeledger.store.read import anomaly_rules

    cli = Context.of(context)
    ref = None if pipeline is None else cli.pipeline(pipeline, namespace)
    space = (namespace or cli.namespace) if ref is None else ref.namespace
    with cli.reader.connection() as connection:
        found = anomaly_rules.listed(connection, space, None if ref is None else ref.name)
    if as_json:
        print_json({"rules": [_json(*one) for one in found]})
    elif not found:
        print("no rules: the default detector judges every pipeline (`pipeledger rule set`)")
    for pipeline_ref, _, rule in [] if as_json else found:
        print(_text(pipeline_ref, rule))


@app.command("remove")
def remove_rule(
    context: typer.Context,
    pipeline: Pipeline,
    metric: Metric,
    namespace: Namespace = None,
    as_json: Json = False,
) -> None:
    """Take a rule away; the default detector judges the metric again."""
    from pipeledger.housekeeping.session import in_transaction, session
    from pipeledger.store import anomaly_rules
    from pipeledger.store.database import Database

    cli = Context.of(context)
    AnomalyRule(metric)  # refuses a metric that there is not
    ref = cli.pipeline(pipeline, namespace)
    with session(Database.parse(cli.url)) as connection:
        removed = in_transaction(connection, lambda c: anomaly_rules.remove(c, ref, metric))
    if as_json:
        print_json({"removed": removed})
    else:
        print(f"{ref} {metric}: {'the rule is gone' if removed else 'there was no rule'}")


def _text(ref: PipelineRef, rule: AnomalyRule) -> str:
    return (
        f"{ref} {rule.metric}: mean +- {rule.z_threshold:g} standard deviations of at least"
        f" {rule.minimum_executions} runs at the same hour in {rule.lookback_days} days"
        f"{'' if rule.active else ' (switched off)'}"
    )


def _json(ref: PipelineRef, id_: int, rule: AnomalyRule) -> dict[str, Any]:
    return {"id": id_, "namespace": ref.namespace, "pipeline": ref.name, **rule.to_json()}
