"""Pipelines: their names, and the configuration that code declares for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeledger.model import rhythm, times
from pipeledger.model.canonical import content_hash
from pipeledger.model.errors import InvalidInput, InvalidName
from pipeledger.model.redaction import redact
from pipeledger.model.watermark import KINDS

DATEPARTS = ("minute", "hour", "day", "week", "month", "year")
_THRESHOLD = re.compile(r"\s*([+-]?\d{1,9}(?:[.,]\d+)?)\s*([^\W\d_]*)\s*")
MAX_NAME = 500
MAX_TYPE_NAME = 150
DEFAULT_NAMESPACE = "default"


def checked_name(what: str, name: object, longest: int = MAX_NAME) -> str:
    """The name, if it can be kept. Raises InvalidName."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidName(what, name, "it is empty")
    if len(name) > longest:
        raise InvalidName(what, name, f"it has {len(name)} characters, at most {longest} are kept")
    if "\x00" in name:
        raise InvalidName(what, name, "it holds a NUL character")
    return name


@dataclass(frozen=True, slots=True, order=True)
class PipelineRef:
    """A pipeline's name within its namespace."""

    name: str
    namespace: str = DEFAULT_NAMESPACE

    def __post_init__(self) -> None:
        checked_name("pipeline name", self.name)
        checked_name("namespace", self.namespace, MAX_TYPE_NAME)

    def __str__(self) -> str:
        return self.name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{self.name}"

    @classmethod
    def of(cls, pipeline: PipelineRef | str, namespace: str = DEFAULT_NAMESPACE) -> PipelineRef:
        return pipeline if isinstance(pipeline, PipelineRef) else cls(pipeline, namespace)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A span of calendar time: a number of minutes, hours, days, weeks, months or years."""

    number: int
    datepart: str

    def __post_init__(self) -> None:
        if self.datepart not in DATEPARTS:
            raise InvalidInput(
                f"datepart {self.datepart!r} is unknown; use one of {', '.join(DATEPARTS)}"
            )
        if (
            isinstance(self.number, bool)
            or not isinstance(self.number, int)
            or not 0 < self.number < 10**6
        ):
            raise InvalidInput(
                f"threshold {self.number!r} cannot be used: expected a whole number above 0"
            )

    def __str__(self) -> str:
        return f"{self.number} {self.datepart}" + ("" if self.number == 1 else "s")

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """Read ``1 day`` or ``6 hours``, as ``str`` writes it. Raises InvalidInput."""
        match = _THRESHOLD.fullmatch(text)
        if match is None:
            raise InvalidInput(
                f"threshold {text[:60]!r} cannot be read: expected a whole number and one of"
                f" {', '.join(DATEPARTS)}, e.g. '6 hours'"
            )
        number, word = match.groups()
        if "." in number or "," in number:
            raise InvalidInput(
                f"threshold {text!r} is no whole number: write it in a smaller unit, e.g. '90 minutes'"
            )
        if int(number) <= 0:
            raise InvalidInput(
                f"threshold {text!r} is not above 0: write how long it may take at most, e.g. '1 day'"
            )
        if not word:
            raise InvalidInput(
                f"threshold {text!r} has no datepart: write '{number} hours' or '{number} days'"
            )
        datepart = word.lower().removesuffix("s")
        return cls(int(number), datepart if datepart in DATEPARTS else word)


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """What code declares about a pipeline, whole: what is not named here is removed.

    ``schedule`` is the expected rhythm: a cron text (``0 5 * * 1-5 Europe/Berlin``), an interval
    (``15 minutes``), or the orchestrator's own words. ``timeliness``: how long a run may take.
    ``freshness``: how old the last change of its data may become; ``completeness``: a time watermark.
    ``dependencies`` are (upstream, downstream) pairs inside this pipeline, such as a DAG's task
    graph. Of two declarations the one that occurred last is kept.
    """

    pipeline: PipelineRef
    occurred_at: datetime
    type: str = "python"
    group: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    freshness: Threshold | None = None
    timeliness: Threshold | None = None
    watermark_kind: str | None = None
    schedule: str | None = None
    dependencies: tuple[tuple[PipelineRef, PipelineRef], ...] = ()
    code_version: str | None = None
    completeness: Threshold | None = None

    def __post_init__(self) -> None:
        checked_name("pipeline type", self.type, MAX_TYPE_NAME)
        if self.group is not None:
            checked_name("pipeline type group", self.group, MAX_TYPE_NAME)
        if self.watermark_kind is not None and self.watermark_kind not in KINDS:
            raise InvalidInput(
                f"watermark kind {self.watermark_kind!r} is unknown; use one of {', '.join(KINDS)}"
            )
        # Of an orchestrator's schedule nothing needs to be checked, nor croniter be imported for it.
        is_free = self.schedule is not None and "rhythm" not in self.metadata
        if is_free and self.schedule and rhythm.looks_like_cron(self.schedule):
            rhythm.parse(self.schedule)
        object.__setattr__(self, "occurred_at", times.as_utc(self.occurred_at, "occurred_at"))
        object.__setattr__(self, "metadata", redact(dict(self.metadata)))
        object.__setattr__(self, "dependencies", tuple(sorted(set(self.dependencies))))

    @property
    def configuration(self) -> dict[str, Any]:
        """The content that the hash is of: everything declared, but when and by which code."""
        # Not named where it is not said: the hash of what was declared before there was such a thing.
        completeness = (
            {} if self.completeness is None else {"completeness": _pair(self.completeness)}
        )
        return {
            "type": self.type,
            "group": self.group,
            "metadata": dict(self.metadata),
            "freshness": _pair(self.freshness),
            "timeliness": _pair(self.timeliness),
            **completeness,
            "watermark_kind": self.watermark_kind,
            "schedule": self.schedule,
            "dependencies": [
                [a.namespace, a.name, b.namespace, b.name] for a, b in self.dependencies
            ],
        }

    @property
    def configuration_hash(self) -> str:
        """sha256 of the canonical JSON of the configuration."""
        return content_hash(self.configuration)

    content_hash = configuration_hash

    @property
    def subject(self) -> tuple[object, ...]:
        """What this declares, so that a later one of the same subject replaces it."""
        return ("pipeline", self.pipeline)

    def to_json(self) -> dict[str, Any]:
        return {
            "report": "pipeline",
            "pipeline": [self.pipeline.namespace, self.pipeline.name],
            "occurred_at": times.isoformat(self.occurred_at),
            "code_version": self.code_version,
            **self.configuration,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PipelineReport:
        def threshold(name: str) -> Threshold | None:
            pair = data.get(name)
            return None if pair is None else Threshold(pair[0], pair[1])

        return cls(
            pipeline=PipelineRef(data["pipeline"][1], data["pipeline"][0]),
            occurred_at=times.parse(data["occurred_at"], "occurred_at"),
            type=data["type"],
            group=data.get("group"),
            metadata=data.get("metadata") or {},
            freshness=threshold("freshness"),
            timeliness=threshold("timeliness"),
            completeness=threshold("completeness"),
            watermark_kind=data.get("watermark_kind"),
            schedule=data.get("schedule"),
            dependencies=tuple(
                (PipelineRef(d[1], d[0]), PipelineRef(d[3], d[2]))
                for d in data.get("dependencies", ())
            ),
            code_version=data.get("code_version"),
        )


def _pair(threshold: Threshold | None) -> list[int | str] | None:
    return None if threshold is None else [threshold.number, threshold.datepart]
