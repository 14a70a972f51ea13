"""Where the time of an execution went: self time, slowest child, critical path."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.state import State
from pipeledger.model.tree import ExecutionTree
from pipeledger.model.views import ExecutionView

NOON = datetime(2013, 1, 5, 12, tzinfo=timezone.utc)


def node(
    name: str, began: float | None, ended: float | None, *children: ExecutionTree
) -> ExecutionTree:
    def moment(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOON + timedelta(seconds=seconds)

    return ExecutionTree(
        ExecutionView(
            random_key(),
            PipelineRef(name),
            "python",
            State.SUCCESS,
            started_at=moment(began),
            ended_at=moment(ended),
        ),
        children,
    )


def names(path: tuple[ExecutionTree, ...]) -> list[str]:
    return [n.execution.name for n in path]


def test_the_critical_path_goes_through_the_child_that_ended_last() -> None:
    tree = node("job", 0, 10, node("quick", 0, 2), node("slow", 0, 5), node("after", 5, 9))
    assert names(tree.critical_path) == ["job", "slow", "after"]


def test_the_critical_path_goes_down_into_children() -> None:
    inner = node("b", 3, 9, node("b.one", 3, 5), node("b.two", 6, 9))
    tree = node("job", 0, 10, node("a", 0, 3), inner)
    assert names(tree.critical_path) == ["job", "a", "b", "b.one", "b.two"]


def test_self_time_is_the_time_in_which_no_child_ran() -> None:
    tree = node("job", 0, 10, node("a", 1, 4), node("b", 3, 6), node("c", 8, 20))
    assert tree.self_seconds == 1 + 2
    assert node("leaf", 0, 10).self_seconds == 10
    assert node("running", 0, None).self_seconds is None


def test_the_slowest_child_is_the_longest_that_has_ended() -> None:
    tree = node("job", 0, None, node("a", 0, 3), node("b", 0, None), node("c", 1, 6))
    assert tree.slowest_child is not None and tree.slowest_child.execution.name == "c"
    assert node("job", 0, 1).slowest_child is None


def test_times_that_nobody_reported_leave_gaps_and_no_error() -> None:
    tree = node("job", None, 10, node("a", None, 3), node("b", 4, None))
    assert (tree.self_seconds, tree.slowest_child, names(tree.critical_path)) == (
        None,
        None,
        ["job"],
    )


spans = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=12)


@given(spans=spans)
def test_the_critical_path_never_overlaps_and_ends_with_the_last_end(
    spans: list[tuple[int, int]],
) -> None:
    tree = node("job", 0, 200, *(node(str(i), s, s + d) for i, (s, d) in enumerate(spans)))
    path = tree.critical_path[1:]
    ends = [n.execution.ended_at for n in path]
    starts = [n.execution.started_at for n in path]
    assert all(
        a is not None and b is not None and a <= b for a, b in zip(ends, starts[1:], strict=False)
    )
    if spans:
        assert ends[-1] == max(c.execution.ended_at for c in tree.children if c.execution.ended_at)


@given(spans=spans)
def test_self_time_is_what_a_clock_without_any_child_would_count(
    spans: list[tuple[int, int]],
) -> None:
    tree = node("job", 10, 90, *(node(str(i), s, s + d) for i, (s, d) in enumerate(spans)))
    free = [t for t in range(10, 90) if not any(s <= t < s + d for s, d in spans)]
    assert tree.self_seconds == len(free)


def test_a_tree_of_any_depth_is_walked() -> None:
    tree = node("leaf", 0, 1)
    for _ in range(5000):
        tree = node("outer", 0, 1, tree)
    assert len(list(tree.walk())) == 5001 and len(tree.critical_path) == 5001


def test_a_further_try_waited_for_the_try_before_it() -> None:
    first = node("weather", 0, 3)
    second = node("weather", 5, 6)
    second = ExecutionTree(replace(second.execution, previous=first.execution.run_key))
    tree = node("dag", 0, 10, first, node("flights", 0, 4.9), second)
    assert [(n.execution.name, n.execution.ended_at) for n in tree.critical_path[1:]] == [
        ("weather", NOON + timedelta(seconds=3)),
        ("weather", NOON + timedelta(seconds=6)),
    ]


def test_declared_dependencies_say_what_a_child_had_waited_for() -> None:
    children = (node("a", 0, 3), node("b", 0, 4.9), node("c", 5, 6), node("d", 7, 8))
    order = {
        PipelineRef("c"): frozenset([PipelineRef("a")]),
        PipelineRef("d"): frozenset([PipelineRef("c"), PipelineRef("b")]),
    }
    tree = ExecutionTree(node("dag", 0, 10).execution, children, order=order)
    assert names(tree.critical_path) == ["dag", "a", "c", "d"]
    undeclared = ExecutionTree(tree.execution, children)
    assert names(undeclared.critical_path) == ["dag", "b", "c", "d"]
