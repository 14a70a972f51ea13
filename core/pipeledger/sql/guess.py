"""The tables that the words of a statement name, where it does not parse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeledger.sql.commands import name_at, word_of
from pipeledger.sql.names import Dataset
from pipeledger.sql.scan import Word, keywords, words

if TYPE_CHECKING:
    from pipeledger.sql.expressions import Reading

_READ = keywords("FROM JOIN USING")
_WRITTEN = keywords("INTO OVERWRITE UPDATE MERGE")
_VERBS = keywords("WITH SELECT INSERT CREATE MERGE UPDATE DELETE REPLACE FROM COPY UPSERT LOAD (")
_NOT_NAMES = keywords("SELECT LATERAL UNNEST VALUES WHERE SET ON DUAL AS WHEN FLATTEN TABLE BY")


def guess(reading: Reading, text: str) -> tuple[list[Dataset], list[Dataset]]:
    """Tables that the words of a statement name: read, written. For what does not parse."""
    run = list(words(text, reading.session.dialect))
    if not run or run[0].upper not in _VERBS:
        return [], []
    upper = [w.upper for w in run]
    ctes = {
        run[i].text.strip('"`[]').lower()
        for i in range(len(run) - 2)
        if upper[i + 1] == "AS" and run[i + 2].text == "(" and run[i].kind in ("word", "name")
    }
    read: dict[Dataset, None] = {}
    written: dict[Dataset, None] = {}
    is_list = False
    for i, word in enumerate(upper):
        is_target = word in _WRITTEN or (
            word in ("TABLE", "VIEW") and "CREATE" in upper[max(0, i - 4) : i]
        )
        if word == "FROM" and i and upper[i - 1] in ("DISTINCT", "(") and i < 2:
            continue
        if not (is_target or word in _READ or (word == "," and is_list)):
            continue
        parts, after = name_at(run, i + 1)
        if not parts or parts[0].upper in _NOT_NAMES:
            is_list = False
            continue
        is_call = after < len(run) and run[after].text == "("
        if is_call and not is_target:
            is_list = False
            continue
        if len(parts) == 1 and parts[0].text.strip('"`[]').lower() in ctes:
            continue
        name = reading.session.named(*(word_of(reading, w) for w in parts))
        (written if is_target else read)[name] = None
        is_list = not is_target and after < len(run) and _comma_follows(run, after)
    return list(read), list(written)


def _comma_follows(run: Sequence[Word], at: int) -> bool:
    """``FROM a x, b``: whether the list of tables goes on after an alias."""
    for word in run[at : at + 3]:
        if word.text == ",":
            return True
        if word.kind not in ("word", "name") or word.upper in ("WHERE", "JOIN", "ON", "SELECT"):
            return False
    return False
