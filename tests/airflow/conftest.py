"""Airflow for tests: its real task runner, in a process and with a ledger of its own."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers beside the tests

from airflow_tries import TaskRunner

try:
    version("apache-airflow")
except PackageNotFoundError:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def task_runner(tmp_path: Path) -> TaskRunner:
    """A task runner with a fresh ledger."""
    return TaskRunner(tmp_path)


@pytest.fixture(scope="session")
def new_task_runner(tmp_path_factory: pytest.TempPathFactory) -> TaskRunner:
    """A task runner for tests that share what it recorded."""
    return TaskRunner(tmp_path_factory.mktemp("tries"))
