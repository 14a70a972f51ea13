"""Long rows of literals left out: they hold no lineage, and they are most of what huge statements are."""

from __future__ import annotations

from collections.abc import Sequence

from pipeledger.sql.scan import Word, keywords

SHORT = 2000
"""A statement of fewer words stays as it is."""
KEPT = 8
"""Rows of VALUES, or items of IN, that stay."""

_WORDS = keywords("NULL TRUE FALSE DEFAULT N X E B DATE TIMESTAMP")
_ITEM = frozenset(",-+.")
_ROW = _ITEM | frozenset("()")


def shortened(text: str, run: Sequence[Word]) -> tuple[str, Sequence[Word]]:
    """The statement's text and words without what follows the first literals of VALUES and IN.

    Lines stay where they were.
    """
    if len(run) < SHORT:
        return text[run[0].start : run[-1].end], run
    kept: list[Word] = []
    parts: list[str] = []
    at, begin, size = 0, run[0].start, len(run)
    while at < size:
        word = run[at]
        kept.append(word)
        at += 1
        if word.upper not in ("VALUES", "IN") or at >= size or run[at].text != "(":
            continue
        is_rows = word.upper == "VALUES"
        first = at if is_rows else at + 1
        end = first
        marks = _ROW if is_rows else _ITEM
        while end < size and _is_literal(run[end], marks):
            end += 1
        cut = _rows_end(run, first, end) if is_rows else _items_end(run, first, end)
        if cut is None:
            continue
        last = _rows_last(run, cut, end) if is_rows else end
        if last <= cut:
            continue
        kept.extend(run[at:cut])
        parts.append(text[begin : run[cut - 1].end])
        resume = run[last].start if last < size else run[-1].end
        parts.append("\n" * text.count("\n", run[cut - 1].end, resume) + " ")
        begin, at = resume, last
    parts.append(text[begin : run[-1].end])
    return "".join(parts), kept


def _is_literal(word: Word, marks: frozenset[str]) -> bool:
    if word.kind == "string":
        return True
    if word.kind == "mark":
        return word.text in marks
    return word.kind == "word" and (word.text[0].isdigit() or word.text.upper() in _WORDS)


def _rows_end(run: Sequence[Word], first: int, end: int) -> int | None:
    """Behind the last row that stays; None where there are no more."""
    depth = closed = 0
    for i in range(first, end):
        depth += {"(": 1, ")": -1}.get(run[i].text, 0) if run[i].kind == "mark" else 0
        if depth < 0:
            return None
        if depth == 0 and run[i].text == ")":
            closed += 1
            if closed == KEPT:
                return i + 1
    return None


def _rows_last(run: Sequence[Word], cut: int, end: int) -> int:
    """Behind the last whole row of literals."""
    depth, last = 0, cut
    for i in range(cut, end):
        if run[i].kind == "mark":
            depth += {"(": 1, ")": -1}.get(run[i].text, 0)
            if depth < 0:
                break
            if depth == 0 and run[i].text == ")":
                last = i + 1
    return last


def _items_end(run: Sequence[Word], first: int, end: int) -> int | None:
    """Before the comma behind the last item that stays; only where literals are all there is."""
    if end >= len(run) or run[end].text != ")":
        return None
    commas = 0
    for i in range(first, end):
        if run[i].text == ",":
            commas += 1
            if commas == KEPT:
                return i
    return None
