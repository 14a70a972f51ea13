"""Reading a script: its statements one after the other, each knowing what came before."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from pipeledger.model.errors import PipeledgerError
from pipeledger.sql import cache, dialects
from pipeledger.sql.bounds import Clock, Limits
from pipeledger.sql.lineage import Problem, Script, StatementLineage
from pipeledger.sql.names import Dataset, TableName
from pipeledger.sql.session import Schema, Session
from pipeledger.sql.templates import Template

if TYPE_CHECKING:
    from pipeledger.sql.moves import Effect
    from pipeledger.sql.split import Piece

_DEFAULT = Limits()
_log = logging.getLogger(__name__)


def parse(
    text: str,
    dialect: str = "postgres",
    default_catalog: str | None = None,
    default_schema: str | None = None,
    schema: Schema = None,
    limits: Limits = _DEFAULT,
) -> Script:
    """What the SQL reads and writes. Never fails on SQL: what it cannot read is in ``problems``.

    ``dialect`` is a store's name or scheme (``postgres``, ``snowflake``, ``mssql``), ``ansi`` where
    nobody knows. ``schema`` gives columns of tables, for ``*`` and for columns without a table: a
    mapping, or a function that may answer None. The same text is read once per process.

    Raises InvalidSetting for an unknown dialect, PipeledgerError if sqlglot is not installed.
    """
    found = dialects.of(dialect)
    try:
        import sqlglot  # noqa: F401
    except ImportError:
        raise PipeledgerError(
            "lineage from SQL needs sqlglot, which is not installed: pip install 'pipeledger[sql]'"
        ) from None
    key = cache.key(text, found.name, default_catalog, default_schema, limits)
    known = cache.get(key, schema)
    if known is not None:
        return known
    session = Session(found, default_catalog, default_schema, schema)
    script = _Reader(session, limits).read(text)
    cache.put(key, script, None if schema is None else session.asked)
    return script


@dataclass
class _Reader:
    session: Session
    limits: Limits
    statements: list[StatementLineage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    gone: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def read(self, text: str) -> Script:
        from pipeledger.sql.split import split

        dialect = self.session.dialect
        if len(text) > self.limits.characters:
            reason = f"not parsed: {len(text)} characters, more than {self.limits.characters}"
            return Script(dialect.name, (), (Problem(0, 1, reason),))
        clock = Clock(self.limits.seconds)
        self.session.template = Template.of(text)
        pieces: list[Piece] = []
        for piece in split(self.session.template.text, dialect, self.limits):
            pieces.append(piece)
            if clock.is_over:
                break
        self.gone = list(_gone(pieces, self.session))
        for i, piece in enumerate(pieces):
            if clock.is_over:
                reason = (
                    f"not parsed: what stands from here on, after {self.limits.seconds:g} seconds"
                )
                self.problems.append(Problem(i, piece.line, reason))
                break
            self._statement(i, piece)
        return Script(dialect.name, tuple(self.statements), tuple(self.problems))

    def _statement(self, index: int, piece: Piece) -> None:
        from pipeledger.sql.expressions import Reading
        from pipeledger.sql.guess import guess
        from pipeledger.sql.resolution import resolve

        effects, problem, line = self._effects(piece)
        for effect in effects:
            problem = problem or effect.problem
            is_dropped = partial(self._is_dropped, index)
            self.statements.append(resolve(self.session, effect, index, piece.line, is_dropped))
        if problem is None:
            return
        self.problems.append(Problem(index, line, self.session.template.written(problem)))
        if any(effect.moves for effect in effects):
            return
        read, written = guess(Reading(self.session, self.limits), piece.text)
        if read or written:
            self.statements.append(_guessed(self.session, index, piece.line, read, written))

    def _effects(self, piece: Piece) -> tuple[list[Effect], str | None, int]:
        """What the statement does; why it could not be read, and the line of that."""
        from pipeledger.sql import syntax
        from pipeledger.sql.expressions import Reading, TooMuch
        from pipeledger.sql.statements import effect

        def work() -> list[Effect]:
            nodes = syntax.parse(piece.text, self.session.dialect)
            return [effect(Reading(self.session, self.limits), n, piece.is_body) for n in nodes]

        if piece.problem is not None:
            return [], piece.problem, piece.line
        try:
            return syntax.with_room(work), None, piece.line
        except syntax.NotParsed as error:
            found = self._by_parts(piece.text)
            if found is not None:
                return [found], None, piece.line
            return [], error.reason, piece.line + error.line - 1
        except TooMuch:
            reason = f"more than {self.limits.edges} column edges: its tables alone are kept"
            return [], reason, piece.line
        except Exception as error:
            # Lineage is a by-product: a defect here must not stop what it is recorded for.
            reason = f"not understood: {type(error).__name__}"
            _log.debug("SQL was not understood", exc_info=True)
            return [], reason, piece.line

    def _by_parts(self, text: str) -> Effect | None:
        """What a statement does of which a part does not parse, where that part moves nothing."""
        from pipeledger.sql import commands, syntax
        from pipeledger.sql.expressions import Reading

        reading = Reading(self.session, self.limits)
        try:
            found = syntax.with_room(lambda: commands.effect(reading, text))
        except Exception:
            return None
        is_whole = found.moves or found.renamed or found.catalog or found.schema
        return found if found.problem is None and is_whole else None

    def _is_dropped(self, index: int, table: Dataset) -> bool:
        """Whether a later statement drops the table or gives it another name."""
        if not isinstance(table, TableName):
            return False
        parts = tuple(p.lower() for p in table.parts)
        return any(
            at > index and parts[-len(names) :] == names[-len(parts) :] for at, names in self.gone
        )


def _guessed(
    session: Session, index: int, line: int, read: list[Dataset], written: list[Dataset]
) -> StatementLineage:
    from pipeledger.sql.moves import Effect, Move
    from pipeledger.sql.resolution import resolve

    tables: dict[Dataset, None] = {}
    for dataset in read:
        tables.update(session.relation(dataset).tables)
    moves = [Move(target, tables=tables) for target in written]
    effect = Effect("not parsed", moves, reads=tables)
    return resolve(session, effect, index, line, lambda table: False)


def _gone(pieces: list[Piece], session: Session) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Which statements drop or rename which tables, by the names in lower case."""
    from pipeledger.sql.commands import name_at
    from pipeledger.sql.scan import words

    for i, piece in enumerate(pieces):
        first = piece.text[:6].upper()
        if not first.startswith(("DROP", "ALTER", "RENAME", "EXEC")):
            continue
        run = list(islice(words(piece.text, session.dialect), 64))
        upper = [w.upper for w in run]
        is_drop = upper[0] == "DROP" and any(u in ("TABLE", "VIEW") for u in upper[1:4])
        is_rename = upper[0] == "RENAME" or (
            upper[:2] in (["ALTER", "TABLE"], ["ALTER", "VIEW"])
            and "RENAME" in upper
            and "COLUMN" not in upper
        )
        at = 1
        if upper[:1] == ["ALTER"]:
            at = 2
        while (is_drop or is_rename) and at < len(run):
            parts, at = name_at(run, at + (upper[at] in ("TEMPORARY", "TEMP")))
            if parts:
                names = tuple(p.text.strip('"`[]').lower() for p in parts)
                yield i, names
            if is_rename or at >= len(run) or run[at].text != ",":
                break
            at += 1
