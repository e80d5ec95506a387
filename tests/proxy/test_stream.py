"""A connection to the event stream: handshake, delivery, and every way it can end."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

import pytest

from strategy_runtime.clock import sleep
from strategy_runtime.ids import generator
from strategy_runtime.proxy.framing import CLOSE, PING, PONG, TEXT, close_code
from strategy_runtime.proxy.http1 import target_of
from strategy_runtime.proxy.network import Network
from strategy_runtime.proxy.stream import Stream
from strategy_runtime.proxy.transport import Closed, ConnectFailed
from tests.chaos.virtual_time import VirtualLoop, VirtualTime, run
from tests.proxy.plain_server import Notes, Scene, agreed, either_loop, on_loop, serving


def frame(payload: bytes, kind: int = TEXT) -> bytes:
    return bytes((0x80 | kind, len(payload))) + payload


async def received(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read opcode and payload of a short frame from the client."""
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(each ^ mask[at % 4] for at, each in enumerate(masked))


def network(**options: Any) -> Network:
    return Network(**{"headers": {}, "heartbeat": None, "max_frame": 1000} | options)


async def lost_by(scene: Scene, notes: Notes, **options: Any) -> Closed:
    """Return how a connection ends with a server that plays a scene."""
    async with serving(scene) as url:
        link = await network(**options).connect(f"ws://{url}/", notes)
        closed = await notes.until_lost()
        assert not link.send(b"too late")
        await link.close()
    assert notes.closed == [closed]
    return closed


@either_loop
def test_frames_that_come_with_the_handshake_are_delivered(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader) + frame(b"one") + frame(b"question") + frame(b"two"))
        heard.append(await received(reader))
        writer.write(frame(b"\x0f\xa1bye", CLOSE))
        heard.append(await received(reader))

    async def test() -> None:
        notes = Notes()
        assert await lost_by(scene, notes) == Closed(4001, "bye")
        assert notes.frames == [b"one", b"question", b"two"]
        assert heard[0] == (TEXT, b"answer")
        assert heard[1] == (CLOSE, b"\x0f\xa1")

    heard: list[tuple[int, bytes]] = []
    on_loop(loop, test())


@either_loop
def test_a_ping_is_answered_with_what_it_carries(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader) + frame(b"are you there", PING))
        heard.append(await received(reader))

    async def test() -> None:
        notes = Notes()
        assert await lost_by(scene, notes) == Closed(1006, "closed without a close frame")
        assert heard == [(PONG, b"are you there")]

    heard: list[tuple[int, bytes]] = []
    on_loop(loop, test())


async def test_a_close_with_a_code_that_may_not_be_sent_is_not_answered_with_it() -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader) + frame(b"\x03\xee", CLOSE))
        heard.append(await received(reader))

    heard: list[tuple[int, bytes]] = []
    assert await lost_by(scene, Notes()) == Closed(1006)
    assert heard == [(CLOSE, b"\x03\xea")]


@either_loop
def test_what_is_no_frame_closes_with_the_reason(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader) + b"\xf1\x01x" + frame(b"not read any more"))
        heard.append(await received(reader))

    async def test() -> None:
        notes = Notes()
        said = "an extension is used that was not negotiated"
        assert await lost_by(scene, notes) == Closed(1002, said, is_ours=True)
        assert notes.frames == []
        assert heard[0][0] == CLOSE
        assert close_code(heard[0][1]) == (1002, said)

    heard: list[tuple[int, bytes]] = []
    on_loop(loop, test())


@either_loop
def test_a_link_that_falls_silent_is_asked_and_then_given_up(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader))
        heard.append(await received(reader))
        writer.write(frame(b"", PONG))
        heard.append(await received(reader))
        await reader.read()

    async def test() -> None:
        closed = await lost_by(scene, Notes(), heartbeat=0.05)
        assert closed == Closed(1006, "no answer to a ping in 0.05 s")
        assert heard == [(PING, b""), (PING, b"")]

    heard: list[tuple[int, bytes]] = []
    on_loop(loop, test())


