"""Control flow around statements: what of a piece of a script or procedure body is a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeledger.sql.dialects import Dialect
from pipeledger.sql.scan import Word, keywords
from pipeledger.sql.templates import is_placeholder

MOVES = keywords(
    "SELECT INSERT UPDATE DELETE MERGE WITH CREATE DROP ALTER TRUNCATE REPLACE COPY"
    " UNLOAD LOAD UPSERT EXPORT RENAME EXCHANGE VALUES TABLE FROM USE ("
)
"""What the statements of a body that are of interest begin with."""

_ROUTINES = keywords("PROCEDURE PROC FUNCTION TRIGGER PACKAGE EVENT TASK")
_STRUCTURES = keywords("IF LOOP WHILE FOR REPEAT CASE")
_TRANSACTIONS = keywords("TRANSACTION TRAN WORK ISOLATION READ DEFERRED IMMEDIATE EXCLUSIVE")


@dataclass(slots=True)
class State:
    """How deep in bodies the reading is."""

    is_body: bool = False
    begins: int = 0

    @property
    def depth(self) -> int:
        return self.begins + self.is_body


@dataclass(frozen=True, slots=True)
class Found:
    """A statement's words; or ``string``, the literal that holds statements; or a problem."""

    words: Sequence[Word]
    string: Word | None = None
    problem: str | None = None


def statements(run: Sequence[Word], dialect: Dialect, state: State) -> Iterator[Found]:
    """The statements of a piece, which lies between two separators."""
    run = list(run)
    while run:
        first = run[0].upper
        second = run[1].upper if len(run) > 1 else ""
        if is_placeholder(run[0].text) and run[1:] and run[1].kind == "word":
            # A template that stands before a statement: dbt's config and its like.
            run = run[1:]
        elif first == "<" and second == "<":
            run = run[_find(run, ">") + 2 :]
        elif first == "BEGIN":
            if len(run) == 1 and dialect.name not in ("tsql", "fabric", "oracle", "snowflake"):
                return
            if second in _TRANSACTIONS:
                return
            if second not in ("TRY", "CATCH"):
                state.begins += 1
            run = run[1:]
            while run and run[0].upper in ("TRY", "CATCH", "ATOMIC", "NOT"):
                run = run[1:]
        elif first == "END":
            if second not in _STRUCTURES and second not in ("TRY", "CATCH"):
                state.begins = max(0, state.begins - 1)
            if dialect.name not in ("tsql", "fabric"):
                return
            run = run[2:] if second in ("TRY", "CATCH") else run[1:]
        elif first in ("ELSE", "LOOP", "REPEAT", "THEN", "DO") and not (
            first == "DO" and _string(run)
        ):
            run = run[1:]
        elif first in ("IF", "ELSEIF", "ELSIF", "WHEN", "WHILE", "UNTIL", "EXCEPTION", "CASE"):
            run = _after_condition(run, dialect)
        elif first == "FOR":
            yield from _loop_query(run)
            run = run[_find(run, "LOOP", "DO") + 1 :]
        elif first == "DECLARE" or (first in ("CURSOR", "OPEN", "LET") and state.depth):
            if first == "DECLARE" and dialect.name not in ("tsql", "fabric") and not second:
                return
            yield from _declared(run, dialect, state)
            return
        elif first == "CREATE" and (kind := _routine(run)):
            yield from _routine_body(run, kind, dialect, state)
            return
        elif first == "DO" or (first in ("EXECUTE", "EXEC") and _dynamic(run)):
            yield from _dynamic_sql(run)
            return
        elif first == "RETURN" and state.depth:
            run = run[1:]
            if run and run[0].upper in ("QUERY", "TABLE"):
                run = run[1:]
            if not run or run[0].upper not in ("SELECT", "WITH", "(", "INSERT"):
                return
        elif first == "PERFORM" and state.depth:
            yield Found(run)
            return
        else:
            if state.depth == 0 or first in MOVES or any(w.kind == "broken" for w in run):
                yield Found(run)
            return


