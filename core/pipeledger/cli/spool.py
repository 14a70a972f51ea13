"""``pipeledger spool``: records that wait on this host's disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeledger.cli.context import Context, print_json

if TYPE_CHECKING:
    from pipeledger.recording.spool import Spool

app = typer.Typer(
    help="Records that wait on this host's disk.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _spool(context: typer.Context) -> Spool:
    from pipeledger.recording.spool import Spool

    settings = Context.of(context).settings
    return Spool(settings.resolved_spool_dir, settings.spool_max_bytes)


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show how much waits, since when, and what was refused or lost."""
    from dataclasses import asdict

    found = _spool(context).status()
    if as_json:
        print_json(asdict(found))
        return
    from pipeledger.cli import render

    Context.of(context).console.print(render.spool(found))


@app.command("list")
def list_spool(
    context: typer.Context,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="What the ledger refused, with the reason.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many to show.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """List the records that wait, the oldest first."""
    from itertools import islice

    spool = _spool(context)
    items: list[dict[str, Any]]
    if rejected:
        items = [{"report": r.report, "error": r.error} for r in islice(spool.rejected(), limit)]
    else:
        items = [{"report": r.to_json(), "error": None} for r in islice(spool.waiting(), limit)]
    if as_json:
        print_json({"records": items})
        return
    from pipeledger.cli import render

    Context.of(context).console.print(render.spooled(items))


@app.command()
def flush(context: typer.Context, as_json: Json = False) -> None:
    """Deliver what waits; exit code 1 where something had to stay."""
    from dataclasses import asdict

    done = Context.of(context).ledger.flush()
    if as_json:
        print_json(asdict(done))
    else:
        print(f"delivered {done.reports} record(s), {done.rejected} refused and set aside")
    if done.error is not None:
        if not as_json:
            print(f"the rest stays in the spool: {done.error}")
        raise typer.Exit(1)


@app.command()
def purge(
    context: typer.Context,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Delete what waits too: those records are lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete what the ledger refused, and the count of what was lost."""
    count = _spool(context).purge(waiting=waiting)
    if as_json:
        print_json({"deleted": count})
    else:
        print(f"deleted {count} record(s)")
