"""``pipeledger alerts`` and ``pipeledger probe``, as people type them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from pipeledger.cli.app import main
from pipeledger.model.finding import MISSING

from .receivers import Webhook
from .watched import Watched


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def cli(
    watched_file: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Runs ``pipeledger`` on the ledger of ``watched_file`` and answers what it wrote."""
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", watched_file.url)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["pipeledger", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 1
        wrote = capsys.readouterr()
        return Answer(code, wrote.out, wrote.err)

    return run


@pytest.fixture
def configured(
    tmp_path: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Writes the file that PIPELEDGER_CONFIG names; ``${WEBHOOK}`` is the webhook's URL."""
    monkeypatch.setenv("WEBHOOK", webhook.url)
    file = tmp_path / "pipeledger.toml"
    monkeypatch.setenv("PIPELEDGER_CONFIG", str(file))

    def write(content: str) -> None:
        file.write_text(content)

    return write


ROUTE = '[[route]]\nname = "oncall"\nurl = "${WEBHOOK}"\ncheck = "failed"\nremind = "4h"\n'


def test_what_is_to_be_told_is_shown_sent_and_listed(
    cli: Cli, watched_file: Watched, webhook: Webhook, configured: Callable[[str], None]
) -> None:
    configured(ROUTE)
    finding = watched_file.opens("load")
    watched_file.opens("report", MISSING)
    dry = cli("alerts", "send", "--dry-run")
    assert (dry.code, webhook.asked) == (0, 0)
    assert dry.out.startswith("to oncall: error: load failed\n    load: failed (failed, error)\n")
    sent = cli("alerts", "send", "--json").json
    assert [one["findings"] for one in sent["sent"]] == [[finding]]
    assert cli("alerts", "send").out == "nothing to tell\n"
    (alert,) = cli("alerts", "list", "--json").json["alerts"]
    assert (alert["of"], alert["route"], alert["event"], alert["state"]) == (
        "load", "oncall", "opened", "sent",
    )  # fmt: skip
    assert "oncall" in cli("alerts", "list").out
    assert cli("alerts", "list", "--failed").out == "nobody was told anything\n"


def test_what_is_not_delivered_ends_with_1_and_is_visible(
    cli: Cli, watched_file: Watched, webhook: Webhook, configured: Callable[[str], None]
) -> None:
    configured(ROUTE)
    watched_file.opens("load")
    webhook.answers = [500]
    sent = cli("alerts", "send")
    assert sent.code == 1
    assert sent.out.startswith("not delivered to oncall (1 finding(s)): ")
    shown = cli("alerts", "list", "--failed").out
    assert "failed" in shown and "500" in shown


def test_routes_are_listed_with_what_nobody_is_told(
    cli: Cli, watched_file: Watched, configured: Callable[[str], None]
) -> None:
    configured(ROUTE)
    watched_file.opens("load")
    untold = watched_file.opens("report", MISSING)
    shown = cli("alerts", "routes").out
    assert "check failed" in shown and "every 4 hours" in shown and "${WEBHOOK}" in shown
    assert "1 open finding(s) that no route takes" in shown and "report: missing" in shown
    found = cli("alerts", "routes", "--json").json
    assert (found["routes"][0]["open"], found["untold"]) == (1, [untold])


def test_a_route_is_tested(cli: Cli, webhook: Webhook, configured: Callable[[str], None]) -> None:
    configured(ROUTE)
    assert cli("alerts", "test", "oncall").out == "oncall accepted a test message\n"
    assert webhook.titles == ["test of oncall"]
    webhook.answers = [403]
    refused = cli("alerts", "test", "oncall")
    assert (refused.code, "403" in refused.out) == (1, True)
    unknown = cli("alerts", "test", "nobody")
    assert (unknown.code, unknown.err) == (
        1, "pipeledger: there is no route 'nobody'; there is oncall\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", [("alerts", "send"), ("alerts", "routes"), ("probe", "--all")])
def test_without_a_configuration_there_is_nothing_to_do_and_that_is_said(
    cli: Cli, command: tuple[str, ...]
) -> None:
    answer = cli(*command)
    assert answer.code == 1
    assert "PIPELEDGER_CONFIG is not set" in answer.err


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER, updated_at TIMESTAMP)"))
        connection.execute(text("INSERT INTO orders VALUES (1, '2024-01-05 06:00:00')"))
    engine.dispose()
    monkeypatch.setenv("SHOP_URL", url)
    return url


ORDERS = "postgres://shop:5432/shop.public.orders"


def test_an_address_is_probed(cli: Cli, shop: str) -> None:
    table = ("--table", "orders", "--updated-at", "updated_at", "--database", "${SHOP_URL}")
    assert cli("probe", ORDERS, *table).out == (
        f"{ORDERS}: 1 row(s), newest of 2024-01-05 06:00:00 UTC, first look\n"
    )
    assert cli("probe", ORDERS, *table).out.endswith("nothing changed\n")
    query = ("--query", "SELECT 7", "--database", shop, "--pipeline", "seven", "--json")
    (found,) = cli("probe", ORDERS, *query).json["probes"]
    assert (found["count"], found["newest"], found["pipeline"]) == (7, None, "seven")


def test_configured_probes_are_asked_all_and_one_that_fails_stops_no_other(
    cli: Cli, shop: str, configured: Callable[[str], None]
) -> None:
    configured(
        f"""
        [[probe]]
        address = "{ORDERS}_gone"
        database = "${{SHOP_URL}}"
        table = "gone"

        [[probe]]
        address = "{ORDERS}"
        database = "${{SHOP_URL}}"
        table = "orders"
        """
    )
    answer = cli("probe", "--all")
    assert answer.code == 1
    first, second = answer.out.splitlines()
    assert "no such table: gone" in first and second == f"{ORDERS}: 1 row(s), first look"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name an ADDRESS, or --all"),
        ((ORDERS, "--all"), "without address"),
        ((ORDERS, "--database", "sqlite:///x"), "has neither table nor query"),
        ((ORDERS, "--table", "t"), "has neither database nor database_file"),
        ((ORDERS, "--table", "t", "--query", "q", "--database", "x"), "has both table and query"),
        (("nowhere", "--table", "t", "--database", "x"), "'nowhere' is not an address"),
        ((ORDERS, "--table", "t", "--database", "x", "--timeout", "soon"), "a timeout 'soon'"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused(
    cli: Cli, arguments: tuple[str, ...], says: str
) -> None:
    answer = cli("probe", *arguments)
    assert answer.code in (1, 2)
    assert says in " ".join(answer.err.split())
