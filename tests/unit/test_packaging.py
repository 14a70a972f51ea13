"""What the repository promises about its set-up: pins, targets, entry points, extras."""

from __future__ import annotations

import configparser
import re
import subprocess
from dataclasses import fields
from importlib.metadata import distribution
from pathlib import Path

from pipeledger.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]


def test_constraints_hold_names_and_versions_only() -> None:
    pin = re.compile(
        r"[a-z0-9][a-z0-9.-]*==[0-9][\w.+!]*( ; (python_full_version|platform|impl).+)?"
    )
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not pin.fullmatch(line)] == []


def test_every_pin_of_the_setup_is_there() -> None:
    pins = (ROOT / "constraints.txt").read_text()
    for name in ("uv", "apache-airflow", "dagster", "dagster-webserver", "sqlalchemy", "pytest"):
        assert re.search(rf"^{name}==", pins, re.MULTILINE), name


def test_make_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE))
    assert listed == set(phony[1].split())
    assert listed >= {"demo", "test", "scenarios", "bench", "lint", "format", "serve", "clean"}
    assert listed >= {"help", "add-migration", "upgrade"}


def test_entry_points_are_the_command_and_the_airflow_plugin() -> None:
    points = {(p.group, p.name): p.value for p in distribution("pipeledger").entry_points}
    assert points == {
        ("console_scripts", "pipeledger"): "pipeledger.cli.app:main",
        ("pipeledger.commands", "airflow"): "pipeledger_airflow.command:app",
        ("pipeledger.commands", "dagster"): "pipeledger_dagster.command:app",
        ("airflow.plugins", "pipeledger"): "pipeledger_airflow.plugin:PipeledgerPlugin",
    }


def test_no_extra_is_missing() -> None:
    extras = set(distribution("pipeledger").metadata.get_all("Provides-Extra") or [])
    assert extras >= {"airflow", "dagster", "server", "sql", "alerts", "http", "monitoring", "otel"}
    assert extras >= {"all", "dev"}


def test_tox_tests_the_wheel_alone_and_with_each_orchestrator() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    assert tox["testenv"]["package"] == "wheel"
    environments = {name.strip() for name in tox["tox"]["env_list"].split(",")}
    assert environments >= {"core", "airflow", "dagster", "all", "lint"}
    assert {"airflow", "dagster"}.isdisjoint(tox["testenv"]["extras"].split())


def test_every_package_is_typed() -> None:
    for package in (
        "core/pipeledger",
        "airflow_plugin/pipeledger_airflow",
        "dagster_integration/pipeledger_dagster",
        "migrations/pipeledger_migrations",
    ):
        assert (ROOT / package / "py.typed").exists(), package


def test_the_example_environment_names_every_setting() -> None:
    example = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#(PIPELEDGER_[A-Z_]+)=", example, re.MULTILINE)
    assert sorted(named) == sorted(PREFIX + field.name.upper() for field in fields(Settings))
