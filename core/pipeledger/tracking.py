"""The decorator: a function becomes a pipeline, each call of it an execution."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from pipeledger.execution import Execution, counts_of
from pipeledger.ledger import Ledger, leave, nest_under
from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.heartbeat import check_interval

P = ParamSpec("P")
R = TypeVar("R")
_lock = threading.Lock()
_default: Ledger | None = None


def default_ledger() -> Ledger:
    """The ledger that the environment names, made once per process."""
    global _default
    if _default is None:
        with _lock:
            _default = _default or Ledger()
    return _default


def track(
    name: str,
    *,
    namespace: str | None = None,
    inputs: Sequence[Address | str] = (),
    outputs: Sequence[Address | str] = (),
    heartbeat_seconds: float | None = None,
    ledger: Ledger | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record every call of a function as an execution of pipeline ``name``.

    Plain, async and (async) generator functions stay what they are, with their name, docstring and
    signature; a generator's execution lasts from its first item to its end. Exceptions are recorded
    and raised again. A returned mapping with ``inserts``, ``updates``, ``soft_deletes`` or
    ``total_rows`` says the counts. ``heartbeat_seconds``: how often a thread says that it lives.
    Raises InvalidName, InvalidAddress and InvalidInput where it is written.
    """
    PipelineRef(name, namespace or "default")
    check_interval(heartbeat_seconds)
    sources = tuple(a if isinstance(a, Address) else Address.parse(a) for a in inputs)
    targets = tuple(a if isinstance(a, Address) else Address.parse(a) for a in outputs)

    def execution(*, nested: bool = True) -> Any:
        return (ledger or default_ledger()).execution(
            name,
            namespace=namespace,
            inputs=sources,
            outputs=targets,
            nested=nested,
            heartbeat_seconds=heartbeat_seconds,
        )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        wrapper: Callable[..., Any]
        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with execution(nested=False) as run:
                    generator = function(*args, **kwargs)
                    step = _inside(run, generator.asend, None)
                    while True:
                        try:
                            item = await step
                        except StopAsyncIteration:
                            return
                        try:
                            step = _inside(run, generator.asend, (yield item))
                        except GeneratorExit:
                            await _inside(run, generator.aclose)
                            raise
                        except BaseException as error:
                            step = _inside(run, generator.athrow, error)

        elif inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with execution() as run:
                    return _counted(run, await function(*args, **kwargs))

        elif inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with execution(nested=False) as run:
                    return _counted(run, (yield from _Nesting(run, function(*args, **kwargs))))

        else:

            @functools.wraps(function)
            def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with execution() as run:
                    return _counted(run, function(*args, **kwargs))

        return cast("Callable[P, R]", wrapper)

    return decorate


class _Nesting(Generator[Any, Any, Any]):
    """A generator whose body runs inside an execution, while its reader's code does not."""

    def __init__(self, run: Execution, generator: Generator[Any, Any, Any]) -> None:
        self._run = run
        self._generator = generator

    def send(self, value: Any) -> Any:
        token = nest_under(self._run.run_key)
        try:
            return self._generator.send(value)
        finally:
            leave(token)

    def throw(self, *error: Any) -> Any:
        token = nest_under(self._run.run_key)
        try:
            return self._generator.throw(*error)
        finally:
            leave(token)


async def _inside(run: Execution, step: Callable[..., Any], *arguments: Any) -> Any:
    token = nest_under(run.run_key)
    try:
        return await step(*arguments)
    finally:
        leave(token)


def _counted(run: Execution, returned: Any) -> Any:
    counts = counts_of(returned)
    if counts:
        run.rows(**{n: v for n in type(counts).NAMES if (v := getattr(counts, n)) is not None})
    return returned
