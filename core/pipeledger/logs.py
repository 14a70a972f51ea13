"""Logging for the faces: text, JSON or console, without secrets, with run key and pipeline.

A library sets no handlers; a command does, here. Only records below the logger ``pipeledger`` and its
integrations are touched, and they go to stderr.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import ClassVar, TextIO

from pipeledger.model import times
from pipeledger.model.redaction import redact, redact_text

LOGGERS = ("pipeledger", "pipeledger_airflow", "pipeledger_dagster", "pipeledger_migrations")
FORMATS = ("text", "json", "console")
IDS = ("run_key", "pipeline", "namespace")
"""What goes into ``extra=`` of a record that speaks of an execution or a pipeline."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up(form: str, level: str, stream: TextIO | None = None) -> None:
    """Write our log records to ``stream`` (stderr). Calling it again replaces what it set before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(form, handler.stream))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def _formatter(form: str, stream: TextIO) -> logging.Formatter:
    if form == "json":
        return JsonFormatter()
    return TextFormatter(colour=form == "console" and stream.isatty())


def said(record: logging.LogRecord) -> dict[str, object]:
    """The fields that a record carries beyond the standard ones, redacted."""
    extra = {
        k: v for k, v in record.__dict__.items() if k not in _STANDARD and not k.startswith("_")
    }
    return dict(redact(extra))


class TextFormatter(logging.Formatter):
    """``2013-01-05T06:00:00.000000Z WARNING pipeledger.ledger: text run_key=... pipeline=...``"""

    _COLOURS: ClassVar = {
        "DEBUG": "2",
        "INFO": "36",
        "WARNING": "33",
        "ERROR": "31",
        "CRITICAL": "31;1",
    }

    def __init__(self, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname
        if self._colour:
            level = f"\x1b[{self._COLOURS.get(level, '0')}m{level}\x1b[0m"
        line = f"{_time(record)} {level} {record.name}: {redact_text(record.getMessage())}"
        fields = [f"{name}={value}" for name, value in said(record).items()]
        text = " ".join([line, *fields])
        if record.exc_info:
            text += "\n" + redact_text(self.formatException(record.exc_info))
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": redact_text(record.getMessage()),
            **said(record),
        }
        if record.exc_info:
            fields["exception"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    return times.isoformat(datetime.fromtimestamp(record.created, times.UTC))
