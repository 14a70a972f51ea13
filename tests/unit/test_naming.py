"""Naming rules: the same answers as Python's own matcher, in bounded time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.model.errors import InvalidName
from pipeledger.model.naming import NamingRule
from pipeledger.model.pipeline import PipelineRef

atoms = st.sampled_from(
    ["a", "b", "_", ".", r"\.", r"\d", r"\w", r"\S", "[ab]", "[^a]", "[a-c_]", r"[\W\d]", "^", "$"]
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
    ),
    max_leaves=6,
)


@given(patterns, st.lists(st.text("abc_.1é ", max_size=8), min_size=5, max_size=5))
def test_a_rule_allows_what_a_full_match_allows(pattern: str, names: list[str]) -> None:
    try:
        rule = NamingRule.of(pattern)
    except InvalidName as error:
        assert "repeats too much" in str(error) or len(pattern) > 200
        return
    for name in names:
        assert rule.allows(name) == bool(re.fullmatch(pattern, name)), (pattern, name)


def test_a_pattern_that_python_takes_for_ever_to_match_is_answered() -> None:
    assert not NamingRule.of("(a+)+b").allows("a" * 500)
    assert not NamingRule.of("(a|aa)*(a|aa)*(a|aa)*b").allows("a" * 500)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty"),
        ("a" * 201, "at most 200"),
        ("(", "no regular expression"),
        ("(?i)a", "flags"),
        ("(?i:a)", "flags"),
        (r"(a)\1", "back references"),
        ("(?=a)a", "look-around"),
        (r"\bword", r"\\b"),
        ("(a{50}){50}", "repeats too much"),
        ("a\x00", "NUL"),
    ],
)
def test_a_pattern_that_cannot_be_a_rule_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(InvalidName, match=why):
        NamingRule.of(pattern)


def test_a_name_that_breaks_the_rule_is_refused_with_the_pattern_and_what_to_do() -> None:
    rule = NamingRule.of("[a-z]+(\\.[a-z_]+)*")
    rule.check(PipelineRef("sales.load_orders", "team"))
    with pytest.raises(InvalidName, match=r"Sales.*'team'.*\[a-z\].*names rule"):
        rule.check(PipelineRef("Sales", "team"))
