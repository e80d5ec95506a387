"""Secrets that must not be shown, and characters that must not reach a terminal or a log.

Whatever a command writes to stderr goes through `safe` on its way: log lines, errors, tracebacks.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

__all__ = ["hide", "hide_in_environment", "indented", "safe", "safe_with_colours"]

_SHORTEST = 6
"""What is shorter is no secret: hiding `on` or `1234` would make lines unreadable."""

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
    """Never show this text again, nor the way it is written in JSON, in Python and in a URL.

    Of one with several lines, such as a private key, no line is shown by itself either. They may be
    joined by `\\n`, as where variables cannot have several.
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
    """Hide what variables hold whose names say that it is secret, and passwords in URLs."""
    for name, text in values.items():
        if _SECRET_NAME.search(name):
            hide(text)
        elif "://" in text and "@" in text:
            try:
                hide(urlsplit(text).password)
            except ValueError:
                continue


def indented(text: str) -> str:
    """A text of which nobody can take a further line for one of ours."""
    return text.replace("\n", "\n    ")


def safe(text: str) -> str:
    """A text of several lines without secrets and control characters.

    What the query of an event stream's URL says may be a token, so its values are not shown either.
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _STREAM_URL.sub(lambda url: _QUERY.sub(rf"\1={_MASK}", url[0]), text)
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def safe_with_colours(text: str) -> str:
    """A text made safe that may be coloured."""
    colours = _ESCAPE.findall(text)
    parts = [safe(part) for part in _ESCAPE.split(text)]
    return "".join(part + colour for part, colour in zip(parts, [*colours, ""], strict=True))