@either_loop
def test_a_proxy_that_asks_and_asks_and_reads_nothing_is_left(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader))
        with suppress(ConnectionError):
            while True:
                writer.write(frame(b"x" * 125, PING) * 1000)
                await writer.drain()

    async def test() -> None:
        closed = await lost_by(scene, Notes())
        assert closed == Closed(1006, "it does not read what is sent to it")

    on_loop(loop, test())


@either_loop
def test_closing_says_so_waits_for_the_answer_and_delivers_nothing_more(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader) + frame(b"one"))
        heard.append(await received(reader))
        writer.write(frame(b"two") + frame(b"\x03\xe8", CLOSE))
        assert await reader.read() == b""

    async def test() -> None:
        notes = Notes()
        async with serving(scene) as url:
            link = await network().connect(f"ws://{url}/", notes)
            while not notes.frames:
                await notes.changed.wait()
            await link.close()
        assert notes.frames == [b"one"]
        assert notes.closed == [Closed(1000, "")]
        assert heard == [(CLOSE, b"\x03\xe8")]

    heard: list[tuple[int, bytes]] = []
    on_loop(loop, test())


@either_loop
@pytest.mark.parametrize(
    ("answer", "said", "status", "is_not_proxy"),
    [
        (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", "answered with 404", 404, False),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "answered with 200", 200, False),
        (
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "not answered by an event stream",
            None,
            True,
        ),
        (b"SSH-2.0-OpenSSH\r\n", "'SSH-2.0-OpenSSH' is not an HTTP response", None, True),
        (b"HTTP/1.1 101", "closed before the handshake was answered", None, False),
        (b"", "closed before the handshake was answered", None, False),
    ],
)
def test_a_handshake_that_fails_says_how(
    loop: str, answer: bytes, said: str, status: int | None, is_not_proxy: bool
) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agreed(reader)
        writer.write(answer)

    async def test() -> None:
        notes = Notes()
        async with serving(scene) as url:
            with pytest.raises(ConnectFailed, match=said) as failed:
                await network().connect(f"ws://{url}/", notes)
        assert failed.value.status == status
        assert failed.value.is_not_proxy == is_not_proxy
        assert not failed.value.is_untrusted
        assert notes.closed == []

    on_loop(loop, test())


@pytest.mark.parametrize(
    "headers", [b"", b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"]
)
async def test_the_body_of_a_refusal_is_not_waited_for(headers: bytes) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agreed(reader)
        writer.write(b"HTTP/1.1 401 No\r\n%s\r\n" % headers)
        assert await reader.read() == b""  # the client hangs up

    async with serving(scene) as url:
        with pytest.raises(ConnectFailed, match="answered with 401"):
            await network().connect(f"ws://{url}/", Notes())


async def test_one_that_asks_to_wait_or_redirects() -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agreed(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")

    async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agreed(reader)
        writer.write(b"HTTP/1.1 308 Moved\r\nLocation: ws://x/\r\nContent-Length: 0\r\n\r\n")

    async with serving(busy, moved) as url:
        with pytest.raises(ConnectFailed) as failed:
            await network().connect(f"ws://{url}/", Notes())
        assert (failed.value.status, failed.value.retry_after) == (503, 7)
        said = rf"ws://{url}/ redirects to ws://x/; redirects"
        with pytest.raises(ConnectFailed, match=said) as failed:
            await network().connect(f"ws://{url}/", Notes())
        assert failed.value.status == 308


async def test_an_attempt_that_is_given_up_leaves_no_connection() -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agreed(reader)
        reached.set()
        await reader.read()
        left.set()

    notes = Notes()
    async with serving(scene) as url:
        attempt = asyncio.create_task(network().connect(f"ws://{url}/", notes))
        await reached.wait()
        attempt.cancel()
        await left.wait()
    assert attempt.cancelled()
    assert notes.closed == []


# Silence, in virtual time.


class Wire:
    """A transport without a network; records when a ping was sent, and answers it later."""

    def __init__(self, loop: VirtualLoop, answer_after: float | None) -> None:
        self.loop = loop
        self.answer_after = answer_after
        self.stream: Any = None
        self.pings: list[float] = []

    def write(self, data: bytes) -> None:
        if data[0] == 0x80 | PING:
            self.pings.append(self.loop.time())
            if self.answer_after is not None:
                pong = frame(b"", PONG)
                self.loop.call_later(self.answer_after, self.stream.arrived, pong)

    def set_write_buffer_limits(self, high: int) -> None:
        """The write buffer never fills."""

    def abort(self) -> None:
        self.stream.connection_lost(None)

    close = abort


def silent(
    heartbeat: float,
    then: Callable[[VirtualLoop, Stream, Wire, Notes], Coroutine[Any, Any, None]],
    *,
    answer_after: float | None = None,
) -> None:
    """Run `then` with a connection on a virtual clock, on which nothing else arrives."""
    loop = VirtualLoop()

    async def test() -> None:
        notes, wire = Notes(), Wire(loop, answer_after)
        link = wire.stream = Stream(notes, longest=1000, heartbeat=heartbeat, rng=generator(1))
        link.connection_made(cast(asyncio.WriteTransport, wire))
        agreeing = loop.create_task(link.shake_hands(target_of("ws://there/"), b""))
        await sleep(0)
        accept = f"Sec-WebSocket-Accept: {link._accept}\r\n".encode()
        link.arrived(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n" + accept + b"\r\n")
        await agreeing
        await then(loop, link, wire, notes)

    run(test(), loop, VirtualTime(loop))


@either_loop
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux names it so")
def test_without_a_heartbeat_the_system_looks_for_a_host_that_is_gone(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await agreed(reader))
        await reader.read()

    async def options_of(heartbeat: float | None) -> tuple[int, int, int]:
        async with serving(scene) as url:
            link = await network(heartbeat=heartbeat).connect(f"ws://{url}/", Notes())
            ours = link._transport.get_extra_info("socket")
            is_asked = ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            silence = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            probes = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            probes *= ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
            in_flight = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            await link.close()
        return is_asked, silence + probes, in_flight

    async def test() -> None:
        assert await options_of(None) == (1, 60, 60_000)
        is_asked, _, in_flight = await options_of(5.0)
        assert (is_asked, in_flight) == (0, 0)

    on_loop(loop, test())


@pytest.mark.parametrize("heartbeat", [5.0, 30.0])
def test_a_dead_link_is_given_up_within_twice_its_heartbeat(heartbeat: float) -> None:
    async def then(loop: VirtualLoop, link: Stream, wire: Wire, notes: Notes) -> None:
        began = loop.time()
        closed = await notes.until_lost()
        assert closed == Closed(1006, f"no answer to a ping in {heartbeat:g} s")
        assert wire.pings == [began + heartbeat]
        assert loop.time() == began + 2 * heartbeat

    silent(heartbeat, then)


def test_a_proxy_that_is_slow_to_answer_pings_keeps_its_client() -> None:
    async def then(loop: VirtualLoop, link: Stream, wire: Wire, notes: Notes) -> None:
        await sleep(600)
        assert notes.closed == []
        assert len(wire.pings) > 60

    silent(5.0, then, answer_after=4.9)


def test_a_hook_that_blocks_the_loop_is_no_silence() -> None:
    async def then(loop: VirtualLoop, link: Stream, wire: Wire, notes: Notes) -> None:
        for _ in range(10):
            loop.skip(300)  # uvloop runs its timers before it reads
            await sleep(1)
        assert notes.closed == []
        await sleep(61)
        assert len(notes.closed) == 1

    silent(30.0, then)
