"""``pipeledger report``: written as Markdown, HTML and JSON, to the screen or to a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeledger.model import times

from .conftest import Cli
from .monitored import NOW, watched

HEALTH = {
    "score", "reliability", "timeliness", "freshness", "volume", "runs", "successes", "failures",
    "abandoned", "skipped", "running", "late", "missing", "odd", "stale_seconds",
}  # fmt: skip


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: NOW)


def test_it_is_markdown_unless_something_else_is_asked_for(cli: Cli, ledger_url: str) -> None:
    watched(ledger_url)
    answer = cli("report")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].startswith("# Health of pipelines: ")
    assert lines[2] == (
        "2012-12-06 to 2013-01-05, 31 days; compared with 2012-11-05 to 2012-12-05."
        " Made 2013-01-05 14:00. Days and times are UTC."
    )
    assert "| `nightly.report`  | " in answer.out


def test_json_has_the_keys_that_are_documented(cli: Cli, ledger_url: str) -> None:
    watched(ledger_url)
    (found,) = cli("report", "--format", "json", "--since", "2013-01-04").json.values()
    assert set(found) == {
        "at", "period", "period_before", "namespace", "weights", "total", "namespaces", "types",
        "pipelines", "silent_pipelines", "days",
    }  # fmt: skip
    assert found["period"] == {"first_day": "2013-01-04", "last_day": "2013-01-05"}
    assert set(found["total"]) == HEALTH | {"change", "before"}
    assert set(found["total"]["before"]) == HEALTH
    assert found["total"]["reliability"] == {"share": 0.4, "good": 2, "of": 5}
    assert found["total"]["running"] == 2
    assert set(found["pipelines"][0]) == HEALTH | {
        "change", "before", "namespace", "pipeline", "type",
    }  # fmt: skip
    assert set(found["days"]) == {"2013-01-04", "2013-01-05"}
    assert set(found["days"]["2013-01-05"]) == HEALTH
    assert set(found["namespaces"]) == {"default"}


def test_html_goes_to_a_file(cli: Cli, ledger_url: str, tmp_path: Path) -> None:
    file = tmp_path / "health.html"
    answer = cli("report", "--format", "html", "--output", str(file))
    assert answer.code == 0
    text = file.read_text(encoding="utf-8")
    assert answer.out == f"{file}: {len(text.encode()):,} bytes\n"
    assert text.startswith("<!doctype html>\n<html")


def test_one_namespace(cli: Cli, ledger_url: str) -> None:
    (found,) = cli("report", "--format", "json", "--namespace", "elsewhere").json.values()
    assert found["namespace"] == "elsewhere"
    assert (found["pipelines"], found["total"]["score"]) == ([], None)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--since", "soon"), "is no time"),
        (("--since", "2014-01-01"), "today is 2013-01-05"),
        (("--since", "1900-01-01"), "at most 1,098"),
        (("--output", "no/such/folder/x.md"), "cannot be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_words(
    cli: Cli, file_url: str, arguments: tuple[str, ...], why: str
) -> None:
    answer = cli("report", *arguments)
    assert answer.code == 1
    assert why in answer.err
