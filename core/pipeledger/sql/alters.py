"""Tables that get another name or place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql.expressions import Reading
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import TableName


def drop(reading: Reading, node: exp.Drop, ctes: Any = None) -> Effect:
    kind = str(node.args.get("kind") or "").upper()
    done = Effect(f"drop {kind.lower()}".strip())
    if kind in ("TABLE", "VIEW"):
        tables = list(node.args.get("tables") or ()) or [node.this]
        for table in (*tables, *node.expressions):
            if isinstance(table, exp.Table):
                done.gone.append(reading.session.table(table))
    return done


def alter(reading: Reading, node: exp.Alter, ctes: Any = None) -> Effect:
    done = Effect(f"alter {str(node.args.get('kind') or '').lower()}".strip())
    if not isinstance(node.this, exp.Table) or done.kind not in ("alter table", "alter view"):
        return done
    table = reading.session.table(node.this)
    for action in node.args.get("actions") or ():
        if isinstance(action, exp.AlterRename) and isinstance(action.this, exp.Table):
            new = reading.session.table(action.this)
            if not action.this.args.get("db"):
                new = replace(new, schema=table.schema, catalog=table.catalog)
            done.kind = "rename"
            done.renamed.append((table, new))
        elif isinstance(action, exp.SwapTable) and isinstance(action.this, exp.Table):
            other = reading.session.table(action.this)
            done.kind = "swap"
            one, two = reading.session.relation(table), reading.session.relation(other)
            done.moves += [Move.of(table, two), Move.of(other, one)]
        elif isinstance(action, exp.ReplacePartition):
            source = action.args.get("source")
            if isinstance(source, exp.Table):
                done.kind = "replace partition"
                given = reading.session.relation(reading.session.table(source))
                done.moves.append(Move.of(table, given))
    return done


def execute(reading: Reading, node: exp.Execute, ctes: Any = None) -> Effect:
    """T-SQL's way to rename a table; any other procedure may do anything."""
    done = Effect("execute")
    names = [e.name for e in node.expressions if isinstance(e, exp.Literal) and e.is_string]
    if node.this.name.lower() == "sp_rename" and len(names) == 2:
        one = reading.session.named(*names[0].split("."))
        done.kind = "rename"
        done.renamed.append((one, TableName(names[1], one.schema, one.catalog)))
    return done
