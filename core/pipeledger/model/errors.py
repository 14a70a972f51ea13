"""Every error that Pipeledger raises on purpose.

PipeledgerError
    InvalidInput                 mend what you passed: the message names it
        InvalidAddress
        InvalidDatabaseUrl
        InvalidName
        InvalidReport            a report contradicts itself
        InvalidSetting
        InvalidWatermark
        ParentCycle
    NotFound                     the ledger does not know it
        UnknownExecution
        UnknownPipeline
    MissingExtra                 install what this needs: the message names it
    SchemaMismatch               mend the database: `pipeledger db upgrade`, or another file
    LedgerUnavailable            try again later: nothing is wrong with what you passed
        WatermarkUnavailable
"""

from __future__ import annotations


class PipeledgerError(Exception):
    """The base of every error of ours; its text says which thing, what was expected, what to do."""


class InvalidInput(PipeledgerError, ValueError):
    """What was passed cannot be used; repeating the call cannot help."""


class InvalidAddress(InvalidInput):
    """Text that is no address of data."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"{text!r} is not an address: {expected}")


class InvalidDatabaseUrl(InvalidInput):
    """A database URL that names no database we can use. Its text never holds a password."""


class InvalidName(InvalidInput):
    """A name that is empty, too long, or holds characters no database can keep."""

    def __init__(self, what: str, name: object, expected: str) -> None:
        super().__init__(f"{what} {str(name)[:80]!r} cannot be used: {expected}")


class InvalidReport(InvalidInput):
    """One report that contradicts itself, for example an end before its own start."""


class InvalidSetting(InvalidInput):
    """An environment variable or argument whose value cannot be used."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: expected {expected}")


class InvalidWatermark(InvalidInput):
    """A watermark value of the wrong kind, or one that cannot be ordered."""


class ParentCycle(InvalidInput):
    """A parent that is the execution itself or one of its descendants."""

    def __init__(self, child: object, parent: object) -> None:
        super().__init__(
            f"execution {child} cannot run inside {parent}: {parent} already runs inside {child};"
            " report the outer execution as parent"
        )


class NotFound(PipeledgerError, LookupError):
    """The ledger holds no such thing."""


class UnknownPipeline(NotFound):
    """No pipeline of that name."""

    def __init__(self, namespace: str, name: str, similar: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {', '.join(similar)}?" if similar else ""
        super().__init__(
            f"no pipeline {name!r} in namespace {namespace!r}{hint}"
            " (`pipeledger pipelines` lists what is there)"
        )


class UnknownExecution(NotFound):
    """No execution with that run key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"no execution {key!r} (`pipeledger runs` lists the latest with their keys)"
        )


class MissingExtra(PipeledgerError):
    """A library that this needs and that recording does not is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs more libraries: pip install "pipeledger[{extra}]"')


class SchemaMismatch(PipeledgerError):
    """The database holds another schema than this version of Pipeledger works with."""


class LedgerUnavailable(PipeledgerError):
    """The ledger could not be reached, or did not answer in time."""


class WatermarkUnavailable(LedgerUnavailable):
    """A window was asked for and the ledger could not say where it begins.

    The answer is never a guess: an unknown watermark read as "none" would load everything again.
    """


def is_refusal(error: PipeledgerError) -> bool:
    """Whether the ledger said no to what was passed, so that passing it again cannot help.

    Everything else says something of the database, and what was passed may be delivered later.
    """
    return isinstance(error, (InvalidInput, NotFound)) and not isinstance(error, InvalidDatabaseUrl)
