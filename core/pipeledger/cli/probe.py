"""``pipeledger probe``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeledger.cli.context import Context, print_json
from pipeledger.model.errors import InvalidInput

if TYPE_CHECKING:
    from pipeledger.monitoring.probes import Probe, Probed


def probe(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Argument(help="What is asked about: postgres://dwh:5432/sales.public.orders."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="The table that is counted: orders, public.orders.")
    ] = None,
    updated_at: Annotated[
        str | None, typer.Option(help="The table's column whose largest value is its newest time.")
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            help="In place of a table: SQL of one row, the count, the newest time, or both."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="The database that is asked, as SQLAlchemy writes it; '${NAME}' stands for a"
            " variable of the environment."
        ),
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="The pipeline that records it; else probe.ADDRESS.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="The longest that an answer may take.")] = "1m",
    all_of_them: Annotated[
        bool,
        typer.Option("--all", help="Every [[probe]] of the file that PIPELEDGER_CONFIG names."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask a database how many rows a table has, and how new they are, and record the answer.

    For tables that no pipeline reports on. Exit code 1 where a database did not answer.
    """
    from pipeledger.monitoring import probes

    cli = Context.of(context)
    asked = {
        "address": address, "table": table, "updated_at": updated_at, "query": query,
        "database": database, "pipeline": pipeline,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    if all_of_them and given:
        raise typer.BadParameter(f"--all asks the configured probes, without {', '.join(given)}")
    wanted = _configured(cli) if all_of_them else [_asked({**given, "timeout": timeout})]
    done = [probes.run(cli.ledger, one) for one in wanted]
    if as_json:
        print_json({"probes": [one.to_json() for one in done]})
    else:
        for one in done:
            print(_sentence(one))
    if any(one.error is not None for one in done):
        raise typer.Exit(1)


def _configured(cli: Context) -> list[Probe]:
    from pipeledger.monitoring.configuration import Configuration

    found = list(Configuration.read(cli.settings.config).probes)
    if not found:
        where = cli.settings.config or "PIPELEDGER_CONFIG is not set, and"
        raise InvalidInput(f"{where} declares no [[probe]]: there is nothing to ask")
    return found


def _asked(given: dict[str, str]) -> Probe:
    from pipeledger.monitoring.probes import Probe
    from pipeledger.monitoring.section import Section

    if "address" not in given:
        raise typer.BadParameter("name an ADDRESS, or --all")
    section = Section("probe", 1, given)
    found = Probe.read(section)
    if section.mistakes or found is None:
        raise InvalidInput("; ".join(section.mistakes))
    return found


def _sentence(done: Probed) -> str:
    from pipeledger.cli import figures

    if done.error is not None:
        return f"{done.probe.address}: {done.error}"
    parts = [] if done.count is None else [f"{figures.count(done.count)} row(s)"]
    if done.newest is not None:
        parts.append(f"newest of {figures.moment(done.newest)} UTC")
    changed = [
        f"{figures.count(number)} {what}"
        for what, number in (
            ("inserted", done.counts.inserts),
            ("updated or more", done.counts.updates),
            ("deleted", done.counts.soft_deletes),
        )
        if number
    ]
    known = done.counts.inserts is not None or done.counts.updates is not None
    parts.append(", ".join(changed) if changed else "nothing changed" if known else "first look")
    return f"{done.probe.address}: {', '.join(parts)}"
