"""``pipeledger round``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json


def do_round(
    context: typer.Context,
    prune_older_than: Annotated[
        str | None,
        typer.Option(
            help="Also delete old runs, once a day (90d, 26w); without it nothing is deleted."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Do all that keeps a ledger watched: spool flush, reap, probe, check, alerts send.

    For a timer; Airflow and Dagster have the same as a DAG and as a job. A step that fails stops
    none of the others. Exit code 1 when one did; what the checks find does not change it.
    """
    from pipeledger.monitoring.round import Plan, Step, run

    def tell(step: Step) -> None:
        if not as_json:
            print(step)

    plan = Plan(prune_older_than=prune_older_than)
    done = run(Context.of(context).ledger, plan, progress=tell)
    if as_json:
        print_json(done.to_json())
    if done.error is not None:
        raise typer.Exit(1)
