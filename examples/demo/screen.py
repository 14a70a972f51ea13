"""The demo's last screen: what the ledger knows of the four runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from pipeledger.cli import figures, findings_screen, lineage_screen, reach_screen, render
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.lineage.complete import complete_up_to
from pipeledger.lineage.walk import upstream
from pipeledger.model.pipeline import Threshold
from pipeledger.model.views import ExecutionView
from pipeledger.monitoring.check import check
from pipeledger.monitoring.expect import expect
from pipeledger.store.database import Database
from pipeledger.store.read import Reader

DAG, JOB, LAST_ASSET = "flights", "flight_reports", "punctuality"
WIDTH_OF_A_LOG = 132


def is_complete(reader: Reader) -> bool:
    """Whether the ledger knows the end of all that ran in the four runs."""
    top = reader.executions(top_level=True).items
    return len(top) == 4 and all(
        node.execution.ended_at for run in top for node in reader.tree(run.run_key).walk()
    )


def show(reader: Reader, ledger: Path, warehouse: Path) -> None:
    """Print it, as wide as the terminal; into a log as wide as it wants to be."""
    console = render.console(sys.stdout)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_OF_A_LOG
    for part in _parts(reader, ledger, warehouse):
        console.print(part)
    _print_commands(console, reader, ledger)


def _parts(reader: Reader, ledger: Path, warehouse: Path) -> Iterator[RenderableType]:
    top = reader.executions(top_level=True)
    yield render.heading("Four runs, two orchestrators, one ledger")
    yield render.runs(top)

    for name, title in ((DAG, "The second run of the DAG"), (JOB, "The second run of the job")):
        tree = reader.tree(next(run.run_key for run in top if run.name == name))
        yield render.heading(title)
        yield render.tree_of(tree)

    yield render.heading("How far everything has got: the second run took only what was new")
    yield _watermarks(reader)

    yield render.heading(f"Where {LAST_ASSET} comes from: Dagster's assets, Airflow's tables")
    last = f"sqlite://{warehouse}/{LAST_ASSET}"
    yield lineage_screen.lineage(upstream(reader, last))

    yield render.heading(f"Up to when {LAST_ASSET} is complete, and who holds it back")
    yield reach_screen.complete(complete_up_to(reader, last))

    yield render.heading(
        f"What is late, stale or odd: {LAST_ASSET} may lie two days back, not years"
    )
    database = Database.parse(f"sqlite:///{ledger}")
    expect(database, last, freshness=Threshold(1, "day"), completeness=Threshold(2, "day"))
    yield findings_screen.outcome(check(database))


def _watermarks(reader: Reader) -> RenderableType:
    columns = (
        Column("pipeline", shrink=True),
        Column("before", drop=1),
        Column("rows", right=True),
        Column("after the first run", shrink=True),
        Column("rows", right=True),
        Column("after the second run", shrink=True),
    )
    rows = []
    for item in reader.pipelines(limit=1000):
        if item.watermark_kind is None:
            continue
        for mark in reader.watermarks(item.pipeline):
            moves = reader.watermark_history(item.pipeline, partition_key=mark.partition_key)
            before = moves.items[-1].old_value
            cells = [
                Text(f"{item.pipeline} {mark.partition_key}".rstrip()),
                Text("none" if before is None else figures.watermark(before), "dim"),
            ]
            for move in reversed(moves.items):
                taken = reader.execution(move.run_key).rows if move.run_key else None
                cells += [Text(figures.count(taken)), Text(figures.watermark(move.new_value))]
            rows.append(Row(cells[: len(columns)]))
    return Columns(columns, rows)


def _print_commands(console: Console, reader: Reader, ledger: Path) -> None:
    last = _latest(reader, DAG)
    command = Path(sys.executable).with_name("pipeledger")
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    console.print(render.heading(f"The ledger is the file {ledger}; go on with it"))
    for text, remark in (
        (f"export PIPELEDGER_DATABASE_URL=sqlite:///{ledger}", ""),
        (f"{command} run {render.short(last.run_key)}", "where the time of the DAG run went"),
        (f"{command} runs --state failed", "which tries failed, and why"),
        (f"{command} watermark history {DAG}.load.flights", "every move, with its cause"),
        (f"{command} lineage flight_facts --downstream", "what depends on a table"),
        (f"{command} complete {LAST_ASSET}", "up to when it is complete, and who is late"),
        (f"{command} check", "what is late, missing, failed, stale or odd"),
        (f"{command} status", "what runs, and what is wrong, on one screen"),
    ):
        print(f"  {text:<62}  {'# ' if remark else ''}{remark}".rstrip())


def _latest(reader: Reader, pipeline: str) -> ExecutionView:
    return reader.executions(pipeline=pipeline, limit=1).items[0]
