"""The baseline: a minimal client of aiohttp and msgspec."""

import time
from datetime import datetime

import aiohttp
from aiohttp import WSMsgType
from msgspec import Struct, field, json

__all__ = ["bare"]


class Bar(Struct, gc=False):
    symbol: str
    timeframe: str
    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    provider: str = ""


class CandleFrame(Struct, gc=False, tag_field="type", tag="candle"):
    bar: Bar
    event_id: str | None = None
    timestamp: datetime | None = None


class Connection(Struct, tag_field="type", tag="connection"):
    event: str


class Told(Struct, tag_field="type", tag="order"):
    """The order event at the start."""


class Complete(Struct, tag_field="type", tag="backtest_complete"):
    event_id: str


class Ack(Struct, tag_field="type", tag="event_ack"):
    correlation_id: str
    events_processed: list[str]
    timestamp: int = field(default_factory=lambda: time.time_ns() // 10**6)


_ORDER = {
    "symbol": "S:AAPL",
    "side": "BUY",
    "quantity": "1",
    "order_type": "MARKET",
    "client_order_id": "x-1",
    "time_in_force": "GTC",
}


class Handle(Struct):
    id: str
    status: str


class Hooks:
    """The code of a user: a method that is called with every bar."""

    def __init__(self) -> None:
        self.events, self.began = 0, 0.0

    def on_candle(self, bar: Bar) -> None:
        if not self.events:
            self.began = time.process_time()
        self.events += 1


async def bare(stream: str, requests: str, mode: str, batch: int) -> tuple[float, int]:
    """Receive everything and acknowledge each batch; return the CPU clock at the first candle, and
    the number of events.
    """
    decode = json.Decoder(CandleFrame | Connection | Complete | Told, strict=False).decode
    headers = {"Content-Type": "application/json"}
    hooks = Hooks()
    on_candle = hooks.on_candle
    done: list[str] = []
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        session.ws_connect(stream, compress=0, decode_text=False) as socket,
    ):
        async for message in socket:
            frame = decode(message.data)
            if type(frame) is CandleFrame:
                on_candle(frame.bar)
                if mode == "order":
                    async with session.post(
                        f"{requests}/orders", data=json.encode(_ORDER), headers=headers
                    ) as response:
                        json.decode(await response.read(), type=Handle)
                if frame.event_id is None:
                    continue
                done.append(frame.event_id)
                if len(done) < batch:
                    continue
            elif type(frame) is Complete:
                done.append(frame.event_id)
            else:
                continue
            ack = json.encode(Ack(f"c-{hooks.events}", done))
            await socket.send_frame(ack, WSMsgType.TEXT)
            done = []
    return hooks.began, hooks.events
