"""Screens of lineage: walks as trees, paths, cycles, where lineage ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from pipeledger.cli import figures
from pipeledger.model.address import Address
from pipeledger.model.lineage_views import (
    UPSTREAM,
    ColumnLineageView,
    ColumnOf,
    CyclesView,
    LineageView,
    PathView,
)
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.views import Page

T = TypeVar("T", Address, ColumnOf)
Near = Mapping[T, Sequence[tuple[T, Text]]]
SHOWN_OF_A_CYCLE = 12


def lineage(view: LineageView) -> RenderableType:
    """What an address is made from (or goes into), as a tree; an address seen before is not repeated."""
    near: dict[Address, list[tuple[Address, Text]]] = {}
    for edge in view.edges:
        here, there = _ends(view.direction, edge.source, edge.target)
        near.setdefault(here, []).append((there, _by(edge.pipelines)))
    depths = {node.address: node.depth for node in view.nodes}
    if view.address is not None:
        root = Tree(address(view.address, "bold"), guide_style="dim")
        begin = {view.address: root}
        depths.setdefault(view.address, 0)
    else:
        root = Tree(Text(str(view.pipeline), "bold cyan"), guide_style="dim")
        begin = {
            n.address: root.add(_marked(address(n.address), n.address, view.frontier))
            for n in view.nodes
            if n.depth == 1
        }
    _grow(root, begin, near, depths, view.frontier, address)
    return Group(*_around(view.direction, root, not view.nodes, view.partial, len(view.frontier)))


def columns(view: ColumnLineageView) -> RenderableType:
    """What a column is made from (or goes into), as a tree."""
    near: dict[ColumnOf, list[tuple[ColumnOf, Text]]] = {}
    for edge in view.edges:
        here, there = _ends(view.direction, edge.source, edge.target)
        how = Text("  " + ", ".join(edge.kinds), "magenta")
        near.setdefault(here, []).append((there, how + _by(edge.pipelines)))
    depths = {view.column: 0} | {node.column: node.depth for node in view.nodes}
    root = Tree(_column(view.column, "bold"), guide_style="dim")
    _grow(root, {view.column: root}, near, depths, view.frontier, _column)
    return Group(*_around(view.direction, root, not view.nodes, view.partial, len(view.frontier)))


def _grow(
    root: Tree,
    begin: Mapping[T, Tree],
    near: Near[T],
    depths: Mapping[T, int],
    frontier: Sequence[T],
    label: Callable[[T], Text],
) -> None:
    """Add what is near to what is there, breadth first, so that each hangs where it is nearest."""
    seen = set(begin)
    level = list(begin.items())
    while level:
        following: list[tuple[T, Tree]] = []
        for here, branch in level:
            for there, how in sorted(near.get(here, ()), key=lambda pair: pair[0].key):
                text = label(there) + how
                if there in seen or depths.get(there, 0) <= depths.get(here, 0):
                    branch.add(text.append("  (shown elsewhere)", "dim"))
                    continue
                seen.add(there)
                following.append((there, branch.add(_marked(text, there, frontier))))
        level = following
    # What is between was not to be shown.
    for apart in sorted((t for t in depths if t not in seen), key=lambda t: (depths[t], t.key)):
        text = label(apart).append(f"  {depths[apart]} steps away", "dim")
        root.add(_marked(text, apart, frontier))


def _ends(direction: str, source: T, target: T) -> tuple[T, T]:
    return (target, source) if direction == UPSTREAM else (source, target)


def _marked(label: Text, what: T, frontier: Sequence[T]) -> Text:
    return label.append("  …", "yellow") if what in frontier else label


def _by(pipelines: Iterable[PipelineRef]) -> Text:
    return Text("  by ", "dim").append(", ".join(map(str, pipelines)), "cyan")


def _around(
    direction: str, root: Tree, is_empty: bool, partial: str | None, beyond: int
) -> Iterable[RenderableType]:
    yield Text("upstream of" if direction == UPSTREAM else "downstream of", "dim")
    yield root
    if is_empty:
        yield Text("nothing" if partial is None else "nothing within the limits", "dim")
    if partial is not None:
        yield Text(f"cut: {partial}; there is more beyond {beyond} address(es)", "yellow")


def path(view: PathView) -> RenderableType:
    """A path, a step per line; or that there is none."""
    if view.edges is None:
        if view.partial is not None:
            return Text(f"not found: {view.partial}", "yellow")
        return Text(f"no data goes from {view.source} to {view.target}")
    lines = [address(view.source, "bold")]
    for edge in view.edges:
        lines.append(Text("└─ ", "dim") + address(edge.target) + _by(edge.pipelines))
    steps = f"{len(view.edges)} step{'s' if len(view.edges) != 1 else ''}"
    return Group(*lines, Text(steps, "dim"))


def cycles(view: CyclesView) -> RenderableType:
    """Every cycle, a way round per line."""
    parts: list[RenderableType] = []
    for cycle in view.cycles:
        way = [str(a) for a in cycle.way]
        if len(way) > SHOWN_OF_A_CYCLE:
            way = [
                *way[: SHOWN_OF_A_CYCLE - 2],
                f"… {len(way) - SHOWN_OF_A_CYCLE + 1} more",
                way[-1],
            ]
        line = Text(" → ".join(way), overflow="fold")
        if cycle.size >= len(cycle.way):
            line.append(f"  (one way round of {figures.count(cycle.size)} addresses)", "dim")
        parts.append(line)
    if not parts:
        parts.append(Text("no cycles" if view.partial is None else "none found", "dim"))
    if view.partial is not None:
        parts.append(Text(f"cut: {view.partial}", "yellow"))
    return Group(*parts)


def ends(page: Page[Address], nothing: str) -> RenderableType:
    """Addresses, one per line."""
    lines: list[RenderableType] = [address(a) for a in page]
    if not lines:
        lines.append(Text(nothing, "dim"))
    if page.next_cursor is not None:
        lines.append(Text(f"more: --cursor {page.next_cursor}", "dim"))
    return Group(*lines)


def address(address: Address, style: str = "") -> Text:
    """The name, then the store it lies in, the folders of a file left out."""
    text = Text(address.name, style, no_wrap=True, overflow="ellipsis")
    space = address.namespace
    scheme, separator, rest = space.partition("://")
    if separator and rest.count("/") > 1:
        space = f"{scheme}://…/{rest.rpartition('/')[2]}"
    text.append(f"  {space}", "dim")
    return text


def _column(column: ColumnOf, style: str = "") -> Text:
    text = Text(column.name or "all columns", style or ("" if column.name else "italic"))
    text.append("  of ", "dim").append_text(address(column.address))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
