"""The command ``pipeledger``: its groups, its global options, its errors as one sentence."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pipeledger.cli import (
    addresses,
    alerts,
    check,
    db,
    expect,
    findings,
    history,
    lineage,
    names,
    pipelines,
    probe,
    prune,
    reach,
    reap,
    report,
    rule,
    runs,
    spool,
    sql,
    status,
    watermark,
)
from pipeledger.cli import round as upkeep
from pipeledger.cli.context import Context
from pipeledger.model.errors import PipeledgerError

app = typer.Typer(
    name="pipeledger",
    help="The flight recorder for data pipelines: what ran, how it ended, up to which watermark,"
    " from where to where.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("pipelines")(pipelines.list_pipelines)
app.command("activate")(pipelines.activate)
app.command("deactivate")(pipelines.deactivate)
app.command("runs")(runs.list_runs)
app.command("run")(runs.show_run)
app.add_typer(watermark.app, name="watermark")
app.command("lineage")(lineage.show_lineage)
app.command("path")(lineage.show_path)
app.command("cycles")(lineage.list_cycles)
app.command("ends")(lineage.list_ends)
app.command("complete")(reach.show_complete)
app.command("impact")(reach.show_impact)
app.command("status")(status.show_status)
app.command("history")(history.show_history)
app.command("report")(report.show_report)
app.command("check")(check.run_checks)
app.command("findings")(findings.list_findings)
app.command("ack")(findings.acknowledge)
app.command("mute")(findings.mute)
app.command("unflag")(findings.unflag)
app.add_typer(alerts.app, name="alerts")
app.command("probe")(probe.probe)
app.command("round")(upkeep.do_round)
app.add_typer(expect.app, name="expect")
app.add_typer(rule.app, name="rule")
app.add_typer(addresses.app, name="addresses")
app.add_typer(db.app, name="db")
app.add_typer(spool.app, name="spool")
app.add_typer(names.app, name="names")
app.command("sql")(sql.show_sql)
app.command("reap")(reap.reap)
app.command("prune")(prune.prune)


@app.callback()
def options(
    context: typer.Context,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="The ledger's database; else PIPELEDGER_DATABASE_URL, else the default file."
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of pipelines; else PIPELEDGER_NAMESPACE.")
    ] = None,
) -> None:
    context.obj = Context(database_url=database_url, namespace=namespace)


@app.command()
def demo() -> None:
    """Record a small job in plain Python and show it."""
    from pipeledger.cli.demo import run

    run()


@app.command()
def version() -> None:
    """Print the versions of Pipeledger and of its schema."""
    import pipeledger
    from pipeledger.store.sqlite_schema import REVISION

    print(f"pipeledger {pipeledger.__version__} (schema {REVISION})")


def add_integrations() -> None:
    """Add the command groups that installed integrations offer (entry points `pipeledger.commands`)."""
    from importlib.metadata import entry_points

    known = {group.name for group in app.registered_groups}
    for point in sorted(entry_points(group="pipeledger.commands"), key=lambda p: p.name):
        if point.name not in known:
            app.add_typer(point.load(), name=point.name)


def _is_ours(arguments: list[str]) -> bool:
    """Whether a command of core is called: then nothing else needs to be looked for."""
    words = [a for a in arguments if not a.startswith("-")]
    names = {group.name for group in app.registered_groups}
    names |= {command.name for command in app.registered_commands}
    return bool(words) and words[0] in names


def main() -> None:
    """Run the command line. Errors are one sentence on stderr and exit code 1; wrong usage is 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        if not _is_ours(sys.argv[1:]):
            add_integrations()
        app()
    except PipeledgerError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader (`| head`) has gone; closing stdout must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _unexpected(error)


def _unexpected(error: Exception) -> None:
    from pipeledger.model.redaction import redact_text

    if os.environ.get("PIPELEDGER_LOG_LEVEL", "").upper() == "DEBUG":
        import traceback

        print(redact_text(traceback.format_exc()), file=sys.stderr)
    line = " ".join(redact_text(str(error)).split())[:300]
    _fail(
        f"{type(error).__name__}: {line}; this was not expected, PIPELEDGER_LOG_LEVEL=DEBUG shows where"
    )


def _fail(sentence: str) -> None:
    print("pipeledger: " + " ".join(sentence.split()), file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
