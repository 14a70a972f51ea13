"""The file of routes and probes: read whole, or refused with every mistake in words that mend it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pipeledger.alerts.routes import Route
from pipeledger.model.errors import InvalidInput
from pipeledger.model.finding import FAILED, FRESHNESS, Finding, FindingState, Severity
from pipeledger.model.pipeline import PipelineRef, Threshold
from pipeledger.monitoring.configuration import Configuration
from pipeledger.monitoring.secret import Secret

NOW = datetime(2024, 1, 10, tzinfo=timezone.utc)


def read(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "pipeledger.toml"
    file.write_text(text)
    return Configuration.read(file)


def test_a_file_of_routes_and_probes_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [[route]]
        name = "oncall"
        url = "pagerduty://${PAGER_KEY}@${PAGER_TOKEN}"
        namespace = ["sales", "core"]
        pipeline = "load_*"
        check = ["failed", "missing"]
        severity = "error"
        remind = "4h"

        [[route]]
        name = "everybody"
        url_file = "/run/secrets/chat"
        resolved = false

        [[probe]]
        address = "postgres://shop:5432/shop.public.orders"
        database = "${SHOP_URL}"
        table = "public.orders"
        updated_at = "updated_at"
        freshness = "1 day"
        complete = "2 days"

        [[probe]]
        address = "postgres://shop:5432/shop.public.refunds"
        pipeline = "refunds_probe"
        database_file = "/run/secrets/shop"
        query = "SELECT count(*), max(created_at) FROM refunds WHERE NOT test"
        timeout = "10m"
        """,
    )
    oncall, everybody = found.routes
    assert (oncall.namespaces, oncall.pipelines) == (("sales", "core"), ("load_*",))
    assert (oncall.severity, oncall.remind, oncall.resolved) == (
        Severity.ERROR,
        timedelta(hours=4),
        True,
    )
    assert oncall.filters == (
        "namespace sales or core, pipeline load_*, check failed or missing, error or worse"
    )
    assert (everybody.filters, everybody.remind, everybody.resolved) == ("everything", None, False)
    orders, refunds = found.probes
    assert (orders.freshness, orders.complete) == (Threshold(1, "day"), Threshold(2, "day"))
    assert orders.pipeline == "probe.postgres://shop:5432/shop.public.orders"
    assert (refunds.pipeline, refunds.timeout) == ("refunds_probe", timedelta(minutes=10))


def test_no_file_is_no_configuration() -> None:
    assert Configuration.read("") == Configuration()


