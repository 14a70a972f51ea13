"""``pipeledger runs`` lists executions, ``pipeledger run KEY`` shows one."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

from pipeledger.cli.context import Context
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput
from pipeledger.model.state import State

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since_of(text: str, option: str = "--since") -> datetime:
    """The moment that ``2h``, ``3d``, a date or a time means; without a zone it is UTC.

    Raises InvalidInput.
    """
    age = _AGE.match(text.strip())
    try:
        if age:
            return times.now() - timedelta(**{_UNITS[age.group(2)]: int(age.group(1))})
        moment = datetime.fromisoformat(times.plain_iso(text))
        return times.as_utc(moment if moment.tzinfo else moment.replace(tzinfo=times.UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{option} {text[:60]!r} is no time: expected 30m, 2h, 3d, 2013-01-05 or 2013-01-05T06:00:00Z"
        ) from None


def list_runs(
    context: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    state: Annotated[
        list[State] | None, typer.Option(help="Only runs in this state; may be repeated.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only runs that started since: 30m, 2h, 3d, or a date or time."),
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    top: Annotated[bool, typer.Option("--top", help="Only runs that run inside no other.")] = False,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 1000.")] = 25,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on: the next_cursor of the page before.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, the latest start first."""
    cli = Context.of(context)
    space = namespace or cli.namespace
    if pipeline is not None:
        found = cli.pipeline(pipeline, space)
        pipeline, space = found.name, found.namespace
    page = cli.reader.executions(
        pipeline=pipeline,
        namespace=space,
        states=tuple(state or ()),
        since=None if since is None else since_of(since),
        top_level=top,
        limit=limit,
        cursor=cursor,
    )

    def screen() -> object:
        from pipeledger.cli import render

        return render.runs(page)

    cli.show(
        as_json,
        lambda: {"runs": [e.to_json() for e in page], "next_cursor": page.next_cursor},
        screen,
    )


def show_run(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The run key, or its first digits.")],
    whole: Annotated[
        bool, typer.Option("--whole", help="Show the whole tree that it is part of.")
    ] = False,
    limit: Annotated[int, typer.Option(help="The most executions to show.", min=1)] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one run: its tree, and where the time went."""
    cli = Context.of(context)
    asked = cli.reader.execution(key)
    tree = cli.reader.tree(asked.run_key, from_root=whole, most=limit)
    ancestors = cli.reader.ancestors(asked.run_key)

    def value() -> dict[str, object]:
        return {
            "run": asked.to_json(),
            "inside": [str(e.run_key) for e in ancestors],
            "tree": tree.to_json(),
            "critical_path": [str(node.execution.run_key) for node in tree.critical_path],
        }

    def screen() -> object:
        from pipeledger.cli import render

        return render.run(asked, tree, ancestors)

    cli.show(as_json, value, screen)
