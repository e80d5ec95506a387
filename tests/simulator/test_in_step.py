"""Symbols in step: their candles in runs, and orders in between."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from itertools import pairwise

import pytest

from strategy_runtime import AccountEvent, Candle, Strategy
from strategy_runtime.clock import ns_of, utc
from strategy_runtime.protocol.enums import OrderStatus, OrderType
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import MINUTE, A, B, minutes, no_short_cuts, order

Seen = list[tuple[str, int]]
HALF = Decimal("0.5")


class Buying(Strategy):
    """Notes every candle; buys a unit of another symbol at one of them."""

    def __init__(self, when: tuple[str, int], symbol: str) -> None:
        super().__init__()
        self.when = when
        self.symbol = symbol
        self.seen: Seen = []

    def on_candle(self, candle: Candle) -> None:
        minute = ns_of(candle.timestamp) // MINUTE
        self.seen.append((candle.symbol, minute))
        if (candle.symbol, minute) == self.when:
            self.buy(self.symbol, 1)


def without(series: BarSeries, *rows: int) -> BarSeries:
    """Return the same bars except for some."""
    kept = BarSeries(series.symbol, series.timeframe, series.step)
    for row in range(len(series)):
        if row not in rows:
            kept.append(*(column[row] for column in series.columns[:-1]))
    return kept


async def run(data: list[BarSeries], strategy: Buying) -> Exchange:
    exchange = Exchange(data, ExchangeOptions(cash=Decimal(1000)))
    await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    return exchange


class Adding(Buying):
    """Requests an indicator at one of the candles."""

    def on_start(self) -> None:
        self.values: list[float] = []

    def on_candle(self, candle: Candle) -> None:
        super().on_candle(candle)
        if len(self.seen) == 2:
            self.average = self.sma(1)
        elif len(self.seen) > 2:
            self.values.append(self.average[candle.symbol].value)


async def test_an_indicator_asked_for_within_a_run_is_fed_from_the_next_candle_on() -> None:
    strategy = Adding(when=(A, 9), symbol=A)
    await run([minutes(A, [5, 6, 7, 8])], strategy)
    assert strategy.values == [7, 8]


async def test_the_candles_of_an_instant_come_together_whatever_is_ordered_between_them() -> None:
    strategy = Buying(when=(A, 1), symbol=A)
    exchange = await run([minutes(A, [5, 6, 7, 8]), minutes(B, [1, 2, 3, 4])], strategy)
    assert strategy.seen == [(symbol, minute) for minute in range(4) for symbol in (A, B)]
    (order,) = exchange.outcome().orders
    assert order.created_at is not None
    assert ns_of(order.created_at) == 2 * MINUTE
    (fill,) = exchange.fills
    assert (fill.bar_ns, fill.price) == (2 * MINUTE, Decimal("7.0"))


async def test_an_order_for_a_symbol_whose_candle_is_yet_to_come_fills_at_the_same_open() -> None:
    exchange = await run(
        [minutes(A, [5, 6, 7, 8]), minutes(B, [1, 2, 3, 4])], Buying(when=(A, 1), symbol=B)
    )
    assert [(fill.bar_ns, fill.price) for fill in exchange.fills] == [(2 * MINUTE, Decimal("3.0"))]


@pytest.mark.parametrize("gap", [1, 4, 8])
async def test_a_gap_in_one_symbol_moves_no_candle_and_no_fill(gap: int) -> None:
    seen, fills = [], []
    for in_step in (True, False):
        prices = [float(price) for price in range(10, 20)]
        data = [minutes(A, prices), without(minutes(B, prices), gap)]
        strategy = Buying(when=(A, gap), symbol=B)
        with nullcontext() if in_step else no_short_cuts():
            exchange = await run(data, strategy)
        seen.append(strategy.seen)
        fills.append(exchange.fills)
    assert seen[0] == seen[1]
    assert len(seen[0]) == 19
    assert fills[0] == fills[1]
    assert [fill.bar_ns for fill in fills[0]] == [(gap + 1) * MINUTE]


async def test_an_order_for_a_symbol_whose_bars_have_ended_never_fills() -> None:
    strategy = Buying(when=(A, 3), symbol=B)
    exchange = await run([minutes(A, [5, 6, 7, 8, 9]), minutes(B, [1, 2])], strategy)
    assert exchange.fills == []
    assert [order.symbol for order in exchange.outcome().open_orders] == [B]
    assert strategy.seen[-1] == (A, 4)


def test_what_is_asked_in_the_course_of_a_run_is_as_of_the_candle_in_hand() -> None:
    exchange = Exchange([minutes(A, [5, 6, 7]), minutes(B, [1, 2, 3])])
    stream = exchange.stream(exchange.phases())
    first = next(stream)
    assert isinstance(first, CandleRun)
    for expected in ((A, 5, 1), (B, 5, 1), (A, 6, 2)):
        first.last = next(first.candles)
        symbol, price, bars = expected
        assert (first.last.symbol, exchange.quote(A).last) == (symbol, price)
        assert len(exchange.bars(B, "1m")) == bars
    assert exchange.outcome().bars == 4


class Resting(Strategy):
    """Keeps an order below and one above the market, and places another on the way."""

    def __init__(self, limit: float, stop: float, again: int) -> None:
        super().__init__()
        self.limit, self.stop, self.again = limit, stop, again
        self.seen: Seen = []

    def on_candle(self, candle: Candle) -> None:
        minute = ns_of(candle.timestamp) // MINUTE
        self.seen.append((candle.symbol, minute))
        if candle.symbol == B:
            return
        if minute == 0:
            self.buy(A, 1, limit=self.limit)
            self.buy(B, 1, stop=self.stop)
        elif minute == self.again:
            self.buy(B, 1)


@pytest.mark.parametrize("dip", [1, 2, 3, 4, 7, 8, 20, 63, 64, 65, 130, 199, None])
@pytest.mark.parametrize("rise", [5, 64, 150, None])
@pytest.mark.parametrize("again", [3, 100])
async def test_orders_out_of_reach_are_met_at_the_bar_that_reaches_them(
    dip: int | None, rise: int | None, again: int
) -> None:
    falling = [5.0 if minute == dip else 10.0 for minute in range(200)]
    rising = [20.0 if minute == rise else 10.0 for minute in range(200)]
    found = []
    for in_step in (True, False):
        strategy = Resting(limit=5, stop=20, again=again)
        with nullcontext() if in_step else no_short_cuts():
            exchange = Exchange(
                [minutes(A, falling), minutes(B, rising)], ExchangeOptions(cash=Decimal(1000))
            )
            await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
        found.append((strategy.seen, exchange.fills, exchange.outcome().open_orders))
    assert found[0] == found[1]
    assert len(found[0][1]) == 1 + (dip is not None) + (rise is not None)


def test_bars_that_reach_no_order_come_in_runs_all_the_same() -> None:
    prices = [10.0] * 150 + [5.0] + [10.0] * 149
    exchange = Exchange([minutes(A, prices)], ExchangeOptions(cash=Decimal(1000)))
    lengths = []
    for run in exchange.stream(exchange.phases()):
        if isinstance(run, CandleRun):
            lengths.append(0)
            for candle in run.candles:
                run.last = candle
                lengths[-1] += 1
                if sum(lengths) == 1:
                    exchange.submit(order(order_type=OrderType.LIMIT, limit_price=Decimal(6)))
                    break
    assert [fill.bar_ns // MINUTE for fill in exchange.fills] == [150]
    assert sum(lengths) == 300
    assert len(lengths) < 30


class Exposed(Strategy):
    """Sells short or borrows, or trails a stop; notes the account events."""

    verb = "short"

    def on_start(self) -> None:
        self.heard: list[AccountEvent] = []

    def on_account(self, event: AccountEvent) -> None:
        self.heard.append(event)

    def on_candle(self, candle: Candle) -> None:
        if candle.symbol != A or candle.timestamp != utc(0):
            return
        if self.verb == "short":
            self.sell(A, 100)
        elif self.verb == "borrow":
            self.buy(A, 190)
        else:
            self.buy(A, 10)
            self.sell(A, 10, trailing=3)


def wave(*turns: float) -> list[float]:
    """Return prices that move from each one to the next in fifty steps."""
    return [one + (other - one) * step / 50 for one, other in pairwise(turns) for step in range(50)]


@pytest.mark.parametrize("verb", ["short", "borrow", "trail"])
@pytest.mark.parametrize(
    "turns", [(10, 10, 10), (10, 12, 9, 13), (10, 25, 60), (10, 9, 5), (10, 14, 10, 18, 14, 8)]
)
@pytest.mark.parametrize("minute", [MINUTE, 60 * MINUTE])
async def test_positions_at_risk_are_looked_at_when_it_matters(
    verb: str, turns: tuple[float, ...], minute: int
) -> None:
    found = []
    for in_step in (True, False):
        strategy = type("Exposed", (Exposed,), {"verb": verb})()
        with nullcontext() if in_step else no_short_cuts():
            series = [BarSeries(symbol, "1h", minute) for symbol in (A, B)]
            for each in series:
                for number, price in enumerate(wave(*turns)):
                    each.append(number * minute, price, price + 0.5, price - 0.5, price, 1.0)
            options = ExchangeOptions(
                cash=Decimal(1000), leverage=Decimal(2), borrow_rate=Decimal("0.5")
            )
            exchange = Exchange(series, options)
            await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
        outcome = exchange.outcome()
        found.append((outcome.fills, outcome.adjustments, outcome.warnings, strategy.heard))
    assert found[0] == found[1]
    assert found[0][0]


class Regretting(Strategy):
    """Buys at the first candle, and makes the exchange cancel everything at once."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.still_open: list[int] = []

    async def on_candle(self, candle: Candle) -> None:
        if not self.still_open:
            await self.buy(A, 1)
            self.exchange.cancel_all()
        self.still_open.append(len(self.exchange.orders()))


