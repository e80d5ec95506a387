"""The daily loss: when its limit counts as reached, and for how long."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, cycle, repeat
from operator import or_
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import OrderStatus, Side
from strategy_runtime.clock import ns_of
from strategy_runtime.protocol.enums import OrderEventKind, PositionEventKind, PositionSide
from strategy_runtime.protocol.events import (
    AccountEvent,
    CandleRun,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Trade
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.runtime.risk.daily_loss import DailyLoss, Days
from strategy_runtime.runtime.store import DayFile, day

X = "S:X"
DAY = datetime(2024, 3, 4, tzinfo=UTC)
LOST = "on 2024-03-04 UTC equity fell from 1000 to 900, and --max-daily-loss allows 100"


def candle(close: float, start: datetime | int, symbol: str) -> Candle:
    return Candle(
        symbol=symbol,
        timeframe="1m",
        stamp=start,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1.0,
    )


class Bench:
    """A book that events change, with a daily loss limit of 100."""

    def __init__(
        self,
        days: Days | None = None,
        present: Callable[[], datetime] | None = None,
        allowed: int = 100,
    ) -> None:
        self.book = Book()
        self.now = 1000.0
        self.balance(1000)
        self.loss = DailyLoss(Decimal(allowed), self.book, lambda: self.now, days, present)
        self._table = self.loss.checking_handlers(
            {
                Candle: lambda candle: self.see(candle.symbol, candle.close),
                Quote: lambda quote: self.see(quote.symbol, quote.price),
                OrderEvent: self.order_came,
                TradeEvent: self.trade_came,
                PositionEvent: self.position_came,
                AccountEvent: self.book.apply_account,
            }
        )

    def see(self, symbol: str, price: float) -> None:
        self.book.last[symbol] = price

    def order_came(self, event: OrderEvent) -> None:
        self.book.apply_order(event)

    def trade_came(self, event: TradeEvent) -> None:
        self.book.apply_trade(event)

    def position_came(self, event: PositionEvent) -> None:
        self.book.apply_position(event)

    def tell(self, event: Any) -> None:
        self._table[type(event)](event)

    def awaiting(self, hook: Handler) -> Handler:
        """The handler of an account's events that calls a hook which is awaited."""
        return self.loss.checking_handlers(self._table | {AccountEvent: hook})[AccountEvent]

    def candle(self, close: float, start: datetime = DAY, *, symbol: str = X) -> None:
        self.tell(candle(close, start, symbol))

    def run_of(self, *closes: float, symbols: Sequence[str] = (X,)) -> list[bool]:
        """Whether the limit was reached, at each candle of a run of alternating symbols."""
        found: list[bool] = []

        def ahead(before: int) -> int:
            return len(closes) - len(found) if before > ns_of(DAY) else 0

        def bound(symbol: str, below: bool) -> float:
            own = closes[symbols.index(symbol) :: len(symbols)]
            return min(own) if below else max(own)

        candles = map(candle, closes, repeat(ns_of(DAY)), cycle(symbols))
        run = CandleRun(candles, lambda: True, ahead, bound)
        for part in self.loss.checked(run, candles):
            for each in part:
                self.see(each.symbol, each.close)
                found.append(bool(self.loss.reached))
        return found

    def balance(self, amount: int) -> None:
        account = Account(balance=Decimal(amount), equity=Decimal(amount))
        self.book.apply_account(AccountEvent(account=account))

    def fill(self, side: Side, quantity: int, price: int, number: int, symbol: str = X) -> None:
        order = Order(
            id=f"o-{number}",
            symbol=symbol,
            side=side,
            status=OrderStatus.FILLED,
            quantity=Decimal(quantity),
            average_fill_price=Decimal(price),
        )
        self.tell(OrderEvent(event=OrderEventKind.ORDER_FILLED, order=order))

    def book_balance(self, amount: int) -> None:
        self.tell(AccountEvent(account=Account(balance=Decimal(amount), equity=Decimal(amount))))

    def buy_ten(self) -> None:
        """Buy ten at 100, a minute into the day."""
        self.candle(100)
        self.fill(Side.BUY, 10, 100, 1)
        self.book_balance(1000)


def test_a_loss_counts_from_what_is_allowed_on() -> None:
    bench = Bench()
    bench.buy_ten()
    bench.candle(90.01)
    assert not bench.loss.is_reached
    bench.candle(90)
    assert bench.loss.is_reached
    assert bench.loss.reached == LOST


