"""``dagster job execute``: a run worker of its own, as in production without a web server."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
from dagster_ledger import rows_of

from pipeledger.ledger import Ledger

PROJECTS = Path(__file__).parent / "projects"


def test_a_run_from_the_command_line_is_recorded(ledger: Ledger, dagster_home: Path) -> None:
    run = subprocess.run(
        [
            str(Path(sys.executable).parent / "dagster"),
            "job",
            "execute",
            "-f",
            str(PROJECTS / "kitchen.py"),
            "-j",
            "landing",
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    with dg.DagsterInstance.get() as instance:
        (run_id,) = [r.run_id for r in instance.get_runs()]
    rows = rows_of(ledger, run_id)
    assert {name for name, _ in rows.states()} == {"flights", "delays", "delays_delays_are_known"}
    assert rows.run.state.value == "success"
    assert ledger.read.watermarks("flights")[0].value == "2013-01-02"
