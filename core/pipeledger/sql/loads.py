"""Data that comes from files or goes to them."""

from __future__ import annotations

from typing import Any

from sqlglot import expressions as exp

from pipeledger.sql import froms, queries, targets
from pipeledger.sql.expressions import Reading
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import Dataset, Location, TableName
from pipeledger.sql.relation import Relation


def copy(reading: Reading, node: exp.Copy, ctes: Any = None) -> Effect:
    """COPY from files into a table, or of a table or query to files."""
    inner = node.this.this if isinstance(node.this, exp.Schema) else node.this
    files = [_file(reading, f) for f in node.args.get("files") or ()]
    done = Effect("copy")
    if isinstance(inner, exp.Table):
        here = froms.dataset_of(reading, inner)
        if here is None:
            return done
        into_table = isinstance(here, TableName) and node.args.get("kind") is not False
        if isinstance(here, Location) or (node.args.get("kind") and into_table):
            for file in files:
                relation = file if isinstance(file, Relation) else _whole(reading, file)
                move = Move.of(here, relation)
                done.moves.append(targets.named(reading, move, targets.listed(reading, node.this)))
            if not files:
                done.moves.append(Move(here))
            return done
        relation = reading.session.relation(here)
    elif isinstance(inner, exp.Expr):
        relation = queries.relation(reading, inner, {})
    else:
        return done
    for file in files:
        if isinstance(file, Location):
            done.moves.append(Move.of(file, relation))
    if not done.moves:
        done.result = relation
    return done


def _whole(reading: Reading, dataset: Dataset | None) -> Relation:
    return Relation() if dataset is None else reading.session.relation(dataset)


def _file(reading: Reading, node: exp.Expr) -> Dataset | Relation | None:
    """A literal or stage; a table; or, in brackets, a query."""
    if isinstance(node, exp.Table):
        found = froms.dataset_of(reading, node)
        if isinstance(found, TableName) and found.name.lower() in ("stdin", "stdout", "program"):
            return None
        text = node.name
        if isinstance(found, TableName) and "://" in text:
            return Location(text)
        return found
    if isinstance(node, exp.Query):
        return queries.relation(reading, node, {})
    text = reading.session.template.written(node.name)
    return Location(text) if text and text.upper() not in ("STDIN", "STDOUT") else None


def load(reading: Reading, node: exp.LoadData, ctes: Any = None) -> Effect:
    target = targets.target_of(reading, node)
    path = node.args.get("inpath")
    files = node.args.get("files")
    if path is None and isinstance(files, exp.Expr):
        # BigQuery: FROM FILES (uris = ['gs://...']).
        path = next((e for a in files.find_all(exp.Array) for e in a.expressions), None)
    if target is None:
        return Effect("load data", problem="not understood: what is loaded into")
    move = Move(target)
    if path is not None:
        location = Location(reading.session.template.written(path.name))
        move = Move.of(target, reading.session.relation(location))
    return Effect("load data", [move])


def export(reading: Reading, node: exp.Export, ctes: Any = None) -> Effect:
    """BigQuery's EXPORT DATA."""
    done = Effect("export data")
    given = queries.relation(reading, node.this, {})
    options = node.args.get("options")
    for option in options.expressions if options is not None else ():
        if option.name.lower() == "uri":
            uri = Location(reading.session.template.written(option.args["value"].name))
            done.moves.append(Move.of(uri, given))
    if not done.moves:
        done.result = given
    return done


def cache(reading: Reading, node: exp.Cache, ctes: Any = None) -> Effect:
    """Spark keeps the result under a name, for the session."""
    done = Effect("cache table")
    query = node.args.get("expression")
    target = targets.target_of(reading, node)
    if isinstance(query, exp.Expr) and isinstance(target, TableName):
        done.moves.append(Move.of(target, queries.relation(reading, query, {}), creates=True))
        done.temporary.add(target)
    return done
