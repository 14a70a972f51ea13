"""The spool: what is in it survives, is delivered once, and never blocks what comes after."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import pytest

from pipeledger.model.errors import InvalidReport, LedgerUnavailable
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport, Report
from pipeledger.model.state import State
from pipeledger.recording.delivery import Courier, deliver
from pipeledger.recording.spool import Spool
from pipeledger.testing import ModelRecorder

AT = datetime(2024, 1, 1, tzinfo=timezone.utc)


def report(number: int, **values: object) -> ExecutionReport:
    return ExecutionReport(
        UUID(int=number),
        AT,
        pipeline=PipelineRef("p"),
        state=State.SUCCESS,
        **values,  # type: ignore[arg-type]
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_what_was_appended_is_delivered_and_gone(spool: Spool) -> None:
    assert spool.append([report(1), report(2)])
    assert spool.append([report(3)])
    model = ModelRecorder()
    assert deliver(spool, model).reports == 3
    assert set(model.executions) == {UUID(int=n) for n in (1, 2, 3)}
    assert spool.status().files == 0
    assert deliver(spool, model).reports == 0


def test_only_the_owner_may_read_a_spool_file(spool: Spool) -> None:
    spool.append([report(1)])
    assert stat.S_IMODE(spool.own_file.stat().st_mode) == 0o600


def test_no_secret_reaches_the_disk(spool: Spool) -> None:
    spool.append([report(1, metadata={"password": "hunter2", "url": "postgres://u:hunter2@h/d"})])
    assert b"hunter2" not in spool.own_file.read_bytes()


class Refusing(ModelRecorder):
    """A ledger that refuses one execution for ever."""

    def record(self, reports: list[Report]) -> None:  # type: ignore[override]
        if any(isinstance(r, ExecutionReport) and r.run_key == UUID(int=7) for r in reports):
            raise InvalidReport("number seven")
        super().record(reports)


def test_a_poisonous_record_is_set_aside_with_its_error_and_blocks_nothing(spool: Spool) -> None:
    spool.append([report(n) for n in range(1, 20)])
    ledger = Refusing()
    result = deliver(spool, ledger)
    assert (result.reports, result.rejected, result.error) == (18, 1, None)
    assert UUID(int=7) not in ledger.executions and len(ledger.executions) == 18
    [rejected] = spool.rejected()
    assert rejected.error == "number seven"
    assert rejected.report["run_key"] == str(UUID(int=7))
    assert spool.status().rejected == 1
    assert spool.purge() == 1
    assert spool.status().rejected == 0


class Down(ModelRecorder):
    def record(self, reports: object) -> None:
        raise LedgerUnavailable("down")


def test_what_cannot_be_delivered_now_stays(spool: Spool) -> None:
    spool.append([report(1)])
    assert deliver(spool, Down()).error == "down"
    assert spool.status().reports == 1
    model = ModelRecorder()
    deliver(spool, model)
    assert set(model.executions) == {UUID(int=1)}


def test_a_line_that_was_torn_is_left_out_and_the_rest_delivered(spool: Spool) -> None:
    spool.append([report(1), report(2)])
    content = spool.own_file.read_bytes()
    spool.own_file.write_bytes(content + content[: len(content) // 3])
    model = ModelRecorder()
    deliver(spool, model)
    assert set(model.executions) == {UUID(int=1), UUID(int=2)}


def test_a_full_spool_keeps_the_oldest_and_counts_what_it_drops(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=2000)
    kept = [n for n in range(1, 50) if spool.append([report(n)])]
    status = spool.status()
    assert kept == list(range(1, len(kept) + 1)) and 1 < len(kept) < 49
    assert status.bytes <= 2000
    assert status.dropped == 49 - len(kept)
    assert [r.run_key.int for r in spool.waiting() if isinstance(r, ExecutionReport)] == kept


def test_a_full_disk_loses_the_record_and_never_a_half_line(spool: Spool) -> None:
    spool.append([report(1)])
    size = spool.own_file.stat().st_size
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        assert not spool.append([report(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert spool.own_file.stat().st_size == size
    assert spool.append([report(3)])
    assert [r.run_key.int for r in spool.waiting() if isinstance(r, ExecutionReport)] == [1, 3]
    assert spool.status().dropped == 1


WRITER = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID
from pipeledger.model.report import ExecutionReport
from pipeledger.recording.spool import Spool
spool, first = Spool(Path(sys.argv[1])), int(sys.argv[2])
for n in range(first, first + int(sys.argv[3])):
    assert spool.append([ExecutionReport(UUID(int=n), datetime(2024, 1, 1, tzinfo=timezone.utc))], durable=False)
    print(n, flush=True)
"""


