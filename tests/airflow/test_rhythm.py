"""The rhythm in which a DAG is expected to run, as Airflow's timetables state it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow_tries import TaskRunner

from pipeledger.model import rhythm


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is registered of a DAG with each timetable: its schedule and its rhythm."""
    script = Path(__file__).parent / "airflow_timetables.py"
    out = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        env=TaskRunner(tmp_path_factory.mktemp("timetables")).environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.returncode == 0, out.stderr[-3000:]
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("timetable", "words"),
    [
        ("cron", "0 5 * * * Europe/Berlin"),
        ("preset", "0 0 * * * Europe/Berlin"),
        ("delta", "every 15 minutes"),
        ("relative delta", "every 6 hours"),
        ("months", None),
        ("cron trigger", "0 5 * * 1-5 America/New_York"),
        ("fixed offset", "0 5 * * * UTC-02:00"),
        ("odd offset", "0 5 * * * UTC+05:30"),
        ("cron interval", "0 * * * *"),
        ("short zone", "0 5 * * * CET"),
        ("crons", "0 5 * * * Europe/Berlin; 0 6 * * 1 Europe/Berlin"),
        ("delta interval", "every 1 hour"),
        ("delta trigger", "every 1 day"),
        ("asset or time", "0 5 * * * Europe/Berlin"),
        ("assets", None),
        ("continuous", None),
        ("once", None),
        ("none", None),
        ("events", None),
    ],
)
def test_a_timetable_says_when_its_dag_is_expected_and_in_which_time_zone(
    declared: Any, timetable: str, words: str | None
) -> None:
    said = declared[timetable]
    found = rhythm.of(said["schedule"], {"rhythm": said["rhythm"]})
    assert (None if found is None else str(found)) == words


@pytest.mark.parametrize("timetable", ["of a user", "months", "none"])
def test_what_cannot_be_told_is_left_out(declared: Any, timetable: str) -> None:
    assert declared[timetable]["rhythm"] is None


def test_a_dag_that_ends_is_expected_until_then(declared: Any) -> None:
    assert declared["ended"]["rhythm_until"] == "2026-01-31T23:00:00.000000Z"
    assert declared["cron"]["rhythm_until"] is None


def test_every_cron_text_is_there_for_programs(declared: Any) -> None:
    assert declared["crons"]["rhythm"] == [
        {"cron": "0 5 * * *", "timezone": "Europe/Berlin"},
        {"cron": "0 6 * * 1", "timezone": "Europe/Berlin"},
    ]
    assert declared["delta"]["rhythm"] == [{"interval_seconds": 900.0}]
