"""What the commands print for people."""

from __future__ import annotations

import re

import pytest

from .conftest import Cli, key


def _squeezed(text: str) -> list[str]:
    return [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]


def test_pipelines_are_listed_with_latest_run_and_watermark(cli: Cli, ledger_url: str) -> None:
    answer = cli("pipelines")
    assert answer.code == 0
    assert _squeezed(answer.out) == [
        "pipeline  type  latest run  started (UTC)  duration  rows  watermark",
        "nightly  airflow_dag  ✗ failed  2013-01-05 12:00:00  6m 00s",
        "nightly.extract  ✓ success  2013-01-05 12:01:00  1m 00s  1,234,567",
        "nightly.load  ✓ success  2013-01-05 12:02:00  2m 00s  845  2013-01-05",
        "nightly.report  ✗ failed  2013-01-05 12:04:00  1m 00s",
    ]


def test_runs_are_listed_the_latest_first(cli: Cli, ledger_url: str) -> None:
    answer = cli("runs", "--limit", "3")
    assert answer.code == 0
    lines = _squeezed(answer.out)
    assert lines[0] == "run key  pipeline  state  started (UTC)  duration  rows  window"
    assert lines.pop(2) == "  ValueError: no carrier"
    assert [line.split("  ")[1] for line in lines[1:4]] == [
        "nightly.report",
        "nightly.load",
        "nightly.extract try 2",
    ]
    assert lines[4].startswith("more: --cursor ")
    rest = cli("runs", "--limit", "3", "--cursor", lines[4].split()[-1])
    assert [line.split("  ")[1] for line in _squeezed(rest.out)[1:]] == [
        "nightly.extract",
        "TimeoutError: no answer in 5 s",
        "nightly",
    ]


def test_a_run_is_a_tree_with_state_duration_rows_window_and_errors(
    cli: Cli, ledger_url: str
) -> None:
    answer = cli("run", str(key(1)))
    assert answer.code == 0
    lines = _squeezed(answer.out)
    assert lines[0] == "nightly  ✗ failed  6m 00s"
    tree = [line.rpartition("  0000")[0] or line for line in lines[lines.index("") + 1 :]]
    assert tree == [
        "execution  state  duration  itself  rows  window  run key",
        "nightly  ✗ failed  6m 00s  1m 00s",
        "├─ extract try 1  ✗ failed  1m 00s",
        "│  TimeoutError: no answer in 5 s",
        "├─ extract try 2  ✓ success  1m 00s  1,234,567",
        "├─ load  ✓ success  2m 00s  845  (beginning, 2013-01-05]",
        "└─ report  ✗ failed  1m 00s  (beginning, 10]",
        "  ValueError: no carrier",
        "",
        "itself  1m 00s, while no child ran",
        "slowest child load 2m 00s",
        "critical path extract try 1 1m 00s > extract try 2 1m 00s > load 2m 00s > report 1m 00s",
    ]


def test_a_run_shows_what_is_known_of_it(cli: Cli, ledger_url: str) -> None:
    answer = cli("run", str(key(4))[:10])
    assert _squeezed(answer.out) == [
        "nightly.load  ✓ success  2m 00s",
        f"  run key  {key(4)}",
        "  when  2013-01-05 12:02:00 to 2013-01-05 12:04:00 UTC",
        f"  inside  nightly {str(key(1))[:18]}",
        "  window  (beginning, 2013-01-05]",
        "  rows  842 inserted, 3 updated",
        "  writes  postgres://dwh:5432/wh.public.flights (845 rows)",
        "  metadata files = 2",
    ]
    whole = _squeezed(cli("run", str(key(4)), "--whole").out)
    assert any(line.startswith("nightly  ✗ failed  6m 00s") for line in whole)