def test_before_the_first_price_of_a_backtest_nothing_is_lost() -> None:
    bench = Bench()
    bench.loss.check_if_due()
    bench.balance(890)  # the day has not begun
    bench.loss.check_if_due()
    assert not bench.loss.is_reached
    bench.candle(100)
    bench.balance(790)
    assert bench.loss.is_reached


def test_asking_changes_nothing() -> None:
    bench = Bench()
    bench.buy_ten()
    bench.candle(100)
    bench.see(X, 90.0)
    assert bench.loss.is_reached
    bench.see(X, 91.0)
    assert not bench.loss.is_reached
    bench.see(X, 90.0)
    bench.loss.check()
    bench.see(X, 91.0)
    assert bench.loss.is_reached


def test_quotes_are_prices_too() -> None:
    bench = Bench()
    bench.buy_ten()
    bench.tell(Quote(symbol=X, bid=88.0, ask=90.0, stamp=DAY))
    assert "equity fell from 1000 to 890" in bench.loss.reached


def test_it_is_reached_for_the_rest_of_the_day_and_the_next_begins_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.buy_ten()
    bench.candle(90)
    bench.candle(120, DAY + timedelta(hours=23, minutes=59))
    assert bench.loss.reached == LOST
    assert caplog.text.count("only orders that reduce a position are sent: on 2024-03-04") == 1
    bench.candle(111, DAY + timedelta(days=1))
    assert bench.loss.reached == ""
    bench.candle(110, DAY + timedelta(days=1, minutes=1))
    assert "on 2024-03-05 UTC equity fell from 1200 to 1100" in bench.loss.reached


@pytest.mark.parametrize("present", [None, lambda: DAY + timedelta(days=1, minutes=1)])
def test_a_day_begins_with_the_equity_before_its_first_price(
    present: Callable[[], datetime] | None,
) -> None:
    bench = Bench(present=present)
    bench.buy_ten()
    bench.candle(89, DAY + timedelta(days=1))
    assert "on 2024-03-05 UTC equity fell from 1000 to 890" in bench.loss.reached


@pytest.mark.parametrize("stamp", [DAY + timedelta(days=3), datetime.max.replace(tzinfo=UTC)])
def test_live_a_price_of_a_time_that_is_yet_to_come_begins_no_day(stamp: datetime) -> None:
    present = [DAY + timedelta(minutes=2)]
    bench = Bench(present=lambda: present[0])
    bench.buy_ten()
    bench.candle(91)
    bench.tell(Quote(symbol="S:Y", bid=1.0, ask=1.0, stamp=stamp))
    bench.candle(90)
    assert bench.loss.reached == LOST
    present[0] += timedelta(days=1)
    bench.tell(Quote(symbol="S:Y", bid=1.0, ask=1.0, stamp=stamp))
    assert bench.loss.reached == "", "by the wall clock it is another day"
    bench.candle(80)
    assert "on 2024-03-05 UTC equity fell from 900 to 800" in bench.loss.reached


@pytest.mark.parametrize("days", [0, -300])
def test_live_what_another_run_has_lost_today_counts_before_there_is_any_price(
    days: int, tmp_path: Path
) -> None:
    DayFile(tmp_path).began_with(DAY.date(), Decimal(1000))
    bench = Bench(DayFile(tmp_path), present=lambda: DAY + timedelta(hours=5))
    bench.balance(890)
    bench.loss.check_if_due()
    assert "on 2024-03-04 UTC equity fell from 1000 to 890" in bench.loss.reached
    bench.candle(100, DAY + timedelta(days=days))
    bench.loss.check()
    assert bool(bench.loss.reached) is (days == 0), "a replay has days of its own"


def test_live_quotes_that_do_not_say_when_they_were_are_of_the_present() -> None:
    present = [DAY + timedelta(hours=5)]
    bench = Bench(present=lambda: present[0])

    def quote(price: float) -> None:
        bench.tell(Quote(symbol=X, bid=price, ask=price, last=price))

    quote(100)
    bench.fill(Side.BUY, 10, 100, 1)
    bench.book_balance(1000)
    quote(90)
    assert bench.loss.reached == LOST
    present[0] += timedelta(days=1)
    quote(89)
    assert bench.loss.reached == ""
    quote(80)
    assert "on 2024-03-05 UTC equity fell from 900 to 800" in bench.loss.reached


