"""What a DAG says about its own recording, by tags: ``pipeledger:timeliness=2 hour`` and the like.

A tag is the one place in a DAG's file that every process sees, also where only the serialized DAG is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import DATEPARTS, Threshold
from pipeledger.model.watermark import KINDS
from pipeledger_airflow.fence import say_once

PREFIX = "pipeledger:"
OFF = PREFIX + "off"
"""A DAG with this tag is not recorded."""

_SPAN = re.compile(r"(\d{1,6}) ?([a-z]+?)s?\Z")


@dataclass(frozen=True, slots=True)
class Declared:
    """What tags can declare of a DAG's pipeline; None is not said."""

    type: str | None = None
    group: str | None = None
    freshness: Threshold | None = None
    timeliness: Threshold | None = None
    watermark_kind: str | None = None
    """Of the tasks: a DAG run has no window of its own."""


def declared(dag_id: str, tags: Collection[str]) -> Declared:
    """What the tags declare. One that cannot be read is named in the log and left out."""
    found: dict[str, str | Threshold] = {}
    for tag in sorted(tags):
        if not tag.startswith(PREFIX) or tag == OFF:
            continue
        name, _, value = tag[len(PREFIX) :].partition("=")
        try:
            found[name.strip()] = _read(name.strip(), value.strip())
        except InvalidInput as error:
            say_once(f"tag {tag}", "tag %r of DAG %s is left out: %s", tag, dag_id, error)
    return Declared(**found)  # type: ignore[arg-type]


def _read(name: str, value: str) -> str | Threshold:
    if name in ("type", "group") and value:
        return value
    if name == "watermark_kind" and value in KINDS:
        return value
    if name in ("freshness", "timeliness"):
        match = _SPAN.match(value)
        if match and match.group(2) in DATEPARTS:
            return Threshold(int(match.group(1)), match.group(2))
    raise InvalidInput(
        f"expected {OFF}, {PREFIX}type=..., {PREFIX}group=..., {PREFIX}watermark_kind="
        f"{'|'.join(KINDS)}, {PREFIX}freshness=2 hours or {PREFIX}timeliness=1 day"
    )
