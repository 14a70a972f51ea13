"""``pipeledger check``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context

FOUND = 3
"""The exit code when something is open; 1 stays for errors."""


def run_checks(
    context: typer.Context,
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            help="timeliness, missing, failed, watermark, freshness, schema, volume, or all.",
            metavar="[CHECK]...",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for what is late, missing, failed, held back, stale, changed or odd.

    Exits with 3 when something is open, 0 when nothing is, 1 when it could not look. What it finds
    is kept as findings; checking twice, or on two machines, makes one finding of one cause.
    """
    from pipeledger.cli import findings_screen as screens
    from pipeledger.model.finding import CHECKS
    from pipeledger.monitoring.check import check
    from pipeledger.store.database import Database

    cli = Context.of(context)
    wanted = set(checks or ["all"])
    if "all" in wanted:
        wanted = (wanted - {"all"}) | set(CHECKS)
    database = Database.parse(cli.url)
    if as_json or not cli.console.is_terminal:
        result = check(database, wanted)
    else:
        # A first look at a large ledger takes a minute: it computes when everything is expected.
        with cli.console.status("Looking ...") as status:
            result = check(
                database, wanted, progress=lambda done: status.update(f"{done.check} is done ...")
            )
    cli.show(as_json, result.to_json, lambda: screens.outcome(result))
    if result.open:
        raise typer.Exit(FOUND)
