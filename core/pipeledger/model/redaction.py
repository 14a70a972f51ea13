"""Secrets out: of URLs, of mappings whose keys look like secrets, of SQL and error text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "***"
MAX_DEPTH = 12
MAX_TEXT = 20_000
SHORTEST_TOKEN = 14
"""The shortest text that a bearer or well-known pattern can match: ``basic`` and eight characters."""

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|passw|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key"
    r"|credential|authorization|^auth$|cookie|session[_-]?key|signature|^sig$|^pwd$|[_-]pwd$"
    r"|encryption[_-]?key|client[_-]?key$|account[_-]?key|sas[_-]?token|connection[_-]?string|^dsn$",
    re.IGNORECASE,
)
_NOT_SECRET_KEY = re.compile(
    r"(tokens?[_-](count|used|total)|(max|num|total)[_-]tokens)$", re.IGNORECASE
)

# user:password@ in a URL. The password runs to the last @ before the next slash, quote or space.
_URL_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)[^\s/'\"@]*(?:@[^\s/'\"@]*)*@")
_URL_PARAMETER = re.compile(
    r"([?&;](?:[A-Za-z0-9_.\-]*(?:passw(?:or)?d|pwd|secret|token|signature|credential|api_?key"
    r"|access_?key|account_?key|private_?key)[A-Za-z0-9_\-]*|sig|auth)=)[^&\s'\";]+",
    re.IGNORECASE,
)
# key = 'value' in SQL, DSNs, logs and error text.
_ASSIGNMENT = re.compile(
    r"(\b[A-Za-z0-9_\-]*(?:passw(?:or)?d|passphrase|secret|api[_-]?key|apikey|access[_-]?key(?:[_-]id)?"
    r"|private[_-]?key|account[_-]?key|auth[_-]?token|access[_-]?token|session[_-]?token|pwd|credentials"
    r"|\btoken)[A-Za-z0-9_\-]*[\"']?\s*(?:=>|:=|=|:)\s*)"
    r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|''|\\.)*'|[^\s,;)}\]'\"&]+)",
    re.IGNORECASE,
)
_SQL_PASSWORD = re.compile(
    r"(\b(?:password|identified\s+by(?:\s+password)?|passphrase)\s+)('(?:[^']|'')*'|\"[^\"]*\")",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9\-._~+/]{8,}=*", re.IGNORECASE)
_WELL_KNOWN = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b|\bglpat-[A-Za-z0-9_\-]{20,}"
    r"|\bxox[abprs]-[A-Za-z0-9\-]{10,}|\bsk-[A-Za-z0-9_\-]{20,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|\bAIza[0-9A-Za-z_\-]{35}|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"
    r"|\bdapi[0-9a-f]{32}\b|\bpypi-[A-Za-z0-9_\-]{16,}|\bnpm_[A-Za-z0-9]{36}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)


def is_secret_key(key: str) -> bool:
    """Whether a key's value must never be stored."""
    return bool(_SECRET_KEY.search(key)) and not _NOT_SECRET_KEY.search(key)


def redact_text(text: str) -> str:
    """The text without passwords, tokens and keys; the rest is left as it was, cut at 20,000."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + f"... ({len(text) - MAX_TEXT} more characters)"
    if "://" in text:
        text = _URL_USERINFO.sub(r"\1" + REDACTED + "@", text)
        text = _URL_PARAMETER.sub(r"\1" + REDACTED, text)
    # Each pattern runs only where the characters that it cannot do without are there: most texts on
    # the recording path are a word or a path, and five patterns over each were a tenth of our time.
    if "'" in text or '"' in text:
        text = _SQL_PASSWORD.sub(r"\1'" + REDACTED + "'", text)
    if "=" in text or ":" in text:
        text = _ASSIGNMENT.sub(_assigned, text)
    if len(text) < SHORTEST_TOKEN:
        return text
    text = _BEARER.sub(r"\1 " + REDACTED, text)
    return _WELL_KNOWN.sub(REDACTED, text)


def _assigned(match: re.Match[str]) -> str:
    quote = match.group(2)[0] if match.group(2)[0] in "'\"" else ""
    return match.group(1) + quote + REDACTED + quote


def redact(value: Any, depth: int = 0) -> Any:
    """A plain JSON value without secrets: what is no JSON becomes text, what is too deep is cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return (
            value if value == value and value not in (float("inf"), float("-inf")) else str(value)
        )
    if isinstance(value, str):
        return redact_text(value.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    if depth >= MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {
            str(k).replace("\x00", "\N{REPLACEMENT CHARACTER}"): (
                REDACTED if is_secret_key(str(k)) and v not in (None, "") else redact(v, depth + 1)
            )
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [redact(v, depth + 1) for v in items]
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return redact(str(value), depth)


def redact_url(url: str) -> str:
    """A URL without user, password and secret parameters, for messages and logs."""
    return _URL_PARAMETER.sub(r"\1" + REDACTED, _URL_USERINFO.sub(r"\1", url))
