"""Naming rules: a regular expression that every pipeline's name in a namespace has to match in full.

Names are matched by walking all alternatives at once, so that the time is bounded by the pattern's
length times the name's. Python's own matcher tries one after the other: `(a+)+b` would hold up a
registration for ever, and with it the process that registers, since it never lets go of the GIL.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipeledger.model.errors import InvalidName
from pipeledger.model.pipeline import PipelineRef

MAX_PATTERN = 200
MAX_STATES = 2000
_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_AT_START = ("AT_BEGINNING", "AT_BEGINNING_STRING")
_AT_END = ("AT_END", "AT_END_STRING")
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda c: c.isalnum() or c == "_",
}

Test = Callable[[str], bool]


class _Unsupported(Exception):
    """A part of regular expressions that a name's rule does not need."""


class _Automaton:
    """States with free moves and moves over one character; state 0 accepts."""

    def __init__(self, tree: Any) -> None:
        self.free: list[list[tuple[int, str | None]]] = [[]]
        """Where a state leads without a character; ``start`` or ``end``: only there."""
        self.over: list[tuple[Test, int] | None] = [None]
        self.first = self._sequence(tree, 0)

    def accepts(self, text: str) -> bool:
        states = self._reached([self.first], 0, len(text))
        for i, character in enumerate(text):
            moved = [
                move[1]
                for state in states
                if (move := self.over[state]) is not None and move[0](character)
            ]
            states = self._reached(moved, i + 1, len(text))
            if not states:
                return False
        return 0 in states

    def _reached(self, states: Iterable[int], position: int, length: int) -> set[int]:
        reached: set[int] = set()
        todo = list(states)
        while todo:
            state = todo.pop()
            if state in reached:
                continue
            reached.add(state)
            for other, where in self.free[state]:
                if where is None or position == (0 if where == "start" else length):
                    todo.append(other)
        return reached

    def _new(self, free: list[tuple[int, str | None]], over: tuple[Test, int] | None = None) -> int:
        if len(self.free) >= MAX_STATES:
            raise _Unsupported("it repeats too much; shorten it")
        self.free.append(free)
        self.over.append(over)
        return len(self.free) - 1

    def _sequence(self, tree: Any, then: int) -> int:
        for node in reversed(list(tree)):
            then = self._node(node, then)
        return then

    def _node(self, node: Any, then: int) -> int:
        name, value = str(node[0]), node[1]
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._new([], (_test(name, value), then))
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            return self._repeat(int(least), most, inner, then)
        if name == "SUBPATTERN":
            if value[1] or value[2]:
                raise _Unsupported("flags such as (?i) are not understood")
            return self._sequence(value[3], then)
        if name == "BRANCH":
            return self._new([(self._sequence(branch, then), None) for branch in value[1]])
        if name == "AT" and str(value) in _AT_START + _AT_END:
            return self._new([(then, "start" if str(value) in _AT_START else "end")])
        raise _Unsupported(
            "only characters, sets, groups, | and repetition are understood: no look-around, back"
            " references or \\b"
        )

    def _repeat(self, least: int, most: Any, inner: Any, then: int) -> int:
        if str(most) == "MAXREPEAT":
            again = self._new([(then, None)])
            self.free[again].append((self._sequence(inner, again), None))
            then = again
        else:
            for _ in range(int(most) - least):
                then = self._new([(self._sequence(inner, then), None), (then, None)])
        for _ in range(least):
            then = self._sequence(inner, then)
        return then


def _test(name: str, value: Any) -> Test:
    if name == "ANY":
        return lambda c: c != "\n"
    if name in ("LITERAL", "NOT_LITERAL"):
        character, is_wanted = chr(value), name == "LITERAL"
        return lambda c: (c == character) is is_wanted
    is_negated = bool(value) and str(value[0][0]) == "NEGATE"
    members = [_member(*item) for item in value if str(item[0]) != "NEGATE"]
    return lambda c: any(member(c) for member in members) is not is_negated


def _member(kind: Any, value: Any) -> Test:
    name = str(kind)
    if name == "LITERAL":
        return lambda c: ord(c) == value
    if name == "RANGE":
        return lambda c: value[0] <= ord(c) <= value[1]
    category = str(value)
    if category.startswith("CATEGORY_NOT_"):
        test = _CATEGORIES["CATEGORY_" + category[len("CATEGORY_NOT_") :]]
        return lambda c: not test(c)
    return _CATEGORIES[category]


@dataclass(frozen=True, slots=True)
class NamingRule:
    """The rule of a namespace. ``NamingRule.of`` makes it."""

    pattern: str
    _automaton: _Automaton

    @classmethod
    def of(cls, pattern: str) -> NamingRule:
        """Read a pattern. Raises InvalidName, which says what is wrong with it."""
        return _rule(pattern)

    def allows(self, name: str) -> bool:
        """Whether the whole name matches."""
        return self._automaton.accepts(name)

    def check(self, pipeline: PipelineRef) -> None:
        """Raise InvalidName, with the pattern and what to do, for a name that does not match."""
        if not self.allows(pipeline.name):
            raise InvalidName(
                "pipeline name",
                pipeline.name,
                f"names in namespace {pipeline.namespace!r} match {self.pattern!r} in full;"
                " rename the pipeline, or change the rule (`pipeledger names rule`)",
            )


@lru_cache(maxsize=256)
def _rule(pattern: str) -> NamingRule:
    if not pattern:
        raise InvalidName("naming pattern", pattern, "it is empty")
    if len(pattern) > MAX_PATTERN:
        raise InvalidName(
            "naming pattern",
            pattern,
            f"it has {len(pattern)} characters, at most {MAX_PATTERN} are kept",
        )
    if "\x00" in pattern:
        raise InvalidName("naming pattern", pattern, "it holds a NUL character")
    try:
        tree = _parser.parse(pattern)
        if tree.state.flags & ~re.UNICODE.value:
            raise _Unsupported("flags such as (?i) are not understood")
        return NamingRule(pattern, _Automaton(tree))
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidName(
            "naming pattern", pattern, f"it is no regular expression ({error})"
        ) from None
    except _Unsupported as error:
        raise InvalidName("naming pattern", pattern, str(error)) from None
