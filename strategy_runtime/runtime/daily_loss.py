"""The loss of a day: equity now against equity when the UTC day began.

A candle belongs to the day in which it began, so that of midnight ends a day. The day begins with
its first candle or quote, and with the equity of the moment before. Once the loss has been too
large it counts as such until the next day begins, whatever prices do.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from itertools import islice
from typing import Any

from strategy_runtime.clock import ns_of, utc
from strategy_runtime.protocol.enums import OrderEventKind
from strategy_runtime.protocol.events import (
    AccountEvent,
    CandleRun,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Candle, Position, Quote
from strategy_runtime.protocol.witness import Execution, Followed, Part
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.limits import option_of, plain
from strategy_runtime.runtime.observer import Handler

__all__ = ["DailyLoss", "DayStart", "Onlooker"]

DayStart = Callable[[date, Decimal], Decimal]
"""Told of a day and the equity now; gives back the equity that the day began with."""

_BOOKED_WITHIN_S = 60.0
_NEARLY_ALL = 0.999999
_FEW = 8
_DAY = timedelta(days=1)
_FILLS = (OrderEventKind.ORDER_FILLED, OrderEventKind.ORDER_PARTIALLY_FILLED)
_ZERO = Decimal(0)
_GRAIN = Decimal("1e-9")
_LONG = Context(prec=99)

_log = logging.getLogger("strategy_runtime")


class DailyLoss:
    """Watches one run.

    Between a fill and the account that comes after it equity is not known, since what was realised
    is in neither; then nothing is said of it. A fill is the newest price of its symbol until the
    next candle or quote: the last close may be far away, and nobody lost what lies between.

    Args:
        allowed: In account currency.
        seconds: The time of the run; only differences matter.
        day_start: Knows of days that began in another run; without it they begin with this one.

    Attributes:
        reached: What was lost, in words; empty while it is less than allowed.
    """

    def __init__(
        self,
        allowed: Decimal,
        book: Book,
        seconds: Callable[[], float],
        day_start: DayStart | None = None,
    ) -> None:
        self.reached = ""
        self._allowed = allowed
        self._book = book
        self._seconds = seconds
        self._day_start = day_start
        self._began_with = _ZERO
        self._day_ends: datetime | None = None
        self._day_ends_ns = 0
        self._unknown_until = 0.0
        self._filled_at: dict[str, Decimal] = {}
        self._left = 0.0
        self._is_counted = True
        self._is_behind = False
        self._sizes: dict[str, float] = {}
        self._marks: dict[str, float] = {}
        self._held, self._size = _ZERO, 0.0

    def look(self) -> None:
        """Compare equity with that at the start of the day, and hold on to what is found."""
        if not self.reached:
            self.reached = self._lost_now()
            if self.reached:
                _log.warning("only orders that reduce a position are sent: %s", self.reached)

    def glance(self) -> None:
        """Look if enough may have been lost since the last look to make a difference."""
        if self._left <= 0.0 or not self._is_counted:
            self.look()

    @property
    def is_reached(self) -> bool:
        """Whether `look` would find, or has found, that too much was lost."""
        return bool(self.reached or self._lost_now())

    def _lost_now(self) -> str:
        if self._day_ends is None:
            return ""
        if self._unknown_until and self._seconds() < self._unknown_until:
            return ""
        equity = self._equity()
        left = equity - self._began_with + self._allowed
        if left > 0:
            self._left = float(left) * _NEARLY_ALL
            self._note_holdings()
            return ""
        return (
            f"on {self._day_ends - _DAY:%Y-%m-%d} UTC equity fell from {plain(self._began_with)} "
            f"to {plain(equity)}, and {option_of('max_daily_loss')} allows {plain(self._allowed)}"
        )

    def watched(self, table: Mapping[type[Any], Handler]) -> dict[type[Any], Handler]:
        """The handlers of a table that has to do with equity, with an eye on it."""
        return {
            Candle: self._priced(table[Candle]),
            Quote: self._priced(table[Quote]),
            OrderEvent: self._filling(table[OrderEvent]),
            TradeEvent: self._filling(table[TradeEvent]),
            PositionEvent: self._moving(table[PositionEvent]),
            AccountEvent: self._booking(table[AccountEvent]),
        }

    def _priced(self, handler: Handler) -> Handler:
        last, sizes, filled_at = self._book.last, self._sizes, self._filled_at

        def handle(event: Candle | Quote) -> Awaitable[None] | None:
            self._catch_up()
            stamp = event.stamp
            if isinstance(stamp, int):
                if stamp >= self._day_ends_ns:
                    self._begin_day(utc(stamp))
            elif stamp is not None and (self._day_ends is None or stamp >= self._day_ends):
                self._begin_day(stamp)
            if self._left > 0.0 and not (sizes or filled_at):
                return handler(event)
            symbol = event.symbol
            filled_at.pop(symbol, None)
            self._is_counted = False
            result = handler(event)
            if result is None:
                self._count(symbol, last[symbol])
                self._is_counted = True
                self.glance()
            return result

        return handle

    def seen(self, run: CandleRun, candles: Iterator[Candle]) -> Iterator[Iterable[Candle]]:
        """The candles of a run, each looked at before it is handed on, where it could matter.

        In parts, see `TradingDesk.seen`.
        """
        self._catch_up()
        part: Iterator[Candle] = iter(())
        is_known = False
        while True:
            candle = next(part, None)
            if candle is None:
                ahead = run.ahead(self._day_ends_ns)
                is_known = ahead > 0
                part = islice(candles, ahead or _FEW)
                candle = next(part, None)
                if candle is None:
                    return
            yield (self._see(candle),)
            if is_known and self._is_calm(run):
                self._is_behind = True
                yield part
                self._catch_up()
            else:
                yield map(self._see, islice(part, _FEW))

    def _see(self, candle: Candle) -> Candle:
        """Look at a candle of a run before it is handed on."""
        stamp: int = candle.stamp  # type: ignore[assignment]  # runs are made in process
        if stamp >= self._day_ends_ns:
            self._begin_day(utc(stamp))
        if self._sizes or self._filled_at or self._left <= 0.0:
            symbol, close = candle.symbol, candle.close
            self._filled_at.pop(symbol, None)
            self._count(symbol, close)
            if self._left <= 0.0:
                self._book.last[symbol] = close
                self.look()
        return candle

    def _is_calm(self, run: CandleRun) -> bool:
        """Whether even the worst closes of the candles to come could not lose what is left."""
        if self._filled_at or (self._book.open_count and not run.ahead(self._day_ends_ns)):
            return False
        if self.reached:
            return True
        worst = 0.0
        for symbol, size in self._sizes.items():
            mark, close = self._marks.get(symbol), run.bound(symbol, size > 0.0)
            if mark is None:
                return False
            if close is not None:
                worst += max((mark - close) * size, 0.0)
        return worst < self._left * _NEARLY_ALL

    def _catch_up(self) -> None:
        """Count what came in parts that were calm; look now if the hook of the last price had to be
        waited for.
        """
        if self._is_behind:
            self._count_beside("")
        if not self._is_counted:
            self.look()
            self._is_counted = True

    def _count_beside(self, symbol: str) -> None:
        """Count what positions in other symbols lost in candles that nobody had to look at."""
        self._is_behind = False
        for other in self._sizes:
            price = self._book.last.get(other)
            if other != symbol and price is not None:
                self._count(other, price)

    def _count(self, symbol: str, price: float) -> None:
        """Count what a position has lost by a price; what others may have gained does not count.

        Only when these losses could be too much is equity looked at.
        """
        size = self._sizes.get(symbol)
        if size is None:
            return
        mark = self._marks.get(symbol)
        lost = self._left if mark is None else (mark - price) * size
        if lost > 0.0:
            self._left -= lost
        self._marks[symbol] = price

    def _note_holdings(self) -> None:
        sizes, marks = self._sizes, self._marks
        sizes.clear()
        marks.clear()
        for symbol, net in self._book.nets.items():
            if net.quantity:
                sizes[symbol] = float(net.quantity)
                mark = self._filled_at.get(symbol, self._book.last.get(symbol))
                if mark is not None:
                    marks[symbol] = float(mark)

    def see_fill(self, symbol: str, fill: Execution) -> None:
        """Look at equity behind an execution that is booked, with its position and its fee."""
        if self._is_behind:
            self._count_beside(symbol)
        price = float(fill.price)
        self._count(symbol, price)
        if fill.fee:
            self._left -= float(fill.fee)
        self._filled_at[symbol] = fill.price
        held = self._book.nets[symbol].quantity
        if held:
            if held is not self._held:  # to say a decimal as a float takes long
                self._held, self._size = held, float(held)
            self._sizes[symbol], self._marks[symbol] = self._size, price
        else:
            self._sizes.pop(symbol, None)
        self.glance()

    def be_in_doubt(self) -> None:
        """Look at equity with the next price: what is held has changed."""
        self._left = 0.0

    def _begin_day(self, moment: datetime) -> None:
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day_ends = day + _DAY
        self._day_ends_ns = ns_of(self._day_ends)
        equity = self._equity()
        self._began_with = equity
        if self._day_start is not None:
            self._began_with = self._day_start(day.date(), equity)
        self.reached = ""
        self.be_in_doubt()

    def _equity(self) -> Decimal:
        """At the last prices, those of fills included.

        Positions of which none has been seen count as the venue says. What a reduced position cost
        is exact only when the venue has told of it; the digits that may change then are left out.
        """
        book = self._book
        equity = book.equity
        for symbol, net in book.nets.items():
            if not net.quantity:
                continue
            filled_at = self._filled_at.get(symbol)
            if filled_at is not None:
                gained = net.quantity * (filled_at - net.average_entry_price)
                equity += gained - net.unrealized_pnl
            elif symbol not in book.last:
                told = (part for part in book.parts_of(symbol) if isinstance(part, Position))
                equity += sum((position.unrealized_pnl for position in told), _ZERO)
        return min(equity, equity.quantize(_GRAIN, context=_LONG), key=_digits)

    def _filling(self, handler: Handler) -> Handler:
        def handle(event: OrderEvent | TradeEvent) -> Awaitable[None] | None:
            self._catch_up()
            if isinstance(event, TradeEvent):
                self._note_fill(event.trade.symbol, event.trade.price)
            elif event.event in _FILLS:
                self._note_fill(event.order.symbol, event.order.average_fill_price)
            return handler(event)

        return handle

    def _moving(self, handler: Handler) -> Handler:
        def handle(event: PositionEvent) -> Awaitable[None] | None:
            self._catch_up()
            if not self._is_known(event.position):
                self.be_in_doubt()
            return handler(event)

        return handle

    def _is_known(self, position: Position) -> bool:
        """Whether a position is what fills have made of it, and all that is held in its symbol."""
        net = self._book.nets[position.symbol]
        return (
            net.last is not None
            and position.signed_quantity == net.quantity
            and (not net.quantity or position.average_entry_price == net.average_entry_price)
            and all(part.id == position.id for part in self._book.parts_of(position.symbol))
        )

    def _note_fill(self, symbol: str, price: Decimal | None) -> None:
        self._unknown_until = self._seconds() + _BOOKED_WITHIN_S
        self.be_in_doubt()
        if price is not None:
            self._filled_at[symbol] = price

    def _booking(self, handler: Handler) -> Handler:
        def handle(event: AccountEvent) -> Awaitable[None] | None:
            self._catch_up()
            self._unknown_until = 0.0
            result = handler(event)
            self.look()
            return result

        return handle


def _digits(number: Decimal) -> int:
    return len(number.as_tuple().digits)


class Onlooker:
    """A witness that has the book follow what changes, with an eye on the loss of a day."""

    def __init__(self, book: Book, loss: DailyLoss) -> None:
        self._book = book
        self._loss = loss

    def see_order(self, order: Followed) -> None:
        """See `Witness`."""
        self._book.see_order(order)

    def see_fill(self, order: Followed, fill: Execution, parts: Sequence[Part]) -> None:
        """See `Witness`."""
        self._book.see_fill(order, fill, parts)
        self._loss.see_fill(fill.symbol, fill)

    def see_position(self, symbol: str, parts: Sequence[Part]) -> None:
        """See `Witness`."""
        self._book.see_position(symbol, parts)
        self._loss.be_in_doubt()

    def see_account(self) -> None:
        """See `Witness`."""
        self._book.see_account()
        self._loss.look()

    def look_away(self) -> None:
        """See `Witness`."""
        self._book.look_away()
