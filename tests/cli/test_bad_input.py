"""Bad input gets one sentence on stderr: exit code 1, 2 for wrong usage; no traceback, no password."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from .conftest import Answer, Cli

SECRET = "hunter2-very-secret"


def _is_one_sentence(answer: Answer) -> bool:
    assert answer.code == 1, answer
    assert answer.out == ""
    assert SECRET not in answer.err and "Traceback" not in answer.err
    return re.fullmatch(r"pipeledger: [^\n]+\n", answer.err) is not None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("banana", "is not a database URL"),
        (f"mysql://me:{SECRET}@host/db", "is not a database URL"),
        (f"http://me:{SECRET}@host/", "is not a database URL"),
        (f"postgresql://me:{SECRET}@host", "names no database"),
        (f"postgresql+asyncpg://me:{SECRET}@host/db", "driver 'asyncpg'"),
        ("sqlite://", "names no file"),
        ("sqlite:////nowhere/at/all.db", "there is no ledger at /nowhere/at/all.db"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", "cannot be reached"),
    ],
)
@pytest.mark.parametrize("command", [["pipelines"], ["watermark", "show", "x"], ["db", "current"]])
def test_a_database_url_that_cannot_be_used(
    cli: Cli, url: str, said: str, command: list[str]
) -> None:
    answer = cli("--database-url", url, *command)
    assert _is_one_sentence(answer) and said in answer.err


def test_a_file_that_is_not_a_database(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database " * 1000)
    for command in (["runs"], ["db", "upgrade"], ["db", "check"]):
        answer = cli("--database-url", f"sqlite:///{path}", *command)
        assert _is_one_sentence(answer) and "is not a SQLite database" in answer.err
    assert path.read_text() == "not a database " * 1000


@pytest.mark.parametrize(("revision", "said"), [("0000", "older schema"), ("9999", "newer schema")])
def test_another_schema(cli: Cli, ledger_url: str, revision: str, said: str) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()
    for command in (
        ["pipelines"],
        ["runs"],
        ["run", "00000001"],
        ["watermark", "show", "nightly.load"],
        ["watermark", "set", "nightly.load", "2014-01-01", "--reason", "test"],
        ["lineage", "wh.public.flights"],
    ):
        answer = cli(*command)
        assert _is_one_sentence(answer) and said in answer.err, command


def test_a_database_without_a_ledger_says_how_to_make_one(
    cli: Cli, empty_database_url: str
) -> None:
    create_engine(empty_database_url).connect().close()
    answer = cli("--database-url", empty_database_url, "pipelines")
    assert _is_one_sentence(answer) and "pipeledger db upgrade" in answer.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run", "banana"], "'banana' is no run key"),
        (["run", ""], "is no run key"),
        (["run", "ffffffff"], "no execution 'ffffffff'"),
        (["run", "0000000"], "several run keys begin with"),
        (["watermark", "show", "nothing"], "no pipeline 'nothing' in namespace 'default'"),
        (["watermark", "show", "nightly.loa"], "did you mean nightly.load?"),
        (["watermark", "show", ""], "pipeline name '' cannot be used"),
        (["watermark", "history", "nothing"], "no pipeline 'nothing'"),
        (["watermark", "set", "nothing", "1", "--reason", "r"], "no pipeline 'nothing'"),
        (
            ["watermark", "set", "nightly.load", "7", "--reason", "r"],
            "kind integer, this pipeline's",
        ),
        (
            ["watermark", "rewind", "nightly.load", "2014-01-01", "--reason", "r"],
            "rewind goes back",
        ),
        (["watermark", "set", "nightly.load", "2012-01-01", "--reason", "r"], "watermark rewind"),
        (["watermark", "history", "nightly", "--limit", "0"], "limit 0 cannot be used"),
        (["runs", "--pipeline", "nothing"], "no pipeline 'nothing'"),
        (["runs", "--since", "yesterday"], "--since 'yesterday' is no time"),
        (["runs", "--cursor", "x"], "cursor 'x' does not belong"),
        (["runs", "--limit", "0"], "limit 0 cannot be used"),
        (["pipelines", "--limit", "100000"], "limit 100000 cannot be used"),
        (["lineage", "postgres://"], "is not an address"),
        (["lineage", f"postgres://me:{SECRET}@/x"], "is not an address"),
        (
            ["lineage", "postgres://dwh/not.there.x"],
            "knows no address postgres://dwh:5432/not.there.x",
        ),
        (["lineage", "nothing"], "knows no address"),
        (["lineage", "  "], "is empty"),
    ],
)
def test_input_that_names_nothing(cli: Cli, file_url: str, command: list[str], said: str) -> None:
    answer = cli(*command)
    assert _is_one_sentence(answer) and said in answer.err, answer.err


@pytest.mark.parametrize(
    "command",
    [
        ["nonsense"],
        ["runs", "--nonsense"],
        ["runs", "--state", "banana"],
        ["run"],
        ["watermark", "set", "nightly.load"],
        ["watermark", "set", "nightly.load", "2014-01-01"],
        ["watermark", "set", "nightly.load", "2014-01-01", "--reason", " "],
        ["watermark", "rewind", "nightly.load", "--reason", "r"],
        ["lineage", "x", "--depth", "0"],
        ["lineage", "x", "--depth", "deep"],
    ],
)
def test_wrong_usage_is_exit_code_2(cli: Cli, file_url: str, command: list[str]) -> None:
    answer = cli(*command)
    assert answer.code == 2 and answer.out == "" and "Traceback" not in answer.err


def test_a_setting_that_cannot_be_used_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELEDGER_LOG_FORMAT", "banana")
    answer = cli("runs")
    assert _is_one_sentence(answer) and "PIPELEDGER_LOG_FORMAT='banana'" in answer.err


def test_an_error_that_nobody_expected_is_one_sentence_too(
    cli: Cli, file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"postgresql://me:{SECRET}@host/db\nbroke")

    monkeypatch.setattr("pipeledger.store.read.pipelines.page", broken)
    answer = cli("pipelines")
    assert _is_one_sentence(answer) and "RuntimeError" in answer.err
    monkeypatch.setenv("PIPELEDGER_LOG_LEVEL", "DEBUG")
    answer = cli("pipelines")
    assert "Traceback" in answer.err and SECRET not in answer.err


def test_a_reader_that_goes_away_is_no_error(file_url: str) -> None:
    command = f"{sys.executable} -m pipeledger.cli.app runs --json | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        env=os.environ.copy(),
        check=False,
    )
    assert done.stderr == "" and done.stdout == "{\n"
