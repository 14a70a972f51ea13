"""Secrets that a configuration names: what stands in it, and what it stands for where it is used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeledger.model.errors import InvalidInput

_NAMED = re.compile(r"\$\{(\w+)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Secret:
    """Text in which ``${NAME}`` stands for a variable of the environment, or the file it is in.

    Printing it shows neither.
    """

    what: str
    """Of what it is, for messages: ``url of route "oncall"``."""
    text: str = field(default="", repr=False)
    file: str = ""

    def read(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret itself. Raises InvalidInput, which names the variable or file that is not there."""
        environment = os.environ if environment is None else environment
        if self.file:
            return self._of_file()
        missing = [name for name in _NAMED.findall(self.text) if not environment.get(name)]
        if missing:
            raise InvalidInput(
                f"{self.what} names ${{{missing[0]}}}, which the environment does not have:"
                f" set {missing[0]}, or name a file with the secret in it"
            )
        return _NAMED.sub(lambda named: environment[named[1]], self.text).strip()

    def _of_file(self) -> str:
        try:
            found = Path(self.file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise InvalidInput(f"{self.what}: {self.file} cannot be read ({why})") from None
        if not found:
            raise InvalidInput(f"{self.what}: {self.file} is empty")
        return found

    @property
    def shown(self) -> str:
        """As much as anybody may see: the file, the variables, or the scheme of a URL."""
        if self.file:
            return self.file
        scheme, separator, _ = self.text.partition("://")
        names = " ".join(f"${{{name}}}" for name in _NAMED.findall(self.text))
        if separator and not _NAMED.search(scheme):
            return f"{scheme}://… {names}".rstrip()
        return names or "…"
