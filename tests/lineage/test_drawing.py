"""A drawing holds every address and edge once, and no name breaks out of its label."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeledger.lineage.drawing import Drawing
from pipeledger.model.address import Address
from pipeledger.model.lineage_views import (
    ColumnLineageEdge,
    ColumnLineageView,
    ColumnNode,
    ColumnOf,
    LineageEdge,
    LineageNode,
    LineageView,
)
from pipeledger.model.pipeline import PipelineRef

NASTY = [
    'a"]; end',
    "b<b>#35;</b>",
    "c\\",
    "d`|&lt;\n%% x",
    "click n0 call()",
    'e\\" -> n9',
    "ü–日本",
]
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
name = st.one_of(st.sampled_from(NASTY), text.filter(lambda t: bool(t.strip())))
BOX = re.compile(r'  (n\d+)(\[|\(\[)"([^"\n]*)"(\]|\]\))$')
ARROW = re.compile(r'  (n\d+) -->(?:\|"([^"\n]*)"\|)? (n\d+)$')
QUOTED = r'"((?:[^"\\\n]|\\["\\])*)"'
NODE = re.compile(rf"  (n\d+) \[label={QUOTED}((?:, \w+=\w+)*)\];$")
EDGE = re.compile(rf"  (n\d+) -> (n\d+)(?: \[label={QUOTED}\])?;$")


def plain(label: str) -> str:
    return "".join(c if c.isprintable() else " " for c in label)


def from_mermaid(label: str) -> str:
    assert not set(label) & set('"<>&`;\\|[]{}') - {";"}
    return re.sub(r"#(\d+);", lambda m: chr(int(m.group(1))), label)


def from_dot(label: str) -> str:
    return re.sub(r"\\(.)", r"\1", label)


def view_of(names: list[str], owner: str) -> LineageView:
    found = [Address("file", n) for n in names]
    owners = (PipelineRef(owner),)
    return LineageView(
        address=found[0],
        direction="downstream",
        nodes=tuple(LineageNode(a, 1) for a in found[1:]),
        edges=tuple(LineageEdge(found[0], a, owners) for a in found[1:]),
        frontier=tuple(found[-1:]),
        partial="stopped at depth 1",
    )


@given(names=st.lists(name, min_size=2, max_size=6, unique=True), owner=name)
def test_no_name_breaks_out_of_its_label(names: list[str], owner: str) -> None:
    view = view_of(names, owner)
    drawing = Drawing.of(view)
    labels = [plain(str(Address("file", n))) + (" …" if n == names[-1] else "") for n in names]

    first, note, *lines = drawing.mermaid().splitlines()
    assert (first, note) == ("flowchart LR", "  %% cut: downstream: stopped at depth 1")
    boxes = {m.group(1): from_mermaid(m.group(3)) for line in lines if (m := BOX.match(line))}
    arrows = [m.groups() for line in lines if (m := ARROW.match(line))]
    assert list(boxes.values()) == labels
    assert [(boxes[s], from_mermaid(how), boxes[t]) for s, how, t in arrows] == [
        (labels[0], plain(owner), label) for label in labels[1:]
    ]
    assert len(lines) == len(boxes) + len(arrows) + 1
    assert lines[-1] == "  style n0 stroke-width:3px"

    lines = drawing.dot().splitlines()
    nodes = {m.group(1): from_dot(m.group(2)) for line in lines if (m := NODE.match(line))}
    edges = [m.groups() for line in lines if (m := EDGE.match(line))]
    assert list(nodes.values()) == labels
    assert [(nodes[s], from_dot(how), nodes[t]) for s, t, how in edges] == [
        (labels[0], plain(owner), label) for label in labels[1:]
    ]
    assert len(lines) == len(nodes) + len(edges) + 5


def test_two_directions_are_one_picture_and_a_pipeline_is_a_box_of_its_own() -> None:
    a, b, c = (Address("s3://lake", n) for n in "abc")
    owner = PipelineRef("load", "sales")
    up = LineageView(b, "upstream", (LineageNode(a, 1),), (LineageEdge(a, b, (owner,)),))
    down = LineageView(b, "downstream", (LineageNode(c, 1),), (LineageEdge(b, c, (owner,)),))
    assert Drawing.of(up, down).mermaid() == (
        "flowchart LR\n"
        '  n0["s3://lake/b"]\n  n1["s3://lake/a"]\n  n2["s3://lake/c"]\n'
        '  n1 -->|"sales/load"| n0\n  n0 -->|"sales/load"| n2\n'
        "  style n0 stroke-width:3px\n"
    )
    of = LineageView(None, "upstream", (LineageNode(a, 1),), (), pipeline=owner)
    assert Drawing.of(of).dot() == (
        "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n"
        '  n0 [label="sales/load", shape=oval, penwidth=3];\n  n1 [label="s3://lake/a"];\n'
        "  n1 -> n0;\n}\n"
    )


def test_columns_are_drawn_with_the_kind_of_their_edges() -> None:
    a, b = (ColumnOf(Address("s3://lake", n), c) for n, c in (("a", "x"), ("b", "")))
    edge = ColumnLineageEdge(a, b, ("filter", "join"), (PipelineRef("load"),))
    view = ColumnLineageView(a, "downstream", (ColumnNode(b, 1),), (edge,))
    assert Drawing.of(view).mermaid() == (
        "flowchart LR\n"
        '  n0["x of s3://lake/a"]\n  n1["all columns of s3://lake/b"]\n'
        '  n0 -->|"filter, join by load"| n1\n'
        "  style n0 stroke-width:3px\n"
    )
