"""What records: SQL, HTTP and the reference model are interchangeable behind this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Report
from pipeledger.model.watermark import Watermark, Window


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """A question: from where to where should this pipeline load now?

    ``next_watermark`` None leaves the end open; ``run_key`` names the execution that will carry the
    window.
    """

    pipeline: PipelineRef
    next_watermark: object = None
    partition_key: str = ""
    run_key: UUID | None = None


class Recorder(Protocol):
    """Takes reports in and answers where a pipeline stands."""

    def record(self, reports: Sequence[Report]) -> None:
        """Merge reports into the ledger, as if delivered one after the other.

        Raises InvalidInput for a report that can never be recorded, with nothing of its own written;
        LedgerUnavailable when nothing was written and a repetition may help.
        """

    def watermark(self, pipeline: PipelineRef, partition_key: str = "") -> Watermark:
        """How far the pipeline has got. An unknown pipeline has got nowhere: value None."""

    def open_window(self, request: WindowRequest) -> Window:
        """The window from the current watermark, with its epoch, recorded on the execution if named."""

    def move_watermark(
        self,
        pipeline: PipelineRef,
        value: object,
        *,
        cause: str,
        reason: str,
        partition_key: str = "",
    ) -> Watermark:
        """``set`` or ``rewind`` (``cause``) to a value, None for the beginning; raises the epoch.

        Raises UnknownPipeline, InvalidWatermark.
        """

    def is_active(self, pipeline: PipelineRef) -> bool:
        """Whether the pipeline is to run; an unknown one is. The answer blocks nothing by itself."""

    def set_active(self, pipeline: PipelineRef, active: bool) -> None:
        """Switch a pipeline on or off for those who ask. Raises UnknownPipeline."""

    def close(self) -> None:
        """Let go of what is held open; the next call opens it again."""
