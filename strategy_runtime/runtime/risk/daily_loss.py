"""The loss of a day: equity now against equity when the UTC day began.

A candle belongs to the day in which it began, so that of midnight ends a day. The day begins with
its first candle or quote, and with the equity of the moment before. Once the loss has been too
large it counts as such until the next day begins, whatever prices do, and whatever run follows.
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

__all__ = ["DailyLoss", "Days", "Onlooker"]

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
    """Remembers a day beyond the run in which it began."""

    def began_with(self, day: date, equity: Decimal) -> Decimal:
        """The equity with which a day began; that of now where no other is known."""
        ...

    def fell_to(self, day: date) -> Decimal | None:
        """The equity at which too much was lost on a day, None where none is known."""
        ...

    def note_fall(self, day: date, equity: Decimal) -> None:
        """Too much was lost on a day."""


class DailyLoss:
    """Watches one run.

    Between a fill and the account that comes after it equity is not known, since what was realised
    is in neither; then nothing is said of it. A fill is the newest price of its symbol until the
    next candle or quote: the last close may be far away, and nobody lost what lies between.

    Args:
        allowed: In account currency.
        seconds: The time of the run; only differences matter.
        days: Knows of days that began in another run; without it they begin with this one.
        present: The wall clock of a live run: no day begins before that says so, whatever time
            somebody puts on a price.

    Attributes:
        reached: What was lost, in words; empty while it is less than allowed.
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
        """Whether the day began with an order: of which day prices are, the first one says."""
        self._unknown_until = 0.0
        self._filled_at: dict[str, Decimal] = {}
        self._leeway = Leeway()
        self._is_due = False
        """Whether a price has come that has to be looked at before anything else is done."""
        self._calm_until: datetime | int = _LONG_AGO
        """A price within its band changes nothing before then: a time or nanoseconds, whichever
        the stamps of events are."""
        self._held, self._size = _ZERO, 0.0

    def look(self) -> None:
        """Compare equity with that at the start of the day, and hold on to what is found."""
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

    def glance(self) -> None:
        """Look if enough may have been lost since the last look to make a difference.

        Live, another run may have lost it before this one has heard any price.
        """
        if self._day_ends is _LONG_AGO and self._present is not None:
            self._begin_day(self._present())
            self._awaits_price = True
        if self._is_due or self._leeway.is_in_doubt:
            self.look()

    @property
    def is_reached(self) -> bool:
        """Whether `look` would find, or has found, that too much was lost."""
        return bool(self.reached) or (self._is_equity_known and self._left(self._equity()) <= 0)

    @property
    def _is_equity_known(self) -> bool:
        """Whether equity is, and that with which the day began."""
        if self._day_ends is _LONG_AGO:
            return False
        return not self._unknown_until or self._seconds() >= self._unknown_until

    @property
    def _day(self) -> date:
        return (self._day_ends - _DAY).date()

    def _left(self, equity: Decimal) -> Decimal:
        """What may still be lost."""
        return equity - self._began_with + self._allowed

    def _holdings(self) -> list[Held]:
        last, filled_at = self._book.last, self._filled_at
        return [
            (symbol, float(net.quantity), filled_at.get(symbol, last.get(symbol)))
            for symbol, net in self._book.nets.items()
            if net.quantity
        ]

    def watched(self, table: Mapping[type[Any], Handler]) -> dict[type[Any], Handler]:
        """The handlers of a table that has to do with equity, with an eye on it."""
        return {
            Candle: self._pricing(table[Candle], attrgetter("close")),
            Quote: self._pricing(table[Quote], attrgetter("price")),
            OrderEvent: self._ordering(table[OrderEvent]),
            TradeEvent: self._trading(table[TradeEvent]),
            PositionEvent: self._moving(table[PositionEvent]),
            AccountEvent: self._booking(table[AccountEvent]),
        }

    def _pricing(self, handler: Handler, price_of: Callable[[Any], float]) -> Handler:
        """The handler of prices, with an eye on equity: most of them are within their bands."""
        bands = self._leeway.bands

        def handle(event: Candle | Quote) -> Awaitable[None] | None:
            try:
                is_calm = event.stamp < self._calm_until  # type: ignore[operator]
            except TypeError:  # no instant, or one of the other kind, which happens once
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
        """Have a price handled, then looked at where it is beyond its band."""
        self._catch_up()
        stamp = event.stamp
        if stamp is None and self._present is not None:  # quotes need not say when they were
            stamp = self._present()
        if self._awaits_price and stamp is not None:
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
        """Take in a price; whether equity has to be looked at because of it."""
        self._filled_at.pop(symbol, None)
        return not self._leeway.lets_pass(symbol, price)

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
            if is_known and self._is_calm(run, candle.symbol):
                yield chain((candle,), part)
            else:
                yield map(self._see, chain((candle,), islice(part, _FEW)))

    def _see(self, candle: Candle) -> Candle:
        """Look at a candle of a run before it is handed on."""
        stamp: int = candle.stamp  # type: ignore[assignment]  # runs are made in process
        if stamp >= self._day_ends_ns:
            self._begin_day(utc(stamp))
        symbol, close = candle.symbol, candle.close
        if self._is_beyond(symbol, close):
            self._book.last[symbol] = close
            self.look()
        return candle

    def _is_calm(self, run: CandleRun, symbol: str) -> bool:
        """Whether even the worst closes of the candles to come are within their bands.

        Args:
            symbol: That of the next one, whose price is newer than that of a fill.
        """
        leeway, filled_at = self._leeway, self._filled_at
        if leeway.is_in_doubt or len(filled_at) > (symbol in filled_at):
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
        """Look at the last price if that has to be done, behind its hook or as soon as that has
        been awaited.
        """
        if self._is_due:
            self.look()
            self._is_due = False

    def see_fill(self, fill: ShownFill) -> None:
        """Look at equity behind an execution that is booked, with its position and its fee."""
        symbol = fill.symbol
        held = self._book.nets[symbol].quantity
        if held is not self._held:  # to say a decimal as a float takes long
            self._held, self._size = held, float(held)
        if held:
            self._filled_at[symbol] = fill.price
        else:
            self._filled_at.pop(symbol, None)
        self._calm_until = _LONG_AGO
        if not self.reached:
            fee = float(fill.fee) if fill.fee else 0.0
            if not self._leeway.take_in(symbol, self._size, float(fill.price), fee):
                self.look()

    def be_in_doubt(self) -> None:
        """Look at equity with the next price: what is held has changed."""
        self._calm_until = _LONG_AGO
        if not self.reached:
            self._leeway.doubt()

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
        self._leeway.doubt()
        if self._days is not None:
            self._began_with = self._days.began_with(self._day, self._began_with)
            fell_to = self._days.fell_to(self._day)
            if fell_to is not None and self._left(fell_to) <= 0:
                self._reach(fell_to)

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
            if symbol in self._filled_at and self._leeway.is_in_doubt:
                self._filled_at[symbol] = price  # its order has said that there was one
            else:
                self._note_fill(symbol, price)
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
            if result is None:
                self.look()
            else:  # what it is to do has not been done yet
                self._is_due = True
            return result

        return handle


class Onlooker:
    """A witness that has the book follow what changes, with an eye on the loss of a day."""

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
        self._loss.be_in_doubt()

    def see_account(self) -> None:
        """See `Witness`."""
        self._book.see_account()
        self._loss.look()

    def look_away(self) -> None:
        """See `Witness`."""
        self._book.look_away()
