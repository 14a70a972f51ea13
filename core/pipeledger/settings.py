"""Settings: one frozen object, read from the environment at the edge and passed in.

Standard library only, because it is read on the recording path of every task process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipeledger.model.errors import InvalidSetting

PREFIX = "PIPELEDGER_"
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def data_folder(environment: Mapping[str, str]) -> Path:
    """The user's data directory for Pipeledger (XDG_DATA_HOME, else ~/.local/share)."""
    base = environment.get("XDG_DATA_HOME") or ""
    root = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~")) / ".local" / "share"
    return root / "pipeledger"


def _described(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"text": text, "choices": choices})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Each field is the variable ``PIPELEDGER_`` plus its name in capitals."""

    database_url: str = _described(
        "",
        "The ledger: `sqlite:////path/to/ledger.db` or `postgresql://user:password@host:5432/database`."
        " Unset: a SQLite file in the user's data directory, created on first use.",
    )
    namespace: str = _described("default", "The namespace of pipelines: a team or deployment.")
    deployment: str = _described(
        "default",
        "The name of this Airflow or Dagster deployment, the same in all its components: part of every"
        " Airflow run key, and of the address of a Dagster asset that is known by its key alone.",
    )
    disabled: bool = _described(False, "Record nothing at all.")
    deadline_seconds: float = _described(
        2.0, "The longest a recording call may take, in seconds; what takes longer is spooled."
    )
    spool_dir: str = _described(
        "",
        "The folder where records wait that could not be delivered."
        " Unset: `spool` in the user's data directory.",
    )
    spool_max_bytes: int = _described(
        256 * 1024 * 1024,
        "The most bytes the spool may hold; what comes after is counted and dropped.",
    )
    observed_lineage_days: float = _described(
        90.0,
        "How many days lineage that a run observed holds after it was seen last;"
        " what is declared holds until it is declared otherwise.",
    )
    log_level: str = _described(
        "WARNING",
        "The level of our own log lines in the CLI.",
        ("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_format: str = _described(
        "text", "How the CLI writes its log lines.", ("text", "json", "console")
    )
    airflow_include: str = _described(
        "*", "Airflow: comma-separated patterns of the dag_ids to record (`sales_*,core`)."
    )
    airflow_exclude: str = _described(
        "", "Airflow: comma-separated patterns of dag_ids not to record."
    )
    config: str = _described(
        "",
        "The TOML file with the routes of alerts and the probes. Unset: there are none.",
    )
    data_dir: str = _described(
        "", "The user's data directory for Pipeledger. Unset: the platform's own."
    )

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """Read the environment; ``overrides`` win. Raises InvalidSetting, which names the variable."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for f in fields(cls):
            raw = environment.get(PREFIX + f.name.upper())
            if raw is not None and raw.strip():
                values[f.name] = _read(PREFIX + f.name.upper(), raw.strip(), f)
        values.update({k: v for k, v in overrides.items() if v is not None})
        if not values.get("data_dir"):
            values["data_dir"] = str(data_folder(environment))
        return cls(**values)

    @property
    def resolved_database_url(self) -> str:
        """The ledger's URL, the default included."""
        return self.database_url or "sqlite:///" + str(
            Path(self.data_dir or data_folder(os.environ)) / "ledger.db"
        )

    @property
    def resolved_spool_dir(self) -> Path:
        """The spool's folder, the default included."""
        if self.spool_dir:
            return Path(self.spool_dir)
        return Path(self.data_dir or data_folder(os.environ)) / "spool"


def _read(variable: str, raw: str, f: Any) -> Any:
    kind = type(f.default)
    choices = f.metadata["choices"]
    if kind is bool:
        if raw.lower() in _TRUE + _FALSE:
            return raw.lower() in _TRUE
        raise InvalidSetting(variable, raw, "true or false")
    if kind in (int, float):
        try:
            number = kind(raw)
        except ValueError:
            raise InvalidSetting(variable, raw, "a number") from None
        if not 0 < number < 1e18:
            raise InvalidSetting(variable, raw, "a number above 0")
        return number
    if choices:
        for choice in choices:
            if raw.lower() == choice.lower():
                return choice
        raise InvalidSetting(variable, raw, "one of " + ", ".join(choices))
    return raw
