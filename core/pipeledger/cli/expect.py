"""``pipeledger expect``: of addresses and types, and what is muted."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context
from pipeledger.model.pipeline import Threshold

app = typer.Typer(
    help="What checks hold addresses and types to, and what is muted.", no_args_is_help=True
)
NONE = "none"
Mute = Annotated[
    list[str] | None,
    typer.Option(help="timeliness (with missing runs) or freshness; may be repeated."),
]
Unmute = Annotated[list[str] | None, typer.Option(help="Hear it again; may be repeated.")]


@app.command("address")
def expect_address(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="postgres://dwh:5432/sales.public.orders")],
    freshness: Annotated[
        str | None, typer.Option(help="How old the last change may become: '1 day', '6 hours'.")
    ] = None,
    complete: Annotated[
        str | None, typer.Option(help="How far the watermarks upstream may lie back: '2 days'.")
    ] = None,
) -> None:
    """Say how old an address may become, in place of what was said; nothing: it is not watched."""
    from pipeledger.monitoring.expect import expect
    from pipeledger.store.database import Database

    fresh = None if freshness is None else Threshold.parse(freshness)
    completeness = None if complete is None else Threshold.parse(complete)
    database = Database.parse(Context.of(context).url)
    expect(database, address, freshness=fresh, completeness=completeness)
    said = [
        f"changed within {fresh}" if fresh else "",
        f"complete up to {completeness} ago" if completeness else "",
    ]
    print(f"{address}: {', '.join(s for s in said if s) or 'is not watched any longer'}")


@app.command("type")
def expect_type(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The type, as pipelines are declared with it.")],
    timeliness: Annotated[
        str | None, typer.Option(help="How long a run may take: '2 hours'; none: any time.")
    ] = None,
    freshness: Annotated[
        str | None, typer.Option(help="How old the last change may become: '1 day'; none: any age.")
    ] = None,
    mute: Mute = None,
    unmute: Unmute = None,
) -> None:
    """Say what all pipelines of a type are held to; a pipeline's own threshold counts more."""
    from pipeledger.monitoring.expect import expect_of_type
    from pipeledger.store.database import Database

    cli = Context.of(context)
    said = {"timeliness": timeliness, "freshness": freshness}
    allowed = {
        what: None if text.strip().lower() == NONE else Threshold.parse(text)
        for what, text in said.items()
        if text is not None
    }
    muted = _muted(mute, unmute, needed=not allowed)
    expect_of_type(
        Database.parse(cli.url),
        name,
        namespace=cli.settings.namespace,
        allowed=allowed,
        muted=muted,
    )
    print(f"{name}: {_words({k: str(v or NONE) for k, v in allowed.items()}, muted)}")


@app.command("pipeline")
def expect_pipeline(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    mute: Mute = None,
    unmute: Unmute = None,
) -> None:
    """Mute checks of a pipeline, or hear them again; what it is held to is declared in its code."""
    from pipeledger.monitoring.expect import mute_pipeline
    from pipeledger.store.database import Database

    cli = Context.of(context)
    ref = cli.pipeline(name)
    muted = _muted(mute, unmute, needed=True)
    mute_pipeline(Database.parse(cli.url), ref, muted)
    print(f"{ref}: {_words({}, muted)}")


def _muted(mute: list[str] | None, unmute: list[str] | None, *, needed: bool) -> dict[str, bool]:
    from pipeledger.model.errors import InvalidInput
    from pipeledger.monitoring.expect import MUTABLE

    wanted = {**dict.fromkeys(mute or (), True), **dict.fromkeys(unmute or (), False)}
    unknown = sorted(set(wanted) - set(MUTABLE))
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} cannot be muted; use one of {', '.join(MUTABLE)}")
    both = sorted(set(mute or ()) & set(unmute or ()))
    if both:
        raise InvalidInput(f"{both[0]} is to be muted and not to be muted: say one of them")
    if needed and not wanted:
        raise InvalidInput("say what is to change, e.g. --mute freshness")
    return wanted


def _words(allowed: dict[str, str], muted: dict[str, bool]) -> str:
    said = [f"{what} {text}" for what, text in allowed.items()]
    said += [f"{what} {'muted' if is_muted else 'heard'}" for what, is_muted in muted.items()]
    return ", ".join(said)
