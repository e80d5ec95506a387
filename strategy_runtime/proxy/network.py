"""The transport over real sockets: event streams, and requests over kept-alive connections."""

import asyncio
import os
import ssl
from codecs import BOM_UTF8
from collections.abc import Mapping

from strategy_runtime.clock import sleep
from strategy_runtime.errors import (
    AccessDenied,
    ConnectionLost,
    ProtocolError,
    Unreachable,
    reason_of,
)
from strategy_runtime.ids import generator
from strategy_runtime.proxy.dialing import dial
from strategy_runtime.proxy.endpoints import KEY_SETTINGS
from strategy_runtime.proxy.http1 import ReplyFault, Target, header_lines, target_of
from strategy_runtime.proxy.policy import seconds_of
from strategy_runtime.proxy.pool import Pool
from strategy_runtime.proxy.stream import Stream
from strategy_runtime.proxy.transport import REDIRECTS, Answer, ConnectFailed, Receiver

__all__ = ["Network"]

_HANDSHAKE_S = 10.0
_ANSWER_S = 10.0
_AGREED = 101
# OpenSSL's errors for bytes that are not TLS, up to 3.1 and from 3.2 on. The text is searched
# because a Python older than the library does not know the new reason by name.
_NO_TLS = ("wrong version number", "record layer failure")
_NO_CERTIFICATE = "certificate required"
# OpenSSL's codes of a self-signed certificate, alone or at the end of a chain, and of an unknown
# authority.
_UNKNOWN_ISSUER = (18, 19, 20)


class Network:
    """Implements `Transport`.

    Args:
        headers: Sent with every request and handshake.
        heartbeat: Heartbeat of streams, see `Stream`.
        max_frame: Maximum size of a message, in bytes; a longer one closes the connection (1009).
    """

    def __init__(
        self, *, headers: Mapping[str, str], heartbeat: float | None, max_frame: int
    ) -> None:
        # Without Accept-Encoding, a server may choose any (RFC 9110, 12.5.3).
        fixed = {"User-Agent": "strategy-runtime", "Accept-Encoding": "identity"}
        self._headers = header_lines({**fixed, **headers})
        self._heartbeat = heartbeat
        self._max_frame = max_frame
        self._rng = generator()
        self._pool = Pool()

    async def connect(self, url: str, receiver: Receiver) -> Stream:
        """Connect to an event stream; see `Transport`."""

        def make() -> Stream:
            return Stream(
                receiver,
                longest=self._max_frame,
                heartbeat=self._heartbeat,
                rng=self._rng,
            )

        target, awaited = target_of(url), "connection"
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                stream = await dial(target, make)
                awaited = "handshake"
                head = await stream.shake_hands(target, self._headers)
        except (OSError, ReplyFault, TimeoutError) as error:
            tls_problem = _tls_problem(error, target, "ws")
            said = tls_problem or reason_of(error) or f"no {awaited} in time"
            raise ConnectFailed(said, is_untrusted=bool(tls_problem)) from None
        if head.status in REDIRECTS:
            raise ConnectFailed(
                f"{url} redirects to {head.headers.get('location', '')}; redirects are not "
                "followed, so give the address of the proxy itself",
                status=head.status,
            )
        if head.status != _AGREED:
            raise ConnectFailed(
                f"the handshake was answered with {head.status}",
                status=head.status,
                retry_after=seconds_of(head.headers.get("retry-after")),
            )
        return stream

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send one request; see `Transport`."""
        target = target_of(url)
        try:
            connection = await self._pool.acquire(target)
        except (OSError, TimeoutError) as error:
            tls_problem = _tls_problem(error, target, "http")
            if tls_problem:
                raise AccessDenied(tls_problem) from None
            what = reason_of(error) or "no connection in time"
            raise Unreachable(f"nobody answers at {url}: {what}") from None
        head = f"{method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode()
        head += target.credentials
        if body is None:
            message = b"%s%s\r\n" % (head, self._headers)
        else:
            message = b"%s%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                head,
                self._headers,
                len(body),
                body,
            )
        try:
            reply = await connection.request(message, _ANSWER_S)
        except (OSError, ReplyFault) as error:
            tls_problem = _tls_problem(error, target, "http")
            if tls_problem:
                raise AccessDenied(tls_problem) from None
            what = "timed out" if isinstance(error, TimeoutError) else f"failed: {error}"
            raise ConnectionLost(f"{method} {url} {what}") from None
        finally:
            self._pool.release(target, connection)
        encoding = reply.head.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise ProtocolError(
                f"{method} {url} was answered in {encoding}, which was not requested; responses "
                "must not be compressed, neither by the proxy nor by anything in front of it"
            )
        return Answer(
            reply.head.status,
            reply.body.removeprefix(BOM_UTF8),
            reply.head.headers.get("retry-after"),
        )

    async def close(self) -> None:
        """Close all connections for requests; a later request would open a new one."""
        self._pool.close()
        await sleep(0)


def _tls_problem(error: Exception, target: Target, scheme: str) -> str:
    """Return why TLS cannot be established, however often it is tried; empty for other errors."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = _authority_hint() if error.verify_code in _UNKNOWN_ISSUER else ""
        return f"the proxy's certificate cannot be trusted: {error}{hint}"
    if isinstance(error, ssl.SSLError) and any(each in str(error) for each in _NO_TLS):
        return (
            f"{target.authority} answers, but does not speak TLS: write {scheme}:// instead of "
            f"{scheme}s://"
        )
    if isinstance(error, ssl.SSLError) and _NO_CERTIFICATE in str(error):
        return (
            f"{target.authority} demands a client certificate, which is not supported; "
            f"let it ask for a key instead ({KEY_SETTINGS})"
        )
    return ""


def _authority_hint() -> str:
    """Return a hint for a missing authority; OpenSSL itself ignores a missing file silently."""
    file = os.environ.get("SSL_CERT_FILE")
    if file is None:
        return "; set SSL_CERT_FILE to the file of your own authority"
    if not os.access(file, os.R_OK):
        return f"; SSL_CERT_FILE names {file}, which cannot be read"
    return f"; {file}, which SSL_CERT_FILE names, does not have the authority that signed it"
