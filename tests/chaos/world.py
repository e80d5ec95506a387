"""A proxy and a network in memory: the package's own server, and a plan of faults.

Only the part between the venue's transport and the server's handlers is simulated; everything
else is the package as shipped.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec
from aiohttp import WSMessage, WSMsgType, web
from multidict import MultiDict

from strategy_runtime.clock import now, sleep
from strategy_runtime.errors import ApiError, ConnectionLost, Unreachable
from strategy_runtime.ids import Random
from strategy_runtime.protocol.events import Ping
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.proxy.policy import reconnect_delays, retry_delays, startup_delays
from strategy_runtime.proxy.transport import Answer, Closed, ConnectFailed, Receiver
from strategy_runtime.runtime.threads import ThreadedVenue
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.broadcast import Broadcast
from strategy_runtime.simulator.server.connection import Connection
from strategy_runtime.simulator.server.envelope import refusal
from strategy_runtime.simulator.server.lock_step import LockStep
from strategy_runtime.simulator.server.routes import Routes
from strategy_runtime.simulator.server.stream import EventStream
from tests.chaos.plan import Kind, Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime

__all__ = ["MemoryNetwork", "MemoryProxy", "OneLoop", "live_venue_on", "venue_on"]

_T = TypeVar("_T")
_Handler = Callable[[Any], web.Response]

_NO_PONG_S = 10.0
_TIMEOUT_S = 10.0
_SWAPPED_S = 0.05
_CLOSED_ABNORMALLY = 1006
_REPEATED = 12
_LATENCY_S = 0.002


class _Request:
    """The part of a request that the handlers use."""

    def __init__(self, query: MultiDict[str], names: dict[str, str], body: bytes) -> None:
        self.query = query
        self.match_info = names
        self._body = body

    def __getitem__(self, key: object) -> bytes:
        return self._body


class MemoryProxy:
    """The package's proxy without sockets.

    Args:
        speed: Speed of a replay by the clock; None for lock-step.
        knows_ids: Whether it deduplicates orders by id, and says so.

    Attributes:
        booked: How often each client order id was booked.
    """

    def __init__(self, exchange: Exchange, *, speed: float | None, knows_ids: bool) -> None:
        self.exchange = exchange
        self.booked: Counter[str] = Counter()
        self.stream: EventStream
        if speed is None:
            self.stream = LockStep(
                exchange,
                first_ack_timeout=0,
                ack_timeout=0,
                last_ack_timeout=10,
                ping_interval=15,
            )
        else:
            self.stream = Broadcast(exchange, speed=speed, ping_interval=15, silence_limit=45)
        self._knows_ids = knows_ids
        table = Routes(self.stream, "chaos").table()
        self._places = {
            (method, path): handler for method, path, handler in table if "{" not in path
        }
        self._patterns = [
            (method, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), handler)
            for method, path, handler in table
            if "{" in path
        ]

    def answer(self, method: str, url: str, body: bytes | None) -> Answer:
        """Handle a request."""
        parts = urlsplit(url)
        handler, names = self._handler(method, parts.path)
        if handler is None:
            return Answer(404, b'{"code":"HTTP_404","message":"no such path"}')
        request: Any = _Request(MultiDict(parse_qsl(parts.query)), names, body or b"")
        try:
            response = handler(request)
        except ApiError as error:
            response = refusal(error)
        answer = bytes(response.body)  # type: ignore[arg-type]
        is_booked = response.status == 201 or (response.status == 200 and not self._knows_ids)
        if method == "POST" and is_booked:
            self.booked[msgspec.json.decode(body or b"{}")["client_order_id"]] += 1
        if parts.path == "/capabilities" and not self._knows_ids:
            answer = answer.replace(b"client_order_id_dedupe", b"something_else")
        return Answer(response.status, answer)

    def _handler(self, method: str, path: str) -> tuple[_Handler | None, dict[str, str]]:
        handler = self._places.get((method, path))
        if handler is not None:
            return handler, {}
        for known, pattern, named in self._patterns:
            match = pattern.fullmatch(path) if known == method else None
            if match is not None:
                return named, {name: unquote(text) for name, text in match.groupdict().items()}
        return None, {}


class _Wire:
    """Both ends of one connection, with delays and faults."""

    def __init__(self, network: "MemoryNetwork", receiver: Receiver) -> None:
        self.is_whole = True
        self.is_silent = False
        self._network = network
        self._loop = network.loop
        self._receiver = receiver
        self._heard: asyncio.Queue[WSMessage | None] = asyncio.Queue()
        self._free_at = 0.0
        self._last: deque[bytes] = deque(maxlen=_REPEATED)
        self._held: bytes | None = None
        self._arriving: deque[bytes | Closed] = deque()

    # The strategy's end

    def send(self, frame: bytes) -> bool:
        """Send a frame to the proxy."""
        if not self.is_whole:
            return False
        self._network.events += 1
        fault = self._network.plan.next("ack") if b"event_ack" in frame else None
        if fault is not None and fault.kind is Kind.LOST_ACK:
            self._network.strike()
            self.sever()
            return True
        for _ in range(1 if fault is None else 2):
            self._up(frame)
        return True

    def _up(self, frame: bytes) -> None:
        if not self.is_silent:
            self._heard.put_nowait(WSMessage(WSMsgType.TEXT, frame.decode(), None))

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        """Close from either end; only the proxy's gives a code or reason."""
        if code == 1000 and not message:
            self.is_whole = False
        else:
            self._schedule(Closed(code, message.decode()))
        self._heard.put_nowait(None)

    # The proxy's end

    async def send_frame(self, frame: bytes, kind: WSMsgType) -> None:
        """Send a frame to the strategy."""
        if not self.is_whole:
            raise ConnectionResetError
        self._network.frame_sent(self, frame)

    def __aiter__(self) -> "_Wire":
        return self

    async def __anext__(self) -> WSMessage:
        message = await self._heard.get()
        if message is None:
            raise StopAsyncIteration
        return message

    def abort(self) -> None:
        """Cut the connection, like a transport."""
        self.sever()

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing is ever buffered."""
        return 0

    # In between

    def sever(self, code: int = _CLOSED_ABNORMALLY, reason: str = "") -> None:
        """Break the connection; what is in flight is lost."""
        if self.is_whole:
            self.is_whole = False
            self._heard.put_nowait(None)
            self._loop.call_soon(self._receiver.lost, Closed(code, reason))

    def fall_silent(self) -> None:
        """Become half-open: neither end notices until our ping is not answered."""
        self.is_silent = True
        self._loop.call_later(_NO_PONG_S, self.sever)

    def stall(self, seconds: float) -> None:
        """Deliver nothing for some seconds."""
        self._free_at = max(self._free_at, self._loop.time() + seconds)

    def down(self, frame: bytes) -> None:
        """Deliver a frame after all before it."""
        self._last.append(frame)
        self._schedule(frame)
        if self._held is not None:
            held, self._held = self._held, None
            self._schedule(held)

    def hold(self, frame: bytes) -> None:
        """Hold a frame back so that the next overtakes it, if it comes soon."""
        if self._held is not None:
            self.down(frame)
            return
        self._held = frame

        def late() -> None:
            if self._held is frame:
                self._held = None
                self._schedule(frame)

        self._loop.call_later(_SWAPPED_S, late)

    def repeat(self, count: int) -> None:
        """Deliver the last frames again."""
        for frame in list(self._last)[-count:]:
            self._schedule(frame)

    def _schedule(self, what: bytes | Closed) -> None:
        if not self._arriving:
            self._loop.call_soon(self._arrive)
        self._arriving.append(what)

    def _arrive(self) -> None:
        """Deliver what is due, in order; frames sent together arrive together."""
        together: list[bytes] = []
        while self._arriving and self._free_at <= self._loop.time():
            what = self._arriving.popleft()
            if isinstance(what, bytes):
                together.append(what)
                continue
            self._deliver(together)
            together = []
            self.sever(what.code or _CLOSED_ABNORMALLY, what.reason)
        self._deliver(together)
        if self._arriving:
            self._loop.call_at(self._free_at, self._arrive)

    def _deliver(self, frames: list[bytes]) -> None:
        if frames and self.is_whole and not self.is_silent:
            for reply in self._receiver.feed(frames):
                self._up(reply)


class MemoryNetwork:
    """Implements the transport between one strategy and a proxy in memory.

    Args:
        on_signal: Called with signals for the strategy's process.

    Attributes:
        plan: The faults.
        struck_at: When the last fault occurred or will end, on the loop's clock.
        events: Number of frames, either way, and of requests: everything that a fault can hit.
        struck: Number of faults so far.
    """

    def __init__(
        self,
        proxy: MemoryProxy,
        plan: Plan,
        loop: VirtualLoop,
        time: VirtualTime,
        rng: Random,
        on_signal: Callable[[Kind], object] = lambda kind: None,
    ) -> None:
        self.plan = plan
        self.loop = loop
        self.struck_at = loop.time()
        self.events = 0
        self.struck = 0
        self._proxy = proxy
        self._time = time
        self._rng = rng
        self._on_signal = on_signal
        self._back_at = 0.0
        self._stale_until = 0.0
        self._wires: list[_Wire] = []
        self._serving: set[asyncio.Task[None]] = set()

    def strike(self, seconds: float = 0.0) -> None:
        """Record a fault and its duration."""
        self.struck += 1
        self.struck_at = max(self.struck_at, self.loop.time() + seconds)

    def cut(self) -> None:
        """Break all connections, as when the process ends."""
        for wire in self._wires:
            wire.sever()
        self._wires.clear()

    async def connect(self, url: str, receiver: Receiver) -> _Wire:
        """Connect to the event stream."""
        await sleep(_LATENCY_S)
        fault = self.plan.next("connect")
        if fault is not None:
            self.strike()
            if fault.kind is Kind.TURNED_AWAY:
                raise ConnectFailed(f"answered with {fault.number}", status=fault.number)
        if fault is not None or self.loop.time() < self._back_at:
            raise ConnectFailed("refused")
        wire = _Wire(self, receiver)
        self._wires = [each for each in self._wires if each.is_whole]
        self._wires.append(wire)
        ends: Any = wire
        connection = Connection(self._proxy.exchange, ends, ends)
        serving = self.loop.create_task(self._proxy.stream.attend(connection))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        return wire

    async def close(self) -> None:
        """Nothing to close."""

    # Frames

    def frame_sent(self, wire: _Wire, frame: bytes) -> None:
        """Deliver a frame from the proxy, unless a fault hits it."""
        self.events += 1
        fault = self.plan.next("frame")
        if fault is None:
            wire.down(frame)
            return
        kind = fault.kind
        self.strike(fault.seconds if kind in (Kind.STALL, Kind.RESTART) else 0.0)
        if kind is Kind.VANISH:
            return
        if kind is Kind.DROP:
            wire.sever()
        elif kind is Kind.CLOSE:
            wire.sever(fault.number)
        elif kind is Kind.RESTART:
            self._back_at = self.loop.time() + fault.seconds
            self.cut()
        elif kind is Kind.SWAP and b'"candle"' not in frame and b'"connection"' not in frame:
            wire.hold(frame)
        else:
            self._beside(kind, fault.number, fault.seconds, wire, frame)
            wire.down(frame)
            if kind is Kind.DUPLICATE:
                wire.down(frame)
            elif kind is Kind.REPEAT:
                wire.repeat(fault.number)

    def _beside(self, kind: Kind, number: int, seconds: float, wire: _Wire, frame: bytes) -> None:
        """Apply a fault that does not harm the frame itself."""
        if kind is Kind.HALF_OPEN:
            wire.fall_silent()
        elif kind is Kind.STALL:
            wire.stall(seconds)
        elif kind is Kind.DAMAGED:
            whole = frame.replace(b'"event_id"', b'"event-id"')
            wire.down(whole[: number % len(whole)])
        elif kind is Kind.UNKNOWN:
            wire.down(b'{"type":"hologram","event_id":"unknown-%d"}' % self.events)
        elif kind is Kind.PINGS:
            for _ in range(number):
                wire.down(encode_json(Ping(timestamp=now())))
        elif kind is Kind.JUMP:
            self._time.jump_s += number
        elif kind in (Kind.SIGTERM, Kind.SIGKILL):
            self._on_signal(kind)

    # Requests

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Make a request, and return its response unless a fault hits it."""
        await sleep(self._rng.uniform(0, _LATENCY_S))
        self.events += 1
        fault = self.plan.next("request")
        kind = None if fault is None else fault.kind
        if fault is not None:
            self.strike(fault.seconds if kind is Kind.STALE else 0.0)
        if kind is Kind.NOT_SENT or self.loop.time() < self._back_at:
            raise Unreachable("nobody listens")
        if fault is not None and kind is Kind.STATUS_BEFORE:
            return _status(fault.number)
        if kind is Kind.RESET_BEFORE:
            raise ConnectionLost("reset")
        if kind is Kind.LOST_BEFORE:
            await self._time_out()
        answer = self._proxy.answer(method, self._asked(method, url, kind), body)
        await sleep(self._rng.uniform(0, _LATENCY_S))
        if fault is not None and kind is Kind.STALE:
            self._stale_until = self.loop.time() + fault.seconds
        if self.loop.time() < self._stale_until and "client_order_id=" in url:
            return Answer(200, b"[]")
        if kind is Kind.RESET_AFTER:
            raise ConnectionLost("reset")
        if kind is Kind.LOST_AFTER:
            await self._time_out()
        if fault is not None and kind is Kind.STATUS_AFTER:
            return _status(fault.number)
        if kind is Kind.HTML:
            return Answer(200, b"<html>It works!</html>")
        if kind is Kind.TRUNCATED:
            return Answer(answer.status, answer.body[: len(answer.body) // 2])
        return answer

    async def _time_out(self) -> None:
        await sleep(_TIMEOUT_S)
        self.strike()
        raise ConnectionLost("timed out")

    @staticmethod
    def _asked(method: str, url: str, kind: Kind | None) -> str:
        if kind is Kind.UNFILTERED and method == "GET":
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query))
            query.pop("client_order_id", None)
            url = parts._replace(query=urlencode(query)).geturl()
        return url


