"""``pipeledger sql``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """\
CREATE TEMP TABLE x AS SELECT id, amount FROM raw.orders WHERE paid;
INSERT INTO mart.sales SELECT id, sum(amount) AS amount FROM x GROUP BY id;
SELECT FROM;
"""


def pipeledger(*arguments: str, piped: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeledger.cli.app", *arguments],
        input=piped,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_screen_shows_statements_columns_and_problems(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text(SCRIPT)
    done = pipeledger("sql", str(file), "--dialect", "postgres")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["1", "create", "table", "raw.orders", "x", "(own)"] in lines
    assert ["2", "insert", "raw.orders", "mart.sales"] in lines
    assert ["mart.sales.amount", "raw.orders.amount", "aggregated"] in lines
    assert ["mart.sales.*", "raw.orders.paid", "filter"] in lines
    assert "line 3: not parsed" in done.stdout


def test_json_from_what_is_piped_in_with_addresses() -> None:
    done = pipeledger(
        "sql", "-", "--json", "--namespace", "postgres://dwh:5432", "--default-catalog", "dw",
        piped=SCRIPT,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["partial"] is True
    assert found["edges"] == [{"source": "dw.raw.orders", "target": "dw.mart.sales"}]
    assert found["addresses"] == {
        "inputs": ["postgres://dwh:5432/dw.raw.orders"],
        "outputs": ["postgres://dwh:5432/dw.mart.sales"],
    }
    assert found["statements"][0]["own"] == ["x"]


def test_a_file_that_is_not_there_and_a_dialect_that_is_none_are_one_sentence() -> None:
    missing = pipeledger("sql", "nowhere.sql")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("pipeledger: FILE='nowhere.sql' cannot be used")
    wrong = pipeledger("sql", "-", "--dialect", "cobol", piped="")
    assert wrong.returncode == 1 and wrong.stderr.startswith("pipeledger: dialect='cobol'")


def test_no_statement_is_said() -> None:
    assert pipeledger("sql", "-", piped="-- nothing\n").stdout == "no statements\n"
