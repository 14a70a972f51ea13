"""Routes: to whom which findings are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from pipeledger.housekeeping import duration
from pipeledger.model.errors import InvalidInput
from pipeledger.model.finding import CHECKS, Finding, Severity
from pipeledger.monitoring.secret import Secret
from pipeledger.monitoring.section import Section

LONGEST_NAME = 100
_NAME = re.compile(r"[\w.@ -]+")
_OPEN_BRACKET = re.compile(r"\[(?!!?[^\]]+\])")


@dataclass(frozen=True, slots=True)
class Route:
    """A way to people, and which findings take it: an empty filter lets everything through.

    ``pipelines``: globs over names. ``remind``: after how long without an answer a finding that is
    still open is told again; None: never. ``resolved``: whether its end is told too.
    """

    name: str
    url: Secret
    namespaces: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    severity: Severity = Severity.WARNING
    remind: timedelta | None = None
    resolved: bool = True

    @classmethod
    def read(cls, section: Section) -> Route:
        """A ``[[route]]`` of the configuration; its mistakes are the section's."""
        name = section.text("name", required=True)
        if name and (len(name) > LONGEST_NAME or not _NAME.fullmatch(name)):
            section.wrong(f"has a name of more than {LONGEST_NAME} letters, digits and . - _ @")
        severity = section.texts("severity", [s.value for s in Severity])
        if len(severity) > 1:
            section.wrong("names several severities: name the least that it takes")
        globs = section.texts("pipeline")
        for glob in globs:
            if _OPEN_BRACKET.search(glob):
                section.wrong(
                    f"pipeline {glob!r} has a [ that nothing closes: write [[] for the sign"
                )
        route = cls(
            name=name,
            url=section.secret("url"),
            namespaces=section.texts("namespace"),
            pipelines=globs,
            types=section.texts("type"),
            owners=section.texts("owner"),
            checks=section.texts("check", CHECKS),
            severity=_severity(severity),
            remind=section.read("remind", lambda text: duration.parse(text, "a reminder")),
            resolved=section.flag("resolved", True),
        )
        section.finish()
        return route

    def takes(self, finding: Finding) -> bool:
        """Whether this finding is told on this route, as it is now."""
        ref = finding.pipeline
        return (
            finding.severity.rank >= self.severity.rank
            and _is_among(finding.check, self.checks)
            and _is_among(None if ref is None else ref.namespace, self.namespaces)
            and _is_among(finding.pipeline_type, self.types)
            and _is_among(finding.owner, self.owners)
            and (
                not self.pipelines
                or (ref is not None and any(fnmatchcase(ref.name, glob) for glob in self.pipelines))
            )
        )

    @property
    def filters(self) -> str:
        """What it takes, in words."""
        parts = [
            f"{what} {' or '.join(values)}"
            for what, values in (
                ("namespace", self.namespaces),
                ("pipeline", self.pipelines),
                ("type", self.types),
                ("owner", self.owners),
                ("check", self.checks),
            )
            if values
        ]
        if self.severity.rank:
            parts.append(f"{self.severity.value} or worse")
        return ", ".join(parts) or "everything"


def named(routes: tuple[Route, ...], name: str) -> Route:
    """The route of this name. Raises InvalidInput, which names those that there are."""
    for route in routes:
        if route.name == name:
            return route
    known = (
        ", ".join(route.name for route in routes) or "none: add a [[route]] to the configuration"
    )
    raise InvalidInput(f"there is no route {name!r}; there is {known}")


def _is_among(value: str | None, wanted: tuple[str, ...]) -> bool:
    return not wanted or value in wanted


def _severity(values: tuple[str, ...]) -> Severity:
    try:
        return Severity(values[0]) if values else Severity.WARNING
    except ValueError:  # named as a mistake already
        return Severity.WARNING
