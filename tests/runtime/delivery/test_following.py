"""When orders, executions, positions and the account come as events, and when they are followed."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from strategy_runtime import Candle, Event, OrderEvent, Quote, Strategy
from strategy_runtime.protocol.events import Item
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.delivery import runs
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import A, B, minutes, order

PRICES = [float(price) for price in range(10, 22)]


class Listened(SimulatedVenue):
    """A venue that records the kinds of its events."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.kinds: list[str] = []

    def _burst(self, stream: Iterator[Item]) -> Iterator[Item]:
        for event in super()._burst(stream):
            self.kinds.append(type(event).__name__)
            yield event


class InAndOut(Strategy):
    """Buys and closes alternately."""

    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, 1)
        else:
            self.close(candle.symbol)


class Hearing(InAndOut):
    def on_order(self, event: OrderEvent) -> None:
        pass


class HearingAll(InAndOut):
    def on_event(self, event: Event) -> None:
        pass


class Awaiting(Strategy):
    async def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            await self.buy(candle.symbol, 1)
        else:
            self.close(candle.symbol)


class Timed(InAndOut):
    def on_candle(self, candle: Candle) -> None:
        super().on_candle(candle)
        if candle.open == PRICES[6]:
            self.every("1h", self.on_timer)


class TimedWithin(Strategy):
    """Has a stop that fills in a bar at whose end a timer is due."""

    def on_start(self) -> None:
        self.every("5m", self.on_timer)

    def on_candle(self, candle: Candle) -> None:
        if candle.open == PRICES[0]:
            self.buy(candle.symbol, 1, stop=PRICES[4])


class AtQuotes(Strategy):
    """Buys at the first quote, and records the account at each."""

    def on_start(self) -> None:
        self.used: list[Decimal] = []

    def on_quote(self, quote: Quote) -> None:
        if not self.used:
            self.buy(quote.symbol, 1)
        self.used.append(self.account.margin_used)


class HearingAtQuotes(AtQuotes):
    def on_order(self, event: OrderEvent) -> None:
        pass


@pytest.mark.parametrize("kind", [AtQuotes, HearingAtQuotes])
async def test_quotes_that_come_later_value_the_account_as_they_did(kind: type[AtQuotes]) -> None:
    strategy = kind()
    async with strategy.run_test(cash=1000) as pilot:
        await pilot.candles(A, closes=[10])
        await pilot.quotes(A, [(9.5, 10.5), (10.5, 11.5), (12.5, 13.5)])
    assert strategy.used == [0, 11, 11]


async def kinds_of(strategy: Strategy, *symbols: str) -> tuple[list[str], Exchange]:
    exchange = Exchange([minutes(symbol, PRICES) for symbol in symbols or (A,)])
    venue = Listened(exchange)
    await Runner(strategy, venue, mode="backtest").run()
    return venue.kinds, exchange


@pytest.mark.parametrize("kind", [InAndOut, Awaiting])
async def test_no_event_is_made_where_no_hook_takes_one(kind: type[Strategy]) -> None:
    kinds, exchange = await kinds_of(kind())
    assert set(kinds) == {"CandleRun", "BacktestComplete"}
    assert len(exchange.fills) == len(PRICES) - 1


@pytest.mark.parametrize("kind", [Hearing, HearingAll])
async def test_whoever_may_look_between_two_events_is_told_of_all(kind: type[Strategy]) -> None:
    kinds, exchange = await kinds_of(kind())
    assert kinds.count("TradeEvent") == len(exchange.fills) == len(PRICES) - 1
    assert kinds.count("OrderEvent") == 2 * len(exchange.fills) + 1


@pytest.mark.parametrize("symbols", [(A,), (A, B)])
async def test_a_run_goes_on_past_plain_orders(symbols: tuple[str, ...]) -> None:
    kinds, exchange = await kinds_of(InAndOut(), *symbols)
    assert len(exchange.fills) == (len(PRICES) - 1) * len(symbols)
    assert kinds.count("CandleRun") == 1


async def test_events_are_counted_whether_made_or_not() -> None:
    assert (await kinds_of(InAndOut()))[1].emitted == (await kinds_of(Hearing()))[1].emitted


async def test_a_timer_needs_events_when_it_is_set_and_of_what_it_may_come_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_MANY_CANDLES", 0)
    kinds, exchange = await kinds_of(Timed())
    assert len(exchange.fills) == len(PRICES) - 1
    assert kinds.count("TradeEvent") == 1
    kinds, exchange = await kinds_of(TimedWithin())
    (fill,) = exchange.fills
    assert fill.price == PRICES[4]
    assert kinds.count("TradeEvent") == 1


async def test_while_events_are_under_way_only_they_tell() -> None:
    exchange = Exchange([minutes(A, PRICES)])
    venue = SimulatedVenue(exchange)
    assert venue.let_look(Book()) is exchange
    venue.let_look(None)
    exchange.submit(order())
    assert venue.let_look(Book()) is None
