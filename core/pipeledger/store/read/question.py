"""A law of the ledger as a question to its database: every row that it returns breaks the law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that some rows break. ``examples`` name the first of them."""

    check: str
    says: str
    count: int
    examples: tuple[str, ...]
    can_be_repaired: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "says": self.says,
            "count": self.count,
            "examples": list(self.examples),
            "can_be_repaired": self.can_be_repaired,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A law with the rows that break it: the columns of ``sql`` make an example's text."""

    check: str
    says: str
    sql: str
    can_be_repaired: bool = False
