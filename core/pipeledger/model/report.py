"""Reports: the plain values that are recorded, each with the key of what it speaks of.

A report says what it knows; what is None is unknown, never "empty". Reports may arrive in any order,
twice, and from several processes: merging them (``model.record``) gives one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.canonical import canonical_json
from pipeledger.model.errors import InvalidReport
from pipeledger.model.lineage import DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.redaction import redact, redact_text
from pipeledger.model.state import Authority, State
from pipeledger.model.watermark import Window

MAX_COUNT = 2**63 - 1
MAX_JSON = 200_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that an execution inserted, updated, soft-deleted and saw in all; None is unknown."""

    inserts: int | None = None
    updates: int | None = None
    soft_deletes: int | None = None
    total_rows: int | None = None

    NAMES = ("inserts", "updates", "soft_deletes", "total_rows")

    def __post_init__(self) -> None:
        for name in Counts.NAMES:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
                raise InvalidReport(
                    f"{name}={value!r} is not a row count; expected a whole number >= 0"
                )

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in Counts.NAMES)


@dataclass(frozen=True, slots=True)
class RunError:
    """Why an execution failed: the exception's type and its text, without secrets."""

    type: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", redact_text(self.type.replace("\x00", "?"))[:500])
        object.__setattr__(self, "message", redact_text(self.message.replace("\x00", "?"))[:10_000])

    @classmethod
    def of(cls, error: BaseException | str) -> RunError:
        if isinstance(error, BaseException):
            kind = type(error)
            name = (
                kind.__qualname__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__qualname__}"
            )
            return cls(name, _text_of(error))
        return cls("error", error)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a user's exception may be as broken as the code that raised it
        return "(its text cannot be read)"


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """An address that one execution read or wrote, with what is known of how much."""

    address: Address
    rows: int | None = None
    bytes: int | None = None
    data_version: str | None = None

    def to_json(self) -> list[Any]:
        return [self.address.to_json(), self.rows, self.bytes, self.data_version]

    @classmethod
    def from_json(cls, data: list[Any]) -> DatasetUse:
        return cls(Address.from_json(data[0]), data[1], data[2], data[3])


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What somebody knows of one execution, at one moment.

    A start is ``state=RUNNING`` with ``started_at``; a finish an end state with ``ended_at``; a
    heartbeat has ``heartbeat_at`` alone. Times are aware. ``parent_derived`` and ``window_derived``
    mark what was concluded rather than stated: a stated value wins over a derived one.
    Secrets are removed here, before anything is written anywhere.
    """

    run_key: UUID
    occurred_at: datetime
    authority: Authority = Authority.PROCESS
    pipeline: PipelineRef | None = None
    state: State | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    state_detail: str | None = None
    counts: Counts = Counts()
    error: RunError | None = None
    metadata: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None
    attempt: int | None = None
    parent: UUID | None = None
    parent_derived: bool = False
    previous: UUID | None = None
    window: Window | None = None
    window_derived: bool = False
    heartbeat_at: datetime | None = None
    configuration_hash: str | None = None
    code_version: str | None = None
    inputs: tuple[DatasetUse, ...] = ()
    outputs: tuple[DatasetUse, ...] = ()

    def __post_init__(self) -> None:
        for name in ("occurred_at", "started_at", "ended_at", "heartbeat_at"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, times.as_utc(value, name))
        if self.started_at and self.ended_at and self.ended_at < self.started_at:
            raise InvalidReport(
                f"execution {self.run_key} ends ({self.ended_at.isoformat()}) before it starts"
                f" ({self.started_at.isoformat()}); pass both from one clock"
            )
        if self.state is State.RUNNING and self.ended_at is not None:
            raise InvalidReport(
                f"execution {self.run_key} is reported running with an end; name its end state"
            )
        if self.ended_at is not None and self.state is None:
            raise InvalidReport(
                f"execution {self.run_key} has an end without a state; name its end state"
            )
        if self.attempt is not None and not 0 <= self.attempt < 2**31:
            raise InvalidReport(
                f"attempt {self.attempt} cannot be used; expected a whole number >= 0"
            )
        if self.window is not None and self.pipeline is None:
            raise InvalidReport(
                f"execution {self.run_key} has a window and no pipeline; name the pipeline whose"
                " watermark the window belongs to"
            )
        for name in ("parent", "window"):
            if getattr(self, name) is None:
                object.__setattr__(self, f"{name}_derived", False)
        for name in ("metadata", "attributes"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _bounded(redact(dict(value))))
        if self.state_detail is not None:
            object.__setattr__(self, "state_detail", redact_text(self.state_detail)[:500])

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "report": "execution",
            "run_key": str(self.run_key),
            "occurred_at": times.isoformat(self.occurred_at),
            "authority": int(self.authority),
        }
        if self.pipeline is not None:
            out["pipeline"] = [self.pipeline.namespace, self.pipeline.name]
        if self.state is not None:
            out["state"] = self.state.value
        for name in ("started_at", "ended_at", "heartbeat_at"):
            value = getattr(self, name)
            if value is not None:
                out[name] = times.isoformat(value)
        for name in (
            "state_detail",
            "attempt",
            "configuration_hash",
            "code_version",
            "metadata",
            "attributes",
        ):
            value = getattr(self, name)
            if value is not None:
                out[name] = value
        if self.counts:
            out["counts"] = {
                n: v for n in Counts.NAMES if (v := getattr(self.counts, n)) is not None
            }
        if self.error is not None:
            out["error"] = [self.error.type, self.error.message]
        if self.parent is not None:
            out["parent"] = [str(self.parent), self.parent_derived]
        if self.previous is not None:
            out["previous"] = str(self.previous)
        if self.window is not None:
            out["window"] = [self.window.to_json(), self.window_derived]
        for name in ("inputs", "outputs"):
            uses = getattr(self, name)
            if uses:
                out[name] = [use.to_json() for use in uses]
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExecutionReport:
        def moment(name: str) -> datetime | None:
            text = data.get(name)
            return None if text is None else times.parse(text, name)

        pipeline = data.get("pipeline")
        error = data.get("error")
        parent = data.get("parent")
        window = data.get("window")
        return cls(
            run_key=UUID(data["run_key"]),
            occurred_at=times.parse(data["occurred_at"], "occurred_at"),
            authority=Authority(data.get("authority", 1)),
            pipeline=None if pipeline is None else PipelineRef(pipeline[1], pipeline[0]),
            state=None if data.get("state") is None else State(data["state"]),
            started_at=moment("started_at"),
            ended_at=moment("ended_at"),
            state_detail=data.get("state_detail"),
            counts=Counts(**data.get("counts", {})),
            error=None if error is None else RunError(error[0], error[1]),
            metadata=data.get("metadata"),
            attributes=data.get("attributes"),
            attempt=data.get("attempt"),
            parent=None if parent is None else UUID(parent[0]),
            parent_derived=bool(parent and parent[1]),
            previous=None if data.get("previous") is None else UUID(data["previous"]),
            window=None if window is None else Window.from_json(window[0]),
            window_derived=bool(window and window[1]),
            heartbeat_at=moment("heartbeat_at"),
            configuration_hash=data.get("configuration_hash"),
            code_version=data.get("code_version"),
            inputs=tuple(DatasetUse.from_json(u) for u in data.get("inputs", ())),
            outputs=tuple(DatasetUse.from_json(u) for u in data.get("outputs", ())),
        )


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if _is_surely_short(value) or len(canonical_json(value)) <= MAX_JSON:
        return value
    return {
        k: v
        if len(canonical_json(v)) <= MAX_JSON // max(1, len(value))
        else "... (too large to keep)"
        for k, v in value.items()
    }


def _is_surely_short(value: dict[str, Any]) -> bool:
    """Whether its JSON cannot be too long, told without writing it: flat, and short even if escaped."""
    size = 0
    for key, item in value.items():
        if isinstance(item, str):
            size += len(key) + len(item) + 6
        elif isinstance(item, int):
            size += len(key) + item.bit_length() + 6
        elif item is None or isinstance(item, float):
            size += len(key) + 30
        else:
            return False
    return size * 12 <= MAX_JSON  # twelve: a character outside the first plane, as two escapes


Report = ExecutionReport | PipelineReport | LineageReport | DatasetReport
Declaration = PipelineReport | LineageReport | DatasetReport


def report_from_json(data: Mapping[str, Any]) -> Report:
    """The report that ``to_json`` wrote. Raises InvalidReport for anything else."""
    kinds: dict[str, Any] = {
        "execution": ExecutionReport,
        "pipeline": PipelineReport,
        "lineage": LineageReport,
        "dataset": DatasetReport,
    }
    kind = kinds.get(str(data.get("report")))
    if kind is None:
        raise InvalidReport(
            f"a report of kind {data.get('report')!r}; expected one of {', '.join(kinds)}"
        )
    try:
        report: Report = kind.from_json(data)
        return report
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidReport(f"a {data['report']} report that cannot be read: {error}") from error
