"""Cursors: the place in a list where the next page begins, as opaque text."""

from __future__ import annotations

import base64
import json
from typing import Any

from pipeledger.model.errors import InvalidInput


def encode(kind: str, values: list[Any]) -> str:
    """The cursor of a list of this kind after the row with these values."""
    text = json.dumps([kind, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(kind: str, cursor: str, shape: tuple[type, ...]) -> list[Any]:
    """What ``encode`` was given. Raises InvalidInput for anything else."""
    try:
        padded = cursor.strip() + "=" * (-len(cursor.strip()) % 4)
        name, *values = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if name == kind and [type(value) for value in values] == list(shape):
            return list(values)
    except (ValueError, TypeError, RecursionError):
        pass
    raise InvalidInput(
        f"cursor {cursor[:60]!r} does not belong to this list: pass the next_cursor of the"
        " page before, with the same filters"
    )
