"""HTTP/1.1 (RFC 9112) as far as a client of a proxy needs it, without I/O."""

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

__all__ = ["Head", "Reply", "ReplyFault", "ReplyReader", "Target", "header_lines", "target_of"]

_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 16 * 1024 * 1024
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_NOT_ENCODED = "%/:?&=@!$'()*+,;~"
_WITHOUT_BODY = (204, 304)
_SWITCHING = 101
_BEGINNING = b"HTTP/1."
_STATUS = re.compile(r"[0-9]{3}(?: |$)")
_LISTS = ("connection", "content-encoding", "transfer-encoding")
"""Headers whose repeated lines are joined; of any other header the last line counts."""
_NUMBERS = {10: re.compile(r"[0-9]+"), 16: re.compile(r"[0-9A-Fa-f]+")}


class ReplyFault(Exception):
    """The bytes received are not an HTTP response, or not a complete one."""


class Target(NamedTuple):
    """The parts of a URL that a request needs.

    Attributes:
        uses_tls: Whether the connection is encrypted.
        path: Path and query, percent-encoded.
        authority: Host and port as in a Host header.
        credentials: The Authorization header of user name and password, or empty.
    """

    uses_tls: bool
    host: str
    port: int
    path: str
    authority: str
    credentials: bytes = b""


@lru_cache(maxsize=256)
def target_of(url: str) -> Target:
    """Parse a URL, and encode characters that are not allowed in a request."""
    parts = urlsplit(url)
    usual = _PORTS[parts.scheme]
    port = usual if parts.port is None else parts.port
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    shown = f"[{host}]" if ":" in host else host
    return Target(
        usual == _PORTS["https"],
        host,
        port,
        quote(path, safe=_NOT_ENCODED),
        shown if port == usual else f"{shown}:{port}",
        _credentials(parts.username, parts.password),
    )


def _credentials(name: str | None, password: str | None) -> bytes:
    if name is None:
        return b""
    shown = f"{unquote(name)}:{unquote(password or '')}".encode()
    return b"Authorization: Basic %s\r\n" % b64encode(shown)


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Encode headers as lines.

    Raises:
        ValueError: A value has characters that are not allowed, such as a line break.
    """
    for name, value in headers.items():
        if not value.isprintable():
            raise ValueError(f"the header {name} has characters that are not allowed in a header")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


class Head(NamedTuple):
    """Status and headers of a response; names in lower case."""

    status: int
    headers: dict[str, str]
    keeps_alive: bool


class Reply(NamedTuple):
    """A complete response."""

    head: Head
    body: bytes


class ReplyReader:
    """Parses one response from bytes as they arrive.

    Attributes:
        head: Head of the response, once complete.
        rest: Bytes not parsed yet; after a complete response, whatever follows it.
    """

    def __init__(self) -> None:
        self.rest = bytearray()
        self.head: Head | None = None
        self._chunks: bytearray | None = None
        self._length: int | None = None

    def feed(self, data: bytes) -> Reply | None:
        """Parse the bytes read; return the response once it is complete.

        Raises:
            ReplyFault: It is not a valid response.
        """
        self.rest += data
        if self.head is None:
            self.head = self._take_head()
            if self.head is None:
                return None
        size = max(self._length or 0, len(self.rest) + len(self._chunks or b""))
        if size > _LONGEST_BODY:
            raise ReplyFault(f"a body of more than {_LONGEST_BODY} bytes")
        if self._chunks is not None:
            return (
                Reply(self.head, bytes(self._chunks)) if self._take_chunks(self._chunks) else None
            )
        if self._length is None or len(self.rest) < self._length:
            return None
        body = bytes(self.rest[: self._length])
        del self.rest[: self._length]
        return Reply(self.head, body)

    def end(self) -> Reply:
        """Return the response whose end is marked by the end of the connection.

        Raises:
            ReplyFault: There is none.
        """
        if self.head is None or self._chunks is not None or self._length is not None:
            raise ReplyFault("the connection was closed before the response was complete")
        return Reply(self.head, bytes(self.rest))

    def _take_head(self) -> Head | None:
        """Parse the head, and how the end of the body is marked; drop interim responses (1xx)."""
        while True:
            end = self.rest.find(b"\r\n\r\n")
            if end < 0:
                if len(self.rest) > _LONGEST_HEAD:
                    raise ReplyFault(f"a head of more than {_LONGEST_HEAD} bytes")
                if not _BEGINNING.startswith(bytes(self.rest[: len(_BEGINNING)])):
                    first = self.rest.partition(b"\r\n")[0].decode("latin-1")
                    raise ReplyFault(f"{first[:40]!r} is not an HTTP response")
                return None
            head = _head_of(bytes(self.rest[:end]).decode("latin-1"))
            del self.rest[: end + 4]
            if head.status >= 200 or head.status == _SWITCHING:
                break
        if head.status == _SWITCHING or head.status in _WITHOUT_BODY:
            self._length = 0
        elif "transfer-encoding" in head.headers:
            if head.headers["transfer-encoding"].lower() != "chunked":
                raise ReplyFault("a transfer encoding that was not asked for")
            self._chunks = bytearray()
        elif "content-length" in head.headers:
            self._length = _number(head.headers["content-length"], 10)
        return head

    def _take_chunks(self, taken: bytearray) -> bool:
        """Move complete chunks to `taken`; return whether the last chunk was among them."""
        while True:
            at = self.rest.find(b"\r\n")
            if at < 0:
                return False
            size = _number(self.rest[:at].split(b";")[0].decode("latin-1"), 16)
            start = at + 2
            end = start + size
            if not size:
                end = self.rest.find(b"\r\n\r\n", at)  # trailers may follow the last chunk
                if end < 0:
                    return False
                del self.rest[: end + 4]
                return True
            if len(self.rest) < end + 2:
                return False
            if self.rest[end : end + 2] != b"\r\n":
                raise ReplyFault("a chunk is longer than it says")
            taken += self.rest[start:end]
            del self.rest[: end + 2]


def _head_of(text: str) -> Head:
    first, *lines = text.split("\r\n")
    version, _, said = first.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or _STATUS.match(said) is None:
        raise ReplyFault(f"{first[:40]!r} is not an HTTP response")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ReplyFault(f"{line[:40]!r} is not a header")
        name, value = name.lower(), value.strip(" \t")
        if headers.get(name, value) != value:
            if name == "content-length":
                raise ReplyFault("two lengths of one body")
            if name in _LISTS:
                value = f"{headers[name]}, {value}"
        headers[name] = value
    persistence = headers.get("connection", "").lower()
    keeps_alive = (
        "keep-alive" in persistence if version == "HTTP/1.0" else "close" not in persistence
    )
    return Head(int(said[:3]), headers, keeps_alive)


def _number(text: str, base: int) -> int:
    try:
        if _NUMBERS[base].fullmatch(text.strip(" \t")):
            return int(text, base)
    except ValueError:  # more digits than Python converts
        pass
    raise ReplyFault(f"{text[:20]!r} is not a length")
