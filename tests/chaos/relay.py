"""A TCP relay that disturbs connections by a plan drawn from a seed, as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

from msgspec import Struct

from strategy_runtime.clock import sleep
from strategy_runtime.ids import Random, generator

__all__ = ["Fault", "FaultKind", "Relay", "relayed"]

_CHUNK = 65_536
_SHRED = 7


class FaultKind(Enum):
    """What happens to a connection after some bytes in one direction."""

    RESET = "reset"
    CLOSE = "close"
    STALL = "stall"
    """Nothing passes for a while; then a reset."""
    SPLIT = "split"
    """From then on, a few bytes at a time."""
    DELAY = "delay"
    """A pause, then everything continues."""


# Faults that a connection survives are rare, since it would outlast all other faults.
_KINDS = [*[FaultKind.RESET, FaultKind.CLOSE, FaultKind.STALL] * 8, *FaultKind]


class Fault(Struct, frozen=True):
    """One fault.

    Attributes:
        after: Number of bytes that pass before it.
        is_upstream: Whether it hits bytes to the server, rather than to the client.
        seconds: Duration of a stall or delay.
    """

    kind: FaultKind
    after: int
    is_upstream: bool
    seconds: float = 0.0


def drawn(rng: Random, reach: int) -> Fault:
    """Draw a fault within the first `reach` bytes."""
    return Fault(
        rng.choice(_KINDS),
        int(rng.triangular(0, reach, 0)),
        rng.random() < 0.3,
        rng.uniform(0.0, 0.02),
    )


class Relay:
    """Relays connections between clients and one server.

    Attributes:
        url: `host:port` for clients.
        plan: The fault of each connection so far, for a failing test to print.
    """

    def __init__(self, host: str, port: int, seed: int, faults: int, reach: int) -> None:
        self.url = ""
        self.plan: list[Fault | None] = []
        self._target = (host, port)
        self._rng = generator(seed)
        self._faults = faults
        self._reach = reach

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection; only the first `faults` connections are disturbed."""
        fault = drawn(self._rng, self._reach) if len(self.plan) < self._faults else None
        self.plan.append(fault)
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        up = fault if fault is not None and fault.is_upstream else None
        down = fault if fault is not None and not fault.is_upstream else None
        ways = [
            asyncio.create_task(_pass(reader, there_writer, up)),
            asyncio.create_task(_pass(there_reader, writer, down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            with suppress(TimeoutError):  # the other direction may still have bytes to pass
                async with asyncio.timeout(0.05):
                    await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            is_reset = any(way.done() and not way.cancelled() and way.result() for way in ways)
            for end in (writer, there_writer):
                if is_reset:
                    end.transport.abort()
                else:
                    end.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
) -> bool:
    """Relay one direction until it ends or the fault ends it; return True for a reset."""
    left = -1 if fault is None else fault.after
    is_split = False
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            if 0 <= left < len(data) and fault is not None:
                writer.write(data[:left])
                await writer.drain()
                data, left = data[left:], -1
                if fault.kind in (FaultKind.STALL, FaultKind.DELAY):
                    await sleep(fault.seconds)
                if fault.kind in (FaultKind.RESET, FaultKind.STALL):
                    return True
                if fault.kind is FaultKind.CLOSE:
                    return False
                is_split = fault.kind is FaultKind.SPLIT
            elif left >= 0:
                left -= len(data)
            if is_split:
                for at in range(0, len(data), _SHRED):
                    writer.write(data[at : at + _SHRED])
                    await writer.drain()
                    await sleep(0)
            else:
                writer.write(data)
                await writer.drain()
    return False


@asynccontextmanager
async def relayed(url: str, *, seed: int, faults: int, reach: int) -> AsyncIterator[Relay]:
    """Run a relay in front of `host:port`.

    Args:
        faults: Number of connections to disturb, with one fault each.
        reach: Maximum number of bytes before a fault.
    """
    host, _, port = url.rpartition(":")
    relay = Relay(host, int(port), seed, faults, reach)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = "{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield relay
    finally:
        server.close()
        await server.wait_closed()
