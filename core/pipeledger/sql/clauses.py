"""WHERE, GROUP BY, HAVING, QUALIFY, ORDER BY: what only influences the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import expressions as exp

from pipeledger.sql.lineage import Kind

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading, Scope


def influences(reading: Reading, node: exp.Expr, scope: Scope) -> None:
    """WHERE, GROUP BY, HAVING, QUALIFY, ORDER BY and their like."""
    from pipeledger.sql.expressions import Scope as _Scope
    from pipeledger.sql.expressions import influence

    args = node.args
    outputs = list(scope.result.columns)
    visible = _Scope(
        scope.parent, scope.ctes, scope.sources, dict(scope.aliases), scope.own_names,
        scope.result, scope.shared,
    )  # fmt: skip
    for output in outputs:
        visible.aliases.setdefault(reading.key(output.name), output.sources)
    for part, kind, first in _PARTS:
        found = args.get(part)
        clauses = found if isinstance(found, list) else [found]
        for clause in (c for c in clauses if isinstance(c, exp.Expr)):
            for item in _items(clause):
                position = _position(item)
                if position is not None and kind in (Kind.GROUP, Kind.SORT):
                    if 0 < position <= len(outputs):
                        scope.result.influences.update(
                            ((ref, kind), None) for ref in outputs[position - 1].sources
                        )
                    continue
                influence(reading, item, visible, kind, first)


_PARTS = (
    ("distinct", Kind.GROUP, "table"),
    ("prewhere", Kind.FILTER, "table"),
    ("where", Kind.FILTER, "table"),
    ("connect", Kind.JOIN, "table"),
    ("group", Kind.GROUP, "table"),
    ("having", Kind.FILTER, "table"),
    ("qualify", Kind.FILTER, "table"),
    ("windows", Kind.SORT, "table"),
    ("order", Kind.SORT, "alias"),
    ("sort", Kind.SORT, "alias"),
    ("cluster", Kind.SORT, "alias"),
    ("distribute", Kind.SORT, "alias"),
)


def _items(clause: exp.Expr) -> list[exp.Expr]:
    if isinstance(clause, exp.Distinct):
        on = clause.args.get("on")
        return list(on.expressions) or [on] if on is not None else []
    if isinstance(clause, exp.Group):
        return [
            item
            for part in ("expressions", "grouping_sets", "cube", "rollup")
            for item in clause.args.get(part) or ()
            if isinstance(item, exp.Expr)
        ]
    if isinstance(clause, (exp.Where, exp.Having, exp.Qualify, exp.PreWhere)):
        return [clause.this]
    if isinstance(clause, exp.Connect):
        return [e for e in (clause.args.get("start"), clause.args.get("connect")) if e]
    items = [e for e in clause.expressions if isinstance(e, exp.Expr)]
    return items or [clause]


def _position(item: exp.Expr) -> int | None:
    inner = item.this if isinstance(item, exp.Ordered) else item
    if isinstance(inner, exp.Literal) and not inner.is_string:
        try:
            return int(inner.this)
        except ValueError:
            return None
    return None
