"""The public names of the package are what can be imported."""

from __future__ import annotations

import subprocess
import sys

import pipeledger_dagster


def test_the_public_names_are_what_can_be_imported() -> None:
    assert sorted(pipeledger_dagster.__all__) == pipeledger_dagster.__all__
    for name in pipeledger_dagster.__all__:
        assert callable(getattr(pipeledger_dagster, name))


def test_the_commands_are_found_without_importing_the_orchestrator() -> None:
    code = "import pipeledger_dagster.command, sys; print('dagster' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
