"""A URL in its parts, without credentials, by rules that cannot let a password pass as a name.

``urllib.parse.urlsplit`` is not used: it drops tabs and line breaks silently, and puts what follows
a ``/`` or ``?`` in a password into the path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

CONTEXT = frozenset(
    ("account", "catalog", "catalog_name", "currentschema", "database", "databasename", "dbname",
     "instancename", "schema", "service_name", "sid")
)  # fmt: skip
"""The parameters that say where data lies; no other is kept."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._\-]*)://")
_PROPERTIES = re.compile(r";\s*[A-Za-z_]+\s*=")
_NAMED_LAST = re.compile(r";\s*database(?:name)?\s*=\s*([^;/=]+)/([^;]+)\Z", re.IGNORECASE)
PARAMETERS = re.compile(r"[?#][\w.\-~%]*=")
"""Where parameters begin in a text in which ``?`` and ``#`` may also be part of a name."""
_HOST = re.compile(r"[^\s/?#\[\]@:,;<>\"{}|^`]+")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_PORT = re.compile(r"[0-9]{1,5}")


class UnreadableUrl(ValueError):
    """A part of a URL that cannot be read. Its text names the part and never quotes it."""


@dataclass(frozen=True, slots=True)
class Url:
    """``authority`` and ``path`` as they are written (``path`` with its first slash, not decoded);
    ``parameters``: those in ``CONTEXT``, decoded, their names in lower case."""

    scheme: str
    authority: str
    path: str
    parameters: Mapping[str, str]


def scheme_of(text: str) -> str | None:
    """The scheme before ``://``, in lower case and without a driver; None: it is no URL."""
    match = _SCHEME.match(text)
    return None if match is None else match[1].lower().partition("+")[0]


def split_web(text: str) -> Url:
    """A URL of the web, or of a scheme we do not know: credentials end in its authority."""
    scheme, rest = _scheme(text)
    main, _ = _without_query(rest)
    authority, slash, path = main.partition("/")
    return Url(scheme, authority.rpartition("@")[2], slash + path, {})


def split_server(text: str) -> Url:
    """A URL of a server: ``scheme://user:password@host:port/path;property=value?parameter=value``.

    An ``@`` ends the credentials wherever it stands before the ``?``: one in a name is written ``%40``.
    """
    scheme, rest = _scheme(text)
    main, query = _without_query(rest)
    cut = _PROPERTIES.search(main)
    properties = ""
    if cut is not None:
        main, properties = main[: cut.start()], main[cut.start() :]
        named = _NAMED_LAST.search(properties)
        if named is not None and "/" not in main:
            main = f"{main.rpartition('@')[2]}/{named[1]}/{named[2]}"
            properties = properties[: named.start()]
    authority, slash, path = main.rpartition("@")[2].partition("/")
    parameters = _parameters(query.partition("#")[0], "&")
    return Url(scheme, authority, slash + path, {**parameters, **_parameters(properties, ";")})


def split_literal(text: str) -> Url:
    """A URL of a bucket or file system, whose paths are no URLs: ``%``, ``?`` and ``#`` are letters.

    Only what looks like parameters (``?name=``) is dropped.
    """
    scheme, rest = _scheme(text)
    cut = PARAMETERS.search(rest)
    rest = rest if cut is None else rest[: cut.start()]
    authority, slash, path = rest.partition("/")
    secret = authority.partition(":")[2]
    if "@" not in authority and secret and not _PORT.fullmatch(secret) and "@" in path:
        # A secret access key with a slash in it: s3://AKIA:ab/cd@bucket/key.
        authority, slash, path = path.partition("@")[2].partition("/")
    return Url(scheme, authority, slash + path, {})


def host_and_port(authority: str) -> tuple[str, int | None]:
    """The first host of an authority, in lower case, and its port. Raises UnreadableUrl."""
    first = authority.rpartition("@")[2].partition(",")[0].strip()
    if first.startswith("["):
        match = _BRACKETED.fullmatch(first)
        if match is None:
            raise UnreadableUrl("its IPv6 host cannot be read, it stands in [ ]")
        return f"[{_ipv6(match[1])}]", None if match[2] is None else _port(match[2])
    host, colon, port = first.partition(":")
    if ":" in port:
        raise UnreadableUrl("it has several colons where host:port belongs, an IPv6 host is in [ ]")
    host = host.rstrip(".")
    if not host:
        raise UnreadableUrl("it names no host")
    if not _HOST.fullmatch(host):
        raise UnreadableUrl("its host has a character that no host has")
    return host if "%" in host else host.lower(), _port(port) if colon else None


def decoded(text: str) -> str:
    """Percent-encoding undone; left alone where that gives no text (``%ff``).

    Raises UnreadableUrl for control characters.
    """
    if "%" not in text:
        return text
    try:
        out = unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
    if holds_control(out):
        raise UnreadableUrl("it holds an encoded control character")
    return out


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def holds_control(text: str) -> bool:
    """Whether there is a control character in it, or half a character, which no database can keep."""
    return _CONTROL.search(text) is not None


def encoded(text: str, characters: str) -> str:
    """These characters of the text percent-encoded, and ``%``."""
    for character in "%" + characters:
        if character in text:
            text = text.replace(character, f"%{ord(character):02X}")
    return text


def shown(text: str) -> str:
    """As much of a text as a message may quote: no credentials, no parameters, not much of it."""
    from pipeledger.model.redaction import redact_text

    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    main = re.split(r"[?#;]", rest, maxsplit=1)[0]
    _, at, main = main.rpartition("@")
    if at:
        main = f"…@{main}"
    elif "@" in rest:
        # The end of a password, or a parameter: it cannot be told, so nothing of it is shown.
        main = "…"
    elif separator:
        authority = main.partition("/")[0]
        host, _, port = authority.partition(":")
        if port and not authority.startswith("[") and not _PORT.fullmatch(port):
            # What stands where the port belongs is half a password, whatever follows is the rest.
            main = f"{host}:…"
    out = redact_text(f"{scheme}{separator}{main}")
    return out if len(out) <= 160 else out[:160] + "…"


def _scheme(text: str) -> tuple[str, str]:
    scheme, _, rest = text.partition("://")
    return scheme.lower().partition("+")[0], rest


def _without_query(rest: str) -> tuple[str, str]:
    cut = re.search(r"[?#]", rest)
    return (rest, "") if cut is None else (rest[: cut.start()], rest[cut.end() :])


def _parameters(text: str, separator: str) -> dict[str, str]:
    if not text:
        return {}
    pairs = parse_qsl(text.strip(separator), separator=separator)
    return {
        name.strip().lower(): value.strip()
        for name, value in pairs
        if name.strip().lower() in CONTEXT and not holds_control(value)
    }


def _port(text: str) -> int:
    if _PORT.fullmatch(text) and 0 < int(text) < 65_536:
        return int(text)
    raise UnreadableUrl(
        "what follows host: is no port (a password with / ? # or @ in it has to be percent-encoded)"
    )


def _ipv6(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(unquote(text))).lower()
    except ValueError:
        raise UnreadableUrl("its IPv6 host cannot be read") from None
