"""``pipeledger alerts``: telling people what was found, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeledger.cli.context import Context, print_json
from pipeledger.model.errors import InvalidInput

if TYPE_CHECKING:
    from pipeledger.monitoring.configuration import Configuration

app = typer.Typer(
    help="Tell people what was found; the routes are in the file that PIPELEDGER_CONFIG names.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _configuration(cli: Context) -> Configuration:
    """What PIPELEDGER_CONFIG declares. Raises InvalidInput where there is no route in it."""
    from pipeledger.monitoring.configuration import Configuration

    configuration = Configuration.read(cli.settings.config)
    if not configuration.routes:
        where = cli.settings.config or "PIPELEDGER_CONFIG is not set, and"
        raise InvalidInput(f"{where} declares no [[route]]: there is nobody to be told")
    return configuration


@app.command()
def send(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send what is to be told now; exit code 1 where something was not delivered."""
    from pipeledger import alerts
    from pipeledger.store.database import Database

    cli = Context.of(context)
    configuration = _configuration(cli)
    done = alerts.send(Database.parse(cli.url), configuration, dry_run=dry_run)
    if as_json:
        print_json(done.to_json())
    else:
        for told in done.sent:
            title = "" if told.message is None else told.message.title
            print(f"{'to' if dry_run else 'sent to'} {told.route}: {title}")
            if dry_run and told.message is not None:
                print("\n".join(f"    {line}".rstrip() for line in told.message.body.splitlines()))
        for told in done.failed:
            print(f"not delivered to {told.route} ({len(told.findings)} finding(s)): {told.error}")
        if not done.sent and not done.failed:
            print("nothing to tell")
    if done.failed:
        raise typer.Exit(1)


@app.command("list")
def list_alerts(
    context: typer.Context,
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was not delivered, or not yet.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many to show.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """List what was told to whom, the last first, and why something was not."""
    from pipeledger.store.read import alerts

    cli = Context.of(context)
    with cli.reader.connection() as connection:
        found = alerts.latest(connection, route=route, undelivered=failed, limit=limit)

    def screen() -> object:
        from pipeledger.cli import alert_screens

        return alert_screens.alerts(found)

    cli.show(as_json, lambda: {"alerts": [alert.to_json() for alert in found]}, screen)


@app.command()
def routes(context: typer.Context, as_json: Json = False) -> None:
    """List the routes with what each takes, and what is open that no route takes."""
    from pipeledger.model import times
    from pipeledger.store.read import findings
    from pipeledger.store.read.findings import FindingFilter

    cli = Context.of(context)
    configuration = _configuration(cli)
    with cli.reader.connection() as connection:
        now = times.now()
        found = [f for f in findings.find(connection, FindingFilter(), 100_000) if f.is_open(now)]
    takes = [
        (route, sum(1 for finding in found if route.takes(finding)))
        for route in configuration.routes
    ]
    untold = [f for f in found if not any(route.takes(f) for route in configuration.routes)]
    if as_json:
        print_json(
            {
                "routes": [
                    {
                        "name": route.name,
                        "url": route.url.shown,
                        "takes": route.filters,
                        "remind_seconds": None
                        if route.remind is None
                        else int(route.remind.total_seconds()),
                        "resolved": route.resolved,
                        "open": number,
                    }
                    for route, number in takes
                ],
                "untold": [finding.id for finding in untold],
            }
        )
        return
    from pipeledger.cli import alert_screens

    for part in alert_screens.routes(takes, untold):
        cli.console.print(part)


@app.command()
def test(
    context: typer.Context,
    route: Annotated[str, typer.Argument(help="The route's name.")],
    as_json: Json = False,
) -> None:
    """Send a message to a route that says it is a test; exit code 1 where it was not accepted."""
    from pipeledger.alerts.delivery import Undelivered, deliver
    from pipeledger.alerts.messages import Message
    from pipeledger.alerts.routes import named

    cli = Context.of(context)
    found = named(_configuration(cli).routes, route)
    text = f'Pipeledger can reach you on the route "{found.name}", which takes: {found.filters}.'
    error = None
    try:
        deliver(found.url.read(), Message(f"test of {found.name}", text, None))
    except Undelivered as undelivered:
        error = str(undelivered)
    if as_json:
        print_json({"route": found.name, "accepted": error is None, "error": error})
    elif error is None:
        print(f"{found.name} accepted a test message")
    else:
        print(f"{found.name} did not accept a test message: {error}")
    if error is not None:
        raise typer.Exit(1)
