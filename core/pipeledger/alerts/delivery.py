"""Delivery: one message through apprise, in bounded time, and why it failed without the secrets."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, unquote_plus

from pipeledger.alerts.messages import Message
from pipeledger.model.errors import InvalidInput, MissingExtra, PipeledgerError
from pipeledger.model.finding import Severity
from pipeledger.model.redaction import REDACTED, redact_text

SECONDS = 30.0
"""The longest that one message may take."""
LOGGERS = ("apprise", "urllib3.connectionpool")
_KINDS = {Severity.WARNING: "warning", Severity.ERROR: "failure", Severity.CRITICAL: "failure"}
_HOSTS = ("mail", "json", "xml", "form", "http", "syslog")
"""How schemes begin whose URLs name a host where those of others have a token."""
_PIECES = re.compile(r"[/?&=,;:@#]+")
LONGEST_ERROR = 1_000
_SHORTEST = 4
"""A piece of a URL that is shorter, and no password, is a word that may stand in any text."""


class Undelivered(PipeledgerError):
    """The message was not accepted, or not in time. Its text holds no secret."""


def deliver(url: str, message: Message, seconds: float = SECONDS) -> None:
    """Send the message. Raises Undelivered, InvalidInput for a URL that apprise does not understand,
    MissingExtra.

    What takes longer than ``seconds`` has failed, and may still arrive.
    """
    service = _service(url)
    heard: list[str] = []
    done: list[bool | BaseException] = []
    ours: list[int] = []

    def listen(record: logging.LogRecord) -> bool:
        """What is logged in our thread is for us alone: it may name what the route keeps secret."""
        if record.thread not in ours:
            return True
        if record.levelno >= logging.WARNING:
            heard.append(record.getMessage())
        return False

    def work() -> None:
        ours.append(threading.get_ident())
        try:
            kind = "success" if message.severity is None else _KINDS[message.severity]
            done.append(
                bool(
                    service.notify(
                        body=message.body, title=message.title, notify_type=kind, body_format="text"
                    )
                )
            )
        except BaseException as error:
            done.append(error)
        finally:
            _unfilter(listen)

    _filter(listen)
    thread = threading.Thread(target=work, name="pipeledger-alert", daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise Undelivered(f"no answer within {seconds:g} s")
    if done[0] is not True:
        raise Undelivered(without_secrets(_why(done[0], heard), url))


def check(url: str) -> None:
    """Raise InvalidInput unless apprise understands the URL; nothing is sent."""
    _service(url)


Filter = Callable[[logging.LogRecord], bool]


def _filter(wanted: Filter) -> None:
    for name in LOGGERS:
        logging.getLogger(name).addFilter(wanted)


def _unfilter(wanted: Filter) -> None:
    for name in LOGGERS:
        logging.getLogger(name).removeFilter(wanted)


def _service(url: str) -> Any:
    here = threading.get_ident()

    def silence(record: logging.LogRecord) -> bool:
        return record.thread != here

    _filter(silence)
    try:
        # Reading the first URL imports all of apprise's services, with warnings of their own.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            service = _understood(url)
    finally:
        _unfilter(silence)
    if service is None:
        raise InvalidInput(
            "the URL is none that apprise understands; its list of services shows how each is"
            " written, e.g. slack://..., mailtos://..., json://host/path"
        )
    return service


def _understood(url: str) -> Any:
    try:
        import apprise
    except ImportError:
        raise MissingExtra("sending alerts", "alerts") from None
    # In this thread: a pool of threads, which apprise uses for its own limit of time, would hold up
    # the exit of the process. In memory: nothing of a route is written to a disk.
    asset = apprise.AppriseAsset(
        app_id="Pipeledger",
        app_desc="Pipeledger",
        async_mode=False,
        service_timeout=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise(asset=asset)
    return service if service.add(url) and len(service) else None


def _why(outcome: bool | BaseException, heard: list[str]) -> str:
    lines = list(dict.fromkeys(" ".join(line.split()) for line in heard))
    if isinstance(outcome, BaseException):
        lines.append(f"{type(outcome).__name__}: {outcome}")
    return "; ".join(lines) or "the service did not accept it and gave no reason"


def without_secrets(text: str, url: str) -> str:
    """The text without any part of the route's URL but its scheme and, where it is one, its host."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return redact_text(text)[:LONGEST_ERROR]


def _secrets(url: str) -> set[str]:
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, at, host = rest.rpartition("@") if "@" in authority else ("", "", authority)
    found: set[str] = set()
    if at:
        found |= {user, user.partition(":")[2]}
        host = re.split(r"[/?#]", host, maxsplit=1)[0]
    public = set(_PIECES.split(host)) | {host} if scheme.lower().startswith(_HOSTS) else set()
    pieces = {piece for piece in _PIECES.split(rest) if len(piece) >= _SHORTEST} - public
    keys = set(re.findall(r"[?&]([^=&]+)=", rest))
    found |= pieces - keys
    return {
        form for piece in found for form in (piece, unquote(piece), unquote_plus(piece)) if form
    }
