"""Screens of what lineage says of runs: up to when an address is complete, what a run has touched."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures, render
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.cli.lineage_screen import address
from pipeledger.model import times
from pipeledger.model.completeness import CompleteView, UpstreamMark
from pipeledger.model.impact import ImpactView
from pipeledger.model.views import ExecutionView

MOST_MARKS = 10
MOST_NAMED = 8
MOST_ROWS = 50


def complete(view: CompleteView) -> RenderableType:
    """Up to when an address is complete, who holds it back, and how far the others have got."""
    held = view.held_back_by
    parts: list[RenderableType] = [address(view.address, "bold")]
    if held is None:
        parts.append(
            Text("not known: no active pipeline upstream of it has a time watermark", "yellow")
        )
    else:
        up_to = Text("complete up to ", "dim").append(_moment(held), "bold green")
        if held.up_to is None:
            up_to = Text("complete up to ", "dim").append("nothing yet", "bold yellow")
        if view.late or len(view.marks) == 1 or held.up_to is None:
            up_to.append(", held back by ", "dim").append_text(_who(held))
        else:
            up_to.append(f", as are all {len(view.marks)} pipelines upstream", "dim")
        parts.append(up_to)
    if view.partial is not None:
        parts.append(Text(f"cut: {view.partial}", "yellow"))
    if view.marks:
        parts += [Text(""), _marks(view.marks[:MOST_MARKS])]
    if len(view.marks) > MOST_MARKS:
        parts.append(Text(f"and {len(view.marks) - MOST_MARKS} that have got further", "dim"))
    parts += _apart("without a time watermark, not counted", [str(p) for p in view.without])
    off = [f"{mark.pipeline} ({_moment(mark)})" for mark in view.inactive]
    parts += _apart("switched off, not counted", off)
    return Group(*parts)


def _who(mark: UpstreamMark) -> Text:
    name = str(mark.pipeline) + (f" [{mark.partition_key}]" if mark.partition_key else "")
    return Text(name, "cyan").append(f" ({_steps(mark.distance)})", "dim")


def _steps(distance: int) -> str:
    if distance == 0:
        return "which writes it"
    return f"{distance} step{'s' if distance > 1 else ''} upstream"


def _moment(mark: UpstreamMark) -> str:
    return "nothing yet" if mark.up_to is None else figures.watermark(times.isoformat(mark.up_to))


def _marks(marks: Sequence[UpstreamMark]) -> RenderableType:
    columns = (
        Column("pipeline", shrink=True, give=0.33),
        Column("partition"),
        Column("up to"),
        Column("steps", right=True, drop=1),
        Column("writes", shrink=True, drop=3, give=0.5),
        Column("latest run", drop=2),
        Column("started (UTC)", drop=4),
    )
    rows = []
    for mark in marks:
        last = mark.last_run
        rows.append(
            Row(
                (
                    Text(str(mark.pipeline)),
                    Text(mark.partition_key),
                    Text(_moment(mark), "" if mark.up_to else "yellow"),
                    Text(str(mark.distance), "dim"),
                    Text(mark.writes.name, "dim"),
                    Text("never", "dim") if last is None else render.state(last),
                    Text("" if last is None else figures.moment(last.started_at), "dim"),
                )
            )
        )
    return Columns(columns, rows)


def _apart(what: str, names: Sequence[str]) -> list[RenderableType]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    listed = ", ".join(names[:MOST_NAMED]) + more
    return [Text(f"{what}: {listed}", "dim", overflow="fold")]


def impact(view: ImpactView) -> RenderableType:
    """What a run wrote, who consumed it since, and what lies downstream, the nearest first."""
    run = view.execution
    head = Text(run.name, "bold").append("  ").append_text(render.state(run))
    head.append(f"  {render.short(run.run_key)}", "dim")
    parts: list[RenderableType] = [head]
    wrote = ", ".join(str(a) for a in view.outputs[:MOST_NAMED]) or "nothing that is known"
    if len(view.outputs) > MOST_NAMED:
        wrote += f" and {len(view.outputs) - MOST_NAMED} more"
    parts.append(Text("  writes  ", "dim") + Text(wrote))
    if view.partial is not None:
        parts.append(Text(f"cut: {view.partial}", "yellow"))
    parts += [Text(""), Text(f"runs that consumed it since: {_count(view.consumers)}", "dim")]
    if view.consumers:
        parts.append(_consumers(view))
    parts += [Text(""), Text(f"addresses downstream: {_count(view.addresses)}", "dim")]
    if view.addresses:
        rows = [
            Row((Text(str(n.depth), "dim"), Text(n.address.name), Text(n.address.namespace, "dim")))
            for n in view.addresses[:MOST_ROWS]
        ]
        shape = (
            Column("steps", right=True),
            Column("address", shrink=True, give=0.5),
            Column("in", shrink=True, drop=1, give=0.5),
        )
        parts.append(Columns(shape, rows, indent=2))
    parts += [Text(""), Text(f"pipelines downstream: {_count(view.pipelines)}", "dim")]
    if view.pipelines:
        rows = [
            Row((Text(str(p.distance), "dim"), Text(str(p.pipeline)), Text(str(p.through), "dim")))
            for p in view.pipelines[:MOST_ROWS]
        ]
        shape = (
            Column("steps", right=True),
            Column("pipeline", shrink=True, give=0.33),
            Column("reads", shrink=True, drop=1, give=0.5),
        )
        parts.append(Columns(shape, rows, indent=2))
    return Group(*parts)


def _count(found: Sequence[object]) -> str:
    if len(found) > MOST_ROWS:
        return f"{figures.count(len(found))}, the first {MOST_ROWS} are shown (--json, --csv: all)"
    return figures.count(len(found)) if found else "none"


def _consumers(view: ImpactView) -> RenderableType:
    columns = (
        Column("steps", right=True),
        Column("run key"),
        Column("pipeline", shrink=True, give=0.33),
        Column("state"),
        Column("started (UTC)", drop=1),
        Column("read", shrink=True, drop=2, give=0.5),
    )
    rows = []
    for consumer in view.consumers[:MOST_ROWS]:
        execution: ExecutionView = consumer.execution
        rows.append(
            Row(
                (
                    Text(str(consumer.distance), "dim"),
                    Text(render.short(execution.run_key), "dim"),
                    Text(execution.name),
                    render.state(execution),
                    Text(figures.moment(execution.started_at), "dim"),
                    Text(str(consumer.through), "dim"),
                )
            )
        )
    return Columns(columns, rows, indent=2)
