"""Settings: read from the environment, refused with the variable's name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from pipeledger.model.errors import InvalidSetting
from pipeledger.settings import Settings


def test_nothing_set_means_a_sqlite_file_in_the_users_data_directory() -> None:
    settings = Settings.from_environment({"XDG_DATA_HOME": "/srv/data"})
    assert settings.resolved_database_url == "sqlite:////srv/data/pipeledger/ledger.db"
    assert str(settings.resolved_spool_dir) == "/srv/data/pipeledger/spool"


def test_a_variable_is_the_name_of_its_setting_in_capitals() -> None:
    settings = Settings.from_environment(
        {
            "PIPELEDGER_DATABASE_URL": " postgresql://h/d ",
            "PIPELEDGER_DEADLINE_SECONDS": "0.5",
            "PIPELEDGER_DISABLED": "yes",
            "PIPELEDGER_SPOOL_MAX_BYTES": "1000",
            "PIPELEDGER_LOG_LEVEL": "info",
            "PIPELEDGER_NAMESPACE": "",
        }
    )
    assert settings.resolved_database_url == "postgresql://h/d"
    assert (settings.deadline_seconds, settings.disabled) == (0.5, True)
    assert (settings.spool_max_bytes, settings.log_level) == (1000, "INFO")
    assert settings.namespace == "default", "an empty variable is one that is not set"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PIPELEDGER_DEADLINE_SECONDS", "soon", "a number"),
        ("PIPELEDGER_DEADLINE_SECONDS", "0", "a number above 0"),
        ("PIPELEDGER_DEADLINE_SECONDS", "nan", "a number above 0"),
        ("PIPELEDGER_DISABLED", "perhaps", "true or false"),
        ("PIPELEDGER_LOG_FORMAT", "xml", "one of text, json, console"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(InvalidSetting, match=f"{variable}='{value}' .*{expected}"):
        Settings.from_environment({variable: value})


def test_what_the_caller_passes_wins_over_the_environment() -> None:
    settings = Settings.from_environment({"PIPELEDGER_NAMESPACE": "a"}, namespace="b")
    assert settings.namespace == "b"


def test_settings_cannot_be_changed_and_each_says_what_it_is_for() -> None:
    settings = Settings.from_environment({})
    with pytest.raises(FrozenInstanceError):
        settings.namespace = "x"  # type: ignore[misc]
    assert all(f.metadata["text"] for f in fields(Settings))
