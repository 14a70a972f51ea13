"""The configuration file of monitoring: routes of alerts, and probes."""

from __future__ import annotations

import difflib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeledger.alerts.routes import Route
from pipeledger.model.errors import InvalidInput
from pipeledger.monitoring.probes import Probe
from pipeledger.monitoring.section import Section

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = ("route", "probe")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one file declares."""

    routes: tuple[Route, ...] = ()
    probes: tuple[Probe, ...] = ()

    @classmethod
    def read(cls, path: Path | str) -> Configuration:
        """The configuration in a TOML file; an empty one for ``''``. Secrets stay unread.

        Raises InvalidInput, whose text names every mistake.
        """
        if not str(path):
            return cls()
        tables = _tables(Path(path).expanduser())
        mistakes = [
            f"the table {name!r} is unknown{_similar(name)}: there are {', '.join(TABLES)}"
            for name in tables
            if name not in TABLES
        ]
        routes = _each(tables, "route", mistakes, Route.read)
        probes = _each(tables, "probe", mistakes, Probe.read)
        mistakes += [
            f'route "{n}" is there {c} times: names are unique' for n, c in _several(routes)
        ]
        mistakes += [
            f'probe "{n}" is there {c} times: give each a pipeline of its own'
            for n, c in _several(probes)
        ]
        if mistakes:
            raise InvalidInput(f"{path} cannot be used: {'; '.join(mistakes)}")
        return cls(tuple(routes), tuple(probes))


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"the configuration {path} cannot be read ({why})") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the configuration {path} is no TOML: {error}") from None


def _each(tables: dict[str, Any], kind: str, mistakes: list[str], reader: Any) -> list[Any]:
    found = tables.get(kind, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        mistakes.append(f"{kind} is written [[{kind}]], with two brackets")
        return []
    made = []
    for number, table in enumerate(found, 1):
        section = Section(kind, number, table)
        one = reader(section)
        mistakes += section.mistakes
        if one is not None:
            made.append(one)
    return made


def _several(named: list[Any]) -> list[tuple[str, int]]:
    return [(n, c) for n, c in Counter(one.name for one in named).items() if n and c > 1]


def _similar(name: str) -> str:
    near = difflib.get_close_matches(name, TABLES, 1)
    return f" (did you mean [[{near[0]}]]?)" if near else ""
