"""The words of SQL text: enough of every dialect to know what is code, what a string or a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipeledger.sql.dialects import Dialect


def keywords(text: str) -> frozenset[str]:
    """The words of the text as a set."""
    return frozenset(text.split())


class Word(NamedTuple):
    """``kind``: word, string, name (quoted), mark, or broken (a quote that nobody closes)."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The keyword it may be; empty for strings and quoted names."""
        return self.text.upper() if self.kind in ("word", "mark") else ""


def words(text: str, dialect: Dialect, start: int = 0) -> Iterator[Word]:
    """The text's words from ``start`` on, comments and blanks left out.

    A quote or comment that is not closed is one ``broken`` word up to the next semicolon, so that
    what stands behind it is not lost.
    """
    lexer, nested = _lexer(dialect)
    at, size = start, len(text)
    while at < size:
        match = lexer.match(text, at)
        assert match is not None, "the last alternative takes any character"
        kind, end = str(match.lastgroup), match.end()
        if kind == "open":
            closed = _comment_end(text, at, nested)
            if closed is None:
                kind, end = "broken", _semicolon(text, at)
            else:
                at = closed
                continue
        elif kind == "broken":
            end = _semicolon(text, at)
        if kind not in ("space", "comment"):
            yield Word("string" if kind == "dollar" else kind, text[at:end], at, end)
        at = end


def _semicolon(text: str, start: int) -> int:
    found = text.find(";", start)
    return len(text) if found < 0 else found


_EDGE = re.compile(r"/\*|\*/")


def _comment_end(text: str, start: int, nested: bool) -> int | None:
    if not nested:
        end = text.find("*/", start + 2)
        return None if end < 0 else end + 2
    depth = 0
    for match in _EDGE.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return None


@lru_cache(maxsize=64)
def _lexer(dialect: Dialect) -> tuple[re.Pattern[str], bool]:
    """A pattern from sqlglot's own tables of the dialect's quotes and comments."""
    from sqlglot.dialects.dialect import Dialect as Sqlglot

    tables = Sqlglot.get_or_raise(dialect.sqlglot).tokenizer_class
    strings = [_quoted(quote, quote, tables.STRING_ESCAPES) for quote in _starts(tables.QUOTES)]
    prefixes = [p for p in (*tables.RAW_STRINGS, *tables.BYTE_STRINGS) if not isinstance(p, str)]
    prefixed = [
        _quoted(re.escape(start), end, [] if start[:1] in "rRqQ" else ["\\", end], escape=False)
        for start, end in prefixes
        if end and start != end
    ]
    pairs: list[tuple[str, str]] = [(m, m) if isinstance(m, str) else m for m in tables.IDENTIFIERS]
    names = [_quoted(start, end, [end]) for start, end in pairs]
    comments = [re.escape(c) + r"[^\n]*" for c in tables.COMMENTS if isinstance(c, str)]
    dollar = r"\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$"
    has_dollar = bool(tables.HEREDOC_STRINGS) or "$$" in tables.RAW_STRINGS
    if dialect.name in ("databricks", "spark", "ansi"):
        has_dollar = True
    quotes = "".join(sorted({start[:1] for start in _starts(tables.QUOTES)}))
    opened = "".join(start for start, _ in pairs)
    parts = [
        r"(?P<space>\s+)",
        r"(?P<open>/\*)",
        f"(?P<comment>{'|'.join(sorted(comments, key=len, reverse=True))})",
        *([f"(?P<dollar>{dollar})"] if has_dollar else []),
        f"(?P<string>{'|'.join([*prefixed, *strings])})",
        f"(?P<name>{'|'.join(names)})",
        f"(?P<broken>[{re.escape(quotes + opened)}])",
        r"(?P<word>[\w@#$]+)",
        r"(?P<mark>.)",
    ]
    return re.compile("|".join(parts), re.DOTALL), bool(tables.NESTED_COMMENTS)


def _starts(quotes: list[str | tuple[str, str]]) -> list[str]:
    """Longest first, so that three quotes are not read as an empty string and one more."""
    return sorted((q if isinstance(q, str) else q[0] for q in quotes), key=len, reverse=True)


def _quoted(start: str, end: str, escapes: list[str], escape: bool = True) -> str:
    opening = re.escape(start) if escape else start
    closing = re.escape(end)
    if len(end) > 1:
        return f"{opening}.*?{closing}"
    stops = closing + (r"\\" if "\\" in escapes else "")
    inner = [closing * 2] if "\\" not in escapes or end in escapes else []
    if "\\" in escapes:
        inner.append(r"\\.")
    return rf"{opening}[^{stops}]*(?:(?:{'|'.join(inner)})[^{stops}]*)*{closing}"
