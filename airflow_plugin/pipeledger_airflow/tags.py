"""What a DAG says about its own recording, by tags or by params, in the same words.

``tags=["pipeledger:timeliness=2 hours"]`` or ``params={"pipeledger": {"timeliness": "2 hours"}}``: both
are seen by every process, also where only the serialized DAG is. Where both speak, params count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import Threshold
from pipeledger.model.watermark import KINDS
from pipeledger_airflow.fence import read, say_once

PREFIX = "pipeledger:"
OFF = PREFIX + "off"
"""A DAG with this tag is not recorded."""

PARAM = "pipeledger"


@dataclass(frozen=True, slots=True)
class Declared:
    """What tags can declare of a DAG's pipeline; None is not said."""

    type: str | None = None
    group: str | None = None
    freshness: Threshold | None = None
    timeliness: Threshold | None = None
    completeness: Threshold | None = None
    watermark_kind: str | None = None
    """Both of the tasks: a DAG run has no window of its own."""


def tags_of(dag: Any) -> frozenset[str]:
    """The DAG's tags, and what its param ``pipeledger`` says, as tags."""
    tags = read(lambda: frozenset(dag.tags)) or frozenset()
    params = read(lambda: dag.params)
    if not params or PARAM not in params:
        return tags
    return with_param(dag.dag_id, tags, read(lambda: params[PARAM]))


def with_param(dag_id: str, tags: Collection[str], said: object) -> frozenset[str]:
    """The tags with what the param says; a param that is no mapping is named in the log."""
    if not isinstance(said, Mapping):
        text = "param %r of DAG %s is left out: expected a mapping such as {'freshness': '2 hours'}"
        say_once(f"param of {dag_id}", text, PARAM, dag_id)
        return frozenset(tags)
    words = {f"{PREFIX}{name}" for name in said}
    kept = {tag for tag in tags if tag.partition("=")[0] not in words}
    for name, value in said.items():
        if name == "off" and isinstance(value, bool):
            kept |= {OFF} if value else set()
        else:
            kept.add(f"{PREFIX}{name}={value}")
    return frozenset(kept)


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
    if name in ("freshness", "timeliness", "completeness"):
        return Threshold.parse(value)
    raise InvalidInput(
        f"expected {OFF} (a param: off: True), {PREFIX}type=..., {PREFIX}group=..., {PREFIX}watermark_kind="
        f"{'|'.join(KINDS)}, {PREFIX}freshness=2 hours, {PREFIX}completeness=2 days or {PREFIX}timeliness=1 day"
    )
