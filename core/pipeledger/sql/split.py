"""Statements of a text: between semicolons, ``GO``, ``DELIMITER``, and inside procedure bodies.

Every statement stands alone: one that cannot be parsed does not take its neighbours along. A body
(``BEGIN ... END``, ``$$ ... $$``) is taken apart too, and of its control flow only the statements stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeledger.sql import control
from pipeledger.sql.bounds import Limits
from pipeledger.sql.dialects import Dialect
from pipeledger.sql.literals import shortened
from pipeledger.sql.scan import Word, keywords, words


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement: its text, its line in the whole, and whether it stands in a procedure's body.

    ``problem``: why it cannot be read, where that is known already.
    """

    text: str
    line: int
    is_body: bool = False
    problem: str | None = None


def split(
    text: str, dialect: Dialect, limits: Limits, first_line: int = 1, is_body: bool = False
) -> Iterator[Piece]:
    """The text's statements in order, long rows of literals left out."""
    lines = _Lines(text, first_line)
    state = control.State(is_body)
    for run in _runs(text, dialect):
        for part in _starts(run, dialect):
            for found in control.statements(part, dialect, state):
                yield from _pieces(text, found, lines, dialect, state, limits)


def _pieces(
    text: str,
    found: control.Found,
    lines: _Lines,
    dialect: Dialect,
    state: control.State,
    limits: Limits,
) -> Iterator[Piece]:
    run = found.words
    line = lines.at(run[0].start)
    if found.string is not None:
        inner, offset = _content(found.string.text)
        if inner.strip():
            inner_line = lines.at(found.string.start + offset)
            yield from split(inner, dialect, limits, inner_line, is_body=True)
        return
    broken = next((w for w in run if w.kind == "broken"), None)
    problem = None
    if broken is not None:
        what = "a comment" if broken.text.startswith("/*") else f"a quote ({broken.text[:1]})"
        problem = f"not parsed: {what} is opened and not closed"
    elif found.problem:
        problem = found.problem
    statement, run = shortened(text, run)
    if problem is None:
        problem = _too_much(run, limits)
    yield Piece(statement, line, state.depth > 0, problem)


def _too_much(run: Sequence[Word], limits: Limits) -> str | None:
    if len(run) > limits.words:
        return f"not parsed: {len(run)} words in one statement, more than {limits.words}"
    depth = deepest = 0
    for word in run:
        if word.kind == "mark":
            depth += _DEPTH.get(word.text, 0)
            deepest = max(deepest, depth)
    if deepest > limits.nesting:
        return f"not parsed: brackets {deepest} deep, more than {limits.nesting}"
    return None


_DEPTH = {"(": 1, "[": 1, ")": -1, "]": -1}


def _content(text: str) -> tuple[str, int]:
    """What stands in a string, and at which offset."""
    if dollar := re.match(r"\$\w*\$", text):
        tag = dollar.group()
        return text[len(tag) : -len(tag)], len(tag)
    start = text.index("'") + 1 if "'" in text else 1
    inner = text[start:-1]
    return inner.replace("''", "'").replace("\\'", "'"), start


class _Lines:
    """Line numbers of offsets that only grow."""

    def __init__(self, text: str, first: int) -> None:
        self._text, self._line, self._at = text, first, 0

    def at(self, offset: int) -> int:
        if offset >= self._at:
            self._line += self._text.count("\n", self._at, offset)
            self._at = offset
        return self._line


_DELIMITER = re.compile(r"[ \t]*(\S+)[^\n]*")


def _runs(text: str, dialect: Dialect) -> Iterator[list[Word]]:
    """The words between separators."""
    run: list[Word] = []
    delimiter = ";"
    left = words(text, dialect)
    while (word := next(left, None)) is not None:
        upper = word.upper
        go_on = word.end
        if upper == "DELIMITER" and not run and (set_to := _DELIMITER.match(text, word.end)):
            delimiter, go_on = set_to.group(1), set_to.end()
        elif delimiter != ";" and text.startswith(delimiter, word.start):
            go_on = word.start + len(delimiter)
            yield run
            run = []
        elif upper == ";" or (upper in ("GO", "/") and _alone(text, word, dialect)):
            if upper == "GO":
                line_end = text.find("\n", word.end)
                go_on = len(text) if line_end < 0 else line_end
            if run:
                yield run
                if _reads_stdin(run):
                    end = text.find("\n\\.", word.end)
                    go_on = len(text) if end < 0 else end + 3
            run = []
        elif upper == "\\" and not run:
            end = text.find("\n", word.end)
            go_on = len(text) if end < 0 else end
        else:
            run.append(word)
        if go_on != word.end:
            left = words(text, dialect, go_on)
    if run:
        yield run


