"""``pipeledger status``"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeledger.cli.context import Context
from pipeledger.model.errors import InvalidInput, LedgerUnavailable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeledger.model.status import Status
    from pipeledger.recording.spool import SpoolStatus

MOST = 100
EVERY_SECONDS = 5.0
LOAD = 10
"""A watch pauses at least so many times as long as its questions took."""


def show_status(
    context: typer.Context,
    seconds: Annotated[
        float | None,
        typer.Argument(help="With --watch: how often, in seconds.", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")
    ] = False,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show on one screen what runs, what is late, missing, failing, stale or odd, and what failed."""
    cli = Context.of(context)
    space = namespace or cli.namespace
    if watch:
        _watch(cli, space, _every(seconds), as_json)
        return
    if seconds is not None:
        raise InvalidInput(f"seconds ({seconds:g}) mean something only with --watch: add it")
    found = _read(cli, space)
    spool = _spool(cli)

    def value() -> dict[str, Any]:
        from dataclasses import asdict

        return {"status": {**found.to_json(), "spool": asdict(spool)}}

    cli.show(as_json, value, lambda: _screen(cli, found, spool))


def _every(seconds: float | None) -> float:
    if seconds is None:
        return EVERY_SECONDS
    if not 1 <= seconds <= 3_600:
        raise InvalidInput(f"--watch {seconds:g} cannot be used: expected 1 to 3600 seconds")
    return seconds


def _read(cli: Context, namespace: str | None) -> Status:
    from pipeledger.model import times
    from pipeledger.store.read.status import status

    with cli.reader.connection() as connection:
        return status(connection, times.now(), namespace, MOST)


def _spool(cli: Context) -> SpoolStatus:
    from pipeledger.recording.spool import Spool

    return Spool(cli.settings.resolved_spool_dir, cli.settings.spool_max_bytes).status()


def _screen(cli: Context, found: Status, spool: SpoolStatus) -> RenderableType:
    from pipeledger.cli import status_screen

    width, height = cli.console.size
    if not sys.stdout.isatty():
        height = status_screen.UNBOUNDED
    return status_screen.status(found, spool, width, height)


def _watch(cli: Context, namespace: str | None, every: float, as_json: bool) -> None:
    """Show the status until Ctrl-C; a ledger that is out of reach for a while is asked again."""
    if as_json:
        raise InvalidInput("--watch and --json cannot go together")
    if not sys.stdout.isatty():
        raise InvalidInput(
            "--watch draws on a terminal, and the output is none: leave --watch away, or use --json"
        )
    from rich.live import Live
    from rich.text import Text

    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        # Remembered as well: an interrupt that comes while something is closed may be swallowed there.
        stopped.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    shown: RenderableType = Text("")
    with Live(shown, console=cli.console, screen=True, auto_refresh=False) as live:
        try:
            while not stopped:
                began = time.monotonic()
                try:
                    shown = _screen(cli, _read(cli, namespace), _spool(cli))
                except LedgerUnavailable as error:
                    shown = Text(f"{error}; asked again every {every:g} s", "red")
                live.update(shown, refresh=True)
                time.sleep(max(every, LOAD * (time.monotonic() - began)))
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGINT, before)
