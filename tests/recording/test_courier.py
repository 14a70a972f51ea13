"""The delivering thread's connection, where the process forks: the parent's, and only the parent's."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pipeledger import Ledger, Settings
from pipeledger.model.keys import random_key
from pipeledger.model.report import ExecutionReport
from pipeledger.recording import delivery
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

SESSIONS = Statement(
    "",
    postgresql="SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'pipeledger' AND pid <> pg_backend_pid()",
)
COUNT = Statement("SELECT count(*) FROM pipeline_execution")
AT = datetime(2024, 1, 1, tzinfo=timezone.utc)
PARENT = """
import os, signal, sys, time
from datetime import datetime, timezone
from pipeledger import Ledger, Settings
from pipeledger.model.keys import random_key
from pipeledger.model.report import ExecutionReport
from pipeledger.recording import delivery

delivery._IDLE_SECONDS, delivery._FORK_SECONDS = 600, 0.01
ledger = Ledger(sys.argv[1], settings=Settings.from_environment({}, spool_dir=sys.argv[2]))
ledger.append(ExecutionReport(random_key(), datetime.now(timezone.utc)))
while any(name.endswith((".spool", ".batch")) for name in os.listdir(sys.argv[2])):
    time.sleep(0.01)
ledger._courier._between_calls.acquire()  # as if a call did not come back
child = os.fork()
if child == 0:
    signal.pause()
print(child, flush=True)
signal.pause()
"""


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def sessions(url: str) -> list[int]:
    with closing(Database.parse(url).connect()) as connection:
        return [row[0] for row in connection.rows(SESSIONS, {})]


def executions(url: str) -> int:
    with closing(Database.parse(url).connect()) as connection:
        found: int = connection.rows(COUNT, {})[0][0]
        return found


def append(ledger: Ledger) -> None:
    ledger.append(ExecutionReport(random_key(), AT))


def test_a_forked_child_delivers_beside_its_parent(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_IDLE_SECONDS", 600)
    settings = Settings.from_environment({}, spool_dir=str(tmp_path / "spool"))
    ledger = Ledger(postgres_url, settings=settings)
    append(ledger)
    wait_for(lambda: executions(postgres_url) == 1)
    child = os.fork()
    if child == 0:
        try:
            append(ledger)  # with a thread and a connection of its own
            wait_for(lambda: executions(postgres_url) == 2)
            del ledger
            gc.collect()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    append(ledger)
    wait_for(lambda: executions(postgres_url) == 3)
    assert len(sessions(postgres_url)) == 1


def test_the_session_ends_with_its_process_though_a_forked_child_lives_on(
    postgres_url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, postgres_url, str(spool)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert len(sessions(postgres_url)) == 1
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        os.kill(child, 0)  # it lives
        wait_for(lambda: sessions(postgres_url) == [])
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


@pytest.mark.parametrize("by", ["thread", "call"])
def test_a_forked_child_has_no_open_sqlite_file_of_its_parents(
    by: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one it would believe that it holds the locks that its parent has."""
    monkeypatch.setattr(delivery, "_IDLE_SECONDS", 600)
    settings = Settings.from_environment({}, spool_dir=str(tmp_path / "spool"))
    ledger = Ledger(sqlite_url, settings=settings)
    if by == "thread":
        append(ledger)
    else:
        ledger.record(ExecutionReport(random_key(), AT))
    wait_for(lambda: executions(sqlite_url) == 1)
    assert open_files("ledger.db"), "the connection is kept"
    child = os.fork()
    if child == 0:
        os._exit(len(open_files("ledger.db")))
    assert os.waitpid(child, 0)[1] == 0
    append(ledger)
    wait_for(lambda: executions(sqlite_url) == 2)


def open_files(name: str) -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue
        if Path(path).name.startswith(name):
            found.append(path)
    return found


def test_a_thread_with_nothing_to_deliver_holds_no_session(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_IDLE_SECONDS", 0.1)
    settings = Settings.from_environment({}, spool_dir=str(tmp_path / "spool"))
    ledger = Ledger(postgres_url, settings=settings)
    append(ledger)
    wait_for(lambda: executions(postgres_url) == 1)
    wait_for(lambda: sessions(postgres_url) == [])
    append(ledger)
    wait_for(lambda: executions(postgres_url) == 2)
