"""Statements that sqlglot does not take apart, and those that choose a catalog or schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import expressions as exp

from pipeledger.sql import queries
from pipeledger.sql.moves import Effect, Move
from pipeledger.sql.names import Dataset, Location, TableName
from pipeledger.sql.relation import Relation
from pipeledger.sql.scan import Word, keywords, words

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading

_SILENT = keywords(
    "CALL EXEC EXECUTE EXPLAIN DESCRIBE DESC SHOW SET RESET GRANT REVOKE COMMENT ANALYZE VACUUM REINDEX"
    " LOCK NOTIFY LISTEN DISCARD CHECKPOINT CLUSTER PREPARE DEALLOCATE FETCH CLOSE OPEN DECLARE BEGIN"
    " COMMIT ROLLBACK SAVEPOINT RELEASE START END PRINT RETURN IF ELSE OPTIMIZE MSCK REPAIR ADD LIST"
    " PUT GET REMOVE RM LS KILL PRAGMA ATTACH DETACH INSTALL FLUSH SYSTEM UNSET DENY SECURITY"
    " COLLECT HELP PERFORM UNCACHE CLEAR INVALIDATE COMPUTE HANDLER DO SIGNAL RESIGNAL RAISE RAISERROR"
    " THROW WAITFOR GOTO DBCC BACKUP RESTORE RECONFIGURE CHANGE STOP PURGE AUDIT NOAUDIT UNLOCK USE"
    " IMPORT DROP"
)
"""Commands that move no data between tables, or of which the text does not say so."""


def effect(reading: Reading, text: str) -> Effect:
    """What a statement does that sqlglot only knows by its first word."""
    run = list(words(text, reading.session.dialect))
    if not run:
        return Effect("empty")
    first = run[0].upper
    kind = first.lower() or "command"
    found = (
        _by_form(reading, text, run)
        or by_parts(reading, text, run)
        or (Effect(kind) if first in _SILENT else None)
    )
    if found is not None:
        return found
    if first in ("ALTER", "CREATE"):
        return Effect(kind)
    return Effect(
        kind, problem=f"not understood: a statement that begins with {first or text[:20]}"
    )


def _by_form(reading: Reading, text: str, run: list[Word]) -> Effect | None:
    upper = [w.upper for w in run]
    if upper[0] == "UNLOAD":
        return _unload(reading, text, run)
    if upper[0] == "SET" or upper[:3] == ["ALTER", "SESSION", "SET"]:
        return _set(reading, run)
    if upper[:2] == ["ALTER", "TABLE"]:
        return _alter_table(reading, run)
    if upper[0] == "LOAD":
        return _load(reading, run)
    if upper[:2] == ["BULK", "INSERT"]:
        return _from_file(reading, "bulk insert", table_at(reading, run, 2), run)
    if upper[:2] == ["RENAME", "TABLE"] or upper[0] == "RENAME":
        return _rename(reading, run)
    if upper[:2] == ["EXCHANGE", "TABLES"]:
        return _exchange(reading, run)
    if upper[0] == "REFRESH":
        table = table_at(reading, run, 1)
        view = "VIEW" in upper[:4]
        return Effect("refresh", [Move(table)] if view and table is not None else [])
    if upper[0] == "CREATE" and "STREAM" in upper[1:5] and "ON" in upper:
        target = table_at(reading, run, upper.index("STREAM") + 1)
        source = table_at(reading, run, upper.index("ON") + 1)
        if target is not None and source is not None:
            move = Move.of(target, reading.session.relation(source), creates=True)
            return Effect("create stream", [move])
    return None


def word_of(reading: Reading, word: Word) -> str:
    """An identifier as the dialect folds it."""
    text, is_quoted = word.text, word.kind == "name"
    if is_quoted:
        closing = text[-1]
        text = text[1:-1].replace(closing * 2, closing)
    written = reading.session.template.written(text)
    return written if written != text else reading.session.dialect.tables(text, is_quoted)


_SKIPPED = keywords("IF NOT EXISTS ONLY TABLE VIEW MATERIALIZED INTO OVERWRITE FROM TO WITH")


def name_at(run: Sequence[Word], at: int) -> tuple[list[Word], int]:
    """The parts of the dotted name that stands there, small words skipped, and where it ends."""
    while at < len(run) and run[at].upper in _SKIPPED:
        at += 1
    parts: list[Word] = []
    while at < len(run) and run[at].kind in ("word", "name"):
        parts.append(run[at])
        at += 1
        if at + 1 >= len(run) or run[at].text != "." or run[at].start != parts[-1].end:
            break
        at += 1
    return parts, at


def table_at(reading: Reading, run: Sequence[Word], at: int) -> TableName | None:
    parts, _ = name_at(run, at)
    return reading.session.named(*(word_of(reading, w) for w in parts)) if parts else None


def _literal(reading: Reading, run: Sequence[Word], after: str = "") -> Location | None:
    start = next((i for i, w in enumerate(run) if w.upper == after), 0) if after else 0
    word = next((w for w in run[start:] if w.kind == "string"), None)
    if word is None:
        return None
    return Location(reading.session.template.written(word.text.strip("'\"")))


def _parsed(reading: Reading, text: str) -> Relation | None:
    """What a query gives that stands inside other text; None where it does not parse."""
    from pipeledger.sql import syntax

    try:
        nodes = syntax.parse(text, reading.session.dialect)
    except syntax.NotParsed:
        return None
    if len(nodes) != 1 or not isinstance(nodes[0], (exp.Query, exp.Values, exp.Table)):
        return None
    return queries.relation(reading, nodes[0], {})


def _unload(reading: Reading, text: str, run: list[Word]) -> Effect | None:
    location = _literal(reading, run, "TO")
    begin = next((i for i, w in enumerate(run) if w.text == "("), None)
    if location is None or begin is None:
        return None
    if run[begin + 1].kind == "string":
        literal = run[begin + 1].text
        query = literal.strip("$") if literal.startswith("$") else literal[1:-1]
        query = query.replace("''", "'").replace("\\'", "'")
    else:
        end = max(i for i, w in enumerate(run) if w.text == ")" and w.start < _to(run))
        query = text[run[begin].end : run[end].start]
    relation = _parsed(reading, query)
    return None if relation is None else Effect("unload", [Move.of(location, relation)])


def _to(run: Sequence[Word]) -> int:
    return max(w.start for w in run if w.upper == "TO")


def _alter_table(reading: Reading, run: list[Word]) -> Effect | None:
    """Partitions that move from one table to another."""
    table = table_at(reading, run, 2)
    upper = [w.upper for w in run]
    if table is None:
        return None
    one, two, kind = table, None, ""
    if "EXCHANGE" in upper and "TABLE" in upper[3:]:
        two, kind = table_at(reading, run, upper.index("TABLE", 3)), "exchange partition"
    elif "SWITCH" in upper and "TO" in upper:
        one, two = table_at(reading, run, upper.index("TO")) or table, table
        kind = "switch partition"
    elif "MOVE" in upper and "TO" in upper and "TABLE" in upper[3:]:
        one, two = table_at(reading, run, upper.index("TO")) or table, table
        kind = "move partition"
    elif ("ATTACH" in upper or "REPLACE" in upper) and "FROM" in upper:
        two, kind = table_at(reading, run, upper.index("FROM")), "attach partition"
    elif "RENAME" in upper and "TO" in upper and "COLUMN" not in upper and "PARTITION" not in upper:
        new = table_at(reading, run, upper.index("TO"))
        return None if new is None else Effect("rename", renamed=[(table, new)])
    if two is None:
        return None
    return Effect(kind, [Move.of(one, reading.session.relation(two))])


def _from_file(
    reading: Reading, kind: str, table: TableName | None, run: list[Word]
) -> Effect | None:
    location = _literal(reading, run)
    if table is None or location is None:
        return None
    return Effect(kind, [Move.of(table, reading.session.relation(location))])


def _load(reading: Reading, run: list[Word]) -> Effect | None:
    """MySQL's LOAD DATA INFILE, BigQuery's LOAD DATA INTO ... FROM FILES."""
    upper = [w.upper for w in run]
    into = next((i for i, u in enumerate(upper) if u in ("INTO", "OVERWRITE")), None)
    if into is None:
        return None
    return _from_file(reading, "load data", table_at(reading, run, into), run)


def _rename(reading: Reading, run: list[Word]) -> Effect | None:
    done = Effect("rename")
    at = 1
    while at < len(run):
        one, at = name_at(run, at)
        if not one or at >= len(run) or run[at].upper != "TO":
            break
        two, at = name_at(run, at + 1)
        if two:
            names = [reading.session.named(*(word_of(reading, w) for w in n)) for n in (one, two)]
            done.renamed.append((names[0], names[1]))
        at += 1
    return done if done.renamed else None


def _exchange(reading: Reading, run: list[Word]) -> Effect | None:
    one, at = table_at(reading, run, 2), name_at(run, 2)[1]
    two = table_at(reading, run, at + 1)
    if one is None or two is None:
        return None
    relation = reading.session.relation
    return Effect("swap", [Move.of(one, relation(two)), Move.of(two, relation(one))])


def use(reading: Reading, node: exp.Use) -> Effect:
    """The catalog and schema that names without them mean from here on."""
    done = Effect("use")
    kind = node.args.get("kind")
    chosen = (kind.name if isinstance(kind, exp.Var) else "").upper()
    table = node.this
    if chosen in ("ROLE", "WAREHOUSE", "SECONDARY ROLES") or not isinstance(table, exp.Table):
        return done
    parts = [n for n in (reading.session.name(p) for p in table.parts) if n]
    if not parts:
        return done
    if len(parts) > 1:
        done.catalog, done.schema = parts[-2], parts[-1]
    elif chosen == "CATALOG" or (chosen in ("", "DATABASE") and _uses_catalog(reading)):
        done.catalog = parts[0]
    else:
        done.schema = parts[0]
    return done


def _uses_catalog(reading: Reading) -> bool:
    return reading.session.dialect.use == "catalog"


def _set(reading: Reading, run: list[Word]) -> Effect | None:
    """``SET search_path TO a, b``, ``SET SCHEMA 'a'``, ``SET CATALOG c``, ``CURRENT_SCHEMA = a``."""
    done = Effect("set")
    for i, word in enumerate(run[:-1]):
        upper = word.upper
        if upper not in ("SEARCH_PATH", "SCHEMA", "CURRENT_SCHEMA", "CATALOG", "DATASET_ID"):
            continue
        value = next((w for w in run[i + 1 :] if w.text not in ("=", "TO", "to", "To")), None)
        if value is None:
            break
        is_string = value.kind == "string"
        name = value.text.strip("'\"") if is_string else word_of(reading, value)
        if upper == "CATALOG":
            done.catalog = name
        elif name.upper() not in ("DEFAULT", "NULL"):
            done.schema = name.rpartition(".")[2]
        break
    return done


def by_parts(reading: Reading, text: str, run: list[Word]) -> Effect | None:
    """A target whose options do not parse, around a query that does."""
    upper = [w.upper for w in run]
    if upper[0] == "CREATE":
        at = next((i for i, u in enumerate(upper[:12]) if u in ("TABLE", "VIEW")), None)
        kind = "create"
    elif upper[0] in ("INSERT", "REPLACE", "UPSERT"):
        at = next((i for i, u in enumerate(upper[:6]) if u in ("INTO", "TABLE", "OVERWRITE")), None)
        kind = "insert"
    else:
        return None
    if at is None:
        return None
    target: Dataset | None = table_at(reading, run, at)
    after = name_at(run, at)[1]
    begin = _query_at(upper, after, kind)
    if kind == "insert" and "DIRECTORY" in upper[at : at + 3]:
        target = _literal(reading, run, "DIRECTORY")
    if target is not None and kind == "create" and upper[at] == "TABLE" and "SELECT" not in upper:
        return Effect("create table", [Move(target, creates=True)])
    if target is None or begin is None:
        return None
    relation = _parsed(reading, text[run[begin].start :])
    if relation is None:
        return None
    move = Move.of(target, relation, creates=kind == "create")
    columns = _names(reading, run[after:begin])
    if columns:
        move.outputs = Relation(move.outputs).renamed(columns).outputs
    done = Effect(f"create {upper[at].lower()}" if kind == "create" else "insert", [move])
    is_temporary = not {"TEMP", "TEMPORARY", "VOLATILE"}.isdisjoint(upper[:at])
    if kind == "create" and is_temporary and isinstance(target, TableName):
        done.temporary.add(target)
    return done


def _names(reading: Reading, run: Sequence[Word]) -> list[str]:
    """``(a, b)`` right after a target: the columns that it lists, if it is no more than that."""
    if len(run) < 3 or run[0].text != "(":
        return []
    names: list[str] = []
    for i, word in enumerate(run[1:]):
        if word.text == ")":
            return names
        if i % 2 == 0 and word.kind in ("word", "name"):
            text = word.text[1:-1] if word.kind == "name" else word.text
            names.append(reading.session.dialect.columns(text, word.kind == "name"))
        elif word.text != ",":
            return []
    return []


def _query_at(upper: Sequence[str], start: int, kind: str) -> int | None:
    depth = 0
    for i in range(start, len(upper)):
        if depth == 0 and upper[i] in ("SELECT", "WITH", "VALUES"):
            is_query = kind == "insert" or upper[i - 1] in ("AS", "(")
            if is_query and (upper[i] != "WITH" or "SELECT" in upper[i:]):
                return i
        if upper[i] == "AS" and kind == "create" and upper[i + 1 : i + 2] == ["("] and depth == 0:
            return i + 1
        depth += {"(": 1, ")": -1}.get(upper[i], 0)
    return None
