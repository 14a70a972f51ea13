"""The ledger: the one object that people and integrations use."""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeGuard
from uuid import UUID

from pipeledger.execution import Execution
from pipeledger.model import keys
from pipeledger.model.address import Address
from pipeledger.model.errors import (
    InvalidDatabaseUrl,
    LedgerUnavailable,
    PipeledgerError,
    WatermarkUnavailable,
    is_refusal,
)
from pipeledger.model.pipeline import PipelineRef, Threshold
from pipeledger.model.redaction import redact_text
from pipeledger.model.report import Declaration, ExecutionReport, Report
from pipeledger.model.report_table import ReportTable
from pipeledger.model.state import State
from pipeledger.model.watermark import Watermark, Window
from pipeledger.recording.delivery import Courier, Delivered, deliver
from pipeledger.recording.guard import GuardedRecorder
from pipeledger.recording.heartbeat import Heartbeat, check_interval
from pipeledger.recording.port import WindowRequest
from pipeledger.recording.spool import Rejected, Spool
from pipeledger.recording.sql import SqlRecorder
from pipeledger.settings import Settings
from pipeledger.store.database import Database
from pipeledger.store.said import Said

if TYPE_CHECKING:
    from pipeledger.monitoring.check import Outcome
    from pipeledger.store.read import Reader

log = logging.getLogger(__name__)
_current: contextvars.ContextVar[UUID | None] = contextvars.ContextVar(
    "pipeledger_execution", default=None
)


def current_run_key() -> UUID | None:
    """The run key of the execution this code runs inside, if any."""
    return _current.get()


def nest_under(run_key: UUID | None) -> contextvars.Token[UUID | None]:
    """From here on, executions of this context run inside ``run_key`` (None: inside nothing)."""
    return _current.set(run_key)


def leave(token: contextvars.Token[UUID | None]) -> None:
    """Undo ``nest_under``."""
    _current.reset(token)


