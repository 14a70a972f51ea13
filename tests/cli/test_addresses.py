"""``pipeledger addresses``: found by any part of any name, shown with columns and users, renamed."""

from __future__ import annotations

import pytest

from pipeledger.model.address import Address
from pipeledger.model.lineage import Column, DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

from .conftest import REPORT, SOURCE, TARGET, Cli, at

NAMES = [str(a) for a in (SOURCE, TARGET, REPORT)]


def _found(cli: Cli, *arguments: str) -> list[str]:
    answer = cli("addresses", *arguments, "--json")
    assert answer.code == 0, answer.err
    return [a["address"] for a in answer.json["addresses"]]


def _record(url: str, *reports: DatasetReport | LineageReport) -> None:
    recorder = SqlRecorder(Database.parse(url), timeout=10)
    recorder.record(reports)
    recorder.close()


def test_addresses_are_listed_with_who_writes_and_reads_them(cli: Cli, ledger_url: str) -> None:
    answer = cli("addresses")
    assert answer.code == 0, answer.err
    assert [line.split() for line in answer.out.splitlines()] == [
        ["address", "type", "writers", "readers"],
        [str(TARGET), "postgres", "1", "1"],
        [str(SOURCE), "postgres", "1"],
        [str(REPORT), "s3", "1"],
    ]
    assert cli("addresses", "--json").json["addresses"][0] == {
        "address": str(TARGET),
        "namespace": "postgres://dwh:5432",
        "name": "wh.public.flights",
        "type": "postgres",
        "group": "database",
        "aliases": [],
        "writers": 1,
        "readers": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("FLIGHTS",), [TARGET, SOURCE]),
        (("ops",), [SOURCE]),
        (("wh.*",), [TARGET]),
        (("*.flights",), [TARGET, SOURCE]),
        (("flights",), [TARGET, SOURCE]),
        (("w?.public.flights",), [TARGET]),
        (("%",), []),
        (("postgres://user:pw@DWH/wh/public/flights",), [TARGET]),
        (("s3://lake/reports/delays",), [REPORT]),
        (("s3a://lake/reports/",), [REPORT]),
        (("s3://lake",), [REPORT]),
        (("dagster:flights",), []),
        (("--type", "s3"), [REPORT]),
        (("--type", "kafka"), []),
        (("--group", "database"), [TARGET, SOURCE]),
        (("--group", "database", "--type", "s3"), []),
        (("--address-namespace", "s3://lake"), [REPORT]),
        (("flights", "--address-namespace", "postgres://ops:5432"), [SOURCE]),
        (("search", "delays"), [REPORT]),
    ],
)
def test_addresses_are_found(
    cli: Cli, ledger_url: str, arguments: tuple[str, ...], expected: list[Address]
) -> None:
    assert _found(cli, *arguments) == [str(a) for a in expected]


def test_pages_hold_every_address_once(cli: Cli, ledger_url: str) -> None:
    seen, cursor = [], []
    for _ in range(3):
        page = cli("addresses", "--limit", "1", *cursor, "--json").json
        seen += [a["address"] for a in page["addresses"]]
        cursor = ["--cursor", str(page["next_cursor"])]
    assert (sorted(seen), page["next_cursor"]) == (sorted(NAMES), None)
    assert "--cursor" in cli("addresses", "--limit", "1").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--limit", "0"), "expected 1 to 1000"),
        (("--limit", "1001"), "expected 1 to 1000"),
        (("--cursor", "x"), "pass the next_cursor of the page before"),
    ],
)
def test_a_page_that_cannot_be_is_one_sentence(
    cli: Cli, file_url: str, arguments: tuple[str, ...], said: str
) -> None:
    answer = cli("addresses", *arguments)
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err and len(answer.err.splitlines()) == 1


