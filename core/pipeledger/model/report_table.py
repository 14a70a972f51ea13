"""Many reports as one value: what a scheduler's hook says of all tries of a run at once.

A report is checked, redacted and written with some forty microseconds of Python; of a run with hundreds
of tries that would hold up a scheduler. So the hook says what all reports share once, and of each the
rest; the reports are made where they are delivered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KIND = "executions"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Execution reports in their JSON form: what all of them say, and a row for each.

    A row has a value for each of ``columns``; None is not said. It is written to the spool as it is, so
    it must hold no secret.
    """

    shared: Mapping[str, Any]
    columns: tuple[str, ...]
    rows: list[list[Any]]

    def to_json(self) -> dict[str, Any]:
        return {
            "report": KIND,
            "shared": dict(self.shared),
            "columns": list(self.columns),
            "rows": self.rows,
        }


def each_report(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The JSON of every single report in what was written: a table's rows, or the report itself."""
    if data.get("report") != KIND:
        yield dict(data)
        return
    for row in data["rows"]:
        said = {
            name: value
            for name, value in zip(data["columns"], row, strict=True)
            if value is not None
        }
        yield {"report": "execution", **data["shared"], **said}