class Ledger:
    """Records what runs, asks for windows, and reads what was recorded.

    ``database_url`` None: ``PIPELEDGER_DATABASE_URL``, else a SQLite file in the user's data
    directory. Nothing is opened before it is needed. Safe to share between threads and across fork.
    ``keep_connection=False`` closes the connection after every call: for processes that run somebody
    else's code in between.
    Raises InvalidDatabaseUrl, InvalidSetting.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        settings: Settings | None = None,
        keep_connection: bool = True,
    ) -> None:
        self.settings = settings or Settings.from_environment()
        url = database_url or self.settings.resolved_database_url
        if url.partition(":")[0].lower() in ("http", "https"):
            raise InvalidDatabaseUrl(
                "recording to a Pipeledger server is not in this release: give the database's own URL,"
                " postgresql://... or sqlite:///..."
            )
        self.database = Database.parse(url)
        self._keep_connection = keep_connection
        self._guard = GuardedRecorder(
            self._make_recorder,
            self.settings.deadline_seconds,
            in_thread=not self.database.is_sqlite,
        )
        self.spool = Spool(self.settings.resolved_spool_dir, self.settings.spool_max_bytes)
        self._courier = Courier(self.spool, self._make_recorder)
        self._has_spooled = False
        self._declared: dict[tuple[object, ...], str] = {}
        self._said: dict[str, float] = {}

    def _make_recorder(self) -> SqlRecorder:
        # Below the deadline, so that a locked file is an error of its own and not a lost thread.
        return SqlRecorder(
            self.database,
            self.settings.deadline_seconds * 0.8,
            timedelta(days=min(self.settings.observed_lineage_days, 100_000)),
        )

    # Recording: never raises for a reason of ours

    def record(self, *reports: Report) -> None:
        """Record, or leave in the spool what cannot be recorded within the deadline.

        For processes that do the work. Returns within the deadline, at most half as much later where it
        also delivers what this process had spooled, and never raises.
        """
        if self.settings.disabled or not reports:
            return
        try:
            wanted = [r for r in reports if not self._is_declared(r)]
            if wanted:
                self._record_or_spool(wanted)
            if not self._keep_connection:
                self._guard.close()
        except Exception as error:
            self.say(f"recording failed: {type(error).__name__}: {error}")

    def append(self, *reports: Report | ReportTable) -> None:
        """Leave reports to a background thread and return at once: for hooks of schedulers.

        They are in the spool when this returns, without waiting for the disk. Never raises.
        """
        if self.settings.disabled:
            return
        try:
            wanted = [r for r in reports if isinstance(r, ReportTable) or not self._is_declared(r)]
            if wanted:
                self.spool.append(wanted, durable=False)
                self._courier.wake()
        except Exception as error:
            self.say(f"recording failed: {type(error).__name__}: {error}")

    register = record
    lineage = record

    def said(self, run_key: UUID) -> Said | None:
        """What a run that goes on in another process has said so far: when it began, its metadata.

        None for an unknown run, and when the ledger cannot say within the deadline. Never raises.
        """
        try:
            return self._guard.said(run_key)
        except Exception as error:
            self.say(f"what a run has said before cannot be known: {error}")
            return None
        finally:
            if not self._keep_connection:
                self._guard.close()

    def beat(self, report: ExecutionReport) -> None:
        """Record a sign of life, or let it go: it is not worth a place in the spool. Never raises."""
        try:
            if not self.settings.disabled:
                self._guard.record([report])
            if not self._keep_connection:
                self._guard.close()
        except Exception as error:
            self.say(f"a heartbeat was not recorded: {error}")

    def flush(self, timeout: float | None = None) -> Delivered:
        """Deliver what waits in the spool, of all processes on this host; what happened is returned."""
        if timeout is not None:
            self._courier.wake()
            self._courier.wait_until_idle(timeout)
        recorder = self._make_recorder()
        try:
            return deliver(self.spool, recorder)
        finally:
            recorder.close()

    def close(self) -> None:
        """Let go of the connection; the next call opens it again."""
        self._guard.close()

    def _record_or_spool(self, reports: Sequence[Report]) -> None:
        began = time.monotonic()
        try:
            self._guard.record(reports)
        except PipeledgerError as error:
            if not is_refusal(error):
                self.say(f"records go to the spool {self.spool.folder}: {error}")
                self._has_spooled = self.spool.append(reports) or self._has_spooled
            elif len(reports) == 1:
                self.say(f"a record was refused and set aside (`pipeledger spool list`): {error}")
                self.spool.set_aside([Rejected(reports[0].to_json(), str(error))])
                self._remember(reports)
            else:  # one of them is refused: the others are not to suffer
                for report in reports:
                    self._record_or_spool([report])
            return
        self._remember(reports)
        if self._has_spooled:
            # Part by part: a backlog of an hour must not cost one call more than its deadline.
            until = began + self.settings.deadline_seconds / 2
            delivered = deliver(self.spool, self._guard, only_own=True, until=until)
            self._has_spooled = delivered.error is not None

    def _remember(self, reports: Sequence[Report]) -> None:
        """Keep in mind which declarations the ledger has taken, or refused, from this process."""
        self._declared.update({r.subject: r.content_hash for r in reports if _is_declaration(r)})

    def _is_declared(self, report: Report) -> bool:
        """Whether this process has already recorded exactly this declaration last."""
        if not _is_declaration(report):
            return False
        known = self._declared.get(report.subject)
        return known is not None and known == report.content_hash

    def say(self, text: str) -> None:
        """Log once per kind and minute: an outage must not fill the disk of the one who has it."""
        kind, now = text.partition(":")[0], time.monotonic()
        if now - self._said.get(kind, -60.0) >= 60.0:
            self._said[kind] = now
            log.warning("%s", redact_text(text))

    # Windows and watermarks: these do raise

    def window(
        self,
        pipeline: PipelineRef | str,
        *,
        next_watermark: object = None,
        partition_key: str = "",
        run_key: UUID | None = None,
    ) -> Window:
        """What to load now: from the pipeline's watermark to ``next_watermark``.

        With ``run_key`` the window is recorded on that execution, whose success then moves the
        watermark. A pipeline without a watermark yet gets a window from the beginning.
        Raises WatermarkUnavailable within the deadline: an unknown watermark is never read as none.
        Raises InvalidWatermark for a value of another kind than the pipeline's.
        """
        ref = PipelineRef.of(pipeline, self.settings.namespace)
        try:
            return self._guard.open_window(
                WindowRequest(ref, next_watermark, partition_key, run_key)
            )
        except LedgerUnavailable as error:
            raise WatermarkUnavailable(
                f"the window of pipeline {ref} cannot be known: {error}; run it again when the ledger is back"
            ) from error
        finally:
            if not self._keep_connection:
                self._guard.close()

    def watermark(self, pipeline: PipelineRef | str, *, partition_key: str = "") -> Watermark:
        """How far the pipeline has got; value None if nothing has succeeded yet.

        Raises WatermarkUnavailable within the deadline.
        """
        ref = PipelineRef.of(pipeline, self.settings.namespace)
        try:
            return self._guard.watermark(ref, partition_key)
        except LedgerUnavailable as error:
            raise WatermarkUnavailable(
                f"the watermark of pipeline {ref} cannot be known: {error}"
            ) from error

    def set_watermark(
        self, pipeline: PipelineRef | str, value: object, *, reason: str, partition_key: str = ""
    ) -> Watermark:
        """Put the watermark forward to a value; windows issued before do not move it any more."""
        return self._move(pipeline, value, "set", reason, partition_key)

    def rewind_watermark(
        self, pipeline: PipelineRef | str, value: object, *, reason: str, partition_key: str = ""
    ) -> Watermark:
        """Put the watermark back to a value, None for the beginning, so that data is loaded again."""
        return self._move(pipeline, value, "rewind", reason, partition_key)

    def _move(
        self,
        pipeline: PipelineRef | str,
        value: object,
        cause: str,
        reason: str,
        partition_key: str,
    ) -> Watermark:
        ref = PipelineRef.of(pipeline, self.settings.namespace)
        return self._guard.move_watermark(
            ref, value, cause=cause, reason=reason, partition_key=partition_key
        )

    # On and off

    def is_active(self, pipeline: PipelineRef | str) -> bool:
        """Whether the pipeline is to run: True unless somebody switched it off (`set_active`).

        Nothing is blocked by it: who asks decides, and a run that is skipped is recorded as such.
        True also when the ledger cannot say: it must not stop a pipeline. Never raises.
        """
        try:
            return self._guard.is_active(PipelineRef.of(pipeline, self.settings.namespace))
        except Exception as error:
            self.say(f"whether a pipeline is active cannot be known, it is run: {error}")
            return True

    def set_active(self, pipeline: PipelineRef | str, active: bool) -> None:
        """Switch a pipeline on or off. Raises UnknownPipeline, LedgerUnavailable."""
        self._guard.set_active(PipelineRef.of(pipeline, self.settings.namespace), active)

    # Plain Python

    @contextmanager
    def execution(
        self,
        name: str,
        *,
        namespace: str | None = None,
        parent: UUID | None = None,
        run_key: UUID | None = None,
        inputs: Sequence[Address | str] = (),
        outputs: Sequence[Address | str] = (),
        window: Window | None = None,
        attempt: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        code_version: str | None = None,
        nested: bool = True,
        heartbeat_seconds: float | None = None,
    ) -> Iterator[Execution]:
        """Record what runs inside the ``with`` as one execution of pipeline ``name``.

        An execution inside another one is its child, also across await. An exception is recorded as a
        failure and raised again. ``inputs`` and ``outputs`` become lineage: every input feeds every
        output. ``nested=False`` leaves it to the caller what runs inside (``nest_under``): for a
        generator, whose reader's code runs in between. With ``heartbeat_seconds`` a thread says that
        often that the process lives, so that `pipeledger reap` can tell when it does not. Raises
        InvalidName, InvalidAddress, InvalidInput for what can never be recorded.
        """
        check_interval(heartbeat_seconds)
        ref = PipelineRef(name, namespace or self.settings.namespace)
        run = Execution(
            self,
            ref,
            run_key or keys.random_key(),
            parent if parent is not None else _current.get(),
            tuple(_address(a) for a in inputs),
            tuple(_address(a) for a in outputs),
            window,
        )
        run.start(attempt, attributes, code_version)
        token = nest_under(run.run_key) if nested else None
        heartbeat = None
        if heartbeat_seconds is not None and not self.settings.disabled:
            heartbeat = Heartbeat(run.beat, heartbeat_seconds)
            heartbeat.start()
        try:
            yield run
        except GeneratorExit:
            run.finish(State.SUCCESS, detail="given up by its reader")
            raise
        except BaseException as error:
            run.finish(State.FAILED, error)
            raise
        else:
            run.finish(State.SUCCESS)
        finally:
            if heartbeat is not None:
                heartbeat.stop()
            if token is not None:
                leave(token)

    # Monitoring

    def expect(
        self,
        address: Address | str,
        *,
        freshness: Threshold | None = None,
        completeness: Threshold | None = None,
    ) -> None:
        """Say how old the data of an address may become, in place of what was said; checks hold it to it.

        ``freshness``: since any pipeline last changed it. ``completeness``: how far the watermarks
        upstream may lie back. Neither: it is watched no longer. Raises InvalidAddress, LedgerUnavailable.
        """
        from pipeledger.monitoring.expect import expect

        expect(self.database, address, freshness=freshness, completeness=completeness)

    def check(self, *checks: str) -> Outcome:
        """Look for what is late, missing, failed, held back, stale, changed or odd; all checks where
        none is named. What was found is kept, once however often it is looked.

        Raises InvalidInput for a check that there is not, LedgerUnavailable.
        """
        from pipeledger.model.finding import CHECKS
        from pipeledger.monitoring.check import check

        return check(self.database, checks or CHECKS)

    # Reading

    @property
    def read(self) -> Reader:
        """What was recorded. Its calls raise PipeledgerError when they cannot answer."""
        from pipeledger.store.read import Reader

        return Reader.open(self.database.sqlalchemy_url)


def _is_declaration(report: Report) -> TypeGuard[Declaration]:
    """Whether a repetition says nothing new; one of what was observed says that it still holds."""
    return not isinstance(report, ExecutionReport) and not getattr(report, "observed", False)


def _address(value: Address | str) -> Address:
    return value if isinstance(value, Address) else Address.parse(value)
