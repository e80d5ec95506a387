"""Redaction of secrets, and escaping of control characters.

Everything that a command writes to stderr goes through `safe`: log lines, errors, tracebacks.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

__all__ = ["hide", "hide_in_environment", "indented", "safe", "safe_with_colours"]

_SHORTEST = 6
"""Shorter texts are not hidden: without `on` or `1234`, lines would be unreadable."""

_MASK = "********"
_SECRET_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|PASSWD|CREDENTIALS?)$", re.IGNORECASE
)
_QUERY = re.compile(r"(?<=[?&])([^\s?&=#\"'<>]+)=[^\s&#\"'<>]+")
_STREAM_URL = re.compile(r"\bwss?://[^\s\"'<>]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

_secrets: set[str] = set()


def hide(secret: str | None) -> None:
    """Hide this text from now on, also as it is written in JSON, in Python and in a URL.

    If it has several lines, as a private key has, each line is hidden by itself, too. They may be
    joined by a literal `\\n`, for variables that cannot have several lines.
    """
    whole = (secret or "").strip()
    for text in {whole, *map(str.strip, whole.replace(r"\n", "\n").splitlines())}:
        if len(text) < _SHORTEST:
            continue
        forms = {text, quote(text, safe=""), quote(text), unquote(text)}
        forms |= {repr(text)[1:-1], ascii(text)[1:-1]}
        _secrets.update(forms)
        for each in forms:
            _secrets.update((json.dumps(each)[1:-1], json.dumps(each, ensure_ascii=False)[1:-1]))


def hide_in_environment(values: Mapping[str, str]) -> None:
    """Hide the values of variables whose names say that they are secret, and passwords in URLs."""
    for name, text in values.items():
        if _SECRET_NAME.search(name):
            hide(text)
        elif "://" in text and "@" in text:
            try:
                hide(urlsplit(text).password)
            except ValueError:
                continue


def indented(text: str) -> str:
    """Indent the further lines of a text, so that none can pass for a line of ours."""
    return text.replace("\n", "\n    ")


def safe(text: str) -> str:
    """Mask secrets and escape control characters, except line feeds and tabs.

    Values in the query of an event stream's URL are masked, too, because one may be a token.
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _STREAM_URL.sub(lambda url: _QUERY.sub(rf"\1={_MASK}", url[0]), text)
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def safe_with_colours(text: str) -> str:
    """Make a text safe, but keep its colours."""
    colours = _ESCAPE.findall(text)
    parts = [safe(part) for part in _ESCAPE.split(text)]
    return "".join(part + colour for part, colour in zip(parts, [*colours, ""], strict=True))
