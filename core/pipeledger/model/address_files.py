"""Addresses of files: local ones, and databases that are a file."""

from __future__ import annotations

import re

from pipeledger.model.places import literal, segments
from pipeledger.model.stores import Store
from pipeledger.model.url import PARAMETERS, UnreadableUrl, decoded, encoded, host_and_port

_EMBEDDED_FILE = re.compile(r"(.+?\.(?:db|sqlite3?|db3|duckdb|ddb))(?:/(.+))?\Z", re.IGNORECASE)


def read_file(rest: str) -> tuple[str, str]:
    """``file:///data/a.csv`` after its colon: the namespace, ``file`` or ``file://host``, and the path."""
    cut = PARAMETERS.search(rest)
    rest = rest if cut is None else rest[: cut.start()]
    host = ""
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if re.fullmatch(r"[A-Za-z]:", host):
            host, path = "", f"{host}/{path}"
        elif not slash:
            raise UnreadableUrl("it names no path after the host")
        host = host.rpartition("@")[2].lower()
        rest = f"/{path}"
    path = literal(decoded(rest))
    if not path.strip("/ "):
        raise UnreadableUrl("it names no path")
    if path.startswith("/"):
        path = "/" + path.lstrip("/")
    if host in ("", "localhost"):
        return "file", path
    return f"file://{host_and_port(host)[0]}", path


def read_embedded(store: Store, rest: str) -> tuple[str, str]:
    """``sqlite:///srv/shop.db/orders``, or ``sqlite:///srv/any file#orders``.

    Airflow normalises three slashes to one (seen, 3.3.2): both forms are one address.
    """
    path, _, _ = rest.partition("?")
    path, hash_, table = path.partition("#")
    if not path.startswith("/"):
        raise UnreadableUrl("its file is not an absolute path")
    path = "/" + path.lstrip("/")
    if hash_:
        file = path
    else:
        match = _EMBEDDED_FILE.match(path)
        if match is None or not match[2]:
            raise UnreadableUrl("it names no table after the file")
        file, table = match[1], match[2]
    parts = segments(table)
    if not parts or not ".".join(parts).strip(". "):
        raise UnreadableUrl("it names no table after the file")
    return embedded_file(store, file), ".".join(parts)


def embedded_file(store: Store, rest: str) -> str:
    """The namespace of a database file, of what follows its scheme and colon. Raises UnreadableUrl."""
    path = rest.partition("?")[0].partition("#")[0]
    file = "/" + decoded(path).strip("/")
    if not path.startswith("/") or file == "/" or ":memory:" in file:
        raise UnreadableUrl("it names no file with its absolute path")
    return f"{store.scheme}://{file}"


def written_embedded(namespace: str, scheme: str, name: str) -> str:
    """Text that ``read_embedded`` reads; with ``#`` where the file's name does not show where it ends."""
    file = encoded(namespace[len(scheme) + 3 :], "?#")
    name = encoded(name, "/?#")
    match = _EMBEDDED_FILE.match(f"{file}/{name}")
    separator = "/" if match is not None and match[1] == file else "#"
    return f"{scheme}://{file}{separator}{name}"
