"""Decode and encode frames on the proxy's side of the wire.

Decoding is strict: a proxy answers a frame that it cannot read with an error frame. Encoding
follows the shape of the guide with all required fields of the later gateway: decimals as plain
strings, times as RFC 3339 in UTC.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.commands import ClientFrame
from strategy_runtime.protocol.events import (
    ConnectionEvent,
    Event,
    Ping,
    Pong,
    ProxyErrorEvent,
    RateLimitEvent,
    StalenessEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle, Quote

__all__ = [
    "bar_json",
    "carries_id",
    "decode_client_frame",
    "encode_event",
    "encode_json",
    "plain",
    "quote_json",
]

_WITHOUT_ID = frozenset(
    {ConnectionEvent, Ping, Pong, ProxyErrorEvent, RateLimitEvent, StalenessEvent}
)

_client_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)


def plain(number: float) -> str:
    """Format a market price without exponent; parsing it returns the same float."""
    text = repr(float(number) + 0.0)  # turns -0.0 into 0.0
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


encode_json = msgspec.json.Encoder(decimal_format=lambda number: format(number, "f")).encode
"""Encode any frame or response body, decimals as plain strings."""


def decode_client_frame(data: bytes | str) -> ClientFrame:
    """Decode a frame that a strategy sent.

    Raises:
        FrameError: It is not a frame of the protocol; the text can be sent back.
    """
    try:
        raw = data if isinstance(data, bytes) else data.encode()
        raw.decode()  # the typed decoder does not validate text that it skips
        return _client_decoder.decode(raw)
    except UnicodeError:
        raise FrameError("not UTF-8") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise FrameError(str(error)) from None


def carries_id(kind: type) -> bool:
    """Whether events of a type are acknowledged, and so have an id."""
    return kind not in _WITHOUT_ID


def encode_event(
    event: Event, *, event_id: str | None, timestamp: datetime, more: bool = False
) -> bytes:
    """Encode an event as a frame.

    Args:
        event_id: Id to acknowledge it by; None if no acknowledgement is expected.
        timestamp: When it is emitted, in simulated time.
        more: For a candle, whether another one that ends at the same instant follows.
    """
    if isinstance(event, UnknownEvent):
        raise TypeError(f"an event of the unknown type {event.type!r} cannot be sent")
    if not isinstance(event, Candle | Quote):
        known: dict[str, Any] = {"event_id": event_id, "timestamp": timestamp}
        if getattr(event, "synthetic", False):
            known["synthetic"] = False  # for strategies only, never on the wire
        return encode_json(replace(event, **known))
    document: dict[str, Any] = {"type": "candle" if isinstance(event, Candle) else "quote"}
    if event_id is not None:
        document["event_id"] = event_id
    if isinstance(event, Candle):
        document["bar"] = bar_json(event)
        if more:
            document["more"] = True
    else:
        document["quote"] = quote_json(event)
    document["timestamp"] = timestamp
    return encode_json(document)


def bar_json(candle: Candle) -> dict[str, Any]:
    """Return a bar as a JSON object with all required fields."""
    return {
        "symbol": candle.symbol,
        "provider": candle.provider or "backtest",
        "timeframe": candle.timeframe,
        "timestamp": candle.timestamp,
        "open": plain(candle.open),
        "high": plain(candle.high),
        "low": plain(candle.low),
        "close": plain(candle.close),
        "volume": plain(candle.volume),
    }


def quote_json(quote: Quote) -> dict[str, Any]:
    """Return a quote as a JSON object with all required fields."""
    document: dict[str, Any] = {
        "symbol": quote.symbol,
        "provider": quote.provider or "backtest",
        "bid": plain(quote.bid),
        "ask": plain(quote.ask),
        "last": plain(quote.price),
        "timestamp": quote.timestamp,
    }
    for name in ("bid_size", "ask_size", "volume"):
        size = getattr(quote, name)
        if size is not None:
            document[name] = plain(size)
    return document


PONG: bytes = encode_json(Pong())
"""The answer to a strategy's ping."""
