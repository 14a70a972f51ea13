"""The public names of the package are what can be imported."""

from __future__ import annotations

import subprocess
import sys

import pipeledger_airflow


def test_the_public_names_are_what_can_be_imported() -> None:
    assert sorted(pipeledger_airflow.__all__) == pipeledger_airflow.__all__
    for name in pipeledger_airflow.__all__:
        assert callable(getattr(pipeledger_airflow, name))


def test_the_commands_are_found_without_importing_the_orchestrator() -> None:
    code = "import pipeledger_airflow.command, sys; print('airflow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
