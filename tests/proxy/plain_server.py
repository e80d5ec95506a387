"""A scripted TCP server, a receiver that records, and a way to run a test on either event loop."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any

import pytest

from strategy_runtime.proxy.transport import Closed

__all__ = ["Notes", "Scene", "agreed", "either_loop", "head", "on_loop", "serving"]


class Notes:
    """A receiver that records what it receives."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: list[Closed] = []
        self.changed = asyncio.Event()

    def feed(self, messages: list[bytes]) -> list[bytes]:
        self.frames += messages
        self.changed.set()
        return [b"answer" for each in messages if each == b"question"]

    def lost(self, closed: Closed) -> None:
        self.closed.append(closed)
        self.changed.set()

    async def until_lost(self) -> Closed:
        while not self.closed:
            self.changed.clear()
            await self.changed.wait()
        (closed,) = self.closed
        return closed


Scene = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

either_loop = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def on_loop(loop: str, test: Coroutine[Any, Any, None]) -> None:
    """Run a test on an event loop, asyncio's or uvloop."""
    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test)
    else:
        asyncio.run(test)


@asynccontextmanager
async def serving(*scenes: Scene) -> AsyncIterator[str]:
    """Serve one scene per connection, the last one for all later; yield host and port."""
    waiting = list(scenes)
    running: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scene = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        try:
            await scene(reader, writer)
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(play(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read the head of a request: its first line under "", its headers by name."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    return {"": first, **dict(line.split(": ", 1) for line in lines)}


async def agreed(reader: asyncio.StreamReader) -> bytes:
    """Read a handshake, and return the response that accepts it."""
    key = (await head(reader))["Sec-WebSocket-Key"].encode()
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = b64encode(sha1(key + guid, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
    )
