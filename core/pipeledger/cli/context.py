"""What every command starts from: the settings, the ledger, the place to print to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from pipeledger.model.errors import UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipeledger.ledger import Ledger
    from pipeledger.store.read import Reader

T = TypeVar("T")


class Context:
    """The global options, and what follows from them when it is first needed."""

    def __init__(self, database_url: str | None = None, namespace: str | None = None) -> None:
        self._database_url = database_url
        self.namespace = namespace
        """The namespace that was asked for on the command line; None: none was."""

    @classmethod
    def of(cls, context: typer.Context) -> Context:
        found = context.obj
        return found if isinstance(found, Context) else cls()

    @cached_property
    def settings(self) -> Settings:
        """Settings from the environment, the command line's on top. Sets logging up."""
        from pipeledger.logs import set_up

        settings = Settings.from_environment(
            database_url=self._database_url, namespace=self.namespace
        )
        set_up(settings.log_format, settings.log_level)
        return settings

    @property
    def url(self) -> str:
        return self.settings.resolved_database_url

    @cached_property
    def reader(self) -> Reader:
        from pipeledger.store.read import Reader

        return Reader.open(self.url)

    @cached_property
    def ledger(self) -> Ledger:
        from pipeledger.ledger import Ledger

        return Ledger(self.url, settings=self.settings)

    @cached_property
    def console(self) -> Console:
        from pipeledger.cli.render import console

        return console(sys.stdout)

    def pipeline(self, name: str, namespace: str | None = None) -> PipelineRef:
        """The pipeline of this name, which may be printed as ``namespace/name``.

        Raises UnknownPipeline.
        """
        ref = PipelineRef(name, namespace or self.settings.namespace)
        try:
            return self.reader.pipeline(ref).pipeline
        except UnknownPipeline:
            space, slash, rest = name.partition("/")
            if not slash or not rest or namespace is not None:
                raise
            try:
                return self.reader.pipeline(PipelineRef(rest, space)).pipeline
            except UnknownPipeline:
                pass
            raise

    def show(self, as_json: bool, value: Callable[[], Any], screen: Callable[[], Any]) -> None:
        """Print the JSON, or the screen: one or several things that rich can render."""
        if as_json:
            print_json(value())
            return
        shown = screen()
        for part in shown if isinstance(shown, (list, tuple)) else [shown]:
            self.console.print(part)


def print_json(value: Any) -> None:
    """Print a value as JSON, two spaces deep, as it is in the documentation."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))
