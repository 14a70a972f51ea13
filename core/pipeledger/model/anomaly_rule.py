"""Rules of mean and standard deviations, with Watcher's names and bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pipeledger.model.errors import InvalidInput
from pipeledger.model.finding import METRICS

Z, LOOKBACK_DAYS, MINIMUM_EXECUTIONS = (1, 10), (1, 365), (5, 1000)
"""The least and the most of each setting."""


@dataclass(frozen=True, slots=True)
class AnomalyRule:
    """A metric is odd outside of mean +- ``z_threshold`` sample standard deviations.

    Of the earlier successes of the pipeline at the same hour of the day (UTC) in the last
    ``lookback_days``; at least ``minimum_executions`` of them. Raises InvalidInput.
    """

    metric: str
    z_threshold: float = 3.0
    lookback_days: int = 30
    minimum_executions: int = 30
    active: bool = True

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise InvalidInput(
                f"metric {self.metric!r} is unknown; use one of {', '.join(METRICS)}"
            )
        _within("z_threshold", self.z_threshold, Z)
        _within("lookback_days", self.lookback_days, LOOKBACK_DAYS, whole=True)
        _within("minimum_executions", self.minimum_executions, MINIMUM_EXECUTIONS, whole=True)

    def to_json(self) -> dict[str, Any]:
        return {
            "metric_field": self.metric,
            "z_threshold": self.z_threshold,
            "lookback_days": self.lookback_days,
            "minimum_executions": self.minimum_executions,
            "active": self.active,
        }


def _within(name: str, value: object, bounds: tuple[int, int], *, whole: bool = False) -> None:
    least, most = bounds
    is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type, operator]
        what = "a whole number" if whole else "a number"
        raise InvalidInput(
            f"{name} {value!r} cannot be used: expected {what} from {least} to {most}"
        )
