"""A ledger that is down, slow or hanging costs the deadline once, and never an exception."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pipeledger import Ledger, Settings, State, WatermarkUnavailable
from pipeledger.model.keys import random_key
from pipeledger.model.report import ExecutionReport
from pipeledger.recording.delivery import deliver
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

COUNT = Statement("SELECT count(*), count(end_date) FROM pipeline_execution")
AT = datetime(2024, 1, 1, tzinfo=timezone.utc)


def settings(folder: Path, **values: object) -> Settings:
    return Settings.from_environment({}, spool_dir=str(folder / "spool"), **values)


def count(url: str) -> tuple[int, int]:
    with closing(Database.parse(url).connect()) as connection:
        executions, ended = connection.rows(COUNT, {})[0]
        return executions, ended


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port that takes connections and never answers: no timeout of libpq's own ends this."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"postgresql://u:hunter2@127.0.0.1:{server.getsockname()[1]}/ledger"


def test_a_ledger_that_hangs_costs_the_deadline_once_and_then_nothing(
    black_hole: str, tmp_path: Path
) -> None:
    ledger = Ledger(black_hole, settings=settings(tmp_path, deadline_seconds=0.5))
    started = time.monotonic()
    with ledger.execution("load") as run:
        run.rows(inserts=5)
        first = time.monotonic() - started
    whole = time.monotonic() - started
    assert first >= 0.5, "the first call waited for the ledger"
    assert whole - first < first, "the breaker is open: the second call did not wait again"
    assert ledger.spool.status().reports == 3


def test_a_sqlite_file_that_somebody_keeps_locked_costs_the_deadline_once(
    sqlite_url: str, tmp_path: Path
) -> None:
    ledger = Ledger(sqlite_url, settings=settings(tmp_path, deadline_seconds=0.5))
    with closing(Database.parse(sqlite_url).connect()) as other:
        other.begin()
        started = time.monotonic()
        with ledger.execution("load"):
            first = time.monotonic() - started
        whole = time.monotonic() - started
    assert first >= 0.4 and whole - first < first
    assert ledger.spool.status().reports == 3
    assert ledger.flush().reports == 3
    assert count(sqlite_url) == (1, 1)


def test_a_window_from_a_ledger_that_hangs_is_refused_and_never_from_the_beginning(
    black_hole: str, tmp_path: Path
) -> None:
    ledger = Ledger(black_hole, settings=settings(tmp_path, deadline_seconds=0.5))
    with pytest.raises(WatermarkUnavailable) as caught:
        ledger.window("load", next_watermark=5)
    assert "hunter2" not in str(caught.value)


def test_what_was_spooled_is_delivered_when_the_ledger_is_back(
    database_url: str, black_hole: str, tmp_path: Path
) -> None:
    down = Ledger(black_hole, settings=settings(tmp_path, deadline_seconds=0.2))
    with down.execution("load"):
        pass
    up = Ledger(database_url, settings=settings(tmp_path))
    assert up.flush().reports == 3
    assert count(database_url) == (1, 1)
    assert up.flush().reports == 0
    up.close()


def test_a_process_delivers_its_own_spooled_records_once_the_ledger_answers_again(
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder of the ledger should be")
    ledger = Ledger(f"sqlite:///{blocked}/ledger.db", settings=settings(tmp_path))
    with ledger.execution("load"):
        pass
    assert ledger.spool.status().reports == 3
    blocked.unlink()
    ledger._guard._retry_at = 0.0  # as after half a minute
    with ledger.execution("load"):
        pass
    assert count(f"sqlite:///{blocked}/ledger.db") == (2, 2)
    assert ledger.spool.status().reports == 0
    ledger.close()


def test_the_exception_of_the_users_code_passes_unchanged(black_hole: str, tmp_path: Path) -> None:
    ledger = Ledger(black_hole, settings=settings(tmp_path, deadline_seconds=0.2))
    with pytest.raises(KeyboardInterrupt), ledger.execution("load"):
        raise KeyboardInterrupt


def test_a_refused_report_does_not_take_the_others_with_it(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from pipeledger.model.pipeline import PipelineRef
    from pipeledger.model.watermark import Window

    ledger = Ledger(database_url, settings=settings(tmp_path))
    load = PipelineRef("load")
    good = ExecutionReport(random_key(), AT, pipeline=load, window=Window.of(1, 2))
    poison = ExecutionReport(random_key(), AT, pipeline=load, window=Window.of("a", "b"))
    ledger.record(good)
    ledger.record(poison, ExecutionReport(random_key(), AT, pipeline=load))
    assert count(database_url)[0] == 2
    assert "kind integer" in caplog.text
    ledger.close()


def test_a_forked_child_records_with_a_connection_of_its_own(
    database_url: str, tmp_path: Path
) -> None:
    ledger = Ledger(database_url, settings=settings(tmp_path))
    with ledger.execution("parent"):
        pid = os.fork()
        if pid == 0:
            with ledger.execution("child"):
                pass
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with ledger.execution("after"):
            pass
    assert count(database_url) == (3, 3)
    assert ledger.spool.status().reports == 0
    ledger.close()


def test_a_fork_while_another_thread_is_inside_a_call_leaves_the_child_free(
    black_hole: str, tmp_path: Path
) -> None:
    ledger = Ledger(black_hole, settings=settings(tmp_path, deadline_seconds=30.0))
    thread = threading.Thread(
        target=ledger.record, args=(ExecutionReport(random_key(), AT),), daemon=True
    )
    thread.start()
    while not ledger._guard._lane.lock.locked():
        time.sleep(0.001)
    pid = os.fork()
    if pid == 0:
        os._exit(1 if ledger._guard._lane.lock.locked() else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_calls_share_a_thread_that_is_gone_before_a_fork_and_with_its_ledger(
    postgres_url: str, tmp_path: Path
) -> None:
    others = set(threading.enumerate())

    def callers() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if t.name == "pipeledger-call"} - others

    ledger = Ledger(postgres_url, settings=settings(tmp_path))
    with ledger.execution("before"):
        (kept,) = callers()
    assert callers() == {kept}
    pid = os.fork()
    if pid == 0:
        os._exit(len(callers()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not kept.is_alive()
    with ledger.execution("after"):
        (other,) = callers()
    ledger.close()
    other.join(20)
    with ledger.execution("once more"):
        (last,) = callers()
    del ledger
    gc.collect()
    last.join(20)
    assert not other.is_alive() and not last.is_alive()
    assert count(postgres_url) == (3, 3)


def test_many_threads_share_one_ledger(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url, settings=settings(tmp_path, deadline_seconds=30.0))

    def work() -> None:
        for _ in range(10):
            with ledger.execution("threaded"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(database_url) == (80, 80)
    ledger.close()


def test_append_returns_at_once_and_a_thread_delivers(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url, settings=settings(tmp_path))
    ledger.append(ExecutionReport(random_key(), AT, state=State.SUCCESS, ended_at=AT))
    assert ledger._courier.wait_until_idle(20)
    assert count(database_url) == (1, 1)


def test_disabled_records_nothing(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url, settings=settings(tmp_path, disabled=True))
    with ledger.execution("load"):
        pass
    ledger.append(ExecutionReport(random_key(), AT))
    assert count(database_url) == (0, 0)
    assert ledger.spool.status().reports == 0


CREATOR = """
import sys
from datetime import datetime, timezone
from pipeledger import Ledger, Settings
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(sys.argv[1], settings=Settings.from_environment({}, spool_dir=sys.argv[2], deadline_seconds=60.0))
for n in range(5):
    with ledger.execution(f"load-{n}", inputs=["s3://b/in"], outputs=[f"s3://b/{n}"]) as run:
        run.rows(inserts=1)
"""


@pytest.mark.parametrize("processes", [16])
def test_many_processes_at_first_use_make_one_ledger_and_lose_nothing(
    empty_or_fresh_url: str, tmp_path: Path, processes: int
) -> None:
    command = [sys.executable, "-c", CREATOR, empty_or_fresh_url, str(tmp_path / "spool")]
    running = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    results = [process.communicate(b"go\n") for process in running]
    assert [p.returncode for p in running] == [0] * processes, results
    assert {stderr for _, stderr in results} == {b""}
    with closing(SqlRecorder(Database.parse(empty_or_fresh_url))) as recorder:
        deliver(Ledger(empty_or_fresh_url, settings=settings(tmp_path)).spool, recorder)
    assert count(empty_or_fresh_url) == (processes * 5, processes * 5)
    with closing(Database.parse(empty_or_fresh_url).connect()) as connection:
        rows = connection.rows(
            Statement("SELECT (SELECT count(*) FROM pipeline), (SELECT count(*) FROM address)"), {}
        )
    assert rows == [(5, 6)], "each new pipeline and address has one row"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_or_fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger that nobody has used: a SQLite file that is not there, a migrated PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
