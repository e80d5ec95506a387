"""The seam to the network: all that the venue wants of it, and how it says that something failed.

`network.Network` does it on sockets. Whatever else offers these few calls, a faster reader or a
network in memory that loses things on purpose, takes its place without anything above noticing.
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
"""Answers that point elsewhere: nothing is sent there."""

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may be others after a while."""


class Answer(NamedTuple):
    """What came back to a request.

    Attributes:
        retry_after: The header that says when to ask again, where there was one.
    """

    status: int
    body: bytes
    retry_after: str | None = None


class Closed(NamedTuple):
    """How a connection ended: close code and reason, or None and what is known of the failure.

    Attributes:
        is_ours: We closed it, for what the other side had sent.
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
    """A connection to the event stream was not made.

    Attributes:
        said: What happened.
        status: What the proxy answered to the handshake, where it did.
        retry_after: Seconds it asked to wait.
        is_untrusted: Its certificate was not accepted, it wants one of ours, or it does not speak
            TLS.
        is_stranger: What was answered to the handshake can come from no proxy.
    """

    def __init__(
        self,
        said: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        is_untrusted: bool = False,
        is_stranger: bool = False,
    ) -> None:
        super().__init__(said)
        self.said = said
        self.status = status
        self.retry_after = retry_after
        self.is_untrusted = is_untrusted
        self.is_stranger = is_stranger


class Receiver(Protocol):
    """Where a connection delivers; both are called in the order of arrival, and never wait."""

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """Take the payloads of messages that came together; what it gives back is sent at once."""
        ...

    def lost(self, closed: Closed) -> None:
        """Nothing more will come."""
        ...


class Socket(Protocol):
    """One connection to the event stream."""

    def send(self, frame: bytes) -> bool:
        """Send a text frame; False where the connection has gone."""
        ...

    async def close(self) -> None:
        """Close in good order, within two seconds; nothing is delivered any more."""
        ...


class Transport(Protocol):
    """The network, as one strategy uses it."""

    async def connect(self, url: str, receiver: Receiver) -> Socket:
        """Connect to an event stream and deliver what comes to the receiver.

        Raises:
            ConnectFailed: It was not possible.
            ProtocolError: The answer was a redirect; they are not followed.
        """
        ...

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send one request, once.

        Raises:
            Unreachable: Nothing was sent.
            ConnectionLost: It was sent, or may have been, and was not answered.
            AccessDenied: The other side's certificate was not accepted, it wants one of ours, or it
                does not speak TLS.
            ProtocolError: The answer is compressed.
        """
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
