"""``pipeledger prune``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json


def prune(
    context: typer.Context,
    older_than: Annotated[
        str, typer.Option(help="How long ago all of a tree of runs must have ended (90d, 26w).")
    ],
    keep_last: Annotated[
        int, typer.Option(help="How many of every pipeline's last runs stay, whatever their age.")
    ] = 10,
    batch: Annotated[
        int, typer.Option(help="How many runs are deleted in one transaction, about.")
    ] = 2000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete old runs, whole trees at a time; daily sums per pipeline stay in their place.

    Watermarks with their history, successes that a watermark waits for, lineage and configurations
    stay. Safe while runs are recorded; stopping it loses nothing.
    """
    from pipeledger.housekeeping import duration
    from pipeledger.housekeeping.address_closure import refresh
    from pipeledger.housekeeping.prune import prune as delete
    from pipeledger.store.database import Database

    database = Database.parse(Context.of(context).url)
    done = delete(
        database,
        older_than=duration.parse(older_than, "--older-than"),
        keep_last=keep_last,
        batch=batch,
        dry_run=dry_run,
    )
    is_rebuilt = not dry_run and refresh(database)
    if as_json:
        print_json({"dry_run": dry_run, **done.to_json(), "address_closure_rebuilt": is_rebuilt})
        return
    verb = "would be deleted" if dry_run else "deleted"
    print(
        f"{done.executions} run(s) in {done.trees} tree(s) {verb};"
        f" {done.kept_trees} old tree(s) stay"
    )
    if done.findings:
        print(f"{done.findings} finding(s) that were over {verb}")
    if is_rebuilt:
        print("the closure of addresses (address_lineage_closure) was behind and is built again")
