"""The main job on real data: a real Airflow DAG and a real Dagster job, recorded into one ledger.

    python examples/demo/run.py [--home .demo]

Everything lies in one folder, which is emptied first; nothing is left running. See `make demo`.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(EXAMPLES / "data"))

import build  # noqa: E402
import screen  # noqa: E402
from airflow_standalone import Airflow, DemoFailed  # noqa: E402
from guard import guarded  # noqa: E402

from pipeledger.store.read import Reader  # noqa: E402

FIRST_DAY_TO_COME = date(2013, 1, 8)
A_DAY_LATER = date(2013, 1, 9)
LIMIT_SECONDS = 150.0
"""How long one thing may take before the demo gives up on it; each takes 5 to 20 seconds."""


class Progress:
    """What the demo is doing, with the seconds since it began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def detail(self, text: str) -> None:
        self.say(f"    {text}")


class Demo:
    """The folder of one demo, and what runs in it."""

    def __init__(self, home: Path, progress: Progress) -> None:
        self.home = home
        self.progress = progress
        self.operational = home / "operational.db"
        self.ledger = home / "ledger.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_foreign(name)},
            "FLIGHTS_HOME": str(home),
            "AIRFLOW_CONN_FLIGHTS_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(home / "warehouse.db")}
            ),
            "DAGSTER_HOME": str(home / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PIPELEDGER_DATABASE_URL": f"sqlite:///{self.ledger}",
            "PIPELEDGER_SPOOL_DIR": str(home / "spool"),
            "PYTHONWARNINGS": "ignore",
        }

    def run(self) -> None:
        say = self.progress.say
        airflow = Airflow(self.home / "airflow", EXAMPLES / "airflow" / "dags", self.environment)
        say("Starting Airflow (standalone, headless) ...")
        with airflow.running():
            rows = build.build(self.operational, FIRST_DAY_TO_COME)
            say(
                f"Built the operational database: it is {FIRST_DAY_TO_COME}, and it holds"
                f" {rows['flights']:,} flights of the 336,776 of 2013"
            )
            airflow.wait_until_ready("flights", LIMIT_SECONDS)
            say(f"Airflow is ready at {airflow.url}")
            self.airflow_run(airflow, "first")
            self.dagster_run("first")
            new = build.move_on(self.operational, A_DAY_LATER)
            say(f"A day passes: it is {A_DAY_LATER}, with {new['flights']:,} flights more")
            self.airflow_run(airflow, "second")
            self.dagster_run("second")
            reader = Reader.open(self.environment["PIPELEDGER_DATABASE_URL"])
            airflow.wait(
                lambda: screen.is_complete(reader), "the ledger to know the end of all", 30
            )
            say("Stopping Airflow ...")
        say("Everything is stopped; this is what was recorded")
        screen.show(reader, self.ledger, self.home / "warehouse.db")

    def airflow_run(self, airflow: Airflow, run_id: str) -> None:
        self.progress.say(f"Airflow: the {run_id} run of the DAG flights")
        state = airflow.run("flights", run_id, self.progress.detail, LIMIT_SECONDS)
        if state != "success":
            raise DemoFailed(f"the {run_id} run of the DAG ended as {state}", airflow.log)

    def dagster_run(self, which: str) -> None:
        self.progress.say(f"Dagster: the {which} run of the job flight_reports")
        home = self.home / "dagster"
        home.mkdir(exist_ok=True)
        home.joinpath("dagster.yaml").write_text("telemetry: {enabled: false}\n")
        log = home / f"{which}.log"
        job = ["-f", str(EXAMPLES / "dagster" / "flights.py"), "-j", "flight_reports"]
        with (
            log.open("w", encoding="utf-8") as copy,
            guarded(
                ["-m", "dagster", "job", "execute", *job],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.home,
            ) as process,
        ):
            assert process.stdout
            for line in process.stdout:
                copy.write(line.decode(errors="replace"))
                if report := step_end(line.decode(errors="replace")):
                    self.progress.detail(report)
            process.wait()
        if process.returncode:
            raise DemoFailed(f"the {which} run of the Dagster job failed", log)


def step_end(line: str) -> str:
    """What to report of a line of Dagster's log: the end of a step, or nothing."""
    parts = line.split(" - ")
    words = {"STEP_SUCCESS": "success", "STEP_FAILURE": "failed"}
    return f"{parts[6]} {words[parts[7]]}" if len(parts) > 8 and parts[7] in words else ""


def _is_foreign(name: str) -> bool:
    """Whether a variable would let somebody's Airflow, Dagster or ledger into the demo."""
    return name.startswith(("AIRFLOW", "DAGSTER", "PIPELEDGER_"))


@contextmanager
def emptied(home: Path) -> Iterator[None]:
    """The demo's folder, empty and ours alone."""
    home.mkdir(parents=True, exist_ok=True)
    marker = home / "pipeledger-demo"
    others = [entry for entry in home.iterdir() if entry != marker]
    if others and not marker.exists():
        raise DemoFailed(f"{home} is not empty and not a demo's folder; give another --home")
    with marker.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoFailed(f"another demo is running in {home}; wait for it") from None
        for entry in others:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        yield


def tail(log: Path, lines: int = 40) -> str:
    with log.open(encoding="utf-8", errors="replace") as text:
        return "".join(deque(text, lines))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the main job and show what was recorded.")
    parser.add_argument(
        "--home", type=Path, default=EXAMPLES.parent / ".demo", help="the demo's folder (emptied)"
    )
    home = parser.parse_args().home.absolute()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    progress = Progress()
    try:
        with emptied(home):
            progress.say(f"Starting from a clean ledger; everything lies in {home}")
            Demo(home, progress).run()
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        if failure.log and failure.log.exists():
            print(f"\nThe end of {failure.log}:\n{tail(failure.log)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
