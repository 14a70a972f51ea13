"""One table of a configuration file, read key by key; what is wrong with it is collected in words."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pipeledger.model.errors import InvalidInput
from pipeledger.monitoring.secret import Secret

T = TypeVar("T")


class Section:
    """A table ``[[kind]]``. Every getter takes its key; ``mistakes`` grows by what cannot be used."""

    def __init__(self, kind: str, number: int, table: Mapping[str, Any]) -> None:
        self.mistakes: list[str] = []
        self._table = dict(table)
        self._known: list[str] = []
        name = table.get("name", table.get("address"))
        self.name = f'{kind} "{name}"' if isinstance(name, str) and name else f"{kind} {number}"

    def text(self, key: str, *, required: bool = False) -> str:
        """A text; ``''`` where it is not there."""
        value = self._take(key)
        if value is None or (isinstance(value, str) and value.strip()):
            if value is None and required:
                self.wrong(f"has no {key}")
            return "" if value is None else value.strip()
        self.wrong(f"{key} = {value!r} is no text")
        return ""

    def texts(self, key: str, among: Collection[str] = ()) -> tuple[str, ...]:
        """A text or a list of texts, each one of ``among`` where that is given."""
        value = self._take(key)
        values = [] if value is None else value if isinstance(value, list) else [value]
        if value == [] or not all(isinstance(v, str) and v.strip() for v in values):
            self.wrong(f"{key} = {value!r} is no text and no list of texts")
            return ()
        for v in values:
            if among and v not in among:
                self.wrong(f"{key} {v!r} is unknown{_similar(v, among)}: use {', '.join(among)}")
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.wrong(f"{key} = {value!r} is neither true nor false")
        return default

    def read(self, key: str, reader: Callable[[str], T]) -> T | None:
        """What ``reader`` makes of a text; None where it is not there. It may raise InvalidInput."""
        return self.parsed(key, self.text(key), reader)

    def parsed(self, key: str, text: str, reader: Callable[[str], T]) -> T | None:
        """The same of a text that was taken already."""
        if not text:
            return None
        try:
            return reader(text)
        except InvalidInput as error:
            self.wrong(f"{key}: {error}")
            return None

    def secret(self, key: str) -> Secret:
        """A text in which ``${NAME}`` stands for a variable, or the file that ``key_file`` names."""
        text, file = self.text(key), self.text(f"{key}_file")
        if text and file:
            self.wrong(f"has both {key} and {key}_file: keep one")
        elif not text and not file:
            self.wrong(f"has neither {key} nor {key}_file")
        return Secret(f"{key} of {self.name}", text, "" if text else file)

    def wrong(self, what: str) -> None:
        self.mistakes.append(f"{self.name} {what}")

    def finish(self) -> None:
        """Name the keys that nobody asked for."""
        for key in self._table:
            self.wrong(f"has the unknown key {key!r}{_similar(key, self._known)}")

    def _take(self, key: str) -> Any:
        self._known.append(key)
        return self._table.pop(key, None)


def _similar(word: str, among: Collection[str]) -> str:
    near = difflib.get_close_matches(word, among, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
