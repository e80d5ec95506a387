"""The transport interface: what the venue needs from the network, and how failures are reported.

`network.Network` implements it with sockets. Another implementation, such as a lossy network in
memory, can replace it without changes above.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = [
    "REDIRECTS",
    "TRANSIENT",
    "Answer",
    "Closed",
    "ConnectFailed",
    "Receiver",
    "Socket",
    "Transport",
]

REDIRECTS = (301, 302, 303, 307, 308)
"""Statuses of redirects, which are not followed."""

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of failures that may be temporary."""


class Answer(NamedTuple):
    """The response to a request.

    Attributes:
        retry_after: The Retry-After header, or None.
    """

    status: int
    body: bytes
    retry_after: str | None = None


class Closed(NamedTuple):
    """How a connection ended: close code and reason, or None and what is known of the failure.

    Attributes:
        is_ours: Whether we closed it because of what the other side sent.
    """

    code: int | None
    reason: str = ""
    is_ours: bool = False

    @property
    def said(self) -> str:
        """How it ended, in words."""
        said = f"{'' if self.code is None else self.code} {self.reason}".strip()
        return f"closed on this side: {said}" if self.is_ours else said


class ConnectFailed(Exception):
    """A connection to the event stream failed.

    Attributes:
        said: What happened.
        status: Status of the response to the handshake, or None.
        retry_after: Seconds that the proxy asked to wait, or None.
        is_untrusted: Whether the proxy's certificate was not accepted, it demands a client
            certificate, or it does not speak TLS.
        is_not_proxy: Whether the response to the handshake cannot be a proxy's.
    """

    def __init__(
        self,
        said: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        is_untrusted: bool = False,
        is_not_proxy: bool = False,
    ) -> None:
        super().__init__(said)
        self.said = said
        self.status = status
        self.retry_after = retry_after
        self.is_untrusted = is_untrusted
        self.is_not_proxy = is_not_proxy


class Receiver(Protocol):
    """Receives what a connection delivers, in order of arrival; its methods never block."""

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """Handle the payloads of messages read together; return frames to send immediately."""
        ...

    def lost(self, closed: Closed) -> None:
        """The connection ended."""
        ...


class Socket(Protocol):
    """One connection to the event stream."""

    def send(self, frame: bytes) -> bool:
        """Send a text frame; return False if the connection is gone."""
        ...

    async def close(self) -> None:
        """Close with a closing handshake, within two seconds; deliver nothing more."""
        ...


class Transport(Protocol):
    """The network as one strategy uses it."""

    async def connect(self, url: str, receiver: Receiver) -> Socket:
        """Connect to an event stream, and deliver messages to the receiver.

        Raises:
            ConnectFailed: The connection failed, or was redirected.
        """
        ...

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send one request, once.

        Raises:
            Unreachable: Nothing was sent.
            ConnectionLost: It was, or may have been, sent, and there was no response.
            AccessDenied: The proxy's certificate was not accepted, it demands a client certificate,
                or it does not speak TLS.
            ProtocolError: The response is compressed.
        """
        ...

    async def close(self) -> None:
        """Close all connections for requests."""
        ...
