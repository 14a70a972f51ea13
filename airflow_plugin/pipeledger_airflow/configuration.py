"""What the plugin is set to do, and the reasons for which it does nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipeledger.settings import Settings
from pipeledger_airflow.tags import OFF


class TurnedOff(Exception):
    """Why nothing is recorded here, in one sentence. ``wanted`` says that somebody asked for it."""

    def __init__(self, reason: str, *, wanted: bool = False) -> None:
        super().__init__(reason)
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings that hooks need, patterns split."""

    settings: Settings
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def deployment(self) -> str:
        return self.settings.deployment

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    @classmethod
    def read(cls, environment: Mapping[str, str], executors: Sequence[str]) -> Configuration:
        """The configuration, from the environment alone.

        Raises TurnedOff where nothing is to be recorded, PipeledgerError where a setting is wrong.
        """
        settings = Settings.from_environment(environment)
        if settings.disabled:
            raise TurnedOff("PIPELEDGER_DISABLED is set", wanted=True)
        # In its pods the KubernetesExecutor says that the executor is the local one.
        in_pod = bool(environment.get("AIRFLOW_IS_K8S_EXECUTOR_POD"))
        if not settings.database_url and (in_pod or tuple(executors) != ("LocalExecutor",)):
            raise TurnedOff(
                "PIPELEDGER_DATABASE_URL is not set, and the SQLite default works under the"
                f" LocalExecutor only (this is {', '.join(executors) or 'none'}); set it, equal in"
                " every component"
            )
        return cls.of(settings)

    @classmethod
    def of(cls, settings: Settings) -> Configuration:
        """The configuration that these settings make."""
        return cls(
            settings,
            _patterns(settings.airflow_include) or ("*",),
            _patterns(settings.airflow_exclude),
        )

    def records(self, dag_id: str, tags: Collection[str] = ()) -> bool:
        """Whether this DAG is to be recorded: by pattern, and by its own word (the tag)."""
        if OFF in tags:
            return False
        if any(fnmatchcase(dag_id, pattern) for pattern in self.exclude):
            return False
        return any(fnmatchcase(dag_id, pattern) for pattern in self.include)


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(pattern for part in text.split(",") if (pattern := part.strip()))
