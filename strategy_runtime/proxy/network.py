"""The network by aiohttp: sockets that deliver as they read, and requests.

A task of its own reads a socket and never runs the strategy's code: aiohttp answers protocol pings
only while somebody reads, and drops what it has buffered when a slow reader looks like a dead peer.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Literal

import aiohttp
from aiohttp import ClientWSTimeout, WSMsgType, hdrs
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from strategy_runtime.errors import AccessDenied, ConnectionLost, ProtocolError, Unreachable
from strategy_runtime.proxy.policy import seconds_of
from strategy_runtime.proxy.transport import Answer, Closed, ConnectFailed, Receiver

__all__ = ["Network"]

_HANDSHAKE_S = 10.0
_CLOSE_S = 2.0
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)


class Network:
    """Implements the transport.

    Args:
        headers: Sent with every request and handshake.
        heartbeat: Seconds between pings, of which one without answer ends a connection; None for
            none.
        max_frame: Bytes a message may have; a longer one ends the connection with code 1009.
    """

    def __init__(
        self, *, headers: Mapping[str, str], heartbeat: float | None, max_frame: int
    ) -> None:
        self._headers = dict(headers)
        self._body_headers = {**headers, hdrs.CONTENT_TYPE: "application/json"}
        self._heartbeat = heartbeat
        self._max_frame = max_frame
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None

    def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        """One session for streams, one for requests: what watches the first costs the second."""
        if self._sessions is None:
            self._sessions = _session(_no_redirects()), _session()
        return self._sessions

    async def connect(self, url: str, receiver: Receiver) -> "_Socket":
        """Connect to an event stream; see `Transport`."""
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                socket = await self._open()[0].ws_connect(
                    url,
                    headers=self._headers,
                    timeout=ClientWSTimeout(ws_close=_CLOSE_S),  # pyright: ignore[reportCallIssue]
                    autoping=True,
                    heartbeat=self._heartbeat,
                    compress=0,
                    max_msg_size=self._max_frame,
                    decode_text=False,
                )
        except aiohttp.WSServerHandshakeError as error:
            wait = None if error.headers is None else error.headers.get(hdrs.RETRY_AFTER)
            raise ConnectFailed(
                f"the handshake was answered with {error.status}",
                status=error.status,
                retry_after=seconds_of(wait),
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            said = str(error) or f"no handshake within {_HANDSHAKE_S:g} s"
            raise ConnectFailed(said, is_untrusted=_is_untrusted(error)) from None
        return _Socket(socket, receiver)

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send one request; see `Transport`."""
        try:
            async with self._open()[1].request(
                method,
                URL(url, encoded=True),
                data=body,
                headers=self._headers if body is None else self._body_headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                wait = response.headers.get(hdrs.RETRY_AFTER)
                return Answer(response.status, await response.read(), wait)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            if _is_untrusted(error):
                raise AccessDenied(f"the proxy's certificate cannot be trusted: {error}") from None
            if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                what = getattr(error, "strerror", None) or error
                raise Unreachable(f"nobody answers at {url}: {what}") from None
            what = "timed out" if isinstance(error, TimeoutError) else f"failed: {error}"
            raise ConnectionLost(f"{method} {url} {what}") from None

    async def close(self) -> None:
        """Close all connections; a later request would open a new one."""
        sessions, self._sessions = self._sessions or (), None
        for session in sessions:
            await session.close()


class _Socket:
    """One connection: a reader that delivers, and the way back."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse[Literal[False]], receiver: Receiver
    ) -> None:
        self._socket = socket
        self._reader = asyncio.create_task(self._read(receiver), name="strategy-runtime reader")

    async def send(self, frame: bytes) -> bool:
        """Send a text frame; False where the connection has gone."""
        try:
            await self._socket.send_frame(frame, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError, aiohttp.ClientError):
            return False
        return True

    async def close(self) -> None:
        """Close in good order, within two seconds."""
        await self._socket.close()
        self._reader.cancel()
        await asyncio.wait({self._reader})

    async def _read(self, receiver: Receiver) -> None:
        receive, feed = self._socket.receive, receiver.feed
        code: int | None = None
        reason = ""
        try:
            while True:
                message = await receive()
                kind = message.type
                if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                    reply = feed(message.data)
                    if reply is not None:
                        await self.send(reply)
                elif kind is WSMsgType.CLOSE:
                    code, reason = message.data, message.extra or ""
                elif kind is WSMsgType.ERROR:
                    reason = str(self._socket.exception() or message.data)
                    return
                elif kind in (WSMsgType.CLOSED, WSMsgType.CLOSING):
                    return
        finally:
            receiver.lost(Closed(self._socket.close_code if code is None else code, reason))


def _session(*watching: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, resolver=ThreadedResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=list(watching),
    )


def _no_redirects() -> aiohttp.TraceConfig:
    """Has a session follow no redirect: the client library would, on its way to a socket."""

    async def refuse(
        _session: aiohttp.ClientSession,
        _context: object,
        redirect: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        target = redirect.response.headers.get("Location", "")
        raise ProtocolError(
            f"{redirect.url} redirects to {target}; redirects are not followed, check PROXY_WS_URL"
        )

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def _is_untrusted(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError)