def _alone(text: str, word: Word, dialect: Dialect) -> bool:
    """Whether it is a line of its own that ends a batch: ``GO``, or ``/`` as in SQL*Plus."""
    wanted = ("tsql", "fabric") if word.upper == "GO" else ("oracle", "exasol")
    if dialect.name not in wanted:
        return False
    before = text.rfind("\n", 0, word.start) + 1
    after = text.find("\n", word.end)
    rest = text[word.end : len(text) if after < 0 else after].strip()
    return not text[before : word.start].strip() and (not rest or rest.isdigit())


def _reads_stdin(run: list[Word]) -> bool:
    return run[0].upper == "COPY" and any(w.upper == "STDIN" for w in run)


_STARTERS = keywords(
    "SELECT INSERT UPDATE DELETE MERGE WITH CREATE DROP ALTER TRUNCATE EXEC EXECUTE"
    " DECLARE SET IF WHILE BEGIN END ELSE PRINT USE RETURN RAISERROR THROW COMMIT"
    " ROLLBACK GRANT BULK OPEN FETCH CLOSE DEALLOCATE WAITFOR GOTO"
)
_BEFORE_SELECT = keywords(
    "UNION ALL EXCEPT INTERSECT AS ( FOR IN EXISTS = ANY SOME , NOT IF WHILE THEN"
)


def _starts(run: list[Word], dialect: Dialect) -> Iterator[list[Word]]:
    """T-SQL needs no semicolons: a keyword that can only begin a statement begins one."""
    if dialect.name not in ("tsql", "fabric"):
        yield run
        return
    begin = depth = 0
    owed: set[str] = set()
    for i, word in enumerate(run):
        upper = word.upper
        depth += {"(": 1, ")": -1}.get(upper, 0)
        if upper not in _STARTERS or depth > 0:
            continue
        previous = run[i - 1].upper if i else ""
        if i > begin:
            if upper in owed:
                owed.discard(upper)
                if upper in ("INSERT", "SELECT", "UPDATE", "DELETE", "MERGE"):
                    owed = set(_OWED.get(upper, ()))
                continue
            if _belongs(run, begin, i, upper, previous):
                continue
            yield run[begin:i]
            begin = i
        owed = set(_OWED.get(upper, ()))
    if begin < len(run):
        yield run[begin:]


_OWED: dict[str, set[str]] = {
    "INSERT": {"SELECT", "WITH", "EXEC", "EXECUTE"},
    "WITH": {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"},
    "UPDATE": {"SET"},
    "CREATE": set(),
    "DECLARE": {"SELECT"},
}


def _belongs(run: list[Word], begin: int, at: int, upper: str, previous: str) -> bool:
    """Whether the keyword goes on with the statement that began at ``begin``."""
    first = run[begin].upper
    if upper == "SELECT" and previous in _BEFORE_SELECT:
        return True
    if first == "MERGE":
        return upper in ("UPDATE", "INSERT", "DELETE", "SET", "WITH", "SELECT")
    if upper == "WITH":
        # A hint or an option: WITH (NOLOCK), WITH SCHEMABINDING, CREATE TABLE ... WITH (...)
        after = run[at + 1].upper if at + 1 < len(run) else ""
        name_follows = at + 2 < len(run) and run[at + 2].upper in ("AS", "(")
        return previous == "AS" or after == "(" or not name_follows
    if upper in ("END", "ELSE"):
        # Of CASE, unless it ends or splits a block: then no CASE is open before it.
        open_cases = 0
        for word in run[begin:at]:
            open_cases += {"CASE": 1, "END": -1}.get(word.upper, 0)
        return open_cases > 0
    if first in ("GRANT", "DENY", "REVOKE", "ALTER", "DROP"):
        return upper in ("SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "ALTER", "SET", "ADD")
    if first == "CREATE" and upper in ("INSERT", "UPDATE", "DELETE", "EXECUTE"):
        kinds = {w.upper for w in run[begin : begin + 4]}
        is_trigger = bool(kinds & {"TRIGGER"})
        return is_trigger and previous in ("FOR", "AFTER", "OF", ",")
    if upper == "INSERT" and previous == "BULK":
        return True
    if upper in ("SET", "UPDATE", "DELETE") and previous in ("ON", "DO"):
        return True
    if upper == "OPEN" or upper == "IF":
        return previous in (".", "DROP", "TABLE", "VIEW", "PROCEDURE", "AS")
    return upper in ("USE", "RETURN") and previous in ("OPTION", "(", ",")
