"""Reports as hypothesis draws them: few keys and few moments, so that they meet and contradict."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

from hypothesis import strategies as st

from pipeledger.model.address import Address
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, RunError
from pipeledger.model.state import Authority, State
from pipeledger.model.watermark import Window

KEYS = [UUID(int=i + 1) for i in range(6)]
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)
FUTURE = datetime(2190, 1, 1, tzinfo=timezone.utc)
PIPELINES = {"numbers": "integer", "days": "time", "tokens": "text"}
ADDRESSES = [Address("s3://bucket", name) for name in ("a", "b", "c")]

# The pipeline of an execution never changes: it is chosen by its key, as in life.
PIPELINE_OF = {key: PipelineRef(list(PIPELINES)[i % 3]) for i, key in enumerate(KEYS)}
PARTITION_OF = {key: ["", "", "", "p", "p", ""][i] for i, key in enumerate(KEYS)}

moments = st.builds(
    lambda base, s: base + timedelta(seconds=s), st.sampled_from([PAST, FUTURE]), st.integers(0, 4)
)
small = st.none() | st.integers(0, 3)
counts = st.builds(Counts, small, small, small, small)
documents = st.none() | st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=2)
uses = st.lists(
    st.builds(
        DatasetUse,
        st.sampled_from(ADDRESSES),
        small,
        small,
        st.none() | st.sampled_from(["v1", "V2"]),
    ),
    max_size=2,
).map(tuple)


@st.composite
def windows(draw: st.DrawFn, key: UUID) -> Window:
    kind = PIPELINES[PIPELINE_OF[key].name]
    values: list[object] = {
        "integer": [5, 10, 20, 100],
        "time": ["2013-01-01", "2013-01-02", "2013-01-03T00:00:00Z", "2013-02-01"],
        "text": ["a", "b", "c"],
    }[kind]
    first = draw(st.none() | st.integers(0, len(values) - 1))
    second = draw(st.integers(0 if first is None or kind == "text" else first, len(values) - 1))
    window = Window.of(None if first is None else values[first], values[second], PARTITION_OF[key])
    shape = draw(st.sampled_from(["whole", "whole", "whole", "lower", "upper"]))
    epoch = draw(st.sampled_from([None, None, None, 0, 1]))
    if shape == "lower":
        return Window(window.lower, None, window.from_beginning, window.partition_key, epoch)
    if shape == "upper":
        return Window(None, window.upper, False, window.partition_key, epoch)
    return Window(window.lower, window.upper, window.from_beginning, window.partition_key, epoch)


@st.composite
def executions(draw: st.DrawFn, *, contradicting: bool = True) -> ExecutionReport:
    """A report on one of a few executions. Without ``contradicting``: parents that cannot form a
    cycle and no text windows, the two cases in which the first delivered wins."""
    key = draw(st.sampled_from(KEYS))
    state = draw(st.none() | st.sampled_from(State))
    is_end = state is not None and state.is_end
    started = draw(st.none() | moments)
    ended = draw(st.none() | moments) if is_end else None
    if started and ended and ended < started:
        started, ended = ended, started
    parents = KEYS if contradicting else KEYS[: KEYS.index(key)]
    may_have_window = contradicting or PIPELINE_OF[key].name != "tokens"
    return ExecutionReport(
        run_key=key,
        occurred_at=draw(moments),
        authority=draw(st.sampled_from(Authority)),
        # Without a pipeline the kind of a window cannot be known.
        pipeline=PIPELINE_OF[key],
        state=state,
        started_at=started,
        ended_at=ended,
        state_detail=draw(st.none() | st.sampled_from(["removed", "up"])),
        counts=draw(counts),
        error=draw(st.none() | st.builds(RunError, st.sampled_from(["E", "F"]), st.just("text"))),
        metadata=draw(documents),
        attributes=draw(documents),
        attempt=draw(st.none() | st.integers(1, 3)),
        parent=draw(st.none() | st.sampled_from(parents)) if parents else None,
        parent_derived=draw(st.booleans()),
        previous=draw(st.none() | st.sampled_from(KEYS)),
        window=draw(st.none() | windows(key)) if may_have_window else None,
        window_derived=draw(st.booleans()),
        heartbeat_at=draw(st.none() | moments),
        configuration_hash=draw(st.none() | st.sampled_from(["h1", "h2"])),
        inputs=draw(uses),
        outputs=draw(uses),
    )


refs = st.sampled_from([PipelineRef(name) for name in (*PIPELINES, "other")])
declarations = st.builds(
    PipelineReport,
    pipeline=refs,
    occurred_at=moments,
    type=st.sampled_from(["python", "dag"]),
    group=st.just("group"),
    metadata=st.dictionaries(st.sampled_from("xy"), st.integers(0, 1), max_size=1),
    freshness=st.none() | st.builds(Threshold, st.integers(1, 2), st.just("day")),
    schedule=st.none() | st.just("@daily"),
    dependencies=st.lists(st.tuples(refs, refs), max_size=2).map(tuple),
)
# Of the past: what holds now is compared. Of a declaration that is repeated only the last time is kept
# (docs/schema.md), so that one delivered late would hold until the repetition, if that is still to come.
lineages = st.builds(
    LineageReport,
    pipeline=refs,
    occurred_at=st.builds(lambda s: PAST + timedelta(seconds=s), st.integers(0, 4)),
    edges=st.lists(
        st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES)), max_size=3
    ).map(tuple),
)
