"""Opening connections: address lookup, TLS, keep-alive, and reads into a reused buffer."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from typing import Any, TypeVar

from strategy_runtime.proxy.http1 import Target

__all__ = ["Reader", "dial"]

_READ = 64 * 1024
_CONNECT_S = 5.0
_NEXT_ADDRESS_S = 2.0
# The system starts to probe after 30 s of silence and gives up after 60. Systems use either of the
# first two names. While sent data is unacknowledged Linux does not probe: there the last one, in
# ms, sets the limit.
_PROBING = {
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPALIVE": 30,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 60_000,
}

_P = TypeVar("_P", bound="Reader")


class Reader(asyncio.BufferedProtocol):
    """A protocol that reads into one reused buffer.

    asyncio's default allocates 256 KiB for every read, however small, which the system's allocator
    maps and unmaps each time: a third of the cost of a round trip.
    """

    def __init__(self) -> None:
        self._view = memoryview(bytearray(_READ))
        self._transport: asyncio.WriteTransport

    def connection_made(  # type: ignore[override]  # uvloop's transports are of no class of asyncio's
        self, transport: asyncio.WriteTransport
    ) -> None:
        """Called by the event loop."""
        self._transport = transport

    def keep_alive(self) -> None:
        """Let the system close the connection within a minute if the other host is gone."""
        connection = self._transport.get_extra_info("socket")
        if connection is None:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBING.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer to read into: a view, since asyncio's TLS writes into slices of it."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop when `nbytes` bytes were read."""
        self.arrived(bytes(self._view[:nbytes]))

    def arrived(self, data: bytes) -> None:
        """Handle the bytes read."""
        raise NotImplementedError


async def dial(target: Target, make: Callable[[], _P]) -> _P:
    """Connect, trying the addresses of a name in turn, with a short timeout for all but the last.

    Raises:
        OSError: The connection failed; `ssl.SSLCertVerificationError` if it cannot be trusted.
        TimeoutError: There was no connection in time.
    """
    loop = asyncio.get_running_loop()
    tls = _tls() if target.uses_tls else None
    async with asyncio.timeout(_CONNECT_S):
        addresses = await _addresses(target)
        while True:
            address = addresses.pop(0)
            try:
                async with asyncio.timeout(_NEXT_ADDRESS_S if addresses else None):
                    _, protocol = await loop.create_connection(
                        make,
                        address,
                        target.port,
                        ssl=tls,
                        server_hostname=target.host if target.uses_tls else None,
                    )
                return protocol
            except ssl.SSLError:
                raise
            except (OSError, TimeoutError) as error:
                if not addresses:
                    raise _in_the_systems_words(error) from None


def _in_the_systems_words(error: OSError) -> OSError:
    """Return the error with the system's reason; asyncio's text has the address instead."""
    if error.errno is None or isinstance(error, socket.gaierror):  # it has its own numbers
        return error
    return OSError(error.errno, os.strerror(error.errno))


async def _addresses(target: Target) -> list[str]:
    try:
        return [str(ip_address(target.host))]
    except ValueError:
        pass
    try:
        found = await _look_up(target.host, target.port)
    except UnicodeError as error:
        raise OSError(f"{target.host!r} is not a valid host name: {error}") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def _look_up(host: str, port: int) -> list[Any]:
    """Call `socket.getaddrinfo` on a daemon thread.

    Without an answer from the name server it returns only after half a minute. The loop would call
    it on a thread that the end of the process waits for.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def settle(found: list[Any] | Exception) -> None:
        if answer.done():
            return  # nobody waits for it any more
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[Any] | Exception
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop may have been closed
            loop.call_soon_threadsafe(settle, found)

    try:
        threading.Thread(target=ask, name="address lookup", daemon=True).start()
    except RuntimeError as error:
        raise OSError(f"{host} cannot be looked up: {error}") from None
    return await answer


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