def test_what_a_closed_position_lost_counts_when_it_is_booked() -> None:
    bench = Bench()
    bench.buy_ten()
    bench.fill(Side.SELL, 10, 90, 2)
    assert bench.loss.reached == ""
    bench.book_balance(900)
    assert "equity fell from 1000 to 900, " in bench.loss.reached


def test_between_a_fill_and_its_booking_nothing_is_said() -> None:
    bench = Bench()
    bench.buy_ten()
    bench.candle(130, DAY + timedelta(days=1))
    bench.candle(130, DAY + timedelta(days=2))
    # Sold with a profit of 300, which has left the position but is not in the balance yet.
    bench.fill(Side.SELL, 10, 130, 2)
    bench.loss.check()
    assert bench.loss.reached == ""
    bench.book_balance(1300)
    assert bench.loss.reached == ""
    trade = Trade(
        id="t",
        order_id="o-9",
        symbol=X,
        side=Side.SELL,
        quantity=Decimal(1),
        price=Decimal(130),
        timestamp=DAY,
    )
    bench.tell(TradeEvent(trade=trade))
    bench.candle(300, DAY + timedelta(days=2))
    assert bench.loss.reached == ""
    bench.now += 59.0  # the event of the account may come within a minute
    bench.candle(300, DAY + timedelta(days=2))
    assert bench.loss.reached == ""
    bench.now += 1.0
    bench.candle(300, DAY + timedelta(days=2))
    assert "to 1130" in bench.loss.reached


def test_a_fill_far_from_the_last_price_loses_nothing() -> None:
    bench = Bench()
    bench.candle(100)
    bench.fill(Side.BUY, 10, 150, 1)
    bench.book_balance(1000)
    assert bench.loss.reached == ""
    bench.candle(141)
    assert bench.loss.reached == ""
    bench.candle(140)
    assert "equity fell from 1000 to 900, " in bench.loss.reached


def test_a_closed_position_may_be_told_before_the_fill_that_closed_it() -> None:
    bench = Bench()
    bench.book.positions_may_lead = True
    bench.buy_ten()
    bench.candle(130, DAY + timedelta(days=1))
    bench.candle(130, DAY + timedelta(days=2))
    closed = Position(id="p", symbol=X, side=PositionSide.LONG, quantity=Decimal(0), updated_at=DAY)
    bench.tell(PositionEvent(event=PositionEventKind.POSITION_CLOSED, position=closed))
    trade = Trade(
        id="t",
        order_id="o-2",
        symbol=X,
        side=Side.SELL,
        quantity=Decimal(10),
        price=Decimal(130),
        timestamp=DAY,
    )
    bench.tell(TradeEvent(trade=trade))
    bench.candle(130, DAY + timedelta(days=2))
    assert bench.loss.reached == "", "the profit of 300 is not in the balance yet"
    bench.book_balance(1300)
    assert bench.loss.reached == ""


async def test_what_is_charged_counts_although_the_hook_is_awaited() -> None:
    bench = Bench()
    bench.buy_ten()

    async def hook(event: AccountEvent) -> None:
        bench.book.apply_account(event)

    account = Account(balance=Decimal(900), equity=Decimal(900))
    charged = bench.awaiting(hook)(AccountEvent(account=account))
    assert charged is not None
    await charged
    bench.candle(100)
    assert bench.loss.reached == LOST


def test_a_day_that_begins_with_a_fill_begins_at_its_price() -> None:
    bench = Bench()
    bench.candle(100)
    bench.fill(Side.BUY, 10, 50, 1)
    bench.book_balance(1000)
    bench.candle(50, DAY + timedelta(days=1))
    bench.candle(41, DAY + timedelta(days=1))
    assert bench.loss.reached == ""
    bench.candle(40, DAY + timedelta(days=1))
    assert "on 2024-03-05 UTC equity fell from 1000 to 900, " in bench.loss.reached


@pytest.mark.parametrize(
    ("held", "entry", "is_reached"), [(10, 100, False), (20, 100, True), (10, 110, True)]
)
def test_a_position_that_is_not_what_fills_made_of_it_counts_from_the_next_price_on(
    held: int, entry: int, is_reached: bool
) -> None:
    bench = Bench()
    bench.buy_ten()
    position = Position(
        id="p",
        symbol=X,
        side=PositionSide.LONG,
        quantity=Decimal(held),
        average_entry_price=Decimal(entry),
    )
    bench.tell(PositionEvent(event=PositionEventKind.POSITION_MODIFIED, position=position))
    bench.candle(95)
    assert bool(bench.loss.reached) is is_reached