class OneLoop(ThreadedVenue):
    """The venue of live runs, in a single thread and event loop."""

    def __init__(self, inner: ProxyVenue) -> None:
        super().__init__(inner)
        self._is_dead = False
        self._crossing: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Open the venue."""
        await self._inner.open()

    async def close(self) -> None:
        """Close the venue."""
        await self._end_tasks()
        await self._inner.close()

    async def die(self) -> None:
        """End like a killed process: requests in flight never return."""
        self._is_dead = True
        for task in self._crossing:
            task.cancel()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cross(self, request: Coroutine[Any, Any, _T]) -> _T:
        if self._is_dead:
            request.close()
            raise asyncio.CancelledError
        task = asyncio.ensure_future(request)
        self._crossing.add(task)
        task.add_done_callback(self._crossing.discard)
        return await task


def live_venue_on(network: MemoryNetwork, rng: Random) -> OneLoop:
    """Return the venue of live runs on a network in memory."""
    return OneLoop(venue_on(network, rng, is_live=True))


def venue_on(network: MemoryNetwork, rng: Random, *, is_live: bool) -> ProxyVenue:
    """Return the package's venue on a network in memory, with delays from one random generator."""
    return ProxyVenue(
        Endpoints(ws_url="ws://memory", rest_url="http://memory/"),
        is_live=is_live,
        reconnect_delays=lambda _: reconnect_delays(rng),
        startup_delays=lambda _: startup_delays(rng),
        retry_delays=lambda _: retry_delays(rng),
        transport=network,
    )


def _status(number: int) -> Answer:
    body = b'{"code":"CHAOS","message":"a status by chance"}'
    return Answer(number, body, "1" if number == 429 else None)
