"""Failed and abandoned: pipelines whose latest round did not succeed, and for how many rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeledger.model.finding import FAILED, Cause, Severity
from pipeledger.monitoring.feed import feed
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import counted, when
from pipeledger.store.read import arrivals, failures
from pipeledger.store.read.failures import Latest, Ran

MOST = 50
"""Of how many executions of a pipeline its rounds are made."""
CRITICAL = 3
"""From how many rounds in a row on it is critical."""
FAILURES = ("failed", "abandoned")
TRIED_AGAIN = "up_for_retry"
"""The word of both orchestrators for a try that failed and will be followed by another."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Round:
    """What a pipeline did at one time: its tries, and its mapped instances, inside one execution."""

    partition_key: str
    runs: tuple[Ran, ...]
    """The last try of each, the latest start first."""

    @property
    def failed(self) -> list[Ran]:
        return [
            run for run in self.runs if run.state in FAILURES and run.state_detail != TRIED_AGAIN
        ]

    @property
    def has_succeeded(self) -> bool:
        """Whether it says that the pipeline works: something succeeded, and nothing is open or failed."""
        states = {run.state for run in self.runs}
        return "success" in states and states <= {"success", "skipped"}


def look(moment: Moment) -> Look:
    """One cause for every active pipeline, or partition of one, that has failed since it last succeeded.

    A try that was tried again says nothing by itself, and neither does a skipped run.
    """
    fed = feed(moment)
    known = {
        (u.pipeline_id, str(u.details.get("partition_key") or "")): u.subject
        for u in moment.unresolved
        if u.pipeline_id is not None
    }
    touched = failures.pipelines_that_failed(moment.connection, fed.ids)
    pipelines = arrivals.union(touched, [pipeline for pipeline, _ in known])
    causes = [
        cause
        for latest in failures.latest(moment.connection, pipelines, MOST)
        for cause in causes_of(latest, known)
    ]
    return Look(causes, len(fed.ids), fed.state)


def causes_of(latest: Latest, known: Mapping[tuple[int, str], str]) -> Iterator[Cause]:
    """For each partition of a pipeline the failures since its last success.

    ``known``: the subjects of findings by pipeline and partition. Where the last success lies further
    back than what is looked at, the finding that is there stays the one of this cause.
    """
    rounds = rounds_of(latest.runs)
    for partition_key in dict.fromkeys(r.partition_key for r in rounds):
        failed = []
        began = False
        for one in rounds:
            if one.partition_key != partition_key:
                continue
            if one.has_succeeded:
                began = True
                break
            if one.failed:
                failed.append(one)
        if failed:
            subject = f"pipeline:{latest.pipeline_id}:{failed[-1].failed[-1].id}"
            if not began:
                subject = known.get((latest.pipeline_id, partition_key), subject)
            yield _cause(latest, partition_key, failed, subject)


def rounds_of(runs: list[Ran]) -> list[Round]:
    """The executions of a pipeline in rounds, the latest first: those of one parent belong together.

    A try counts until the one after it has ended.
    """
    tried_again = {run.previous for run in runs if run.previous and run.state != "running"}
    rounds: dict[tuple[str, int], list[Ran]] = {}
    for run in runs:
        if run.run_key in tried_again:
            continue
        inside = -run.id if run.parent_id is None else run.parent_id
        rounds.setdefault((run.partition_key, inside), []).append(run)
    return [Round(key[0], tuple(of_round)) for key, of_round in rounds.items()]


def _cause(latest: Latest, partition_key: str, failed: list[Round], subject: str) -> Cause:
    last, first = failed[0].failed[0], failed[-1].failed[-1]
    times = len(failed)
    many = f"{times} or more" if len(latest.runs) >= MOST and times > 1 else f"{times}"
    what = f"{last.state} at {when(last.ended_at or last.started_at)}"
    if len(failed[0].failed) > 1:
        what += f" ({len(failed[0].failed)} of {len(failed[0].runs)} in that run)"
    if times > 1:
        what += f", {many} times in a row since {when(first.started_at)}"
    if partition_key:
        what = f"partition {partition_key} {what}"
    why = _why(last)
    return Cause(
        FAILED,
        subject,
        Severity.CRITICAL if times >= CRITICAL else Severity.ERROR,
        f"{what}: {why}" if why else what,
        since=first.ended_at or first.started_at,
        namespace_id=latest.namespace_id,
        pipeline_id=latest.pipeline_id,
        execution_id=last.id,
        run_key=last.run_key,
        details={
            "state": last.state,
            "consecutive": times,
            "at_least": times > 1 and len(latest.runs) >= MOST,
            "runs": counted(times, "run"),
            "partition_key": partition_key or None,
            "error_type": last.error_type,
        },
    )


def _why(run: Ran) -> str:
    words = ": ".join(part for part in (run.error_type, run.error_message) if part)
    words = " ".join((words or run.state_detail or "").split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
