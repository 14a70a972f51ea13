"""The commands that ask lineage: what they print for people, as JSON, as CSV, as a picture."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from pipeledger.model.address import Address
from pipeledger.model.lineage import Column, ColumnEdge, DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import DatasetUse, ExecutionReport
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

from .conftest import NOON, REPORT, SOURCE, TARGET, Cli, at, key

MART = Address.parse("s3://lake/mart")
LOADED = PipelineRef("nightly.load")


def squeezed(text: str) -> list[str]:
    return [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]


@pytest.fixture
def more_url(ledger_url: str) -> str:
    """The night, with columns, a reader of what was loaded, and a cycle."""
    recorder = SqlRecorder(Database.parse(ledger_url), timeout=10)
    mart, back = PipelineRef("mart", "sales"), PipelineRef("feed_back")
    recorder.record(
        [
            LineageReport(
                LOADED,
                NOON + timedelta(days=1),
                columns=(
                    ColumnEdge(SOURCE, "id", TARGET, "flight_id"),
                    ColumnEdge(SOURCE, "cancelled", TARGET, "", "filter"),
                ),
            ),
            LineageReport(mart, NOON + timedelta(days=1), ((TARGET, MART),)),
            LineageReport(back, NOON + timedelta(days=1), ((MART, TARGET),)),
            DatasetReport(TARGET, NOON, columns=(Column("flight_id", "BIGINT"),)),
            ExecutionReport(
                key(9), at(20), pipeline=mart, state=State.RUNNING, started_at=at(20),
                inputs=(DatasetUse(TARGET),), outputs=(DatasetUse(MART),),
            ),
            ExecutionReport(key(9), at(21), state=State.SUCCESS, ended_at=at(21)),
        ]
    )  # fmt: skip
    recorder.close()
    return ledger_url


def test_lineage_of_a_pipeline_and_as_of_a_moment(cli: Cli, more_url: str) -> None:
    answer = cli("lineage", "--pipeline", "nightly.report")
    assert answer.out.splitlines()[:3] == [
        "upstream of",
        "nightly.report",
        "└── wh.public.flights  postgres://dwh:5432",
    ]
    answer = cli("lineage", "wh.public.flights", "--downstream", "--json").json["lineage"][0]
    assert [n["address"] for n in answer["nodes"]] == [str(MART), str(REPORT)]
    answer = cli(
        "lineage", "wh.public.flights", "--downstream", "--as-of", "2013-01-05T13:00", "--json"
    ).json["lineage"][0]
    assert [n["address"] for n in answer["nodes"]] == [str(REPORT)]
    assert answer["as_of"] == "2013-01-05T13:00:00.000000Z"
    assert cli("lineage", "wh.public.flights", "--as-of", "2012-01-01").out.splitlines()[-1] == (
        "nothing"
    )


def test_lineage_of_who_may_see_a_namespace_and_of_one_store(cli: Cli, more_url: str) -> None:
    def found(*more: str) -> list[str]:
        answer = cli("lineage", "flights.public.flights", "--downstream", "--json", *more).json
        return [n["address"] for n in answer["lineage"][0]["nodes"]]

    assert found() == [str(TARGET), str(MART), str(REPORT)]
    assert found("--namespace", "default") == [str(TARGET), str(REPORT)]
    assert found("--namespace", "sales") == []
    assert found("--address-namespace", "s3://lake") == [str(MART), str(REPORT)]
    assert found("--type", "postgres") == [str(TARGET)]
    shown = cli(
        "lineage", "flights.public.flights", "--downstream", "--address-namespace", "s3://lake"
    ).out
    assert "mart  s3://lake  2 steps away" in shown


def test_lineage_of_a_column(cli: Cli, more_url: str) -> None:
    answer = cli("lineage", "wh.public.flights", "--column", "flight_id")
    assert answer.out.splitlines() == [
        "upstream of",
        "flight_id  of wh.public.flights  postgres://dwh:5432",
        "├── cancelled  of flights.public.flights  postgres://ops:5432  filter  by nightly.load",
        "└── id  of flights.public.flights  postgres://ops:5432  direct  by nightly.load",
    ]
    answer = cli(
        "lineage", "wh.public.flights", "--column", "flight_id", "--values-only", "--json"
    ).json["lineage"][0]
    assert set(answer) == {
        "address", "column", "direction", "as_of", "nodes", "edges", "partial", "frontier",
    }  # fmt: skip
    assert answer["nodes"] == [{"address": str(SOURCE), "column": "id", "depth": 1}]
    assert answer["edges"] == [
        {
            "source": {"address": str(SOURCE), "column": "id"},
            "target": {"address": str(TARGET), "column": "flight_id"},
            "kinds": ["direct"],
            "pipelines": [{"namespace": "default", "name": "nightly.load"}],
        }
    ]


def test_lineage_is_drawn(cli: Cli, ledger_url: str) -> None:
    answer = cli("lineage", "s3://lake/reports/delays", "--format", "mermaid")
    assert answer.out.splitlines() == [
        "flowchart LR",
        '  n0["s3://lake/reports/delays"]',
        '  n1["postgres://dwh:5432/wh.public.flights"]',
        '  n2["postgres://ops:5432/flights.public.flights"]',
        '  n1 -->|"nightly.report"| n0',
        '  n2 -->|"nightly.load"| n1',
        "  style n0 stroke-width:3px",
    ]
    answer = cli("lineage", "s3://lake/reports/delays", "--format", "dot")
    assert answer.out.startswith("digraph lineage {\n") and "n2 -> n1" in answer.out
    as_json = cli("lineage", "s3://lake/reports/delays", "--format", "json")
    assert as_json.json == cli("lineage", "s3://lake/reports/delays", "--json").json


def test_a_diamond_and_a_cycle_are_shown_once(cli: Cli, more_url: str) -> None:
    answer = cli("lineage", "mart", "--downstream")
    assert answer.out.splitlines() == [
        "downstream of",
        "mart  s3://lake",
        "└── wh.public.flights  postgres://dwh:5432  by feed_back",
        "    ├── mart  s3://lake  by sales/mart  (shown elsewhere)",
        "    └── reports/delays  s3://lake  by nightly.report",
    ]


def test_a_path_is_shown_step_by_step_and_there_being_none_is_exit_code_1(
    cli: Cli, ledger_url: str
) -> None:
    answer = cli("path", "flights.public.flights", "reports/delays")
    assert (answer.code, answer.out.splitlines()) == (
        0,
        [
            "flights.public.flights  postgres://ops:5432",
            "└─ wh.public.flights  postgres://dwh:5432  by nightly.load",
            "└─ reports/delays  s3://lake  by nightly.report",
            "2 steps",
        ],
    )
    back = cli("path", "reports/delays", "flights.public.flights")
    assert back.code == 1 and "but the other way:" in back.out and "2 steps" in back.out
    found = cli("path", "flights.public.flights", "wh.public.flights", "--json").json["path"]
    assert set(found) == {"source", "target", "as_of", "length", "edges", "partial"}
    assert found["length"] == 1
    none = cli("path", "reports/delays", "flights.public.flights", "--json")
    assert (none.code, none.json["path"]["edges"]) == (1, None)


def test_cycles_are_listed(cli: Cli, more_url: str) -> None:
    assert cli("cycles").out.splitlines() == [
        "postgres://dwh:5432/wh.public.flights → s3://lake/mart →"
        " postgres://dwh:5432/wh.public.flights"
    ]
    (cycle,) = cli("cycles", "--json").json["cycles"]
    assert cycle["size"] == 2 and cycle["way"] == [str(TARGET), str(MART), str(TARGET)]
    assert cli("cycles", "--namespace", "default").out == "no cycles\n"


def test_addresses_where_lineage_ends_are_listed(cli: Cli, ledger_url: str) -> None:
    assert cli("ends").out == "no orphans\n"
    assert cli("ends", "unread").out == "reports/delays  s3://lake\n"
    (found,) = cli("ends", "unwritten", "--json").json["addresses"]
    assert found["address"] == str(SOURCE)


def test_complete_names_the_watermark_and_who_holds_it_back(cli: Cli, more_url: str) -> None:
    assert squeezed(cli("complete", "reports/delays").out) == [
        "reports/delays  s3://lake",
        "complete up to 2013-01-05, held back by nightly.load (1 step upstream)",
        "",
        "pipeline  up to  steps  writes  latest run  started (UTC)",
        "nightly.load  2013-01-05  1  wh.public.flights  ✓ success  2013-01-05 12:02:00",
        "without a time watermark, not counted: feed_back, nightly.report, sales/mart",
    ]
    found = cli("complete", "reports/delays", "--json").json["complete"]
    assert set(found) == {
        "address", "namespace", "name", "type", "group", "is_known", "up_to", "held_back_by", "marks",
        "without", "inactive", "addresses", "partial",
    }  # fmt: skip
    assert found["up_to"] == "2013-01-05T00:00:00.000000Z"
    assert set(found["held_back_by"]) == {
        "namespace", "name", "partition_key", "up_to", "distance", "writes", "moved_at", "last_run",
    }  # fmt: skip
    assert cli("deactivate", "nightly.load").code == 0
    lines = squeezed(cli("complete", "reports/delays").out)
    assert lines[1] == "not known: no active pipeline upstream of it has a time watermark"
    assert lines[-1] == "switched off, not counted: nightly.load (2013-01-05)"


def test_impact_names_who_consumed_it_and_what_is_downstream(cli: Cli, more_url: str) -> None:
    lines = squeezed(cli("impact", str(key(4))).out)
    assert lines[0] == f"nightly.load  ✓ success  {str(key(4))[:18]}"
    assert lines[1] == "  writes  postgres://dwh:5432/wh.public.flights"
    assert lines[3:6] == [
        "runs that consumed it since: 1",
        "  steps  run key  pipeline  state  started (UTC)  read",
        f"  1  {str(key(9))[:18]}  sales/mart  ✓ success  2013-01-05 12:20:00"
        "  postgres://dwh:5432/wh.public.flights",
    ]
    assert "addresses downstream: 2" in lines and "pipelines downstream: 3" in lines
    found = cli("impact", str(key(4)), "--json").json["impact"]
    assert set(found) == {
        "run", "outputs", "consumers", "addresses", "pipelines", "partial",
    }  # fmt: skip
    assert [c["run_key"] for c in found["consumers"]] == [str(key(9))]
    answer = cli("impact", str(key(4)), "--csv")
    header, *rows = csv.reader(io.StringIO(answer.out))
    assert header[:4] == ["what", "distance", "namespace", "name"]
    assert [row[:2] for row in rows] == [
        ["execution", "1"], ["address", "1"], ["address", "1"], ["pipeline", "1"],
        ["pipeline", "1"], ["pipeline", "2"],
    ]  # fmt: skip
    assert cli("impact", str(key(4)), "--limit", "1", "--csv").err == (
        "pipeledger: cut: stopped after 1 addresses downstream\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lineage"], "name an address, or a pipeline"),
        (["lineage", "flights", "--pipeline", "nightly"], "name an address, or a pipeline"),
        (["lineage", "--pipeline", "nobody"], "no pipeline 'nobody'"),
        (["lineage", "wh.public.flights", "--as-of", "soon"], "--as-of 'soon' is no time"),
        (["lineage", "wh.public.flights", "--values-only"], "goes with --column"),
        (["lineage", "--pipeline", "nightly", "--column", "a"], "--column goes with an address"),
        (["path", "wh.public.flights", "nowhere"], "ends with, 'nowhere'"),
        (["complete", "nowhere"], "ends with, 'nowhere'"),
        (["impact", "feed"], "no execution 'feed'"),
        (["impact", str(key(4)), "--csv", "--json"], "cannot go together"),
        (["ends", "unread", "--cursor", "x"], "does not belong to this list"),
    ],
)
def test_bad_input_is_one_sentence(
    cli: Cli, file_url: str, arguments: list[str], said: str
) -> None:
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_screen_is_wider_than_the_terminal(
    cli: Cli, file_url: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (
        ["lineage", "reports/delays", "--depth", "1"],
        ["path", "flights.public.flights", "reports/delays"],
        ["ends", "unread"],
        ["complete", "reports/delays"],
        ["impact", str(key(4))],
    ):
        monkeypatch.setenv("COLUMNS", columns)
        answer = cli(*command)
        assert answer.code == 0, answer.err
        assert max(map(len, answer.out.splitlines())) <= int(columns), (command, answer.out)