def start_writer(spool: Spool, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(spool.folder), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_nothing_is_lost_while_several_deliver_what_several_write(spool: Spool) -> None:
    writers = [start_writer(spool, 1000 * w, 300) for w in range(1, 4)]
    model = ModelRecorder()
    total = 0
    while any(w.poll() is None for w in writers):
        total += deliver(spool, model).reports
    total += deliver(spool, model).reports
    for writer in writers:
        assert writer.wait() == 0
        assert writer.stdout is not None
        writer.stdout.close()
    assert {k.int for k in model.executions} == {
        1000 * w + n for w in range(1, 4) for n in range(300)
    }
    assert total == 900, "each report is delivered once"


def test_what_a_killed_process_had_acknowledged_is_there(spool: Spool) -> None:
    writer = start_writer(spool, 1, 100_000)
    assert writer.stdout is not None
    while int(writer.stdout.readline()) < 50:
        pass
    writer.send_signal(signal.SIGKILL)
    acknowledged = [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    model = ModelRecorder()
    deliver(spool, model)
    assert {k.int for k in model.executions} >= set(range(1, max([50, *acknowledged]) + 1))


def test_a_forked_child_writes_to_a_file_of_its_own(spool: Spool) -> None:
    spool.append([report(1)])
    pid = os.fork()
    if pid == 0:
        spool.append([report(2)])
        os._exit(0)
    os.waitpid(pid, 0)
    assert spool.status().files == 2
    assert spool.status().reports == 2


def test_the_courier_delivers_when_woken_and_again_in_a_forked_child(spool: Spool) -> None:
    model = ModelRecorder()
    courier = Courier(spool, lambda: model)
    spool.append([report(1)])
    courier.wake()
    assert courier.wait_until_idle(10)
    assert set(model.executions) == {UUID(int=1)}
    pid = os.fork()
    if pid == 0:
        spool.append([report(2)])
        courier.wake()
        delivered = courier.wait_until_idle(10) and set(model.executions) == {
            UUID(int=1), UUID(int=2)
        }  # fmt: skip
        os._exit(0 if delivered else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_that_was_forked_during_a_delivery_does_not_keep_the_batch(spool: Spool) -> None:
    spool.append([report(1)])
    delivery = spool.claim()
    next(delivery)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(theirs)
        os.read(ours, 1)  # lives on, with the descriptor it inherited
        os._exit(0)
    delivery.close()  # type: ignore[attr-defined]  # the delivery failed: the batch stays
    model = ModelRecorder()
    assert deliver(spool, model).reports == 1
    os.close(theirs)
    os.waitpid(pid, 0)
    os.close(ours)


def test_a_file_that_somebody_keeps_locked_is_left_for_a_new_one(spool: Spool) -> None:
    spool.append([report(1)])
    locked = os.open(spool.own_file, os.O_RDONLY)
    fcntl.flock(locked, fcntl.LOCK_EX)
    try:
        assert spool.append([report(2)])
    finally:
        os.close(locked)
    assert spool.status().reports == 2 and spool.status().files == 2
    assert spool.status().dropped == 0
