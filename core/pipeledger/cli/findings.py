"""``pipeledger findings``, ``ack``, ``mute`` and ``unflag``"""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from pipeledger.cli.context import Context
from pipeledger.cli.runs import since_of
from pipeledger.model import times
from pipeledger.model.finding import CHECKS, Finding, Severity

Numbers = Annotated[list[int], typer.Argument(help="The findings' numbers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_findings(
    context: typer.Context,
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Only these, each whole.", metavar="[NUMBER]...")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Only of this check; may be repeated.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="At least as bad as this.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only of this pipeline.")] = None,
    address: Annotated[str | None, typer.Option(help="Only of this address.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only of this namespace.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only found since: 30m, 2h, 3d, or a date or time.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 10000.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what the checks found, the worst first."""
    from pipeledger.cli import findings_screen as screens
    from pipeledger.model.errors import InvalidInput, NotFound
    from pipeledger.store.read import address_names
    from pipeledger.store.read import findings as found
    from pipeledger.store.read.findings import FindingFilter

    cli = Context.of(context)
    unknown = sorted(set(check or ()) - set(CHECKS))
    if unknown:
        raise InvalidInput(f"check {unknown[0]!r} is unknown; use one of {', '.join(CHECKS)}")
    if not 1 <= limit <= 10_000:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to 10000")
    space = namespace or cli.namespace
    ref = None if pipeline is None else cli.pipeline(pipeline, space)
    with cli.reader.connection() as connection:
        wanted = FindingFilter(
            checks=tuple(check or ()),
            severity=severity,
            namespace=space,
            pipeline=ref,
            address=None if address is None else address_names.find(connection, address)[1],
            resolved=everything,
            since=None if since is None else since_of(since),
            ids=numbers or None,
        )
        listed = found.find(connection, wanted, limit)
    if numbers and len(listed) < len(set(numbers)):
        gone = sorted(set(numbers) - {f.id for f in listed})[0]
        raise NotFound(f"there is no finding {gone}: `pipeledger findings --all` lists them")
    now = times.now()
    cli.show(
        as_json,
        lambda: {"findings": [f.to_json() for f in listed]},
        lambda: (
            [screens.finding(f, now) for f in listed] if numbers else screens.findings(listed, now)
        ),
    )


def acknowledge(
    context: typer.Context,
    numbers: Numbers,
    by: Annotated[str | None, typer.Option(help="Who has seen it; else your user name.")] = None,
    note: Annotated[str | None, typer.Option(help="What you know of it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say that you have seen findings: they are open no longer, and no reminder comes."""
    from pipeledger.monitoring import life
    from pipeledger.store.database import Database

    cli = Context.of(context)
    who = by or getpass.getuser()
    _show(cli, life.acknowledge(Database.parse(cli.url), numbers, by=who, note=note), as_json)


def mute(
    context: typer.Context,
    numbers: Numbers,
    span: Annotated[str | None, typer.Option("--for", help="For how long: 4h, 3d, 1w.")] = None,
    until: Annotated[str | None, typer.Option(help="Until when: a date or a time.")] = None,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep findings quiet for a while."""
    from pipeledger.housekeeping import duration
    from pipeledger.model.errors import InvalidInput
    from pipeledger.monitoring import life
    from pipeledger.store.database import Database

    if (span is None) == (until is None):
        raise InvalidInput("say for how long (--for 3d), or until when (--until 2026-12-01)")
    cli = Context.of(context)
    end = (
        since_of(until, "--until")
        if until is not None
        else times.now() + duration.parse(span or "", "--for")
    )
    _show(cli, life.mute(Database.parse(cli.url), numbers, until=end, note=note), as_json)


def unflag(
    context: typer.Context,
    numbers: Numbers,
    reason: Annotated[str, typer.Option(help="Why it was in order.")],
    as_json: AsJson = False,
) -> None:
    """Say that an odd volume or duration was in order: from now on it counts as normal."""
    from pipeledger.monitoring import life
    from pipeledger.store.database import Database

    cli = Context.of(context)
    _show(cli, life.unflag(Database.parse(cli.url), numbers, reason=reason), as_json)


def _show(cli: Context, listed: list[Finding], as_json: bool) -> None:
    from pipeledger.cli import findings_screen as screens

    now = times.now()
    cli.show(
        as_json,
        lambda: {"findings": [f.to_json() for f in listed]},
        lambda: screens.findings(listed, now),
    )