def test_an_address_is_shown_with_its_columns_now_and_before(cli: Cli, ledger_url: str) -> None:
    before = (Column("id", "integer"), Column("carrier", "text"))
    after = (Column("id", "bigint"), Column("carrier", "text"))
    _record(
        ledger_url,
        DatasetReport(TARGET, at(0), columns=before, aliases=(Address("dagster", "flights"),)),
        DatasetReport(TARGET, at(60), columns=after),
    )
    answer = cli("addresses", "show", "wh.public.flights")
    assert answer.code == 0, answer.err
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[:3] == [
        [str(TARGET)],
        ["type", "postgres", "(database)"],
        ["also", "dagster:flights"],
    ]
    assert lines[3][:3] == ["written", "by", "nightly.load"]
    assert lines[4][:3] == ["read", "by", "nightly.report"]
    assert lines[5][:2] == ["last", "written"] and "nightly.load" in lines[5]
    now = lines[lines.index(["columns"]) : lines.index(["before"])]
    assert [line[:3] for line in now[2:4]] == [["1", "id", "bigint"], ["2", "carrier", "text"]]
    past = lines[lines.index(["before"]) + 2]
    assert past == ["1", "id", "integer", "2013-01-05", "12:00:00", "2013-01-05", "13:00:00"]
    told = cli("addresses", "show", "dagster:flights", "--json").json
    assert told["address"] == str(TARGET) and told["aliases"] == ["dagster:flights"]


def test_two_names_become_one_address_and_two_again(cli: Cli, ledger_url: str) -> None:
    answer = cli("addresses", "alias", "wh.public.flights", "dagster:flights")
    assert answer.code == 0, answer.err
    assert answer.out == (
        f"{TARGET} and dagster:flights are the same data; {TARGET} stands for both\n"
    )
    assert _found(cli, "dagster") == [str(TARGET)]
    assert "dagster:flights" in cli("addresses", "flights").out
    answer = cli("addresses", "unalias", "dagster:flights", str(TARGET))
    assert answer.out == f"dagster:flights and {TARGET} are not the same data\n"
    assert _found(cli, "dagster") == ["dagster:flights"]


def test_an_address_is_found_by_the_url_of_another_name(cli: Cli, ledger_url: str) -> None:
    assert cli("addresses", "alias", str(TARGET), "s3://lake/copy").code == 0
    stands = _found(cli, "wh.public.flights")
    assert _found(cli, "s3://lake/copy") == stands
    assert _found(cli, "postgres://dwh/wh/public/flights") == stands
    assert len(stands) == 1


def test_who_has_not_written_for_long_is_not_counted(cli: Cli, ledger_url: str) -> None:
    seen = LineageReport(PipelineRef("old"), at(0), outputs=(REPORT,), observed=True)
    _record(ledger_url, seen)
    assert cli("addresses", str(REPORT), "--json").json["addresses"][0]["writers"] == 1


def test_names_that_are_the_same_by_a_third_one_stay_so_and_say_it(cli: Cli, file_url: str) -> None:
    a, b, c = str(TARGET), "dagster:a", "dagster:b"
    for first, second in ((a, b), (b, c), (a, c)):
        assert cli("addresses", "alias", first, second).code == 0
    answer = cli("addresses", "unalias", a, b)
    assert answer.out == f"{a} and {b} are the same data by another of their names: {a}\n"
    told = cli("addresses", "unalias", b, c, "--json").json
    assert told == {"address": "dagster:a", "aliases": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "postgres://u:hunter2@h/d.s.t"), "knows no address postgres://h:5432/d.s.t"),
        (("show", "postgres://u:hunter2@h"), "expected PostgreSQL"),
        (("alias", "s3://lake/unknown", "dagster:x"), "knows no address"),
        (("alias", str(TARGET), str(TARGET)), "are one name"),
        (("alias", str(TARGET), "x"), "expected"),
        (("unalias", str(TARGET), "dagster:x"), "is no other name of"),
    ],
)
def test_what_cannot_be_is_said_without_a_password(
    cli: Cli, file_url: str, arguments: tuple[str, ...], said: str
) -> None:
    answer = cli("addresses", *arguments)
    assert answer.code in (1, 2) and said in " ".join(answer.err.replace("│", " ").split())
    assert "hunter2" not in answer.err + answer.out and "Traceback" not in answer.err


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_screen_of_addresses_is_wider_than_the_terminal(
    cli: Cli, file_url: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record(file_url, DatasetReport(TARGET, at(0), columns=(Column("c" * 60, "t" * 60),)))
    monkeypatch.setenv("COLUMNS", columns)
    for command in (["addresses"], ["addresses", "show", str(TARGET)]):
        answer = cli(*command)
        assert answer.code == 0, answer.err
        assert max(map(len, answer.out.splitlines())) <= int(columns), answer.out


def test_an_empty_ledger_has_no_addresses(cli: Cli, sqlite_url: str) -> None:
    assert cli("--database-url", sqlite_url, "addresses").out == "no addresses\n"
