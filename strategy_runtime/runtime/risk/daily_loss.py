"""The daily loss: equity now compared with equity at the start of the UTC day.

A candle belongs to the day in which it starts, so the one that ends at midnight ends a day. A day
starts with its first candle or quote, and with the equity just before. Once the limit is reached,
it stays reached until the next day, whatever prices do, and in later runs of that day, too.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from math import inf
from operator import attrgetter
from typing import Any, Protocol

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
from strategy_runtime.protocol.values import LONG, in_digits
from strategy_runtime.protocol.witness import Followed, Part, ShownFill
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.runtime.risk.leeway import ANYWHERE, Held, Leeway
from strategy_runtime.runtime.risk.limits import option_of

__all__ = ["DailyLoss", "Days", "LossWitness"]

_BOOKED_WITHIN_S = 60.0
_NEARLY_ALL = 0.999999
_FEW = 8
_DAY = timedelta(days=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FILLS = (OrderEventKind.ORDER_FILLED, OrderEventKind.ORDER_PARTIALLY_FILLED)
_ZERO = Decimal(0)
_GRAIN = Decimal("1e-9")

_log = logging.getLogger("strategy_runtime")


class Days(Protocol):
    """Remembers the day beyond the run in which it started."""

    def began_with(self, day: date, equity: Decimal) -> Decimal:
        """Return the equity at the start of a day; `equity`, that of now, if no other is known."""
        ...

    def fell_to(self, day: date) -> Decimal | None:
        """Return the equity at which the limit was reached on a day; None if it was not."""
        ...

    def note_fall(self, day: date, equity: Decimal) -> None:
        """Record that the limit was reached on a day."""


class DailyLoss:
    """Tracks the daily loss of one run.

    Between a fill and the event of the account that follows it, equity is unknown, since neither
    includes the realised profit; then it is not checked. The price of a fill is the latest of its
    symbol until the next candle or quote: the last close may be far away, and the difference is
    not a loss.

    Args:
        allowed: The limit, in account currency.
        seconds: The time of the run; only differences matter.
        days: Knows the days that started in another run; without it they start with this one.
        present: The wall clock of a live run: no day starts before it does on this clock, whatever
            the timestamp of a price.

    Attributes:
        reached: Text that the limit was reached, and how; empty if it was not.
    """

    def __init__(
        self,
        allowed: Decimal,
        book: Book,
        seconds: Callable[[], float],
        days: Days | None = None,
        present: Callable[[], datetime] | None = None,
    ) -> None:
        self.reached = ""
        self._allowed = allowed
        self._book = book
        self._seconds = seconds
        self._days = days
        self._present = present
        self._began_with = _ZERO
        self._day_ends = _LONG_AGO
        self._day_ends_ns = ns_of(_LONG_AGO)
        self._awaits_price = False
        """Whether the day started with an order; then the first price decides which day it is."""
        self._unknown_until = 0.0
        self._filled_at: dict[str, Decimal] = {}
        self._leeway = Leeway()
        self._is_due = False
        """Whether equity has to be checked because of a price before anything else is done."""
        self._calm_until: datetime | int = _LONG_AGO
        """Until then a price within its band needs no check: a datetime or nanoseconds, like the
        stamps of events."""
        self._held, self._size = _ZERO, 0.0

    def check(self) -> None:
        """Compare equity with that at the start of the day, and set `reached` or new bands."""
        if self.reached or not self._is_equity_known:
            return
        equity = self._equity()
        left = self._left(equity)
        if left > 0:
            self._leeway.share_out(float(left) * _NEARLY_ALL, self._holdings())
            return
        self._reach(equity)
        if self._days is not None:
            self._days.note_fall(self._day, equity)

    def _reach(self, equity: Decimal) -> None:
        self._leeway.lift()
        self.reached = (
            f"on {self._day} UTC equity fell from {in_digits(self._began_with)} to "
            f"{in_digits(equity)}, and {option_of('max_daily_loss')} allows "
            f"{in_digits(self._allowed)}"
        )
        _log.warning("only orders that reduce a position are sent: %s", self.reached)

    def check_if_due(self) -> None:
        """Check equity if the limit may have been reached since the last check.

        Live, another run may have reached it before this one has got any price.
        """
        if self._day_ends is _LONG_AGO and self._present is not None:
            self._begin_day(self._present())
            self._awaits_price = True
        if self._is_due or self._leeway.is_unknown:
            self.check()

    @property
    def is_reached(self) -> bool:
        """Whether the limit is reached, now or earlier in the day."""
        return bool(self.reached) or (self._is_equity_known and self._left(self._equity()) <= 0)

    @property
    def _is_equity_known(self) -> bool:
        """Whether equity is known, and the equity at the start of the day."""
        if self._day_ends is _LONG_AGO:
            return False
        return not self._unknown_until or self._seconds() >= self._unknown_until

    @property
    def _day(self) -> date:
        return (self._day_ends - _DAY).date()

    def _left(self, equity: Decimal) -> Decimal:
        """Return the loss that is still allowed."""
        return equity - self._began_with + self._allowed

    def _holdings(self) -> list[Held]:
        last, filled_at = self._book.last, self._filled_at
        return [
            (symbol, float(net.quantity), filled_at.get(symbol, last.get(symbol)))
            for symbol, net in self._book.nets.items()
            if net.quantity
        ]

    def checking_handlers(self, table: Mapping[type[Any], Handler]) -> dict[type[Any], Handler]:
        """Wrap the handlers of a table that affect equity, to check it."""
        return {
            Candle: self._pricing(table[Candle], attrgetter("close")),
            Quote: self._pricing(table[Quote], attrgetter("price")),
            OrderEvent: self._ordering(table[OrderEvent]),
            TradeEvent: self._trading(table[TradeEvent]),
            PositionEvent: self._moving(table[PositionEvent]),
            AccountEvent: self._booking(table[AccountEvent]),
        }

    def _pricing(self, handler: Handler, price_of: Callable[[Any], float]) -> Handler:
        """Wrap a handler of prices to check equity, with a fast path for prices in their bands."""
        bands = self._leeway.bands

        def handle(event: Candle | Quote) -> Awaitable[None] | None:
            try:
                is_calm = event.stamp < self._calm_until  # type: ignore[operator]
            except TypeError:  # no stamp, or one of the other type, which happens once
                is_calm = False
            if is_calm:
                if not bands:
                    return handler(event)
                low, high = bands.get(event.symbol, ANYWHERE)
                if low < price_of(event) < high:
                    return handler(event)
            return self._price(event, price_of(event), handler)

        return handle

    def _price(
        self, event: Candle | Quote, price: float, handler: Handler
    ) -> Awaitable[None] | None:
        """Handle a price, and check equity if it is beyond its band."""
        self._catch_up()
        stamp = event.stamp
        if stamp is None and self._present is not None:  # quotes may have no timestamp
            stamp = self._present()
        if self._awaits_price:
            self._awaits_price = False
            self._day_ends, self._day_ends_ns = _LONG_AGO, ns_of(_LONG_AGO)
        if isinstance(stamp, int):
            if stamp >= self._day_ends_ns:
                self._begin_day(utc(stamp))
        elif stamp is not None and stamp >= self._day_ends:
            self._begin_day(stamp)
        self._is_due = self._is_beyond(event.symbol, price)
        if self._is_due or self._filled_at:
            self._calm_until = _LONG_AGO
        else:
            self._calm_until = self._day_ends_ns if isinstance(stamp, int) else self._day_ends
        result = handler(event)
        if result is None:
            self._catch_up()
        return result

    def _is_beyond(self, symbol: str, price: float) -> bool:
        """Record a price, and return whether equity has to be checked because of it."""
        self._filled_at.pop(symbol, None)
        return not self._leeway.lets_pass(symbol, price)

    def checked(self, run: CandleRun, candles: Iterator[Candle]) -> Iterator[Iterable[Candle]]:
        """Yield the candles of a run in parts, each checked before it is used, if it could matter.

        See `TradingDesk.checked`.
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
            if is_known and self._is_calm(run, candle.symbol):
                yield chain((candle,), part)
            else:
                yield map(self._check_candle, chain((candle,), islice(part, _FEW)))

    def _check_candle(self, candle: Candle) -> Candle:
        """Check equity at a candle of a run before it is used."""
        stamp: int = candle.stamp  # type: ignore[assignment]  # runs are made in process
        if stamp >= self._day_ends_ns:
            self._begin_day(utc(stamp))
        symbol, close = candle.symbol, candle.close
        if self._is_beyond(symbol, close):
            self._book.last[symbol] = close
            self.check()
        return candle

    def _is_calm(self, run: CandleRun, symbol: str) -> bool:
        """Whether even the worst closes of the coming candles are within their bands.

        Args:
            symbol: Symbol of the next candle, whose price supersedes that of a fill.
        """
        leeway, filled_at = self._leeway, self._filled_at
        if leeway.is_unknown or len(filled_at) > (symbol in filled_at):
            return False
        if self._book.open_count and not run.ahead(self._day_ends_ns):
            return False
        for held, (low, _) in leeway.bands.items():
            worst = run.bound(held, low > -inf)
            if worst is not None and not leeway.lets_pass(held, worst):
                return False
        filled_at.clear()
        return True

    def _catch_up(self) -> None:
        """Check equity if the last price requires it; its hook has returned or been awaited."""
        if self._is_due:
            self.check()
            self._is_due = False

    def see_fill(self, fill: ShownFill) -> None:
        """Check equity after an execution, whose position and fee are booked."""
        symbol = fill.symbol
        held = self._book.nets[symbol].quantity
        if held is not self._held:  # converting a Decimal to float is slow
            self._held, self._size = held, float(held)
        if held:
            self._filled_at[symbol] = fill.price
        else:
            self._filled_at.pop(symbol, None)
        self._calm_until = _LONG_AGO
        if not self.reached:
            fee = float(fill.fee) if fill.fee else 0.0
            if not self._leeway.take_in(symbol, self._size, float(fill.price), fee):
                self.check()

    def invalidate(self) -> None:
        """Check equity at the next price, since positions have changed."""
        self._calm_until = _LONG_AGO
        if not self.reached:
            self._leeway.invalidate()

    def _begin_day(self, moment: datetime) -> None:
        if self._present is not None:
            moment = min(moment, self._present())
            if moment < self._day_ends:
                return
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day_ends = day + _DAY
        self._day_ends_ns = ns_of(self._day_ends)
        self._began_with = self._equity()
        self.reached = ""
        self._leeway.invalidate()
        if self._days is not None:
            self._began_with = self._days.began_with(self._day, self._began_with)
            fell_to = self._days.fell_to(self._day)
            if fell_to is not None and self._left(fell_to) <= 0:
                self._reach(fell_to)

    def _equity(self) -> Decimal:
        """Return equity at the last prices, including those of fills.

        A position without a price counts as the venue values it. The cost of a reduced position is
        exact only after its event; the digits that may change then are rounded away.
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
        rounded = equity.quantize(_GRAIN, context=LONG)
        return equity if rounded == equity else rounded

    def _ordering(self, handler: Handler) -> Handler:
        def handle(event: OrderEvent) -> Awaitable[None] | None:
            self._catch_up()
            if event.event in _FILLS:
                self._note_fill(event.order.symbol, event.order.average_fill_price)
            return handler(event)

        return handle

    def _trading(self, handler: Handler) -> Handler:
        def handle(event: TradeEvent) -> Awaitable[None] | None:
            self._catch_up()
            symbol, price = event.trade.symbol, event.trade.price
            if symbol in self._filled_at and self._leeway.is_unknown:
                self._filled_at[symbol] = price  # the event of its order has noted the fill
            else:
                self._note_fill(symbol, price)
            return handler(event)

        return handle

    def _moving(self, handler: Handler) -> Handler:
        def handle(event: PositionEvent) -> Awaitable[None] | None:
            self._catch_up()
            if not self._is_known(event.position):
                self.invalidate()
            return handler(event)

        return handle

    def _is_known(self, position: Position) -> bool:
        """Whether a position equals the sum of its fills, and is the only one in its symbol."""
        net = self._book.nets[position.symbol]
        return (
            net.last is not None
            and position.signed_quantity == net.quantity
            and (not net.quantity or position.average_entry_price == net.average_entry_price)
            and all(part.id == position.id for part in self._book.parts_of(position.symbol))
        )

    def _note_fill(self, symbol: str, price: Decimal | None) -> None:
        self._unknown_until = self._seconds() + _BOOKED_WITHIN_S
        self.invalidate()
        if price is not None:
            self._filled_at[symbol] = price

    def _booking(self, handler: Handler) -> Handler:
        def handle(event: AccountEvent) -> Awaitable[None] | None:
            self._catch_up()
            self._unknown_until = 0.0
            result = handler(event)
            if result is None:
                self.check()
            else:  # the hook has not run yet
                self._is_due = True
            return result

        return handle


class LossWitness:
    """A witness that passes changes to the book, and checks the daily loss."""

    def __init__(self, book: Book, loss: DailyLoss) -> None:
        self._book = book
        self._loss = loss

    def see_order(self, order: Followed) -> None:
        """See `Witness`."""
        self._book.see_order(order)

    def see_fill(self, order: Followed, fill: ShownFill, parts: Sequence[Part]) -> None:
        """See `Witness`."""
        self._book.see_fill(order, fill, parts)
        self._loss.see_fill(fill)

    def see_position(self, symbol: str, parts: Sequence[Part]) -> None:
        """See `Witness`."""
        self._book.see_position(symbol, parts)
        self._loss.invalidate()

    def see_account(self) -> None:
        """See `Witness`."""
        self._book.see_account()
        self._loss.check()

    def detached(self) -> None:
        """See `Witness`."""
        self._book.detached()
