"""Grouping: which of several findings explain which, so that people read the root cause first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeledger.model.finding import FAILED, TIMELINESS, Finding
from pipeledger.model.lineage_views import DOWNSTREAM
from pipeledger.store.read import Connection, alerts, edges
from pipeledger.store.read.pipeline_addresses import INPUT, OUTPUT
from pipeledger.store.read.reach import reach

MOST_FINDINGS = 200
"""Of how many findings it is worked out what explains them: a message names fewer."""
DEPTH = 20
MOST_ADDRESSES = 5_000
MOST_EDGES = 50_000
MOST_USES = 20_000
_BY_EXECUTION = {FAILED: (FAILED, TIMELINESS), TIMELINESS: (TIMELINESS,)}
"""What the failure, or the delay, of an execution explains of those that it runs inside."""


@dataclass(frozen=True, slots=True)
class Place:
    """A finding in its message. ``cause``: the nearest of those that explain it; None: it is a root."""

    finding: Finding
    cause: Finding | None = None


Explains = Collection[tuple[int, int]]
"""(id of a finding, id of a finding that it explains)"""


def ordered(findings: Iterable[Finding], explains: Explains) -> list[Place]:
    """Roots, the worst first, each followed by all it explains, the nearest first.

    Where findings explain each other in a circle, the one that began first is the root.
    """
    by_id = {finding.id: finding for finding in findings}
    effects: dict[int, list[int]] = {id_: [] for id_ in by_id}
    causes: dict[int, list[int]] = {id_: [] for id_ in by_id}
    for cause, effect in sorted(explains):
        if cause in by_id and effect in by_id and cause != effect:
            effects[cause].append(effect)
            causes[effect].append(cause)
    reached = {id_: _beyond(id_, effects) for id_ in by_id}
    above = Counter(id_ for ids in reached.values() for id_ in ids)
    """How many lie above: what explains a finding has fewer above it than the finding has."""

    def worst(id_: int) -> tuple[object, ...]:
        finding = by_id[id_]
        return (-finding.severity.rank, -len(reached[id_]), finding.since, id_)

    places: dict[int, Place] = {}

    def place(root: int) -> None:
        places[root] = Place(by_id[root])
        for id_ in sorted(reached[root], key=lambda i: (above[i], *worst(i))):
            if id_ not in places:
                placed = [cause for cause in causes[id_] if cause in places]
                nearest = max(placed, key=lambda i: above[i], default=root)
                places[id_] = Place(by_id[id_], by_id[nearest])

    for id_ in sorted((i for i in by_id if not causes[i]), key=worst):
        place(id_)
    # What is left lies in circles, which have no root, or below them.
    for id_ in sorted(by_id, key=lambda i: (above[i], by_id[i].since, i)):
        if id_ not in places:
            place(id_)
    return list(places.values())


def _beyond(start: int, effects: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(effects[start])
    while waiting:
        id_ = waiting.pop()
        if id_ not in found:
            found.add(id_)
            waiting += effects[id_]
    return found - {start}


def explanations(connection: Connection, findings: Sequence[Finding]) -> set[tuple[int, int]]:
    """(id, id of a finding that it explains) among these, of the first ``MOST_FINDINGS``.

    The failure of an execution explains that of the executions it ran inside; what is found of a
    pipeline that writes an address, or of the address, explains what is found downstream of it.
    """
    findings = findings[:MOST_FINDINGS]
    if len(findings) < 2:
        return set()
    nested, by_execution = _nested(connection, findings)
    by_lineage = _downstream(connection, findings)
    inner: dict[int, set[int]] = {}
    for inside, outside in nested:
        inner.setdefault(outside, set()).add(inside)
    # Of a run and of what ran inside it the latter says more.
    return by_execution | {
        (cause, effect)
        for cause, effect in by_lineage
        if (cause, effect) not in nested
        and (effect, cause) not in nested
        and not any((inside, effect) in by_lineage for inside in inner.get(cause, ()))
    }


def _nested(
    connection: Connection, findings: Sequence[Finding]
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Pairs of which one runs inside the other, and those where the inner explains the outer."""
    of: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.execution_id is not None:
            of.setdefault(finding.execution_id, []).append(finding)
    nested, explained = set(), set()
    for ancestor, descendant in alerts.inside(connection, list(of)):
        for outer in of[ancestor]:
            for inner in of[descendant]:
                nested.add((inner.id, outer.id))
                if outer.check in _BY_EXECUTION.get(inner.check, ()):
                    explained.add((inner.id, outer.id))
    return nested, explained


def _downstream(connection: Connection, findings: Sequence[Finding]) -> set[tuple[int, int]]:
    """Pairs where what the first is about lies upstream of what the second is about."""
    counted = edges.counted(connection, None, None)
    pipelines = _pipelines(connection, findings)
    used = {id_ for ids in pipelines.values() for id_ in ids}
    uses = alerts.uses(connection, used, counted, MOST_USES)
    stands = alerts.standing(
        connection, {f.address_id for f in findings if f.address_id is not None}
    )
    starts: dict[int, set[int]] = {}
    ends: dict[int, set[int]] = {}
    for finding in findings:
        own = {stands.get(finding.address_id, -1)} if finding.address_id is not None else set()
        mine = pipelines[finding.id]
        starts[finding.id] = own | {a for p, a, role in uses if p in mine and role == OUTPUT}
        ends[finding.id] = own | {a for p, a, role in uses if p in mine and role == INPUT}
    graph = _graph(connection, sorted(set().union(*starts.values())), counted)
    pairs = set()
    for cause in findings:
        within = _reached(starts[cause.id], graph)
        pairs |= {
            (cause.id, effect.id)
            for effect in findings
            if effect.id != cause.id and not within.isdisjoint(ends[effect.id])
        }
    return pairs


def _pipelines(connection: Connection, findings: Sequence[Finding]) -> dict[int, set[int]]:
    """For each finding the pipelines it speaks of: its own, and what ran inside its execution."""
    found = {f.id: set() if f.pipeline_id is None else {f.pipeline_id} for f in findings}
    executions = {f.execution_id for f in findings if f.execution_id is not None}
    ran: dict[int, set[int]] = {}
    for execution, pipeline in alerts.pipelines_inside(connection, executions, MOST_USES):
        ran.setdefault(execution, set()).add(pipeline)
    for finding in findings:
        if finding.execution_id is not None:
            found[finding.id] |= ran.get(finding.execution_id, set())
    return found


def _graph(
    connection: Connection, starts: Sequence[int], counted: edges.Counted
) -> dict[int, list[int]]:
    if not starts:
        return {}
    reached = reach(connection, DOWNSTREAM, starts, counted, depth=DEPTH, most=MOST_ADDRESSES)
    graph: dict[int, list[int]] = {}
    for source, target in edges.pairs(
        connection, DOWNSTREAM, list(reached.depths) or starts, counted, MOST_EDGES
    ):
        graph.setdefault(source, []).append(target)
    return graph


def _reached(starts: set[int], graph: dict[int, list[int]]) -> set[int]:
    found, waiting = set(starts), list(starts)
    while waiting:
        for far in graph.get(waiting.pop(), ()):
            if far not in found:
                found.add(far)
                waiting.append(far)
    return found
