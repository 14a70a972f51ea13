"""Lineage as a picture: the text of a Mermaid flowchart or of a Graphviz graph.

Names are quoted so that no name, whatever is in it, ends its label or becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeledger.model.address import Address
from pipeledger.model.lineage_views import UPSTREAM, ColumnLineageView, ColumnOf, LineageView
from pipeledger.model.pipeline import PipelineRef

Drawn = Address | ColumnOf | PipelineRef
View = LineageView | ColumnLineageView
_PLAIN_IN_MERMAID = frozenset(" !$'()*+,-./:=?@^_~–…")
MORE = "…"


@dataclass(slots=True)
class Drawing:
    """Boxes and arrows: ``nodes`` in order, arrows in the direction of the data with their label."""

    nodes: dict[Drawn, str] = field(default_factory=dict)
    arrows: dict[tuple[Drawn, Drawn], str] = field(default_factory=dict)
    begins: set[Drawn] = field(default_factory=set)
    frontier: set[Drawn] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, *views: View) -> Drawing:
        """One picture of several answers, for example up- and downstream of one address."""
        drawing = cls()
        for view in views:
            for thing, arrows in _things(view):
                drawing.nodes.setdefault(thing, _label(thing))
                drawing.arrows.update(arrows)
            drawing.begins.add(_begin(view))
            drawing.frontier.update(view.frontier)
            if view.partial is not None:
                drawing.notes.append(f"{view.direction}: {view.partial}")
        return drawing

    def mermaid(self) -> str:
        """The text of a Mermaid flowchart, from left to right."""
        names = {thing: f"n{i}" for i, thing in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        lines += [f"  %% cut: {' '.join(note.split())}" for note in self.notes]
        for thing, label in self.nodes.items():
            open_, close = ("([", "])") if isinstance(thing, PipelineRef) else ("[", "]")
            more = f" {MORE}" if thing in self.frontier else ""
            lines.append(f'  {names[thing]}{open_}"{_in_mermaid(label + more)}"{close}')
        for (source, target), label in self.arrows.items():
            text = f'|"{_in_mermaid(label)}"|' if label else ""
            lines.append(f"  {names[source]} -->{text} {names[target]}")
        lines += [f"  style {names[b]} stroke-width:3px" for b in self.nodes if b in self.begins]
        return "\n".join(lines) + "\n"

    def dot(self) -> str:
        """The text of a Graphviz digraph, from left to right."""
        names = {thing: f"n{i}" for i, thing in enumerate(self.nodes)}
        lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
        lines += [f"  // cut: {' '.join(note.split())}" for note in self.notes]
        for thing, label in self.nodes.items():
            more = f" {MORE}" if thing in self.frontier else ""
            about = [f"label={_in_dot(label + more)}"]
            if isinstance(thing, PipelineRef):
                about.append("shape=oval")
            if thing in self.begins:
                about.append("penwidth=3")
            lines.append(f"  {names[thing]} [{', '.join(about)}];")
        for (source, target), label in self.arrows.items():
            text = f" [label={_in_dot(label)}]" if label else ""
            lines.append(f"  {names[source]} -> {names[target]}{text};")
        return "\n".join([*lines, "}"]) + "\n"


def _things(view: View) -> Iterator[tuple[Drawn, dict[tuple[Drawn, Drawn], str]]]:
    """What there is to draw, where it begins first, each with arrows of its own."""
    begin = _begin(view)
    yield begin, {}
    if isinstance(view, ColumnLineageView):
        for column in view.nodes:
            yield column.column, {}
        for edge in view.edges:
            kinds = ", ".join(edge.kinds)
            yield edge.target, {(edge.source, edge.target): f"{kinds} by {_owners(edge.pipelines)}"}
        return
    for node in view.nodes:
        arrow = (node.address, begin) if view.direction == UPSTREAM else (begin, node.address)
        is_first = view.pipeline is not None and node.depth == 1
        yield node.address, {arrow: ""} if is_first else {}
    for moved in view.edges:
        yield moved.target, {(moved.source, moved.target): _owners(moved.pipelines)}


def _begin(view: View) -> Drawn:
    if isinstance(view, ColumnLineageView):
        return view.column
    begin = view.address if view.address is not None else view.pipeline
    assert begin is not None
    return begin


def _owners(pipelines: tuple[PipelineRef, ...]) -> str:
    return ", ".join(map(str, pipelines))


def _label(thing: Drawn) -> str:
    if isinstance(thing, ColumnOf):
        return f"{thing.name or 'all columns'} of {thing.address}"
    return str(thing)


def _in_mermaid(text: str) -> str:
    """The text with every character that could mean something as its number: ``#34;``."""
    return "".join(
        c if c.isalnum() or c in _PLAIN_IN_MERMAID else f"#{ord(c)};" for c in _one_line(text)
    )


def _in_dot(text: str) -> str:
    """A quoted string, in which a backslash is one (unquoted, ``\\N`` would be the node's name)."""
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
