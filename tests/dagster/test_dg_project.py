"""A project made by Dagster's own tooling, with the one line added."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster_ledger import rows_of

from pipeledger.ledger import Ledger

pytestmark = pytest.mark.scenario

BIN = Path(sys.executable).parent


@pytest.fixture
def project(
    tmp_path: Path, dagster_home: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of a new project, whose tools this environment has."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VIRTUAL_ENV", str(BIN.parent))
    _call(tmp_path, "create-dagster", "project", "shop", "--no-uv-sync")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shop" / "src"))
    return tmp_path / "shop"


def _call(folder: Path, tool: str, *arguments: str) -> str:
    done = subprocess.run([str(BIN / tool), *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_project_with_the_one_line_is_checked_listed_and_recorded(
    project: Path, ledger: Ledger
) -> None:
    definitions = project / "src" / "shop" / "definitions.py"
    made = definitions.read_text()
    loads = "load_from_defs_folder(path_within_project=Path(__file__).parent)"
    assert f"return {loads}" in made
    definitions.write_text(
        "from pipeledger_dagster import watch\n" + made.replace(loads, f"watch({loads})")
    )
    _call(project, "dg", "scaffold", "defs", "dagster.asset", "sold.py")
    (project / "src" / "shop" / "defs" / "sold.py").write_text(
        "import dagster as dg\n\n\n@dg.asset\ndef sold() -> int:\n    return 1\n\n\n"
        "@dg.asset(deps=[sold])\ndef revenue() -> None: ...\n"
    )
    _call(project, "dg", "check", "defs")
    listed = _call(project, "dg", "list", "defs", "--json")
    for name in ("sold", "revenue", "pipeledger_reconcile"):
        assert f'"{name}"' in listed
    assert "dagster.DefsFolderComponent" in _call(project, "dg", "list", "components")

    _call(project, "dg", "launch", "--assets", "*")
    (run,) = ledger.read.executions(top_level=True).items
    assert (run.name, run.state.value) == ("__ASSET_JOB", "success")
    rows = rows_of(ledger, str(run.run_key))
    assert [(s.name, s.state.value) for s in rows.steps] == [
        ("sold", "success"),
        ("revenue", "success"),
    ]
