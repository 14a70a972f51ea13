"""Templates in SQL: what was not filled in is replaced by names that parse.

Jinja (``{{ ds }}``, ``{% if %}``), ``${var}``, ``$[var]`` and ``%(name)s``. dbt's ``ref`` and ``source``
say which table they mean; of any other template in a table's name nothing is known, and the name keeps it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_OPENING = re.compile(r"\{#|\{%|\$?\{\{|\$\{|\$\[|%\(")
_CLOSING = {"{#": "#}", "{%": "%}", "{{": "}}", "${{": "}}", "${": "}", "$[": "]", "%(": ")"}
_REF = re.compile(
    r"\{\{-?\s*ref\(\s*(?:['\"]\w+['\"]\s*,\s*)?['\"]([\w.]+)['\"].*?\)\s*-?\}\}\Z", re.DOTALL
)
_SOURCE = re.compile(
    r"\{\{-?\s*source\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]\s*\)\s*-?\}\}\Z", re.DOTALL
)
_NAMED = re.compile(r"%\(\w+\)[sdf]")
_PREFIX = "pipeledger_template_"
_PLACE = re.compile(_PREFIX + r"\d+_", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """``text`` with every template replaced; lines stay where they were."""

    text: str
    found: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Template:
        found: dict[str, str] = {}

        def replaced(written: str) -> str:
            lines = "\n" * written.count("\n")
            if written.startswith("%(") and not _NAMED.fullmatch(written):
                return written
            if written.startswith(("{#", "{%")):
                return " " + lines
            if ref := _REF.match(written):
                return ref.group(1) + lines
            if source := _SOURCE.match(written):
                return f"{source.group(1)}.{source.group(2)}{lines}"
            place = f"{_PREFIX}{len(found)}_"
            found[place] = " ".join(written.split())
            return place + lines

        parts: list[str] = []
        at = 0
        while (opening := _OPENING.search(text, at)) is not None:
            closing = _CLOSING[opening.group()]
            end = text.find(closing, opening.end())
            if end < 0:
                break
            end += len(closing)
            if opening.group() == "%(" and text[end : end + 1] in ("s", "d", "f"):
                end += 1
            parts += [text[at : opening.start()], replaced(text[opening.start() : end])]
            at = end
        return cls("".join([*parts, text[at:]]), found) if parts else cls(text)

    def written(self, name: str) -> str:
        """The name as it was written, its templates in their place again."""
        if not self.found:
            return name
        return _PLACE.sub(lambda m: self.found.get(m.group().lower(), m.group()), name)


def is_placeholder(name: str) -> bool:
    """Whether nothing but a template stood there: a value, not a column."""
    return _PLACE.fullmatch(name) is not None
