"""The second detector, Watcher's: outside of mean +- z standard deviations at the same hour of day."""

from __future__ import annotations

import numpy as np

from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.monitoring.volume.detector import IN_A_ROW
from pipeledger.monitoring.volume.series import MASKED, Bools, Floats, Marks
from pipeledger.monitoring.volume.verdict import Usual, Verdict


def judge(
    rule: AnomalyRule,
    rule_id: int,
    value: float,
    values: Floats,
    marks: Marks,
    hour: int,
) -> tuple[bool, Verdict | None]:
    """Whether the rule has executions enough to say anything, and what it says of ``value``.

    ``values``: of the executions that it compares with, in order, NaN where it is not known. Those
    found odd do not count, but five of them in a row are the usual from then on: it starts anew
    with them. Where all were alike, any other value is odd.
    """
    known = ~np.isnan(values)
    values, marks = values[known], marks[known]
    values = values[_counted(marks == MASKED)]
    if len(values) < rule.minimum_executions:
        return False, None
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    low, high = mean - rule.z_threshold * deviation, mean + rule.z_threshold * deviation
    slack = 1e-9 * abs(mean)
    if low - slack <= value <= high + slack:
        return True, None
    usual = Usual(
        f"runs of {hour:02d}h UTC", float(values.min()), float(values.max()), len(values), 0
    )
    score = (value - mean) / deviation if deviation > slack else None
    return True, Verdict(
        "rule", value, mean, low, high, usual,
        rule_id=rule_id, z_threshold=float(rule.z_threshold), z_score=score, deviation=deviation,
    )  # fmt: skip


def _counted(masked: Bools) -> Bools:
    """Which points count: those not masked, from the last run of masked ones that is a new level on."""
    counted = ~masked
    row = 0
    for place, is_masked in enumerate(masked):
        row = row + 1 if is_masked else 0
        if row >= IN_A_ROW:
            counted[: place - row + 1] = False
            counted[place - row + 1 : place + 1] = True
    return counted