def _find(run: Sequence[Word], *wanted: str, start: int = 0) -> int:
    """Where the keyword stands, outside brackets and CASE; the end where it does not."""
    depth = cases = 0
    for i in range(start, len(run)):
        upper = run[i].upper
        if upper in wanted and depth <= 0 and cases <= 0:
            return i
        depth += {"(": 1, ")": -1}.get(upper, 0)
        cases += {"CASE": 1, "END": -1}.get(upper, 0)
    return len(run)


def _after_condition(run: list[Word], dialect: Dialect) -> list[Word]:
    if dialect.name in ("tsql", "fabric"):
        return []
    start = 1
    return run[_find(run, "THEN", "LOOP", "DO", start=start) + 1 :]


def _loop_query(run: Sequence[Word]) -> Iterator[Found]:
    end = _find(run, "LOOP", "DO")
    begin = next((i + 1 for i in range(end) if run[i].upper in ("IN", "FOR") and i), end)
    query = run[begin:end]
    if any(w.upper in ("SELECT", "WITH") for w in query[:3]):
        yield Found(query)


def _declared(run: Sequence[Word], dialect: Dialect, state: State) -> Iterator[Found]:
    """``DECLARE c CURSOR FOR SELECT ...``, ``CURSOR c IS SELECT ...``; table variables; else nothing."""
    for i, word in enumerate(run[:-1]):
        if word.upper in ("FOR", "IS") and run[i + 1].upper in ("SELECT", "WITH"):
            yield Found(run[i + 1 :])
            return
        if word.upper == "BEGIN":
            yield from statements(run[i:], dialect, state)
            return
    if any(w.upper == "TABLE" for w in run[:4]):
        yield Found(run)


def _routine(run: Sequence[Word]) -> str | None:
    for word in run[1:9]:
        if word.upper in _ROUTINES:
            return word.upper
        if word.upper in ("TABLE", "VIEW", "SELECT", "INDEX", "SCHEMA", "DATABASE", "("):
            return None
    return None


def _routine_body(run: list[Word], kind: str, dialect: Dialect, state: State) -> Iterator[Found]:
    """The statements that creating a routine, trigger or task puts by, or why they are not seen."""
    for i, word in enumerate(run):
        if word.upper == "LANGUAGE" and i + 1 < len(run):
            language = run[i + 1].text.strip("'\"").upper()
            if language not in ("SQL", "PLPGSQL", "PLSQL", "TSQL"):
                yield Found(run, problem=f"not parsed: a {kind.lower()} in {language.lower()}")
                return
    for i, word in enumerate(run):
        upper = word.upper
        previous = run[i - 1].upper if i else ""
        if word.kind == "string" and previous in ("AS", "IS"):
            yield Found(run, string=word)
            return
        if upper == "BEGIN":
            # A body in the text itself: what follows the next separators belongs to it.
            yield from statements(run[i:], dialect, state)
            return
        following = run[i + 1].upper if i + 1 < len(run) else ""
        if upper == "DECLARE" or (
            upper in ("AS", "IS") and dialect.name in ("oracle", "exasol") and following != "BEGIN"
        ):
            # Declarations first; BEGIN stands behind the next separator.
            return
        if upper in ("AS", "RETURN", "DO", ")") and i + 1 < len(run):
            if run[i + 1].upper in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH"):
                yield Found(run[i + 1 :])
                return
            if upper == "RETURN" and run[i + 1].upper == "(":
                yield Found(run[i + 1 :])
                return


def _string(run: Sequence[Word]) -> Word | None:
    return next((w for w in run[:8] if w.kind == "string" and len(w.text) > 2), None)


def _dynamic(run: Sequence[Word]) -> bool:
    """``EXECUTE IMMEDIATE ...``, ``EXEC('...')``, ``EXEC sp_executesql ...``: SQL made at run time."""
    second = run[1] if len(run) > 1 else None
    return second is not None and (
        second.upper in ("IMMEDIATE", "(", "SP_EXECUTESQL") or second.kind == "string"
    )


def _dynamic_sql(run: Sequence[Word]) -> Iterator[Found]:
    word = _string(run)
    if word is not None:
        yield Found(run, string=word)
    else:
        yield Found(run, problem="not parsed: the SQL is made when it runs")
