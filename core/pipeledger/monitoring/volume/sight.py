"""What is seen of some pipelines, and which of it becomes a finding: one of each cause."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from pipeledger.monitoring.volume.verdict import Verdict

ROW_METRICS = ("total_rows", "inserts", "updates", "soft_deletes")
"""Of several odd counts of one execution the first one becomes the finding."""


@dataclass
class Sight:
    """What is seen of some pipelines, by execution and metric: verdicts; the value and what was
    expected; what a rule has decided."""

    verdicts: dict[tuple[int, str], Verdict] = field(default_factory=dict)
    expected: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    by_rule: set[tuple[int, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict that becomes a finding, and the other metrics that say the same."""

    verdict: Verdict
    also: tuple[str, ...] = ()


def one_of_each_cause(sight: Sight) -> dict[tuple[int, str], Found]:
    """The verdicts that become findings, each with the other metrics that say the same.

    Several odd counts of one execution are one finding; a long run that had as much more to do is
    none. What a rule says is always a finding: somebody asked for it.
    """
    by_execution: dict[int, dict[str, Verdict]] = defaultdict(dict)
    for (id_, metric), verdict in sight.verdicts.items():
        by_execution[id_][metric] = verdict
    found: dict[tuple[int, str], Found] = {}
    for id_, verdicts in by_execution.items():
        ours = [m for m in ROW_METRICS if m in verdicts and verdicts[m].rule_id is None]
        for metric, verdict in verdicts.items():
            if verdict.rule_id is not None:
                found[id_, metric] = Found(verdict)
        if ours:
            found[id_, ours[0]] = Found(verdicts[ours[0]], tuple(ours[1:]))
        long = verdicts.get("duration_seconds")
        if long is not None and long.rule_id is None and not _had_more_to_do(id_, long, sight):
            found[id_, "duration_seconds"] = Found(long)
    return found


def _had_more_to_do(id_: int, long: Verdict, sight: Sight) -> bool:
    if long.expected is None:
        return False
    longer = np.log((long.value + 1) / (long.expected + 1))
    for metric in ROW_METRICS:
        rows, usual = sight.expected.get((id_, metric), (0.0, np.nan))
        if usual > 0 and rows > usual and np.log(rows / usual) >= longer / 2:
            return True
    return False