ROUTE = '[[route]]\nname = "a"\nurl = "json://h"\n'
PROBE = '[[probe]]\naddress = "s3://b/k"\ndatabase = "sqlite:///x"\ntable = "t"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[route]]\nurl = 'json://h'", "route 1 has no name"),
        ("[[route]]\nname = 'a'", 'route "a" has neither url nor url_file'),
        (ROUTE + "url_file = '/x'", "has both url and url_file: keep one"),
        (ROUTE + "severty = 'error'", "unknown key 'severty' \\(did you mean 'severity'\\?\\)"),
        (ROUTE + "severity = 'eror'", "severity 'eror' is unknown \\(did you mean 'error'\\?\\)"),
        (ROUTE + "severity = ['error', 'critical']", "several severities"),
        (ROUTE + "check = 'failing'", "check 'failing' is unknown.*use failed, missing"),
        (ROUTE + "pipeline = 'load_[a'", "pipeline 'load_\\[a' has a \\[ that nothing closes"),
        (ROUTE + "pipeline = []", "pipeline = \\[\\] is no text"),
        (ROUTE + "owner = 7", "owner = 7 is no text"),
        (ROUTE + "remind = 'often'", "a reminder 'often' cannot be used.*90d or 1h"),
        (ROUTE + "remind = '-4h'", "a reminder '-4h' cannot be used"),
        (ROUTE + "resolved = 'yes'", "resolved = 'yes' is neither true nor false"),
        (ROUTE + ROUTE, 'route "a" is there 2 times'),
        (ROUTE.replace('"a"', '"a/b"'), "has a name of more than 100 letters"),
        ("[route]\nname = 'a'", "route is written \\[\\[route\\]\\]"),
        ("[[rout]]\nname = 'a'", "'rout' is unknown \\(did you mean \\[\\[route\\]\\]\\?\\)"),
        ("[[probe]]\ntable = 't'\ndatabase = 'x'", "probe 1 has no address"),
        (PROBE.replace("s3://b/k", "nowhere"), "address: 'nowhere' is not an address"),
        (PROBE + "query = 'SELECT 1'", "has both table and query"),
        (PROBE.replace('table = "t"', ""), "has neither table nor query"),
        (PROBE + "freshness = '6'", "threshold '6' has no datepart: write '6 hours'"),
        (PROBE + "freshness = '-1 day'", "threshold '-1 day' is not above 0"),
        (PROBE + "freshness = '2 fortnights'", "datepart 'fortnights' is unknown; use one of minute"),
        (PROBE + "complete = '1 day'", "has complete without updated_at"),
        (PROBE.replace('table = "t"', 'query = "q"\nupdated_at = "x"'), "has updated_at, which belongs"),
        (PROBE.replace('database = "sqlite:///x"', ""), "has neither database nor database_file"),
        (PROBE + PROBE, "is there 2 times: give each a pipeline of its own"),
        ("[[route]\n", "is no TOML: .*line 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_in_words_that_mend_it(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read(tmp_path, text)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, ROUTE + "check = 'x'\nremind = 'y'\n" + PROBE + "colour = 'blue'")
    assert str(refused.value).count("; ") >= 2
    assert "colour" in str(refused.value) and "'y'" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.toml cannot be read"):
        Configuration.read(tmp_path / "missing.toml")


def test_a_secret_comes_from_the_environment_or_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("json://u:hush@h\n")
    named = Secret("url of route", "json://${USER_NAME}:${PASS_WORD}@h")
    found = named.read({"USER_NAME": "u", "PASS_WORD": "hush"})
    assert found == Secret("url of route", file=str(file)).read({}) == "json://u:hush@h"
    assert named.shown == "json://… ${USER_NAME} ${PASS_WORD}"
    literal = Secret("url of route", "json://u:hush@h")
    assert "hush" not in literal.shown + repr(literal)


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        (Secret("url of route", "${A_B}"), r"url of route names \$\{A_B\}, which the environment"),
        (Secret("url of route", file="/no/such/file"), "/no/such/file cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_named(secret: Secret, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        secret.read({"A_B": ""})


def finding(**more: Any) -> Finding:
    known: dict[str, Any] = {
        "pipeline": PipelineRef("load_orders", "sales"),
        "pipeline_type": "airflow_dag",
        "owner": "ada",
        **more,
    }
    severity = known.pop("severity", Severity.ERROR)
    check = known.pop("check", FAILED)
    return Finding(1, check, severity, FindingState.OPEN, "m", NOW, NOW, NOW, 1, **known)


@pytest.mark.parametrize(
    ("filters", "of", "takes"),
    [
        ({}, {}, True),
        ({"namespaces": ("sales",)}, {}, True),
        ({"namespaces": ("core",)}, {}, False),
        ({"pipelines": ("load_*",)}, {}, True),
        ({"pipelines": ("x", "load_orders")}, {}, True),
        ({"pipelines": ("Load_*",)}, {}, False),
        ({"types": ("airflow_dag",)}, {}, True),
        ({"types": ("dagster_asset",)}, {}, False),
        ({"owners": ("ada",)}, {}, True),
        ({"owners": ("ada",)}, {"owner": None}, False),
        ({"checks": (FRESHNESS,)}, {}, False),
        ({"checks": (FRESHNESS,)}, {"check": FRESHNESS}, True),
        ({"severity": Severity.CRITICAL}, {}, False),
        ({"severity": Severity.ERROR}, {}, True),
        ({"severity": Severity.WARNING}, {"severity": Severity.CRITICAL}, True),
        ({}, {"pipeline": None}, True),
        ({"pipelines": ("*",)}, {"pipeline": None}, False),
        ({"namespaces": ("sales",), "checks": (FRESHNESS,)}, {}, False),
    ],
)
def test_a_route_takes_what_all_its_filters_let_through(
    filters: dict[str, Any], of: dict[str, Any], takes: bool
) -> None:
    assert Route("a", Secret("url"), **filters).takes(finding(**of)) is takes
