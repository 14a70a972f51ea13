"""``pipeledger airflow``: what Airflow's own REST API knows, brought into the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json
from pipeledger.model import times
from pipeledger.model.redaction import redact_url

app = typer.Typer(
    help="What Airflow's own REST API knows, brought into the ledger.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def airflow() -> None:
    """What Airflow's own REST API knows, brought into the ledger."""


@app.command()
def reconcile(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Option(envvar="PIPELEDGER_AIRFLOW_URL", help="The address of Airflow's API server."),
    ],
    token: Annotated[
        str, typer.Option(envvar="PIPELEDGER_AIRFLOW_TOKEN", help="A token of its API.")
    ] = "",
    username: Annotated[
        str, typer.Option(envvar="PIPELEDGER_AIRFLOW_USERNAME", help="Or a name, with a password.")
    ] = "",
    password: Annotated[
        str, typer.Option(envvar="PIPELEDGER_AIRFLOW_PASSWORD", help="Better in the variable.")
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            help="From this time on (ISO 8601 with a zone); else where the last pass ended."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Record the finished DAG runs that changed since the last time, with all their tries.

    For runs whose scheduler died, or that ran before the plugin was installed. Repeating it changes
    nothing.
    """
    from pipeledger_airflow.catch_up import Cursor, catch_up
    from pipeledger_airflow.configuration import Configuration
    from pipeledger_airflow.rest import AirflowApi

    ours = Context.of(context)
    settings = ours.settings
    cursor = Cursor(Path(settings.data_dir), settings.deployment, redact_url(ours.url), url)
    begin = times.parse(since, "--since") if since else cursor.read()
    airflow = AirflowApi.connect(url, token=token, username=username, password=password)
    done = catch_up(airflow, ours.ledger, Configuration.of(settings), begin)
    waiting = ours.ledger.spool.status().reports
    if not waiting:
        cursor.write(done.until)
    if as_json:
        print_json(
            {"runs": done.runs, "tries": done.tries, "until": done.until, "waiting": waiting}
        )
        return
    print(f"{done.runs} DAG runs and {done.tries} tries are as Airflow has them.")
    if waiting:
        print(f"{waiting} records wait in the spool; `pipeledger spool flush` delivers them.")
