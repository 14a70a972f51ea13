"""From text to sqlglot's tree."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pipeledger.sql.dialects import Dialect

if TYPE_CHECKING:
    from sqlglot import expressions as exp

T = TypeVar("T")

_TOKEN = re.compile(r"\s*but got <Token.*", re.DOTALL)
_UNKNOWN = ("spark", "postgres", "snowflake", "tsql", "bigquery")
"""What is tried for text whose dialect nobody named, where standard SQL does not do."""


class NotParsed(Exception):
    """Why a statement was not parsed; ``line`` counts from 1 within it."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def parse(text: str, dialect: Dialect) -> list[exp.Expr]:
    """The statements of the text as trees.

    Raises NotParsed.
    """
    try:
        return _parse(text, dialect.sqlglot)
    except NotParsed:
        if dialect.name != "ansi":
            raise
        for other in _UNKNOWN:
            try:
                found = _parse(text, other)
            except NotParsed:
                continue
            if not any(type(node).__name__ == "Command" for node in found):
                return found
        raise


def _parse(text: str, name: str) -> list[exp.Expr]:
    from sqlglot.errors import ErrorLevel, ParseError, SqlglotError

    dialect = _dialect(name)
    try:
        tokens = dialect.tokenize(text)
    except SqlglotError:
        raise NotParsed("not parsed: its quotes or comments do not match") from None
    try:
        with _quiet:
            nodes = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line = first.get("line")
        what = _TOKEN.sub("", str(first.get("description") or "it is no SQL")).strip().rstrip(".")
        # A literal may be a secret: only words are shown.
        near = str(first.get("highlight") or "")
        at = f" at {near!r}" if near.isidentifier() else ""
        raise NotParsed(f"not parsed: {_short(what)}{at}", line or 1) from None
    except SqlglotError as error:
        raise NotParsed(f"not parsed: {type(error).__name__}") from None
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        # A defect of the parser on odd input must not become one of ours.
        raise NotParsed(f"not parsed: {type(error).__name__} in the parser") from None
    return [node for node in nodes if node is not None]


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


@lru_cache(maxsize=64)
def _dialect(name: str) -> Any:
    from sqlglot.dialects.dialect import Dialect as Sqlglot

    return Sqlglot.get_or_raise(name)


class _Quiet(threading.local):
    """Keeps sqlglot from logging, in the user's log, each statement that it does not take apart."""

    depth = 0

    def filter(self, record: logging.LogRecord) -> bool:
        return self.depth == 0

    def __enter__(self) -> None:
        self.depth += 1
        logger = logging.getLogger("sqlglot")
        if _quiet_filter not in logger.filters:
            logger.addFilter(_quiet_filter)

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1


_quiet = _Quiet()
_quiet_filter = _quiet.filter


def with_room(work: Callable[[], T]) -> T:
    """The work's result; if the caller's stack is too short for it, in a thread with a new one.

    Raises NotParsed where it is too deep even then.
    """
    try:
        return work()
    except RecursionError:
        pass
    result: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="pipeledger-sql", daemon=True)
    thread.start()
    thread.join()
    if result:
        return result[0]
    error = failed[0]
    if isinstance(error, RecursionError):
        raise NotParsed(
            f"not parsed: nested deeper than {sys.getrecursionlimit()} calls can follow"
        ) from None
    raise error
