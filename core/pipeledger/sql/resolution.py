"""A statement's moves as edges, with the script's own tables resolved to what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipeledger.sql.lineage import ColumnEdge, Kind, StatementLineage, TableEdge
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import Dataset, TableName
from pipeledger.sql.relation import WHOLE_ROW, Influences, Output, Relation, Star
from pipeledger.sql.session import Session


def resolve(
    session: Session,
    effect: Effect,
    index: int,
    line: int,
    is_dropped: Callable[[Dataset], bool],
) -> StatementLineage:
    """The statement's lineage; notes in the session what later statements build on.

    ``is_dropped``: whether the script drops or renames the table later on.
    """
    reads: dict[Dataset, None] = dict(effect.reads)
    outputs: dict[Dataset, None] = {}
    edges: dict[TableEdge, None] = {}
    columns: dict[ColumnEdge, None] = {}
    own: dict[Dataset, None] = {}
    for one, two in effect.renamed:
        effect.moves.append(_renamed(session, one, two))
    for move in effect.moves:
        target = move.target
        reads.update(move.tables)
        is_own = isinstance(target, TableName) and (
            target in effect.temporary
            or (move.creates and is_dropped(target))
            or (target in session.own and not move.creates)
            or target.name.startswith(("#", "@"))
        )
        if is_own and isinstance(target, TableName):
            _keep(session, target, move)
            own[target] = None
            continue
        if isinstance(target, TableName) and move.creates:
            session.own.pop(target, None)
            if move.columns is not None:
                session.created[target] = move.columns
            elif not _is_like(move):
                session.created.pop(target, None)
        outputs[target] = None
        edges.update((TableEdge(source, target), None) for source in move.tables)
        columns.update((edge, None) for edge in column_edges(target, move.outputs))
        columns.update((edge, None) for edge in _influences(target, move.influences))
    if effect.result is not None:
        reads.update(effect.result.tables)
        columns.update((edge, None) for edge in column_edges(None, effect.result.outputs))
        columns.update((edge, None) for edge in _influences(None, effect.result.influences))
    for table in effect.gone:
        session.own.pop(table, None)
        session.created.pop(table, None)
    if effect.catalog is not None:
        session.catalog = effect.catalog
    if effect.schema is not None:
        session.schema = effect.schema
    return StatementLineage(
        index,
        line,
        effect.kind,
        tuple(reads),
        tuple(outputs),
        tuple(edges),
        tuple(columns),
        tuple(own),
    )


def _is_like(move: Move) -> bool:
    return bool(move.tables) and not move.outputs


def _renamed(session: Session, one: TableName, two: TableName) -> Move:
    """A rename moves the table's data under another name; what the script made goes with it."""
    move = Move.of(two, session.relation(one), creates=True)
    move.columns = session.created.pop(one, None)
    if move.columns is None and not any(isinstance(o, Star) for o in move.outputs):
        move.columns = tuple(o.name for o in move.outputs if isinstance(o, Output))
    session.own.pop(one, None)
    return move


def _keep(session: Session, table: TableName, move: Move) -> None:
    """What is put into a table of the script's own: it is resolved where it is read again."""
    known = None if move.creates else session.own.get(table)
    if known is None:
        outputs = list(move.outputs)
        if not outputs and move.columns is not None:
            outputs = [Output(name, {}) for name in move.columns]
        session.own[table] = Relation(outputs, dict(move.tables), dict(move.influences))
    else:
        key = session.dialect.columns.key
        merged: list[Output | Star] = [
            Output(o.name, dict(o.sources)) if isinstance(o, Output) else o for o in known.outputs
        ]
        by_name = {key(o.name): o for o in merged if isinstance(o, Output)}
        for output in move.outputs:
            if isinstance(output, Star):
                if output not in merged:
                    merged.append(output)
            elif (column := by_name.get(key(output.name))) is not None:
                column.sources.update(output.sources)
            else:
                merged.append(output)
        session.own[table] = Relation(
            merged, {**known.tables, **move.tables}, {**known.influences, **move.influences}
        )
    if not any(isinstance(o, Star) for o in session.own[table].outputs):
        session.created[table] = tuple(
            o.name for o in session.own[table].outputs if isinstance(o, Output)
        )


def column_edges(target: Dataset | None, outputs: Iterable[Output | Star]) -> Iterator[ColumnEdge]:
    """The edges of a target's columns; of a table whose columns are not known, one for all."""
    for output in outputs:
        if isinstance(output, Star):
            yield ColumnEdge(output.dataset, WHOLE_ROW, target, WHOLE_ROW, Kind.DIRECT)
            continue
        for ref, kind in output.sources.items():
            yield ColumnEdge(ref.dataset, ref.column, target, output.name, kind, ref.candidates)


def _influences(target: Dataset | None, influences: Influences) -> Iterator[ColumnEdge]:
    for ref, kind in influences:
        yield ColumnEdge(ref.dataset, ref.column, target, WHOLE_ROW, kind, ref.candidates)
