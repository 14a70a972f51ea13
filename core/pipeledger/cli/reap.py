"""``pipeledger reap``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json


def reap(
    context: typer.Context,
    older_than: Annotated[
        str,
        typer.Option(help="For runs that send heartbeats: how long none may have come (1h, 30m)."),
    ] = "1h",
    silent_for: Annotated[
        str,
        typer.Option(
            help="For all others: how long neither they nor anything inside them may be silent."
        ),
    ] = "7d",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mark runs that nobody will end as abandoned: no heartbeat, process gone, no sign of life.

    A guess: a later sign of life takes it back, and any end that is still reported wins.
    """
    from pipeledger.housekeeping import duration
    from pipeledger.housekeeping.reap import Abandoned
    from pipeledger.housekeeping.reap import reap as give_up
    from pipeledger.store.database import Database

    found: list[Abandoned] = []

    def tell(abandoned: Abandoned) -> None:
        if as_json:
            found.append(abandoned)
        else:
            name = "(unknown)" if abandoned.pipeline is None else str(abandoned.pipeline)
            print(f"{abandoned.run_key}  {name}: {abandoned.detail}")

    count = give_up(
        Database.parse(Context.of(context).url),
        older_than=duration.parse(older_than, "--older-than"),
        silent_for=duration.parse(silent_for, "--silent-for"),
        dry_run=dry_run,
        found=tell,
    )
    if as_json:
        print_json({"dry_run": dry_run, "abandoned": [a.to_json() for a in found]})
        return
    verb = "would be marked" if dry_run else "marked"
    print(f"{count} run(s) {verb} as abandoned")
