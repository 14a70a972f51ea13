"""Screens: what the commands print, as values that rich renders.

Every function takes plain values of ``pipeledger.model`` and returns something to print; ``console``
makes the place to print it to. Used by the CLI and by the demos.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import DatasetUse
from pipeledger.model.state import State
from pipeledger.model.tree import ExecutionTree
from pipeledger.model.views import (
    ExecutionView,
    Page,
    PipelineView,
    WatermarkMove,
    WatermarkView,
    WindowView,
)
from pipeledger.recording import owner
from pipeledger.recording.spool import SpoolStatus

SHORT_KEY = 18
"""Characters of a run key that are printed: of a UUIDv7 its time, and 12 bits that tell apart what
began in the same millisecond."""

PROCESS = frozenset((owner.PID, owner.SCOPE, owner.STARTED))
"""Attributes that tell a living process from a dead one: in the JSON, but nothing for people."""

STATES = {
    State.RUNNING: ("●", "cyan"),
    State.SUCCESS: ("✓", "green"),
    State.FAILED: ("✗", "red"),
    State.SKIPPED: ("○", "dim"),
    State.ABANDONED: ("?", "yellow"),
}


def console(stream: TextIO) -> Console:
    """A console for these screens: no markup, no guesses at what to colour."""
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def state(execution: ExecutionView) -> Text:
    """``✓ success``"""
    glyph, style = STATES[execution.state]
    return Text(f"{glyph} {execution.state.value}", style)


def short(key: object) -> str:
    """As much of a run key as ``pipeledger run`` needs."""
    return str(key)[:SHORT_KEY]


def window(value: WindowView | None) -> str:
    """``(2013-01-01, 2013-01-02]``; empty where there is none."""
    if value is None:
        return ""
    lower = "beginning" if value.from_beginning else figures.watermark(value.lower)
    partition = f" [{value.partition_key}]" if value.partition_key else ""
    return f"({lower}, {figures.watermark(value.upper)}]{partition}"


def _duration(execution: ExecutionView) -> Text:
    if execution.state is State.RUNNING:
        return Text(figures.ABSENT, "dim")
    return Text(figures.duration(execution.duration_seconds))


def _rows(execution: ExecutionView) -> Text:
    return Text("" if execution.rows is None else figures.count(execution.rows))


def _why(execution: ExecutionView) -> str | None:
    """In one line, why it ended as it did, where that is known."""
    if execution.error is not None:
        text = " ".join(execution.error.message.split())
        kind = execution.error.type.rpartition(".")[2]
        return f"{kind}: {text}" if text else kind
    detail = execution.state_detail
    return detail if detail and detail != execution.state.value else None


# Lists


def pipelines(page: Page[PipelineView]) -> RenderableType:
    """Pipelines with their latest run and watermark."""
    if not page.items:
        return Text("no pipelines", "dim")
    columns = (
        Column("pipeline", shrink=True, give=0.33),
        Column("type", drop=3),
        Column("latest run"),
        Column("started (UTC)", drop=2),
        Column("duration", right=True, drop=4),
        Column("rows", right=True, drop=1),
        Column("watermark", shrink=True, give=0.2),
    )
    rows = []
    for item in page:
        last = item.last_run
        name = Text(str(item.pipeline))
        if not item.active:
            name.append(" (inactive)", "dim")
        mark = figures.watermark(item.watermark) if item.watermark else ""
        if item.partitions:
            mark = " ".join(filter(None, (mark, f"({item.partitions} partitions)")))
        rows.append(
            Row(
                (
                    name,
                    Text(item.type or "", "dim"),
                    Text("never", "dim") if last is None else state(last),
                    Text("" if last is None else figures.moment(last.started_at), "dim"),
                    Text("") if last is None else _duration(last),
                    Text("") if last is None else _rows(last),
                    Text(mark),
                )
            )
        )
    return Group(Columns(columns, rows), *_more(page.next_cursor))


def runs(page: Page[ExecutionView]) -> RenderableType:
    """Executions, one line each."""
    if not page.items:
        return Text("no runs", "dim")
    columns = (
        Column("run key"),
        Column("pipeline", shrink=True, give=0.33),
        Column("state"),
        Column("started (UTC)", drop=2),
        Column("duration", right=True),
        Column("rows", right=True, drop=3),
        Column("window", drop=4),
    )
    rows = [
        Row(
            (
                Text(short(e.run_key), "dim"),
                _labelled(e, e.name, e.attempt is not None and e.attempt > 1),
                state(e),
                Text(figures.moment(e.started_at), "dim"),
                _duration(e),
                _rows(e),
                Text(window(e.window), "dim"),
            ),
            Text(" " * (SHORT_KEY + 2) + (_why(e) or ""), "red") if e.error else None,
        )
        for e in page
    ]
    return Group(Columns(columns, rows), *_more(page.next_cursor))


def _more(cursor: str | None) -> Iterator[RenderableType]:
    if cursor is not None:
        yield Text(f"more: --cursor {cursor}", "dim", no_wrap=True, overflow="ignore")


# One execution


def run(
    execution: ExecutionView, tree: ExecutionTree, ancestors: Sequence[ExecutionView] = ()
) -> RenderableType:
    """An execution: what is known of it, what ran inside it, where the time went."""
    head = Text(execution.name, "bold")
    head.append("  ")
    head.append_text(state(execution))
    if execution.duration_seconds is not None:
        head.append(f"  {figures.duration(execution.duration_seconds)}")
    parts: list[RenderableType] = [head, _facts(execution, ancestors)]
    if tree.children or tree.hidden:
        parts += [Text(""), tree_of(tree)]
        times = where_the_time_went(tree)
        if times is not None:
            parts += [Text(""), times]
    return Group(*parts)


def _facts(execution: ExecutionView, ancestors: Sequence[ExecutionView]) -> RenderableType:
    facts: list[tuple[str, str]] = [("run key", str(execution.run_key))]
    if execution.pipeline_type:
        facts.append(("type", execution.pipeline_type))
    if execution.attempt is not None:
        before = f", after {short(execution.previous)}" if execution.previous else ""
        facts.append(("try", f"{execution.attempt}{before}"))
    if execution.started_at or execution.ended_at:
        span = figures.moment(execution.started_at)
        if execution.ended_at:
            span += f" to {figures.moment(execution.ended_at)}"
        facts.append(("when", f"{span} UTC"))
    if ancestors:
        facts.append(("inside", " > ".join(f"{e.name} {short(e.run_key)}" for e in ancestors)))
    if execution.window is not None:
        facts.append(("window", window(execution.window)))
    counts = [
        f"{figures.count(number)} {what}"
        for what, number in (
            ("inserted", execution.counts.inserts),
            ("updated", execution.counts.updates),
            ("deleted", execution.counts.soft_deletes),
            ("in all", execution.counts.total_rows),
        )
        if number is not None
    ]
    if counts:
        facts.append(("rows", ", ".join(counts)))
    why = _why(execution)
    if why is not None:
        facts.append(("error" if execution.error else "because", why))
    facts += [("reads", _use(use)) for use in execution.inputs]
    facts += [("writes", _use(use)) for use in execution.outputs]
    if execution.code_version:
        facts.append(("code", execution.code_version))
    facts += [("metadata", line) for line in _values(execution.metadata)]
    ran_as = {n: v for n, v in (execution.attributes or {}).items() if n not in PROCESS}
    facts += [("ran as", line) for line in _values(ran_as)]
    lines = Text(overflow="fold")
    last = ""
    for what, text in facts:
        lines.append(f"  {'' if what == last else what:<9}", "dim")
        lines.append(text + "\n", "red" if what == "error" else "")
        last = what
    lines.rstrip()
    return lines


def _values(mapping: Mapping[str, Any] | None) -> list[str]:
    """``name = value`` lines, each of one line of text."""
    lines = []
    for name, value in sorted((mapping or {}).items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        text = " ".join(text.split())
        lines.append(f"{name} = {text if len(text) <= 200 else text[:199] + '…'}")
    return lines


def _use(use: DatasetUse) -> str:
    known = []
    if use.rows is not None:
        known.append(f"{figures.count(use.rows)} rows")
    if use.bytes is not None:
        known.append(figures.size(use.bytes))
    if use.data_version is not None:
        known.append(f"version {use.data_version}")
    return str(use.address) + (f" ({', '.join(known)})" if known else "")


def tree_of(tree: ExecutionTree) -> RenderableType:
    """The executions of a tree, one line each: state, duration, self time, rows, window."""
    columns = (
        Column("execution", shrink=True),
        Column("state"),
        Column("duration", right=True),
        Column("itself", right=True, drop=4),
        Column("rows", right=True, drop=1),
        Column("window", shrink=True, drop=2),
        Column("run key", drop=3),
    )
    rows = list(_tree_rows(tree))
    parts: list[RenderableType] = [Columns(columns, rows)]
    if tree.hidden:
        parts.append(
            Text(f"and {figures.count(tree.hidden)} more inside; --limit shows them", "dim")
        )
    return Group(*parts)


def _tree_rows(tree: ExecutionTree) -> Iterator[Row]:
    retried = _retried(tree)
    # (node, guide before its own line, guide before its children's lines, names it runs inside)
    stack: list[tuple[ExecutionTree, str, str, tuple[str, ...]]] = [(tree, "", "", ())]
    while stack:
        node, guide, below, outer = stack.pop()
        execution = node.execution
        name = Text(guide, "dim")
        label = _within(execution.name, outer)
        name.append_text(_labelled(execution, label, execution.name in retried))
        why = _why(execution)
        bar = below + ("│  " if node.children else "   ")
        reason = None
        if why is not None:
            reason = Text(bar, "dim")
            reason.append(why, "red" if execution.error else "dim")
        yield Row(
            (
                name,
                state(execution),
                _duration(execution),
                Text(figures.duration(node.self_seconds) if node.children else "", "dim"),
                _rows(execution),
                Text(window(execution.window), "dim"),
                Text(short(execution.run_key), "dim"),
            ),
            reason,
        )
        for i, child in reversed(list(enumerate(node.children))):
            is_last = i == len(node.children) - 1
            stack.append(
                (
                    child,
                    below + ("└─ " if is_last else "├─ "),
                    below + ("   " if is_last else "│  "),
                    (*outer[-20:], execution.name),
                )
            )


def _retried(tree: ExecutionTree) -> set[str]:
    """The names of which there is a second try: their tries are numbered."""
    return {n.execution.name for n in tree.walk() if (n.execution.attempt or 0) > 1}


def _within(name: str, outer: Sequence[str]) -> str:
    """A task's name inside its DAG's: ``extract`` for ``load_flights.extract``."""
    fits = [o for o in outer if name.startswith(o + ".")]
    return name[len(max(fits, key=len)) + 1 :] if fits else name


def _labelled(execution: ExecutionView, name: str, retried: bool) -> Text:
    label = Text(name)
    index = (execution.attributes or {}).get("map_index")
    if isinstance(index, int) and index >= 0:
        label.append(f"[{index}]")
    if retried and execution.attempt is not None:
        label.append(f" try {execution.attempt}", "dim")
    return label


def where_the_time_went(tree: ExecutionTree) -> RenderableType | None:
    """Self time, slowest child and critical path of an execution that has ended."""
    slowest = tree.slowest_child
    if slowest is None or tree.self_seconds is None:
        return None
    lines = Text()

    def fact(what: str, text: str) -> None:
        lines.append(f"{what:<14}", "dim")
        lines.append(text + "\n")

    fact("itself", f"{figures.duration(tree.self_seconds)}, while no child ran")
    retried = _retried(tree)

    def named(node: ExecutionTree) -> str:
        execution = node.execution
        name = _within(execution.name, (tree.execution.name,))
        label = _labelled(execution, name, execution.name in retried).plain
        return f"{label} {figures.duration(execution.duration_seconds)}"

    fact("slowest child", named(slowest))
    steps = [named(node) for node in tree.critical_path[1:]]
    if len(steps) > 12:
        steps = [*steps[:6], f"… {len(steps) - 11} more", *steps[-5:]]
    fact("critical path", " > ".join(steps))
    lines.rstrip()
    return lines


# Watermarks


def watermarks(shown: Sequence[WatermarkView]) -> RenderableType:
    """Where pipelines stand, and under each what holds it back."""
    columns = (
        Column("pipeline", shrink=True, give=0.33),
        Column("partition"),
        Column("watermark", shrink=True, give=0.2),
        Column("kind", drop=2),
        Column("epoch", right=True, drop=3),
        Column("moved (UTC)", drop=1),
    )
    rows: list[Row] = []
    for item in shown:
        rows.append(
            Row(
                (
                    Text(str(item.pipeline)),
                    Text(item.partition_key),
                    Text("none yet", "dim")
                    if item.value is None
                    else Text(figures.watermark(item.value), "bold"),
                    Text(item.kind or "", "dim"),
                    Text(str(item.epoch), "dim"),
                    Text(figures.moment(item.updated_at) if item.updated_at else "", "dim"),
                )
            )
        )
    parts: list[RenderableType] = [Columns(columns, rows)]
    for item in shown:
        parts += _holding(item, len(shown) > 1)
    return Group(*parts)


def _holding(item: WatermarkView, named: bool) -> Iterator[RenderableType]:
    if not item.held_back_by and not item.waiting:
        return
    yield Text("")
    if named:
        yield Text(f"partition {item.partition_key}" if item.partition_key else str(item.pipeline))
    if item.held_back_by:
        yield Text("held back by", "dim")
        yield _brief_runs(item.held_back_by)
    if item.missing is not None:
        yield Text(f"no run was asked for {window(item.missing)}", "yellow")
    if item.waiting:
        yield Text("succeeded beyond it, waiting", "dim")
        yield _brief_runs(item.waiting)


def _brief_runs(executions: Iterable[ExecutionView]) -> RenderableType:
    columns = (
        Column("window", shrink=True),
        Column("state"),
        Column("run key"),
        Column("started (UTC)", drop=1),
        Column("error", shrink=True, give=0.7, drop=2),
    )
    rows = [
        Row(
            (
                Text(window(e.window)),
                _not_by_itself(e),
                Text(short(e.run_key), "dim"),
                Text(figures.moment(e.started_at), "dim"),
                Text(_why(e) or "", "red"),
            )
        )
        for e in executions
    ]
    return Columns(columns, rows, indent=2)


def _not_by_itself(execution: ExecutionView) -> Text:
    """The state; a success that only somebody else reported does not move a watermark."""
    return state(execution)


def watermark_history(page: Page[WatermarkMove]) -> RenderableType:
    """The moves of a watermark, the latest first."""
    if not page.items:
        return Text("no moves", "dim")
    columns = (
        Column("moved (UTC)"),
        Column("partition"),
        Column("from", shrink=True),
        Column("to", shrink=True),
        Column("cause"),
        Column("epoch", right=True, drop=2),
        Column("run key", drop=1),
        Column("reason", shrink=True, give=0.5),
    )
    rows = [
        Row(
            (
                Text(figures.moment(move.moved_at), "dim"),
                Text(move.partition_key),
                Text(figures.watermark(move.old_value) if move.old_value else "beginning"),
                Text(figures.watermark(move.new_value) if move.new_value else "beginning"),
                Text(move.cause, "" if move.cause == "execution" else "yellow"),
                Text(str(move.epoch), "dim"),
                Text(short(move.run_key) if move.run_key else "", "dim"),
                Text(move.reason or ""),
            )
        )
        for move in page
    ]
    return Group(Columns(columns, rows), *_more(page.next_cursor))


def watermark_changes(
    changes: Iterable[tuple[PipelineRef | str, str | None, str | None, int | None]],
) -> RenderableType:
    """Watermarks (pipeline, before, after, rows taken) around a run: what it moved."""
    columns = (
        Column("pipeline", shrink=True, give=0.33),
        Column("before"),
        Column(""),
        Column("after"),
        Column("rows taken", right=True),
    )
    rows = [
        Row(
            (
                Text(str(name)),
                Text(figures.watermark(before) if before else "none", "dim"),
                Text("→" if before != after else "=", "dim"),
                Text(figures.watermark(after) if after else "none", "bold"),
                Text("" if taken is None else figures.count(taken)),
            )
        )
        for name, before, after, taken in changes
    ]
    return Columns(columns, rows)


# Spool


def spool(status: SpoolStatus) -> RenderableType:
    """What waits on this host's disk."""
    facts = [
        ("folder", status.folder),
        ("waiting", f"{figures.count(status.reports)} record(s) in {status.files} file(s)"),
        ("size", figures.size(status.bytes)),
    ]
    if status.oldest_seconds is not None and status.reports:
        facts.append(("oldest", f"{figures.duration(status.oldest_seconds)} ago"))
    if status.rejected:
        facts.append(
            ("refused", f"{figures.count(status.rejected)}: `pipeledger spool list --rejected`")
        )
    if status.dropped:
        facts.append(
            ("lost", f"{figures.count(status.dropped)} record(s) did not fit or were not written")
        )
    lines = Text(overflow="fold")
    for what, text in facts:
        lines.append(f"{what:<9}", "dim")
        lines.append(text + "\n", "red" if what in ("refused", "lost") else "")
    lines.append(
        "If this disk goes with its pod, what waits here goes too: states and times come back from the"
        " orchestrator, rows, windows and lineage do not.",
        "dim",
    )
    return lines


def spooled(items: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Records that wait, one line each."""
    if not items:
        return Text("nothing waits", "dim")
    columns = (
        Column("occurred", drop=1),
        Column("record"),
        Column("pipeline", shrink=True, give=0.33),
        Column("state"),
        Column("run key", drop=2),
        Column("refused because", shrink=True, give=0.7),
    )
    rows = []
    for item in items:
        report = item["report"]
        rows.append(
            Row(
                (
                    Text(str(report.get("occurred_at", ""))[:19], "dim"),
                    Text(str(report.get("report", "?"))),
                    Text("/".join(map(str, report.get("pipeline") or ()))),
                    Text(str(report.get("state", ""))),
                    Text(short(report["run_key"]) if "run_key" in report else "", "dim"),
                    Text(item["error"] or "", "red"),
                )
            )
        )
    return Columns(columns, rows)


def heading(text: str) -> RenderableType:
    """A heading of a screen made of several parts."""
    return Group(Text(""), Text(text, "bold underline"))