def test_a_position_whose_price_was_never_seen_counts_as_the_venue_says() -> None:
    bench = Bench()
    gained = Position(
        id="p",
        symbol="S:Y",
        side=PositionSide.LONG,
        quantity=Decimal(10),
        average_entry_price=Decimal(50),
        unrealized_pnl=Decimal(500),
    )
    bench.book.load(Account(balance=Decimal(1000), equity=Decimal(1500)), [gained], [])
    bench.buy_ten()
    bench.candle(99, symbol="S:Y")
    bench.candle(91.5)
    assert bench.loss.reached == ""
    bench.candle(91)
    assert "equity fell from 1500 to 1400" in bench.loss.reached


def test_a_day_that_began_in_another_run_goes_on(tmp_path: Path) -> None:
    DayFile(tmp_path).began_with(DAY.date(), Decimal(1050))
    bench = Bench(DayFile(tmp_path))
    bench.buy_ten()
    bench.candle(95)
    assert "equity fell from 1050 to 950" in bench.loss.reached


def loses_too_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A run that loses more than it may on the present day."""
    monkeypatch.setattr(day, "now", lambda: DAY)
    bench = Bench(DayFile(folder))
    bench.buy_ten()
    bench.candle(89)
    return bench


def test_what_was_lost_in_another_run_counts_until_the_next_day_whatever_prices_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = loses_too_much(tmp_path, monkeypatch)
    reached = "on 2024-03-04 UTC equity fell from 1000 to 890, and --max-daily-loss"
    assert first.loss.reached.startswith(reached)
    again = Bench(DayFile(tmp_path))
    again.buy_ten()
    again.candle(100)
    assert again.loss.reached == first.loss.reached
    again.candle(100, DAY + timedelta(days=1))
    assert again.loss.reached == ""


def test_a_run_that_is_allowed_to_lose_more_than_was_lost_trades_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loses_too_much(tmp_path, monkeypatch)
    again = Bench(DayFile(tmp_path), allowed=111)
    again.buy_ten()
    again.candle(100)
    assert again.loss.reached == ""
    again.candle(88)
    assert "equity fell from 1000 to 880" in again.loss.reached


def test_what_several_positions_lose_in_a_run_counts_together() -> None:
    bench = Bench()
    for number, symbol in enumerate(symbols := (X, "S:Y")):
        bench.candle(100, symbol=symbol)
        bench.fill(Side.BUY, 10, 100, number, symbol)
        bench.book_balance(1000)
    assert bench.run_of(100, 100, symbols=symbols) == [False] * 2
    assert bench.run_of(100, 100, 97, 99, 96, 96, symbols=symbols) == [False] * 6
    assert bench.run_of(93, 99, 99, 99, symbols=symbols) == [True] * 4
    assert "equity fell from 1000 to 890" in bench.loss.reached


def test_a_day_that_begins_in_a_run_begins_with_the_price_of_the_last_fill() -> None:
    bench = Bench()
    bench.candle(100, DAY - timedelta(minutes=2))
    bench.fill(Side.BUY, 10, 120, 1)
    bench.book_balance(1000)
    assert bench.run_of(100) == [True]
    assert "equity fell from 1000 to 800" in bench.loss.reached


@given(
    prices=st.lists(st.integers(8_500, 11_500), min_size=1, max_size=40),
    held=st.sampled_from([10, -10, 3]),
    length=st.sampled_from([0, 1, 5, 40]),
)
def test_it_is_found_at_the_very_price_that_is_too_much(
    prices: list[int], held: int, length: int
) -> None:
    bench = Bench()
    bench.candle(100)
    bench.fill(Side.BUY if held > 0 else Side.SELL, abs(held), 100, 1)
    bench.book_balance(1000)
    losses = accumulate((held * (price - 10_000) <= -100 * 100 for price in prices), or_)
    found = []
    if length:
        for first in range(0, len(prices), length):
            found += bench.run_of(*(price / 100 for price in prices[first : first + length]))
    else:
        for price in prices:
            bench.candle(price / 100)
            found.append(bool(bench.loss.reached))
    assert found == list(losses)
