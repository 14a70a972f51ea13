"""The reaper gives up what nobody will end, says why, and is taken back by a sign of life or the truth."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest

from pipeledger import Ledger, Settings
from pipeledger.housekeeping.reap import (
    NO_HEARTBEAT,
    NO_SIGN_OF_LIFE,
    PROCESS_GONE,
    Abandoned,
    reap,
)
from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority, State
from pipeledger.recording import owner
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.read import Reader

NOW = datetime(2024, 1, 10, 12, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOAD = PipelineRef("load")


def key(number: int) -> UUID:
    return UUID(int=number)


def start(number: int, at: datetime, **more: object) -> ExecutionReport:
    return ExecutionReport(
        key(number),
        at,
        pipeline=LOAD,
        state=State.RUNNING,
        started_at=at,
        **more,  # type: ignore[arg-type]
    )


def beat(number: int, at: datetime) -> ExecutionReport:
    return ExecutionReport(key(number), at, pipeline=LOAD, heartbeat_at=at)


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    with closing(SqlRecorder(Database.parse(database_url), 10)) as made:
        yield made


def give_up(url: str, *, dry_run: bool = False, now: datetime = NOW) -> dict[UUID, Abandoned]:
    found: list[Abandoned] = []
    count = reap(
        Database.parse(url),
        older_than=HOUR,
        silent_for=7 * DAY,
        dry_run=dry_run,
        found=found.append,
        now=now,
    )
    assert count == len(found)
    return {abandoned.run_key: abandoned for abandoned in found}


def states(url: str) -> dict[UUID, str]:
    return {e.run_key: str(e.state) for e in Reader.open(url).executions(limit=1000)}


def test_a_run_whose_heartbeats_stopped_is_abandoned_at_its_last_one(
    database_url: str, recorder: SqlRecorder
) -> None:
    last = NOW - 2 * HOUR
    recorder.record([start(1, NOW - DAY), beat(1, last), start(2, NOW - DAY), beat(2, NOW)])
    found = give_up(database_url)
    assert {k: a.rule for k, a in found.items()} == {key(1): NO_HEARTBEAT}
    run = Reader.open(database_url).execution(key(1))
    assert (run.state, run.ended_at) == (State.ABANDONED, last)
    assert run.state_detail == "no heartbeat for 1 hour"
    assert states(database_url)[key(2)] == "running"
    assert give_up(database_url) == {}


def test_a_run_without_heartbeats_is_left_alone_until_it_was_silent_for_much_longer(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([start(1, NOW - 6 * DAY), start(2, NOW - 8 * DAY)])
    assert {k: a.rule for k, a in give_up(database_url).items()} == {key(2): NO_SIGN_OF_LIFE}


def test_a_silent_run_is_alive_as_long_as_something_inside_it_is(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([start(1, NOW - 30 * DAY), start(2, NOW - 30 * DAY)])
    recorder.record([start(3, NOW - 20 * DAY, parent=key(1)), start(4, NOW - DAY, parent=key(3))])
    assert set(give_up(database_url)) == {key(2)}
    assert set(give_up(database_url, now=NOW + 7 * DAY)) == {key(1), key(3), key(4)}


def test_a_run_that_only_its_children_spoke_of_is_never_abandoned(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([start(2, NOW - 30 * DAY, parent=key(1))])
    assert set(give_up(database_url)) == {key(2)}
    assert Reader.open(database_url).execution(key(1)).state is State.RUNNING


def test_an_orchestrator_that_says_it_runs_is_a_sign_of_life(
    database_url: str, recorder: SqlRecorder
) -> None:
    seen = ExecutionReport(key(1), NOW - DAY, Authority.ORCHESTRATOR, state=State.RUNNING)
    recorder.record([start(1, NOW - 30 * DAY), seen])
    assert give_up(database_url) == {}
    found = give_up(database_url, now=NOW + 30 * DAY)
    assert found[key(1)].last_seen_at == NOW - DAY


def test_a_later_heartbeat_takes_it_back_and_an_earlier_one_does_not(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([start(1, NOW - DAY), beat(1, NOW - 2 * HOUR)])
    give_up(database_url)
    recorder.record([beat(1, NOW - 3 * HOUR)])
    assert states(database_url) == {key(1): "abandoned"}
    recorder.record([beat(1, NOW)])
    run = Reader.open(database_url).execution(key(1))
    assert (run.state, run.ended_at, run.state_detail) == (State.RUNNING, None, None)
    assert set(give_up(database_url, now=NOW + 2 * HOUR)) == {key(1)}


def test_the_truth_wins_however_late_it_comes(database_url: str, recorder: SqlRecorder) -> None:
    recorder.record([start(1, NOW - DAY), beat(1, NOW - 2 * HOUR)])
    give_up(database_url)
    ended = NOW - 2 * HOUR - timedelta(minutes=1)
    recorder.record([ExecutionReport(key(1), ended, state=State.SUCCESS, ended_at=ended)])
    run = Reader.open(database_url).execution(key(1))
    assert (run.state, run.ended_at) == (State.SUCCESS, ended)


def test_a_dry_run_changes_nothing(database_url: str, recorder: SqlRecorder) -> None:
    recorder.record([start(1, NOW - 8 * DAY)])
    assert set(give_up(database_url, dry_run=True)) == {key(1)}
    assert states(database_url) == {key(1): "running"}


def test_two_reapers_and_more_runs_than_a_page_give_up_each_run_once(
    database_url: str, recorder: SqlRecorder
) -> None:
    recorder.record([start(n, NOW - 8 * DAY - timedelta(seconds=n)) for n in range(1, 1201)])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: give_up(database_url), range(2)))
    assert set(found[0]) | set(found[1]) == {key(n) for n in range(1, 1201)}
    assert set(states(database_url).values()) == {"abandoned"}
    assert give_up(database_url) == {}


def test_a_run_of_a_process_that_was_killed_is_abandoned_at_once_and_of_one_that_lives_never(
    database_url: str, tmp_path: Path
) -> None:
    script = (
        "import sys, time\nfrom pipeledger import Ledger\n"
        "with Ledger(sys.argv[1]).execution(sys.argv[2]):\n"
        "    print('started', flush=True)\n    time.sleep(600)\n"
    )
    environment = {**os.environ, "PIPELEDGER_SPOOL_DIR": str(tmp_path)}

    def launch(name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, database_url, name],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        return process

    with launch("killed") as killed, launch("lives") as lives:
        try:
            killed.kill()
            # Not waited for yet: a zombie has ended all the same.
            wait_for(lambda: Path(f"/proc/{killed.pid}/stat").read_text().split()[2] == "Z")
            found = give_up(database_url, now=datetime.now(timezone.utc) + 365 * DAY)
            assert [(str(a.pipeline), a.rule) for a in found.values()] == [("killed", PROCESS_GONE)]
            assert (
                f"process {killed.pid} on {os.uname().nodename}"
                in next(iter(found.values())).detail
            )
        finally:
            lives.kill()


def test_a_process_is_not_taken_for_one_that_had_its_pid_before_or_elsewhere() -> None:
    me = owner.attributes()
    assert owner.lives(me) is True
    assert owner.lives({**me, owner.STARTED: me[owner.STARTED] - 1}) is False
    assert owner.lives({**me, owner.SCOPE: "another boot/pid:[1]"}) is None
    assert owner.lives({owner.HOST: me[owner.HOST], owner.PID: 1}) is None


def test_an_execution_says_that_it_lives_as_often_as_it_was_asked_to_and_stops_at_its_end(
    database_url: str, tmp_path: Path
) -> None:
    others = heartbeats()
    ledger = Ledger(database_url, settings=Settings.from_environment(spool_dir=str(tmp_path)))
    with ledger.execution("load", heartbeat_seconds=0.05) as run:

        def heard() -> datetime | None:
            return ledger.read.execution(run.run_key).heartbeat_at

        wait_for(lambda: heard() is not None)
        first = heard()
        wait_for(lambda: heard() != first)
        assert set(heartbeats()) - set(others)
    wait_for(lambda: set(heartbeats()) <= set(others))
    assert ledger.read.execution(run.run_key).state is State.SUCCESS


def test_a_forked_child_does_not_beat_for_its_parent_and_leaves_the_parents_thread_alone(
    database_url: str, tmp_path: Path
) -> None:
    script = (
        "import os, sys, threading\nfrom pipeledger import Ledger\n"
        "with Ledger(sys.argv[1]).execution('load', heartbeat_seconds=0.01):\n"
        "    pids = []\n"
        "    for _ in range(8):\n"
        "        pid = os.fork()\n"
        "        if pid == 0:\n"
        "            break\n"
        "        pids.append(pid)\n"
        "    names = [t.name for t in threading.enumerate()]\n"
        "    assert ('pipeledger-heartbeat' in names) == (pid != 0), names\n"
        "    if pid:\n"
        "        assert [os.waitpid(p, 0)[1] for p in pids] == [0] * 8\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, database_url],
        env={
            **os.environ,
            "PIPELEDGER_SPOOL_DIR": str(tmp_path),
            "PIPELEDGER_DEADLINE_SECONDS": "60",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_heartbeat_that_finds_no_ledger_is_let_go_of_and_not_spooled(tmp_path: Path) -> None:
    settings = Settings.from_environment(spool_dir=str(tmp_path / "spool"), deadline_seconds=0.2)
    ledger = Ledger("postgresql://u@127.0.0.1:1/none", settings=settings)
    with ledger.execution("load") as run:
        waiting = ledger.spool.status().reports
        run.beat()
        assert ledger.spool.status().reports == waiting == 2
        run.heartbeat()
        assert ledger.spool.status().reports == 3


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e9])
def test_a_heartbeat_of_no_sensible_length_is_refused(sqlite_url: str, seconds: float) -> None:
    with (
        pytest.raises(InvalidInput, match="heartbeat_seconds"),
        Ledger(sqlite_url).execution("load", heartbeat_seconds=seconds),
    ):
        pass


def heartbeats() -> list[threading.Thread]:
    """The threads that say that something lives, of this test and of what ran before it."""
    return [t for t in threading.enumerate() if t.name == "pipeledger-heartbeat"]


def wait_for(condition: object) -> None:
    until = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
