"""Bytes to frames and frames to bytes, on the strategy's side of the wire.

Two tiers decode: a typed decoder straight into the structs, for the frames every current proxy
sends; and, where that refuses or finds something odd, the tolerant reading of `tolerant`. Where
both accept a frame they agree.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from strategy_runtime.errors import FrameError, TimeframeError
from strategy_runtime.protocol.commands import ClientPong, EventAck
from strategy_runtime.protocol.events import (
    AccountEvent,
    CandleFrame,
    Event,
    FinancingEvent,
    OrderEvent,
    Ping,
    Pong,
    PositionEvent,
    ProxyErrorEvent,
    QuoteFrame,
    ServerFrame,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.protocol.tolerant import MAX_DEPTH, depth_exceeds, read_tolerantly

__all__ = ["PONG", "Decoded", "FrameDecoder", "encode_ack", "unwrap"]

PONG: bytes = msgspec.json.encode(ClientPong())

_LARGEST = 1e38
_EXPONENT = 38
_NO_WARNINGS: tuple[str, ...] = ()
_BOM = b"\xef\xbb\xbf"


class Decoded(NamedTuple):
    """A frame, the id to acknowledge it by, and what was odd about it."""

    frame: ServerFrame | UnknownEvent
    event_id: str | None
    warnings: tuple[str, ...] = _NO_WARNINGS


class _Odd(Exception):
    """The fast tier leaves a frame to the tolerant one."""


class FrameDecoder:
    """Decodes what a proxy sends (protocol c.2).

    Args:
        default_timeframe: Of candles that do not say.
    """

    def __init__(self, *, default_timeframe: str = "1m") -> None:
        self._default_timeframe = default_timeframe
        self._decode = msgspec.json.Decoder(ServerFrame, strict=False).decode
        self._timeframes: set[str] = set()

    def decode(self, data: bytes | str) -> Decoded:
        """Decode one message.

        Raises:
            FrameError: It has to be dropped; carries the id to acknowledge all the same.
        """
        try:
            if not data.isascii() and isinstance(data, bytes):
                data.decode()  # the typed decoder does not look at bytes it skips
            frame = self._decode(data)
            if type(frame) is CandleFrame:
                self._check_candle(frame)
                if frame.bar.is_suspect:
                    return Decoded(
                        frame, frame.event_id or frame.legacy_id, ("prices contradict each other",)
                    )
            else:
                check = _CHECKS.get(type(frame))
                if check is not None:
                    frame, warnings = check(frame)
                    return Decoded(frame, frame.event_id or frame.legacy_id or None, warnings)
            return Decoded(frame, frame.event_id or frame.legacy_id or None)
        except (msgspec.MsgspecError, _Odd, RecursionError, UnicodeDecodeError):
            return self._decode_tolerantly(data)

    def _check_candle(self, frame: CandleFrame) -> None:
        bar = frame.bar
        total = bar.open + bar.high + bar.low + bar.close + bar.volume
        stamp = bar.stamp
        if (
            not -_LARGEST < total < _LARGEST
            or type(stamp) is not datetime
            or stamp.tzinfo is not UTC
            or "\0" in bar.symbol
            or (bar.timeframe not in self._timeframes and not self._learn(bar.timeframe))
        ):
            raise _Odd

    def _learn(self, timeframe: str) -> bool:
        try:
            parse_timeframe(timeframe)
        except TimeframeError:
            return False
        self._timeframes.add(timeframe)
        return True

    def _decode_tolerantly(self, data: bytes | str) -> Decoded:
        raw = data.encode(errors="surrogatepass") if isinstance(data, str) else bytes(data)
        frame, event_id, warnings = read_tolerantly(
            raw.removeprefix(_BOM), default_timeframe=self._default_timeframe
        )
        return Decoded(frame, event_id, tuple(warnings))


def unwrap(frame: ServerFrame | UnknownEvent) -> Event:
    """The event a frame carries: the candle or quote inside, or the frame itself."""
    if isinstance(frame, CandleFrame):
        return frame.bar
    if isinstance(frame, QuoteFrame):
        return frame.quote
    if isinstance(frame, Ping | Pong):
        raise FrameError(f"a {type(frame).__name__.lower()} is no event")
    return frame


def encode_ack(ids: Sequence[str], correlation_id: str, timestamp_ms: int) -> bytes:
    """An acknowledgement of the events named by `ids` (protocol d)."""
    return msgspec.json.encode(
        EventAck(correlation_id=correlation_id, events_processed=list(ids), timestamp=timestamp_ms)
    )


def _sound(symbol: str, amounts: Sequence[Decimal | None]) -> None:
    if "\0" in symbol:
        raise _Odd
    for amount in amounts:
        if amount is not None and not (
            amount.is_finite()
            and abs(amount.adjusted()) <= _EXPONENT
            and len(amount.as_tuple().digits) <= _EXPONENT
        ):
            raise _Odd


def _utc(*moments: datetime | None) -> None:
    for moment in moments:
        if moment is not None and moment.tzinfo is not UTC:
            raise _Odd


def _check_quote(frame: QuoteFrame) -> tuple[Any, tuple[str, ...]]:
    quote = frame.quote
    sizes = (quote.last or 0.0) + (quote.bid_size or 0.0) + (quote.ask_size or 0.0)
    total = quote.bid + quote.ask + sizes + (quote.volume or 0.0)
    stamp = quote.stamp
    if not -_LARGEST < total < _LARGEST or "\0" in quote.symbol or isinstance(stamp, int):
        raise _Odd
    if stamp is not None and stamp.tzinfo is not UTC:
        raise _Odd
    if quote.last is None:
        frame = replace(frame, quote=replace(quote, last=quote.mid))
    return frame, ("the bid is above the ask",) if quote.is_suspect else _NO_WARNINGS


def _check_order(frame: OrderEvent) -> tuple[Any, tuple[str, ...]]:
    order = frame.order
    _utc(frame.timestamp, order.created_at, order.updated_at)
    _sound(
        order.symbol,
        (
            order.quantity,
            order.filled_quantity,
            order.remaining_quantity,
            order.limit_price,
            order.stop_price,
            order.stop_loss,
            order.take_profit,
            order.trailing_distance,
            order.average_fill_price,
            order.display_quantity,
        ),
    )
    return frame, ("more was filled than ordered",) if order.is_suspect else _NO_WARNINGS


def _check_trade(frame: TradeEvent) -> tuple[Any, tuple[str, ...]]:
    trade = frame.trade
    _utc(frame.timestamp, trade.timestamp)
    _sound(
        trade.symbol,
        (
            trade.quantity,
            trade.price,
            trade.commission,
            trade.base_price,
            trade.slippage_bps,
            trade.realized_pnl,
        ),
    )
    return frame, _NO_WARNINGS


def _check_position(frame: PositionEvent) -> tuple[Any, tuple[str, ...]]:
    position = frame.position
    if position.quantity and not position.average_entry_price:
        raise _Odd  # the engine's name for it is another one
    _utc(frame.timestamp, position.opened_at, position.updated_at)
    _sound(
        position.symbol,
        (
            position.quantity,
            position.average_entry_price,
            position.current_price,
            position.unrealized_pnl,
            position.realized_pnl,
        ),
    )
    return frame, _NO_WARNINGS


def _check_account(frame: AccountEvent) -> tuple[Any, tuple[str, ...]]:
    account = frame.account
    _utc(frame.timestamp)
    _sound(
        "",
        (
            account.balance,
            account.equity,
            account.margin_used,
            account.margin_available,
            account.unrealized_pnl,
            account.realized_pnl,
            account.total_commission,
        ),
    )
    return frame, _NO_WARNINGS


def _check_financing(frame: FinancingEvent) -> tuple[Any, tuple[str, ...]]:
    _utc(frame.timestamp)
    _sound(frame.symbol, (frame.amount,))
    return frame, _NO_WARNINGS


def _check_error(frame: ProxyErrorEvent) -> tuple[Any, tuple[str, ...]]:
    _utc(frame.timestamp)
    if depth_exceeds(frame.details, MAX_DEPTH - 1):
        raise _Odd
    return frame, _NO_WARNINGS


_CHECKS: dict[type[Any], Any] = {
    QuoteFrame: _check_quote,
    OrderEvent: _check_order,
    TradeEvent: _check_trade,
    PositionEvent: _check_position,
    AccountEvent: _check_account,
    FinancingEvent: _check_financing,
    ProxyErrorEvent: _check_error,
}
