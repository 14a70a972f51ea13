"""The shape of ``--json`` is part of the contract: these are the keys that docs/cli.md documents."""

from __future__ import annotations

from pipeledger.store.sqlite_schema import REVISION

from .conftest import Cli, key

EXECUTION = {
    "run_key", "namespace", "pipeline", "pipeline_type", "state", "state_detail", "started_at",
    "ended_at", "duration_seconds", "attempt", "inserts", "updates", "soft_deletes", "total_rows",
    "window", "parent", "previous", "error", "metadata", "attributes", "heartbeat_at",
    "configuration_hash", "code_version", "inputs", "outputs",
}  # fmt: skip
BRIEF = {"run_key", "state", "started_at", "ended_at", "window", "error"}
WINDOW = {"from", "to", "from_beginning", "partition_key", "epoch"}


def test_pipelines(cli: Cli, ledger_url: str) -> None:
    answer = cli("pipelines", "*load", "--json").json
    assert set(answer) == {"pipelines", "next_cursor"}
    (found,) = answer["pipelines"]
    assert found == {
        "namespace": "default",
        "name": "nightly.load",
        "type": None,
        "group": None,
        "active": True,
        "schedule": None,
        "watermark": "2013-01-05",
        "watermark_kind": "time",
        "partitions": 0,
        "last_run": {
            "run_key": str(key(4)),
            "state": "success",
            "started_at": "2013-01-05T12:02:00.000000Z",
            "ended_at": "2013-01-05T12:04:00.000000Z",
            "duration_seconds": 120.0,
            "rows": 845,
        },
        "metadata": None,
    }


def test_runs(cli: Cli, ledger_url: str) -> None:
    answer = cli("runs", "--state", "failed", "--state", "skipped", "--limit", "1", "--json").json
    assert set(answer) == {"runs", "next_cursor"}
    (found,) = answer["runs"]
    assert set(found) == EXECUTION
    assert found["error"] == {"type": "ValueError", "message": "no carrier"}
    assert found["window"] == {
        "from": None,
        "to": "10",
        "from_beginning": True,
        "partition_key": "",
        "epoch": None,
    }
    more = cli("runs", "--state", "failed", "--json", "--cursor", answer["next_cursor"]).json
    assert [r["run_key"] for r in more["runs"]] == [str(key(2)), str(key(1))]
    assert more["next_cursor"] is None


def test_runs_by_pipeline_namespace_time_and_level(cli: Cli, ledger_url: str) -> None:
    def keys(*arguments: str) -> list[str]:
        return [r["run_key"] for r in cli("runs", "--json", *arguments).json["runs"]]

    assert keys("--pipeline", "nightly.load") == [str(key(4))]
    assert keys("--top") == [str(key(1))]
    assert keys("--since", "2013-01-05T12:03:00Z") == [str(key(5))]
    assert keys("--since", "2013-01-05") == [str(key(n)) for n in (5, 4, 3, 2, 1)]
    assert keys("--since", "2w") == []
    assert keys("--namespace", "elsewhere") == []


def test_run(cli: Cli, ledger_url: str) -> None:
    answer = cli("run", str(key(1)), "--json").json
    assert set(answer) == {"run", "inside", "tree", "critical_path"}
    assert set(answer["run"]) == EXECUTION
    tree = answer["tree"]
    assert set(tree) == EXECUTION | {"self_seconds", "slowest_child", "hidden", "children"}
    assert tree["self_seconds"] == 60.0 and tree["slowest_child"] == str(key(4))
    assert [c["run_key"] for c in tree["children"]] == [str(key(n)) for n in (2, 3, 4, 5)]
    assert answer["critical_path"] == [str(key(n)) for n in (1, 2, 3, 4, 5)]
    inner = cli("run", str(key(4)), "--json").json
    assert inner["inside"] == [str(key(1))]
    assert inner["run"]["outputs"] == [
        {
            "address": "postgres://dwh:5432/wh.public.flights",
            "rows": 845,
            "bytes": None,
            "data_version": None,
        }
    ]


def test_watermark_show_and_history(cli: Cli, ledger_url: str) -> None:
    (shown,) = cli("watermark", "show", "nightly.report", "--json").json["watermarks"]
    assert set(shown) == {
        "namespace", "pipeline", "partition_key", "value", "kind", "epoch", "updated_at",
        "held_back_by", "waiting", "missing",
    }  # fmt: skip
    assert set(shown["held_back_by"][0]) == BRIEF
    assert set(shown["held_back_by"][0]["window"]) == WINDOW
    answer = cli("watermark", "history", "nightly.load", "--json").json
    assert set(answer) == {"moves", "next_cursor"}
    assert set(answer["moves"][0]) == {
        "namespace", "pipeline", "partition_key", "epoch", "cause", "old_value", "new_value",
        "run_key", "reason", "moved_at",
    }  # fmt: skip


def test_lineage(cli: Cli, ledger_url: str) -> None:
    answer = cli("lineage", "wh.public.flights", "--upstream", "--downstream", "--json").json
    up, down = answer["lineage"]
    assert set(up) == {
        "address", "pipeline", "direction", "as_of", "nodes", "edges", "partial", "frontier",
    }  # fmt: skip
    assert (up["direction"], down["direction"]) == ("upstream", "downstream")
    assert up["nodes"] == [
        {
            "address": "postgres://ops:5432/flights.public.flights",
            "namespace": "postgres://ops:5432",
            "name": "flights.public.flights",
            "type": "postgres",
            "group": "database",
            "depth": 1,
        }
    ]
    assert up["edges"] == [
        {
            "source": "postgres://ops:5432/flights.public.flights",
            "target": "postgres://dwh:5432/wh.public.flights",
            "pipelines": [{"namespace": "default", "name": "nightly.load"}],
        }
    ]
    assert up["partial"] is None and up["frontier"] == []


def test_db(cli: Cli, empty_database_url: str) -> None:
    url = ("--database-url", empty_database_url)
    assert cli(*url, "db", "upgrade", "--json").json["after"] == REVISION
    current = cli(*url, "db", "current", "--json").json
    assert (current["current"], current["expected"]) == (REVISION, REVISION)
    assert cli(*url, "db", "check", "--json").json["differences"] == []
