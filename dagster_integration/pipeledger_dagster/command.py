"""``pipeledger dagster``: reconcile the ledger with a Dagster instance's event log."""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, NotFound, PipeledgerError
from pipeledger.model.redaction import redact_url

app = typer.Typer(
    help="Dagster: read runs from its event log.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback()
def dagster_commands() -> None:
    """Dagster: read runs from its event log."""


@app.command()
def reconcile(
    context: typer.Context,
    run: Annotated[
        list[str] | None, typer.Option(help="Only this run; may be given several times.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Start with runs that changed since then (2013-01-05T00:00:00Z, or 7d); else where"
            " the last call stopped, at first with the very first run."
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="The pipelines' namespace; else PIPELEDGER_NAMESPACE.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rebuild executions from the event log of the Dagster instance at DAGSTER_HOME.

    Runs of all code locations, also from before the integration. A repeated call changes nothing.
    """
    try:
        import dagster as dg
    except ImportError:
        raise InvalidInput(
            "Dagster is not installed here: pip install 'pipeledger[dagster]'"
        ) from None

    from pipeledger_dagster.facts import Options
    from pipeledger_dagster.reconciliation import Cursor, reconcile_run
    from pipeledger_dagster.reconciliation import reconcile as tick

    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise InvalidInput("DAGSTER_HOME is not set; it must name the instance whose runs to read")
    ours = Context.of(context)
    options = Options(database_url=ours.url, namespace=namespace or ours.namespace)
    runs = reports = 0
    with dg.DagsterInstance.get() as instance:
        if run:
            for run_id in run:
                found = reconcile_run(instance, run_id, options)
                if not found and instance.get_run_by_id(run_id) is None:
                    raise NotFound(f"the Dagster instance at {home} has no run {run_id!r}")
                runs, reports = runs + 1, reports + len(found)
        else:
            kept = _cursor_file(Path(ours.settings.data_dir), home, ours.url)
            cursor = Cursor.parse(None if since else _read(kept))
            if since:
                cursor.updated_after = _moment(since).timestamp()
            while True:
                done = tick(instance, options, cursor, limit=500, seconds=60.0)
                runs, reports = runs + done.runs, reports + done.reports
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(str(cursor))
                if not done.has_more:
                    break
    if as_json:
        print_json({"runs": runs, "reports": reports})
    else:
        typer.echo(f"{runs} runs read, {reports} reports recorded")


def _cursor_file(folder: Path, home: str, url: str) -> Path:
    """Where the last call stopped, of this instance and this ledger."""
    names = f"{Path(home).resolve()}\n{redact_url(url)}"
    return folder / f"dagster-reconcile-{hashlib.sha256(names.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _moment(text: str) -> datetime:
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if text[:-1].isdigit() and text[-1:] in units:
        return times.now() - timedelta(**{units[text[-1]]: int(text[:-1])})
    return times.parse(text, "--since")


def main() -> None:
    """``python -m pipeledger_dagster``: the same commands. Errors are one sentence, exit code 1."""
    try:
        app()
    except PipeledgerError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