async def test_a_waiting_order_that_is_cancelled_with_all_others_is_open_no_longer() -> None:
    exchange = Exchange([minutes(A, [5, 6, 7, 8])])
    strategy = Regretting(exchange)
    await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    assert strategy.still_open == [0, 0, 0, 0]
    assert [order.status for order in exchange.outcome().orders] == [OrderStatus.CANCELLED]


class Twice(Strategy):
    """Places two orders at once, of which a bar can fill only the first."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, object, object]] = []

    def on_candle(self, candle: Candle) -> None:
        self.found += [(o.id, o.created_at, o.updated_at) for o in self.orders()]
        if not self.found:
            for quantity in (50, 5):
                self.buy(candle.symbol, quantity)


async def test_an_order_that_comes_to_rest_at_an_open_is_shown_as_accepted() -> None:
    found = []
    for short_cuts in (nullcontext(), no_short_cuts()):
        with short_cuts:
            strategy = Twice()
            exchange = Exchange([minutes(A, [5] * 4)], ExchangeOptions(max_volume_share=HALF))
            await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
            found.append(strategy.found)
    assert found[0] == found[1]
    assert found[0][0] == ("ord-2", utc(MINUTE), utc(MINUTE))


class Withdrawing(Strategy):
    """Is short overnight; cancels its order for the first open of the next day."""

    def on_candle(self, candle: Candle) -> None:
        if ns_of(candle.timestamp) == 0:
            self.sell(A, 1)
        elif self.position(A).is_short:
            self.cancel(self.buy(A, 1))

    def on_account(self, event: AccountEvent) -> None:
        if event.account.balance < 1000:
            self.buy(A, 1, limit=5)


@pytest.mark.parametrize("way", [nullcontext, no_short_cuts])
async def test_interest_is_announced_alike_where_all_that_waited_for_the_open_is_gone(
    way: Callable[[], AbstractContextManager[None]],
) -> None:
    bars = minutes(A, [5, 5])
    for number in (1500, 1501):
        bars.append(number * MINUTE, 5, 5, 5, 5, 100)
    with way():
        exchange = Exchange([bars], ExchangeOptions(cash=Decimal(1000), borrow_rate=HALF))
        await Runner(Withdrawing(), SimulatedVenue(exchange), mode="backtest").run()
    _, bought, *_ = exchange.fills
    assert bought.bar_ns == 1501 * MINUTE
