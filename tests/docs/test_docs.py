"""The documentation cannot drift: generated parts, completeness, links, and blocks that run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text

import pipeledger
from pipeledger.cli.app import app
from pipeledger.model import errors
from pipeledger.settings import PREFIX, Settings
from pipeledger.store.read.engine import engine_for
from pipeledger.store.tables import metadata

from .blocks import DOCS, ROOT, Block, Shell, blocks

PAGES = [
    *sorted(DOCS.glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples" / "README.md",
]
RUN = [
    "README.md",
    "docs/addresses.md",
    "docs/tutorial.md",
    "docs/python.md",
    "docs/housekeeping.md",
    "docs/sql.md",
    "docs/monitoring.md",
    "docs/probes.md",
    "docs/report.md",
]


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_generated_parts_are_what_the_generator_writes() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + "run: python docs/generate.py"


def test_every_command_is_documented() -> None:
    page = (DOCS / "cli.md").read_text()
    commands = list(_commands(typer.main.get_command(app)))
    assert len(commands) > 15
    for command in commands:
        assert f"$ pipeledger {command} --help" in page, command


def test_every_setting_is_documented() -> None:
    for page in (DOCS / "configuration.md", ROOT / ".env.example"):
        for setting in fields(Settings):
            assert PREFIX + setting.name.upper() in page.read_text(), (page.name, setting.name)


def test_every_error_is_documented() -> None:
    page = (DOCS / "troubleshooting.md").read_text()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.PipeledgerError):
            assert f"`{name}`" in page, name


def test_every_table_and_column_is_documented() -> None:
    page = (DOCS / "schema.md").read_text()
    for table in metadata.tables.values():
        assert re.search(rf"^## .*\b{table.name}\b", page, re.MULTILINE), table.name
        for column in table.columns:
            assert f"| `{column.name}` |" in page, column


def test_every_public_name_is_documented() -> None:
    page = (DOCS / "python.md").read_text()
    for name in pipeledger.__all__:
        assert re.search(rf"`{name}\b", page), name


def test_the_json_in_the_documentation_has_the_keys_that_the_commands_print() -> None:
    from pipeledger.model.address import Address
    from pipeledger.model.address_view import AddressUse, AddressView, ColumnSpan
    from pipeledger.model.completeness import CompleteView, UpstreamMark
    from pipeledger.model.finding import Finding, FindingState, Severity
    from pipeledger.model.impact import AffectedPipeline, Consumer, ImpactView
    from pipeledger.model.lineage_views import (
        ColumnLineageEdge,
        ColumnLineageView,
        ColumnNode,
        ColumnOf,
        Cycle,
        CyclesView,
        LineageEdge,
        LineageNode,
        LineageView,
        PathView,
    )
    from pipeledger.model.pipeline import PipelineRef
    from pipeledger.model.report import DatasetUse, RunError
    from pipeledger.model.state import State
    from pipeledger.model.times import now
    from pipeledger.model.tree import ExecutionTree
    from pipeledger.model.views import (
        ExecutionView,
        PipelineView,
        WatermarkMove,
        WatermarkView,
        WindowView,
    )
    from pipeledger.monitoring.check import Checked, Outcome
    from pipeledger.store.read.addresses import FoundAddress

    ref, key = PipelineRef("p"), __import__("uuid").uuid4()
    address = Address("file", "/a")
    run = ExecutionView(
        key, ref, "t", State.FAILED, started_at=now(), ended_at=now(), window=WindowView("1", "2"),
        error=RunError("E", "m"), inputs=(DatasetUse(address),), outputs=(DatasetUse(address),),
    )  # fmt: skip
    column = ColumnOf(address, "c")
    mark = UpstreamMark(ref, "", now(), 1, address, now(), run)
    printed = [
        run.to_json(),
        ExecutionTree(run, (ExecutionTree(run),)).to_json(),
        PipelineView(ref, "t", "g", True, None, "1", "integer", 0, run).to_json(),
        WatermarkView(
            ref, "", "1", "integer", 0, now(), (run,), (run,), WindowView("1", "2")
        ).to_json(),
        FoundAddress(address, (address,), 1, 1).to_json(),
        AddressView(
            address,
            (address,),
            (ColumnSpan("a", "text", 1, now(), None, now(), address),),
            (AddressUse(ref, ("declared",), now(), now()),),
            (),
            run,
        ).to_json(),
        WatermarkMove(ref, "", 0, "set", "1", "2", key, "r", now()).to_json(),
        LineageView(
            address,
            "upstream",
            (LineageNode(address, 1),),
            (LineageEdge(address, address, (ref,)),),
        ).to_json(),
        ColumnLineageView(
            column,
            "upstream",
            (ColumnNode(column, 1),),
            (ColumnLineageEdge(column, column, ("direct",), (ref,)),),
        ).to_json(),
        PathView(address, address, ()).to_json(),
        CyclesView((Cycle(1, (address,), (address,)),)).to_json(),
        CompleteView(address, (mark,), (ref,), (mark,), 1).to_json(),
        Outcome(
            now(),
            (Checked("failed"),),
            (Finding(1, "failed", Severity.ERROR, FindingState.OPEN, "m", now(), now(), now(), 1),),
        ).to_json(),
        ImpactView(
            run,
            (address,),
            (Consumer(run, 1, address),),
            (LineageNode(address, 1),),
            (AffectedPipeline(ref, 1, address),),
        ).to_json(),
    ]
    documented = {
        name for block in blocks(DOCS / "cli.md", "json") for name in _keys(json.loads(block.text))
    }
    assert set().union(*map(_keys, printed)) <= documented


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(v) for v in value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name}: {target}"
        assert ROOT in (there, *there.parents), f"{page.name}: {target} leaves the repository"
        if anchor:
            assert anchor in _anchors(there), f"{page.name}: {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, page.name


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("name", RUN)
def test_the_blocks_of_a_page_run_one_after_the_other(name: str, tmp_path: Path) -> None:
    """As a reader would: Python blocks are one program, files are saved, console output is compared."""
    shell = Shell(tmp_path)
    program: list[str] = []
    ran = 0
    for block in blocks(ROOT / name, "python", "console"):
        if _needs_what_is_not_installed(block):
            continue
        ran += 1
        if block.language == "console":
            shell.run(block)
        elif "file" in block.options:
            (tmp_path / block.options["file"]).write_text(block.text)
        else:
            # Blank lines, so that a traceback names the page's own line.
            lines_so_far = "".join(program).count("\n")
            program.append("\n" * max(0, block.line - lines_so_far) + block.text)
    if program:
        path = tmp_path / "page.py"
        path.write_text("".join(program))
        done = subprocess.run(
            [sys.executable, "-W", "error", path.name],
            cwd=tmp_path,
            env={**shell.environment, "DAGSTER_HOME": "", "DAGSTER_DISABLE_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert ran


def _needs_what_is_not_installed(block: Block) -> bool:
    wanted = {
        name
        for name in ("airflow", "dagster")
        if re.search(rf"^(import|from) {name}", block.text, re.M)
    }
    return any(importlib.util.find_spec(name) is None for name in wanted)


def test_the_queries_of_the_schema_page_run(database_url: str) -> None:
    queries = blocks(DOCS / "schema.md", "sql")
    assert queries
    with engine_for(database_url).connect() as connection:
        for query in queries:
            connection.execute(text(query.text.rstrip().rstrip(";"))).all()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_page_names_a_password_or_a_folder_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])(/work|/root|/home/\w+)/", page.read_text())
    assert os.environ.get("HOME", "/nowhere") + "/" not in page.read_text().replace("~/", "")
