"""Decode and encode frames on the strategy's side of the wire.

Decoding has two tiers. The fast one is a typed decoder straight into the structs; it accepts only
frames written exactly as a current proxy writes them. All others go to `tolerant`, which also
reports what is odd about them. If both tiers accept a frame, they agree on it, except on the
`timestamp` of a `CandleFrame`, which nothing reads: the fast tier does not check it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import msgspec

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.commands import ClientPong, EventAck
from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    Event,
    FinancingEvent,
    OrderEvent,
    Ping,
    Pong,
    PositionEvent,
    ProxyErrorEvent,
    QuoteFrame,
    RateLimitEvent,
    ServerFrame,
    StalenessEvent,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.fields import MAX_DEPTH, TOO_EARLY, TOO_LATE, depth_exceeds
from strategy_runtime.protocol.models import Account, Order, Position, Trade
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscriptions
from strategy_runtime.protocol.tolerant import read_tolerantly
from strategy_runtime.protocol.values import BACKSLASH, has_only_plain_numbers, is_sound

__all__ = ["PONG", "Frame", "FrameDecoder", "encode_ack", "id_of", "unwrap"]

_encode = msgspec.json.Encoder().encode

Frame = ServerFrame | UnknownEvent
"""A decoded message of the proxy."""

PONG: bytes = _encode(ClientPong())

_BOM = b"\xef\xbb\xbf"


class FrameDecoder:
    """Decodes what a proxy sends.

    Args:
        default_timeframe: Timeframe of candles that have none.
        subscriptions: If they name exactly one timeframe of a symbol, its candles get that one.
        on_warnings: Called with a frame that was accepted, and what is odd about it.
    """

    def __init__(
        self,
        *,
        default_timeframe: str = "1m",
        subscriptions: Subscriptions = EVERYTHING,
        on_warnings: Callable[[Frame, list[str]], object] | None = None,
    ) -> None:
        self._default_timeframe = default_timeframe
        self._subscriptions = subscriptions
        self._on_warnings = on_warnings
        self._decode = msgspec.json.Decoder(ServerFrame, strict=False).decode
        self._timeframes: set[str] = set()

    def decode(self, raws: list[bytes]) -> list[Frame | FrameError]:
        """Decode messages.

        A message that must be dropped is replaced by its error, which carries the id to
        acknowledge it by nevertheless.
        """
        decode, timeframes = self._decode, self._timeframes
        together = b"".join(raws)
        is_plain = together.isascii() and BACKSLASH not in together
        frames: list[Frame | FrameError] = []
        for raw in raws:
            try:
                if not is_plain:
                    raw.decode()  # the typed decoder does not validate text that it skips
                frame = decode(raw)
            except (msgspec.MsgspecError, ArithmeticError, RecursionError, UnicodeDecodeError):
                frames.append(self._decode_tolerantly(raw))
                continue
            if type(frame) is CandleFrame:
                bar = frame.bar  # the timestamp of the frame itself does not matter for a candle
                low, high, stamp = bar.low, bar.high, bar.stamp
                # A single inline condition lets the interpreter specialise the comparisons.
                if (
                    low <= bar.open <= high
                    and low <= bar.close <= high
                    and type(stamp) is datetime
                    and stamp.tzinfo is UTC
                    and TOO_EARLY < stamp.year < TOO_LATE
                    and bar.timeframe in timeframes
                    and (is_plain or "\0" not in bar.symbol)
                ):
                    frames.append(frame)
                    continue
            elif _CHECKS[type(frame)](frame, raw):
                frames.append(frame)
                continue
            frames.append(self._decode_tolerantly(raw))
        return frames

    def _decode_tolerantly(self, raw: bytes) -> Frame | FrameError:
        try:
            frame, warnings = read_tolerantly(
                raw.removeprefix(_BOM),
                default_timeframe=self._default_timeframe,
                subscriptions=self._subscriptions,
            )
        except FrameError as error:
            return error
        if isinstance(frame, CandleFrame):
            self._timeframes.add(frame.bar.timeframe)
        if warnings and self._on_warnings is not None:
            self._on_warnings(frame, warnings)
        return frame


def unwrap(frame: Frame) -> Event:
    """Return the event of a frame: the candle or quote inside, or the frame itself.

    Raises:
        FrameError: It is a ping or a pong, which strategies never see.
    """
    if isinstance(frame, CandleFrame):
        return frame.bar
    if isinstance(frame, QuoteFrame):
        return frame.quote
    if isinstance(frame, Ping | Pong):
        raise FrameError(f"a {type(frame).__name__.lower()} is not an event")
    return frame


def id_of(frame: Frame) -> str | None:
    """Return the id to acknowledge a frame by, or None if it has none."""
    return frame.event_id or frame.legacy_id or None


def encode_ack(ids: list[str], correlation_id: str, timestamp_ms: int) -> bytes:
    """Encode an acknowledgement of the events named by `ids`."""
    return _encode(
        EventAck(correlation_id=correlation_id, events_processed=ids, timestamp=timestamp_ms)
    )


# Whether the fast tier may keep a frame. A frame it may not keep is not wrong, only unusual.


def _amounts_of(kind: type) -> Callable[[Any], tuple[Decimal | None, ...]]:
    """Return a getter of all the decimal fields of a struct."""
    hints = get_type_hints(kind)
    return attrgetter(*(name for name, hint in hints.items() if Decimal in (hint, *get_args(hint))))


_AMOUNTS = {kind: _amounts_of(kind) for kind in (Order, Trade, Position, Account)}


def _are_sound(raw: bytes, *amounts: Decimal | None) -> bool:
    return is_sound(*amounts) and has_only_plain_numbers(raw)


def _is_plain(*moments: datetime | None) -> bool:
    for moment in moments:
        if moment is not None and not (moment.tzinfo is UTC and TOO_EARLY < moment.year < TOO_LATE):
            return False
    return True


def _keep_any(frame: ServerFrame, raw: bytes) -> bool:
    return _is_plain(frame.timestamp)


def _keep_quote(frame: QuoteFrame, raw: bytes) -> bool:
    quote = frame.quote
    stamp = quote.stamp
    return (
        quote.bid <= quote.ask
        and quote.last is not None
        and not isinstance(stamp, int)
        and _is_plain(frame.timestamp, stamp)
        and "\0" not in quote.symbol
    )


def _keep_order(frame: OrderEvent, raw: bytes) -> bool:
    order = frame.order
    kind = order.order_type
    return (
        _are_sound(raw, *_AMOUNTS[Order](order))
        and order.quantity >= 0
        and order.filled_quantity >= 0
        and order.updated_at is not None  # the engine uses other names for it
        and (kind is not OrderType.LIMIT or order.limit_price is not None)  # likewise
        and (kind not in (OrderType.STOP, OrderType.STOP_LIMIT) or order.stop_price is not None)
        and not order.is_suspect
        and not frame.synthetic
        and _is_plain(frame.timestamp, order.created_at, order.updated_at)
    )


def _keep_trade(frame: TradeEvent, raw: bytes) -> bool:
    trade = frame.trade
    return (
        _are_sound(raw, *_AMOUNTS[Trade](trade))
        and trade.quantity >= 0
        and not frame.synthetic
        and _is_plain(frame.timestamp, trade.timestamp)
    )


def _keep_position(frame: PositionEvent, raw: bytes) -> bool:
    position = frame.position
    return (
        _are_sound(raw, *_AMOUNTS[Position](position))
        and position.quantity >= 0
        # The engine uses another name for it; some proxies send 0 for a closed position.
        and (bool(position.average_entry_price) or b'"average_entry_price"' in raw)
        and not frame.synthetic
        and _is_plain(frame.timestamp, position.opened_at, position.updated_at)
    )


def _keep_account(frame: AccountEvent, raw: bytes) -> bool:
    account = frame.account
    return (
        _are_sound(raw, *_AMOUNTS[Account](account))
        and not frame.synthetic
        and _is_plain(frame.timestamp)
    )


def _keep_financing(frame: FinancingEvent, raw: bytes) -> bool:
    return _are_sound(raw, frame.amount) and _is_plain(frame.timestamp)


def _keep_error(frame: ProxyErrorEvent, raw: bytes) -> bool:
    return not depth_exceeds(frame.details, MAX_DEPTH - 1) and _is_plain(frame.timestamp)


def _keep_rate_limit(frame: RateLimitEvent, raw: bytes) -> bool:
    return _is_plain(frame.timestamp, frame.reset_at)


def _keep_staleness(frame: StalenessEvent, raw: bytes) -> bool:
    return _is_plain(frame.timestamp, frame.stale_since)


_CHECKS: dict[type[Any], Callable[[Any, bytes], bool]] = {
    QuoteFrame: _keep_quote,
    OrderEvent: _keep_order,
    TradeEvent: _keep_trade,
    PositionEvent: _keep_position,
    AccountEvent: _keep_account,
    FinancingEvent: _keep_financing,
    ProxyErrorEvent: _keep_error,
    RateLimitEvent: _keep_rate_limit,
    StalenessEvent: _keep_staleness,
    ConnectionEvent: _keep_any,
    BacktestComplete: _keep_any,
    Ping: _keep_any,
    Pong: _keep_any,
}