def test_the_watermark_names_the_run_that_holds_it_back(cli: Cli, ledger_url: str) -> None:
    answer = cli("watermark", "show", "nightly.load")
    assert "2013-01-05" in answer.out and "held back" not in answer.out
    answer = cli("watermark", "show", "nightly.report")
    lines = _squeezed(answer.out)
    assert "none yet" in lines[1]
    assert lines[3] == "held back by"
    assert lines[5].startswith("  (beginning, 10]  ✗ failed  00000005")
    assert lines[5].endswith("ValueError: no carrier")


def test_a_watermark_is_set_and_rewound_with_its_reason_in_the_history(
    cli: Cli, ledger_url: str
) -> None:
    answer = cli("watermark", "set", "nightly.load", "2013-01-09", "--reason", "loaded by hand")
    assert answer.out == "nightly.load: 2013-01-05 -> 2013-01-09 (set: loaded by hand)\n"
    answer = cli(
        "watermark", "rewind", "nightly.load", "2013-01-02", "--reason", "late rows", "--json"
    )
    assert answer.json == {
        "namespace": "default",
        "pipeline": "nightly.load",
        "partition_key": "",
        "old_value": "2013-01-09",
        "new_value": "2013-01-02",
        "epoch": 2,
    }
    answer = cli("watermark", "rewind", "nightly.load", "--beginning", "--reason", "all of it")
    assert answer.out == "nightly.load: 2013-01-02 -> the beginning (rewind: all of it)\n"
    history = cli("watermark", "history", "nightly.load", "--json").json["moves"]
    assert [(m["cause"], m["new_value"], m["reason"]) for m in history] == [
        ("rewind", None, "all of it"),
        ("rewind", "2013-01-02", "late rows"),
        ("set", "2013-01-09", "loaded by hand"),
        ("execution", "2013-01-05", None),
    ]
    assert _squeezed(cli("watermark", "history", "nightly.load").out)[1].endswith(
        "rewind  3  all of it"
    )


def test_lineage_is_a_tree_with_the_pipelines_that_move_the_data(cli: Cli, ledger_url: str) -> None:
    answer = cli("lineage", "s3://lake/reports/delays")
    assert answer.out.splitlines() == [
        "upstream of",
        "reports/delays  s3://lake",
        "└── wh.public.flights  postgres://dwh:5432  by nightly.report",
        "    └── flights.public.flights  postgres://ops:5432  by nightly.load",
    ]
    answer = cli(
        "lineage", "postgres://user:pw@ops/flights.public.flights", "--downstream", "--depth", "1"
    )
    assert answer.out.splitlines() == [
        "downstream of",
        "flights.public.flights  postgres://ops:5432",
        "└── wh.public.flights  postgres://dwh:5432  by nightly.load  …",
        "cut: stopped at depth 1; there is more beyond 1 address(es)",
    ]


@pytest.mark.parametrize("columns", ["40", "80", "120", "200"])
def test_no_screen_is_wider_than_the_terminal(
    cli: Cli, file_url: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for command in (
        ["pipelines"],
        ["runs"],
        ["run", str(key(1))],
        ["run", str(key(4))],
        ["watermark", "show", "nightly.report"],
        ["watermark", "history", "nightly.load"],
        ["lineage", "s3://lake/reports/delays"],
        ["spool", "status"],
    ):
        # cli() sets nothing here: the terminal's width is what COLUMNS says
        monkeypatch.setenv("COLUMNS", columns)
        answer = cli(*command)
        assert answer.code == 0, answer.err
        assert max(map(len, answer.out.splitlines())) <= int(columns), (command, answer.out)


def test_there_are_no_colours_where_nobody_sees_them(cli: Cli, file_url: str) -> None:
    assert "\x1b" not in cli("runs").out


def test_an_empty_ledger_says_so(cli: Cli, sqlite_url: str) -> None:
    url = ("--database-url", sqlite_url)
    assert cli(*url, "pipelines").out == "no pipelines\n"
    assert cli(*url, "runs").out == "no runs\n"
    assert cli(*url, "runs", "--json").json == {"runs": [], "next_cursor": None}
