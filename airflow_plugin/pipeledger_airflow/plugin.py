"""The plugin that Airflow finds by its entry point."""

from __future__ import annotations

import logging
import os
from typing import Any

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger("pipeledger_airflow")


class PipeledgerPlugin(AirflowPlugin):
    """Registers a listener where something is to be recorded, and nothing anywhere else.

    Airflow calls ``on_load`` in every component and once more in every task process; both of its
    plugin managers read the lists afterwards.
    """

    name = "pipeledger"
    listeners: list[Any] = []  # noqa: RUF012  # Airflow reads it from the class
    hook_lineage_readers: list[Any] = []  # noqa: RUF012

    _said: str | None = None

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Read the configuration and register, or say in one line why not. Raises nothing."""
        from pipeledger_airflow.configuration import TurnedOff

        cls.listeners, cls.hook_lineage_readers = [], []
        try:
            cls._register()
            cls._said = None
        except TurnedOff as off:
            cls._say(
                logging.INFO if off.wanted else logging.WARNING,
                f"Pipeledger records nothing here: {off}",
            )
        except Exception as error:
            cls._say(
                logging.ERROR,
                f"Pipeledger is off, nothing is recorded: {error or type(error).__name__}",
            )

    @classmethod
    def _register(cls) -> None:
        # What recording needs is imported here, in the parent, so that forked tasks inherit it.
        from pipeledger_airflow.configuration import Configuration
        from pipeledger_airflow.listener import listener_for
        from pipeledger_airflow.versions import api

        configuration = Configuration.read(os.environ, api.executors())
        cls.listeners = [listener_for(configuration)]
        cls.hook_lineage_readers = [api.hook_lineage_reader()]

    @classmethod
    def _say(cls, level: int, text: str) -> None:
        if text != cls._said:  # inherited by fork: a task does not repeat its scheduler
            cls._said = text
            log.log(level, "%s", text)
