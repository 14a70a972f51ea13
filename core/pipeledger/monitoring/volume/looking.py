"""A look at volumes: what came is judged, pipeline by pipeline, and what was found is carried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import numpy as np

from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.model.finding import METRICS, Cause, Severity
from pipeledger.monitoring.feed import OVERLAP, feed
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.volume import judged
from pipeledger.monitoring.volume import rule as rules_of
from pipeledger.monitoring.volume.causes import carried_on, cause, severity
from pipeledger.monitoring.volume.holding import NEWS, Run, holding
from pipeledger.monitoring.volume.judging import judge
from pipeledger.monitoring.volume.points import Points, marks_of, series_of
from pipeledger.monitoring.volume.series import (
    PLAIN,
    Batch,
)
from pipeledger.monitoring.volume.sight import ROW_METRICS, Found, Sight, one_of_each_cause
from pipeledger.store.findings import Unresolved
from pipeledger.store.read import anomaly_rules, volume_history
from pipeledger.store.read.volume_history import Execution

MOST_POINTS = 1_000
HISTORY = timedelta(days=400)
_AHEAD = timedelta(days=1)
_AT_ONCE = 500
_SERIES_AT_ONCE = 1_000
_BY_DEFAULT = (*ROW_METRICS, "duration_seconds")


def look(moment: Moment) -> Look:
    """As ``pipeledger.monitoring.volume.look`` says."""
    news = feed(moment)
    before = moment.state.get("judged", ())
    came = volume_history.pipelines_of(
        moment.connection, judged.without(news.ids, before), since=moment.now - NEWS
    )
    new = [id_ for ids in came.values() for id_ in ids]
    lowest = int(news.state["last_id"]) - OVERLAP
    state = {**news.state, "judged": judged.with_these(before, new, above=lowest)}
    by_pipeline: dict[int, list[Unresolved]] = defaultdict(list)
    # As this snapshot has them: another checker may have saved a look since our state was read, and
    # what it found odd is not judged again.
    for one in volume_history.unresolved(moment.connection):
        assert one.pipeline_id is not None
        by_pipeline[one.pipeline_id].append(one)
    causes: list[Cause] = []
    pipelines = sorted(set(came) | set(by_pipeline))
    for first in range(0, len(pipelines), _AT_ONCE):
        part = pipelines[first : first + _AT_ONCE]
        causes += _causes(moment, part, came, by_pipeline)
    return Look(causes, len(new), state)


def _causes(
    moment: Moment,
    pipelines: Sequence[int],
    came: dict[int, list[int]],
    carried: dict[int, list[Unresolved]],
) -> list[Cause]:
    connection = moment.connection
    texts = volume_history.latest(
        connection,
        pipelines,
        since=moment.now - HISTORY,
        until=moment.now + _AHEAD,
        most=MOST_POINTS,
    )
    known = volume_history.flagged(connection, pipelines)
    points = [
        Points.of(pipeline, texts[pipeline], came.get(pipeline, ()))
        for pipeline in pipelines
        if pipeline in texts
    ]
    sight = Sight()
    rules = anomaly_rules.active(connection, pipelines)
    _judge_by_rules(moment, points, rules, known, sight)
    _judge_by_default(points, known, sight)
    found = one_of_each_cause(sight)
    executions = volume_history.executions(
        connection,
        {id_ for id_, _ in found}
        | {u.execution_id for p in pipelines for u in carried.get(p, ()) if u.execution_id},
    )
    causes = []
    for one in points:
        causes += _of_pipeline(moment, one, found, known, carried.get(one.pipeline, ()), executions)
    return causes


def _judge_by_default(
    points: Iterable[Points], known: Mapping[tuple[int, str], bool], sight: Sight
) -> None:
    for is_seconds in (False, True):
        work = [
            (metric, series)
            for one in points
            for metric in _BY_DEFAULT
            if (metric == "duration_seconds") == is_seconds
            and (series := series_of(one, metric, known)) is not None
        ]
        work.sort(key=lambda pair: (pair[1].is_dense, len(pair[1].values)))
        for first in range(0, len(work), _SERIES_AT_ONCE):
            part = work[first : first + _SERIES_AT_ONCE]
            batch = Batch.of([series for _, series in part])
            verdicts, expected = judge(batch, seconds=is_seconds)
            columns = batch.values.shape[1]
            for row, column in np.argwhere(batch.wanted):
                metric, series = part[row]
                at = (int(series.ids[column - columns + len(series.ids)]), metric)
                sight.expected[at] = (
                    float(batch.values[row, column]),
                    float(expected[row, column]),
                )
                verdict = verdicts.get((int(row), int(column)))
                if verdict is not None and at not in sight.by_rule:
                    sight.verdicts[at] = verdict


def _judge_by_rules(
    moment: Moment,
    points: Iterable[Points],
    rules: Mapping[tuple[int, str], tuple[int, AnomalyRule]],
    known: Mapping[tuple[int, str], bool],
    sight: Sight,
) -> None:
    """Where a rule has executions enough, it decides; before that, the default detector does."""
    if not rules:
        return
    by_days: dict[int, list[tuple[int, AnomalyRule, Points, int]]] = defaultdict(list)
    for one in points:
        for metric in METRICS:
            found = rules.get((one.pipeline, metric))
            if found is None:
                continue
            rule_id, rule = found
            values = one.values(metric)
            marks = marks_of(one.ids, metric, known)
            wanted = np.flatnonzero(one.new & ~np.isnan(values) & (marks == PLAIN))
            by_days[rule.lookback_days] += [(rule_id, rule, one, int(n)) for n in wanted]
    for days, work in by_days.items():
        ids = {int(one.ids[place]) for _, _, one, place in work}
        texts = volume_history.at_the_same_hour(
            moment.connection, ids, days=days, most=10 * MOST_POINTS
        )
        for rule_id, rule, one, place in work:
            id_ = int(one.ids[place])
            if id_ not in texts:
                continue
            before = Points.of(one.pipeline, texts[id_])
            said, verdict = rules_of.judge(
                rule,
                rule_id,
                float(one.values(rule.metric)[place]),
                before.values(rule.metric),
                marks_of(before.ids, rule.metric, known),
                int(one.starts[place] // 3600 % 24),
            )
            if said:
                sight.by_rule.add((id_, rule.metric))
            if verdict is not None:
                sight.verdicts[id_, rule.metric] = verdict


def _of_pipeline(
    moment: Moment,
    points: Points,
    found: Mapping[tuple[int, str], Found],
    known: Mapping[tuple[int, str], bool],
    carried: Sequence[Unresolved],
    executions: Mapping[int, Execution],
) -> list[Cause]:
    """The new findings of a pipeline, and those carried on that still hold."""
    causes = []
    came = points.ids[points.new].tolist()
    for metric in METRICS:
        old = {u.execution_id: u for u in carried if u.metric == metric}
        new = {id_: found[id_, metric] for id_ in came if (id_, metric) in found}
        if not new and not old:
            continue
        there = ~np.isnan(points.values(metric))
        runs = [
            Run(
                id_,
                is_odd=id_ in new or known.get((id_, metric)) is False,
                is_found=id_ in old,
                is_new=id_ in new,
                rank=severity(new[id_].verdict).rank
                if id_ in new
                else (Severity(old[id_].severity).rank if id_ in old else 0),
                ended_at=executions[id_].ended_at if id_ in executions else None,
            )
            for id_ in points.ids[there].tolist()
        ]
        held = holding(runs, moment.now)
        causes += [carried_on(old[id_], executions[id_]) for id_ in sorted(held & old.keys())]
        causes += [
            cause(id_, metric, one, executions[id_], holds=id_ in held)
            for id_, one in sorted(new.items())
        ]
    return causes
