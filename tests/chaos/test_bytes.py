"""Damaged bytes end neither the stream nor the exchange: they are read, or dropped with a reason.

The decoders raise only the documented errors; any other fails the test.
"""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from aiohttp import web

from strategy_runtime import Candle
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import ApiError, FrameError, ProtocolError
from strategy_runtime.ids import generator
from strategy_runtime.protocol.models import Account, OrderHandle, Position
from strategy_runtime.protocol.rest import (
    decode_body,
    parse_close_request,
    parse_error,
    parse_order_changes,
    parse_order_request,
)
from strategy_runtime.protocol.server_codec import decode_client_frame
from tests.chaos.mutations import frames_of, mutated
from tests.figures import Tell
from tests.protocol.reading import Reading, decode
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, candle, run
from tests.strategies import Scripted

COUNT = 20_000
_MEGABYTE = 1 << 20


def bodies(part: str) -> list[bytes]:
    """Return recorded bodies of requests or responses."""
    rows = [json.loads(line) for line in frames_of("rest_samples.jsonl")]
    return [json.dumps(row[part]).encode() for row in rows if row.get(part)]


def refusals(
    read: Callable[[bytes], object],
    samples: list[bytes],
    count: int,
    seed: int,
    error: type[Exception],
) -> list[Exception]:
    """Return the errors of damaged samples; some samples, but not all, can still be read."""
    rng = generator(seed)
    refused: list[Exception] = []
    for _ in range(count):
        try:
            read(mutated(rng, samples))
        except error as refusal:
            refused.append(refusal.with_traceback(None))
    assert count // 20 < len(refused) < count
    assert all(map(str, refused))
    return refused


def test_a_damaged_frame_is_read_or_dropped(tell: Tell) -> None:
    samples = frames_of("server_frames.jsonl") + frames_of("malformed_frames.jsonl")
    decode = Reading().one
    slowest = 0.0

    def timed(data: bytes) -> None:
        nonlocal slowest
        began = monotonic()
        try:
            decode(data)
        finally:
            slowest = max(slowest, monotonic() - began)

    gc.disable()  # it would traverse all the errors kept here while a frame is timed
    try:
        dropped = refusals(timed, samples, COUNT, 1, FrameError)
    finally:
        gc.enable()
    ids = [error.event_id for error in dropped if isinstance(error, FrameError)]
    assert len(ids) == len(dropped)
    assert any(ids)  # some must be acknowledged nevertheless
    assert all(each is None or isinstance(each, str) for each in ids)
    tell(
        f"damaged frames, client: {COUNT:,}, {len(dropped):,} dropped, the slowest took "
        f"{slowest * 1e3:.1f} ms"
    )


def test_damaged_frames_leave_nothing_behind(tell: Tell) -> None:
    rng, decoder = generator(6), Reading()
    samples = frames_of("server_frames.jsonl") + frames_of("malformed_frames.jsonl")

    def decode_some() -> int:
        for _ in range(COUNT // 4):
            try:
                decoder.one(mutated(rng, samples))
            except FrameError:
                continue
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        kept = [decode_some() for _ in range(4)]
    finally:
        tracemalloc.stop()
    # A leak would grow every time; what the rest of this process allocates does not.
    growth = min(after - before for before, after in pairwise(kept))
    assert growth < _MEGABYTE
    tell(f"memory over {COUNT // 4:,} damaged frames: {growth / 1024:+.0f} KiB")


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_large_frame_of_nothing_but_nesting_is_dropped(size: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        with pytest.raises(FrameError):
            decode(opening * size + b"1" + closing * size)
        with pytest.raises(FrameError):
            decode_client_frame(opening * size)


def test_a_damaged_command_is_read_or_refused(tell: Tell) -> None:
    samples = frames_of("client_frames.jsonl") + frames_of("malformed_frames.jsonl")
    refused = refusals(decode_client_frame, samples, COUNT, 2, FrameError)
    tell(f"damaged frames, proxy: {COUNT:,}, {len(refused):,} refused")


@pytest.mark.parametrize("parse", [parse_order_request, parse_order_changes, parse_close_request])
def test_a_damaged_request_is_read_or_refused_with_400(parse: Callable[[bytes], object]) -> None:
    for refusal in refusals(parse, bodies("body"), COUNT // 4, 3, ApiError):
        assert isinstance(refusal, ApiError)
        assert (refusal.status, bool(refusal.code), bool(refusal.message)) == (400, True, True)


@pytest.mark.parametrize("kind", [OrderHandle, Account, list[Position]])
def test_a_damaged_answer_is_read_or_is_a_protocol_error(kind: type[object]) -> None:
    def read(data: bytes) -> object:
        return decode_body(data, kind, "GET /there")

    for error in refusals(read, bodies("response"), COUNT // 8, 4, ProtocolError):
        assert "GET /there" in str(error)


def test_a_damaged_refusal_is_still_one() -> None:
    rng, samples = generator(7), bodies("response")
    for _ in range(COUNT // 4):
        error = parse_error(502, mutated(rng, samples))
        assert (error.status, bool(error.code), bool(str(error))) == (502, True, True)


class Counting(Scripted):
    """Counts the candles of one symbol."""

    def __init__(self) -> None:
        super().__init__({})

    def on_candle(self, candle: Candle) -> None:
        if candle.symbol == "S:GOOD":
            self.candles += 1


async def test_a_stream_full_of_damage_delivers_every_good_frame(tell: Tell) -> None:
    rng = generator(5)
    # Frames that end a run are not damaged.
    samples = [
        frame
        for frame in frames_of("server_frames.jsonl") + frames_of("malformed_frames.jsonl")
        if b"backtest_complete" not in frame
    ]
    good = [f"good-{number}" for number in range(COUNT // 10)]

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        for event_id in good:
            for _ in range(9):
                await socket.send_bytes(mutated(rng, samples))
            await proxy.say(socket, candle(1, symbol="S:GOOD") | {"event_id": event_id})
        await proxy.say(socket, COMPLETE)
        await proxy.until_acked("evt-end")

    strategy = Counting()
    async with ScriptedProxy(scene).serving() as proxy:
        await asyncio.wait_for(run(proxy, strategy), 55)
        acknowledged = [event_id for ack in proxy.acks for event_id in ack]
    assert strategy.candles == len(good)
    assert [each for each in acknowledged if each.startswith("good-")] == good
    assert proxy.connections == 1
    tell(f"a stream with {9 * len(good):,} damaged frames: all {len(good):,} good ones arrived")
