"""Overnight: interest on what is borrowed, and announced splits."""

import asyncio
import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy_runtime import (
    Candle,
    FinancingEvent,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    Strategy,
)
from strategy_runtime.clock import utc
from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.report.equity import equity_curve
from strategy_runtime.report.explain import explain
from strategy_runtime.report.trips import round_trips, time_held
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.data.split_reader import read_splits
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Fill, Outcome, in_order
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.splits import Split
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.testing import Pilot
from tests.report.support import points_of
from tests.simulator.support import MANY, no_short_cuts
from tests.strategies import Scripted

X = "S:X"
DAY = 86_400 * 10**9
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
TEN = [10, 10, 10, 10]


def sell(strategy: Scripted, candle: Candle) -> None:
    strategy.sell(X, 365)


def amounts(strategy: Scripted) -> list[tuple[str, Decimal]]:
    return [(e.symbol, e.amount) for e in strategy.seen if isinstance(e, FinancingEvent)]


def skip(pilot: Pilot, *, hours: int) -> None:
    """Make the next candle start later than the last one ended."""
    pilot._next_start += hours * DAY // 24


def adds_up(outcome: Outcome) -> None:
    gained = outcome.realized_pnl + outcome.unrealized_pnl - outcome.fees - outcome.financing
    assert outcome.equity - outcome.start_equity == gained


# Interest.


async def test_a_short_position_pays_its_fee_every_night_on_its_value_at_the_close() -> None:
    strategy = Scripted({0: sell})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN, [10, 20, 10, 20], TEN])
        assert amounts(strategy) == [(X, Decimal(-2)), (X, Decimal(-1))]
        outcome = pilot.exchange.outcome()
        assert outcome.financing == 3
        assert outcome.fees == 0
        assert outcome.equity == outcome.start_equity - 3
        adds_up(outcome)


async def test_a_charge_may_be_larger_than_any_account() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 10**14)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, cash=10**15, borrow_rate=10**6
    ) as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        assert amounts(strategy) == [(X, Decimal("-2739726027397260273.97260274"))]


async def test_a_weekend_has_as_many_nights_as_the_calendar_says() -> None:
    strategy = Scripted({0: sell})
    friday = MONDAY + timedelta(days=4, hours=15)
    async with strategy.run_test(timeframe="1h", start=friday, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        skip(pilot, hours=2 * 24 + 20)
        await pilot.candles(X, bars=[TEN])
        assert amounts(strategy) == [(X, Decimal(-3))]
        assert pilot.exchange.account().balance == Decimal(100_000 - 3)


@pytest.mark.parametrize("coarser", ["", "1d", "1w", "1M"])
def test_nights_behind_the_last_price_are_free(coarser: str) -> None:
    series = BarSeries(X, "1h", DAY // 24)
    for hour in range(30):
        series.append(hour * DAY // 24, 10.0, 10.0, 10.0, 10.0, 100.0)
    wanted = f"{X}:candle_1h" + (coarser and f",{X}:candle_{coarser}")
    options = ExchangeOptions(borrow_rate=Decimal("0.1"))
    exchange = Exchange([series], options, parse_subscriptions(wanted))
    strategy = Scripted({0: lambda s, c: s.sell(X, 73)})
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    last = strategy.seen[-2]
    assert isinstance(last, Candle)
    assert last.timeframe == (coarser or "1h")
    assert amounts(strategy) == [(X, Decimal("-0.2"))]


async def test_within_a_day_nothing_is_charged() -> None:
    strategy = Scripted({0: sell, 3: lambda s, c: s.close(X)})
    async with strategy.run_test(borrow_rate="0.1", financing_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN] * 9)
        assert amounts(strategy) == []


async def test_what_was_closed_in_the_course_of_a_day_does_not_stay_the_night() -> None:
    def with_stop(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, 365, stop_loss=12)

    strategy = Scripted({0: with_stop})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN, [10, 13, 10, 11], TEN])
        assert len(pilot.fills) == 2
        assert amounts(strategy) == []


async def test_what_was_opened_in_the_course_of_a_day_stays_that_night() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 365, limit=12)})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN, [10, 13, 10, 10], TEN])
        assert amounts(strategy) == [(X, Decimal(-1)), (X, Decimal(-1))]


async def test_borrowed_cash_costs_interest_in_the_name_of_its_currency() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 13_650)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, financing_rate="0.1", leverage=2
    ) as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        assert amounts(strategy) == [("USD", Decimal(-10))]
        adds_up(pilot.exchange.outcome())


async def test_what_a_short_sale_has_brought_in_bears_no_interest() -> None:
    strategy = Scripted({0: sell})
    async with strategy.run_test(timeframe="1d", start=MONDAY, financing_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN] * 3)
        assert amounts(strategy) == []


async def test_interest_is_announced_before_the_account_and_the_candle() -> None:
    strategy = Scripted({0: sell})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        kinds = [type(event).__name__ for event in strategy.seen]
        assert kinds[-3:] == ["FinancingEvent", "AccountEvent", "Candle"]


async def test_the_hook_hears_of_interest() -> None:
    heard: list[Decimal] = []

    class Listening(Scripted):
        def on_financing(self, event: FinancingEvent) -> None:
            heard.append(event.amount)
            assert self.account.balance == Decimal(100_000)

    async with Listening({0: sell}).run_test(
        timeframe="1d", start=MONDAY, borrow_rate="0.1"
    ) as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        assert heard == [Decimal(-1)]


async def test_a_closed_position_bears_what_its_shares_cost_to_borrow() -> None:
    strategy = Scripted({0: sell, 2: lambda s, c: s.close(X)})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="0.1") as pilot:
        await pilot.candles(X, bars=[TEN] * 4)
        outcome = pilot.exchange.outcome()
        (trip,) = round_trips(in_order(outcome.fills, outcome.adjustments))
        assert trip.fees == 2
        assert trip.profit == -2
        curve = equity_curve(
            outcome.start_equity,
            in_order(outcome.fills, outcome.adjustments),
            outcome.series,
            pilot.exchange.now_ns,
        )
        assert [equity for _, equity in points_of(curve)] == [100_000, 99_999, 99_998, 99_998]


async def test_interest_counts_against_the_margin() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 10_000)})
    async with strategy.run_test(timeframe="1d", start=MONDAY, borrow_rate="500") as pilot:
        await pilot.candles(X, bars=[TEN] * 2)
        assert pilot.exchange.outcome().bankrupt


# Splits.


def split(day: int, new: str, old: str = "1") -> Split:
    return Split(X, MONDAY + timedelta(days=day), Decimal(new), Decimal(old))


def days(*prices: float) -> list[list[float]]:
    return [[price] * 4 for price in prices]


async def test_a_split_multiplies_positions_and_leaves_what_they_cost() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10)})
    async with strategy.run_test(timeframe="1d", start=MONDAY, splits=[split(3, "2")]) as pilot:
        await pilot.candles(X, bars=days(100, 100, 110, 56))
        (position,) = pilot.exchange.positions()
        assert position.quantity == 20
        assert position.average_entry_price == 50
        assert pilot.position(X).quantity == 20
        outcome = pilot.exchange.outcome()
        assert outcome.unrealized_pnl == 120
        assert outcome.warnings == []
        adds_up(outcome)
        told = [e.position.quantity for e in strategy.seen if isinstance(e, PositionEvent)]
        assert told == [10, 20]


async def test_a_split_makes_nobody_richer_before_the_first_close_behind_it() -> None:
    """So a split cannot pay for what another symbol's orders buy during that bar."""

    def two(strategy: Scripted, candle: Candle) -> None:
        for _ in range(2):
            strategy.buy("S:B", 60, limit=9)

    strategy = Scripted({0: lambda s, c: s.buy(X, 100), 2: two})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, cash=1000, leverage=2, splits=[split(2, "2")]
    ) as pilot:
        await pilot._feed({X: days(10, 10, 5), "S:B": [TEN, TEN, [10, 10, 8, 8]]})
        assert [o.reject_reason for o in pilot.orders] == [None, None, "INSUFFICIENT_MARGIN"]


async def test_a_split_restates_resting_orders_and_legs() -> None:
    def orders(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 10, stop_loss=80, take_profit=150)
        strategy.buy(X, 5, limit=70)
        strategy.sell(X, 4, trailing=20)
        strategy.sell(X, 3, trailing_percent=50)
        strategy.buy(X, 1, limit=60, stop_loss=50)

    strategy = Scripted({0: orders})
    async with strategy.run_test(timeframe="1d", start=MONDAY, splits=[split(2, "2")]) as pilot:
        await pilot.candles(X, bars=days(100, 100, 50))
        found = [
            f"{o.quantity} {o.limit_price} {o.stop_price} {o.trailing_distance}"
            for o in list(pilot.exchange.outcome().orders)[1:4]
        ]
        assert found == ["10 35 None None", "8 None 40.0 10", "6 None 25.0 50"]
        legs = [f"{o.quantity} {o.stop_price} {o.limit_price}" for o in pilot.legs]
        assert legs == ["20 40 None", "20 None 75"]
        assert pilot.exchange.order("ord-5").stop_loss == 25
        changed = [
            e.order.id
            for e in strategy.seen
            if isinstance(e, OrderEvent) and e.event == "ORDER_MODIFIED"
        ]
        assert changed == ["ord-2", "ord-3", "ord-4", "ord-5", "ord-6", "ord-7"]
        assert len(pilot.fills) == 1
        story = explain(pilot.exchange.outcome(), "ord-2")
        assert "At 2024-01-03T00:00:00Z a 2:1 split restated it." in story


async def test_what_has_filled_of_an_order_stays_as_it_filled() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 15)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(2, "2")], max_volume_share="0.1"
    ) as pilot:
        await pilot.candles(X, bars=[[*day, 100] for day in days(100, 100, 50)])
        assert [fill.quantity for fill in pilot.fills] == [10, 10]
        (order,) = pilot.orders
        assert order.quantity == order.filled_quantity == 20
        assert pilot.position(X).quantity == 30


async def test_a_reverse_split_leaves_fractions() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 13)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(2, "1", "10")]
    ) as pilot:
        await pilot.candles(X, bars=days(1, 1, 10))
        assert pilot.position(X).quantity == Decimal("1.3")
        assert pilot.equity == 100_000
    async with Scripted({0: lambda s, c: s.buy(X, 10)}).run_test(
        timeframe="1d", start=MONDAY, splits=[split(2, "1", "3")]
    ) as pilot:
        await pilot.candles(X, bars=days(1, 1, 3))
        assert pilot.position(X).quantity == Decimal("3.3333333333")
        adds_up(pilot.exchange.outcome())


@pytest.mark.parametrize(
    ("given", "units", "price"),
    [
        ("12", "4", "36"),
        ("-10", "-3.3333333333", "-30"),
        ("20", "6.6666666666", "60"),
        ("1e-10", "1e-10", "3e-10"),
        ("1e37", "3333333333333333333333333333000000000", "3e37"),
    ],
)
def test_numbers_of_any_size_can_be_split(given: str, units: str, price: str) -> None:
    merged = split(1, "1", "3")
    assert merged.units(Decimal(given)) == Decimal(units)
    assert merged.price(Decimal(given)) == Decimal(price)


async def test_a_position_of_any_size_that_was_sold_in_part_can_be_split() -> None:
    script = {
        0: lambda s, c: s.buy(X, 3 * 10**18),
        1: lambda s, c: s.sell(X, 2 * 10**18),
        3: lambda s, c: s.close(X),
    }
    strategy = Scripted(script)
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(3, "1", "3")]
    ) as pilot:
        await pilot.candles(X, bars=days(1e-15, 1e-15, 1e-15, 3e-15, 3e-15))
        outcome = pilot.exchange.outcome()
        (trip,) = round_trips(in_order(outcome.fills, outcome.adjustments))
        assert round(trip.quantity) == 10**18
        assert trip.profit == 0


async def test_a_leg_however_far_away_survives_a_split() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1, take_profit=Decimal("1.5e37"))})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(2, "1", "3")]
    ) as pilot:
        await pilot.candles(X, bars=days(100, 100, 300))
        assert [leg.limit_price for leg in pilot.legs] == [Decimal("4.5e37")]


async def test_an_order_of_the_evening_before_is_restated_one_of_the_day_is_not() -> None:
    strategy = Scripted(
        {1: lambda s, c: s.buy(X, 10, limit=90), 2: lambda s, c: s.buy(X, 10, limit=45)}
    )
    async with strategy.run_test(timeframe="1d", start=MONDAY, splits=[split(2, "2")]) as pilot:
        await pilot.candles(X, bars=days(100, 100, 50, 50))
        assert [f"{o.quantity} {o.limit_price}" for o in pilot.orders] == ["20 45", "10 45"]


async def test_splits_before_the_data_are_past() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(0, "2"), split(-9, "3"), split(99, "2")]
    ) as pilot:
        await pilot.candles(X, bars=days(100, 100, 100))
        assert pilot.position(X).quantity == 10


@pytest.mark.parametrize("day", [-9, 0])
def test_so_they_are_where_the_data_are_there_from_the_beginning(day: int) -> None:
    series = BarSeries(X, "1d", DAY)
    for number in range(3):
        series.append(number * DAY, 100, 100, 100, 100, 1)
    history = Split(X, utc(day * DAY), Decimal(2), Decimal(1))
    strategy = Scripted({0: lambda s, c: s.buy(X, 10)})
    exchange = Exchange([series], ExchangeOptions(splits=(history,)))
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert [position.quantity for position in exchange.positions()] == [10]


@pytest.mark.parametrize("others", [False, True], ids=["in step", "bar by bar"])
def test_an_order_that_was_cancelled_does_not_open_the_next_bar(others: bool) -> None:
    """The overnight jump is then warned of when its bar closes, as usual."""
    series = BarSeries(X, "1d", DAY)
    for day, price in [(0, 10), (1, 10), (5, 5), (6, 5)]:
        series.append(day * DAY, price, price, price, price, 1)
    strategy = Scripted(
        {
            0: lambda s, c: [s.buy(X, 1), s.buy(X, 1, limit=1, client_order_id="far")],
            1: lambda s, c: s.cancel("far"),
        }
    )
    exchange = Exchange([series])
    with no_short_cuts() if others else nullcontext():
        asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    (notice,) = [e for e in strategy.seen if isinstance(e, ProxyErrorEvent)]
    assert notice.timestamp == utc(6 * DAY)


async def test_a_split_on_a_day_without_trading_comes_before_the_next_open() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10)})
    async with strategy.run_test(
        timeframe="1d", start=MONDAY, splits=[split(3, "2"), split(4, "5")]
    ) as pilot:
        await pilot.candles(X, bars=days(100, 100))
        skip(pilot, hours=3 * 24)
        await pilot.candles(X, bars=days(10))
        assert pilot.position(X).quantity == 100
        assert pilot.exchange.outcome().warnings == []
        assert pilot.equity == 100_000


async def test_prices_that_were_adjusted_for_an_announced_split_are_warned_of() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10)})
    options: dict[str, Any] = {"timeframe": "1d", "start": MONDAY, "splits": [split(2, "2")]}
    async with strategy.run_test(**options) as pilot:
        await pilot.candles(X, bars=days(100, 100, 101))
        (notice,) = [e for e in strategy.seen if isinstance(e, ProxyErrorEvent)]
        assert notice.message == (
            "S:X went from 100 to 101 overnight, although a 2:1 split was announced: the prices "
            "look adjusted for it already"
        )
    with pytest.raises(DataError, match=r"look adjusted for it already \(strict\)"):
        async with Scripted(strategy.script).run_test(**options, refuse_splits=True) as pilot:
            await pilot.candles(X, bars=days(100, 100, 101))


def test_quotes_are_split_before_the_first_one_of_the_day() -> None:
    quotes = QuoteSeries(X)
    for day, price in enumerate((100.0, 100.0, 50.0)):
        quotes.append(day * DAY + 1, price, price)

    class Once(Strategy):
        def on_quote(self, quote: object) -> None:
            if self.position(X).is_flat and not self.orders():
                self.buy(X, 10)

    at = datetime(1970, 1, 3, tzinfo=UTC)
    options = ExchangeOptions(splits=(Split(X, at, Decimal(2)),))
    exchange = Exchange([], options, quotes=[quotes])
    asyncio.run(Runner(Once(), SimulatedVenue(exchange), mode="backtest").run())
    assert [position.quantity for position in exchange.positions()] == [20]
    assert exchange.outcome().equity == 100_000


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([split(1, "2"), split(1, "3")], "S:X is split twice at 2024-01-02"),
        (
            [Split("S:Y", MONDAY, Decimal(2))],
            "the splits are of S:Y, of which none is loaded; loaded are S:X",
        ),
    ],
)
def test_splits_that_make_no_sense(splits: list[Split], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Exchange([BarSeries(X, "1d", DAY)], ExchangeOptions(splits=tuple(splits)))


def test_a_split_needs_a_zone_and_a_ratio() -> None:
    with pytest.raises(ConfigError, match=r"the split of S:X at .* needs a time zone"):
        Split(X, datetime(2024, 1, 1), Decimal(2))  # noqa: DTZ001
    for new, old in ((-1, 1), (0, 1), (2, 0)):
        with pytest.raises(ConfigError, match=f"S:X {new}:{old} 2024-01-01 is no split"):
            Split(X, MONDAY, Decimal(new), Decimal(old))


SPLITS = {"S:AAPL": ("2000-06-21", "2005-02-28"), "S:MSFT": ("2003-02-18",)}


class Holder(Strategy):
    """Buys 100 of each symbol on the first day, with a stop far away, and holds."""

    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat and not self.orders(candle.symbol):
            self.buy(candle.symbol, 100, stop_loss=1)


@pytest.mark.parametrize("announced", [True, False])
def test_the_splits_of_real_stocks(tmp_path: Path, announced: bool) -> None:
    """Apple also fell from 53.50 to 28.19 overnight: that was no split."""
    folder = os.environ.get("MARKET_DATA")
    if folder is None:
        pytest.skip("MARKET_DATA names no folder of market data")
    path = tmp_path / "splits.csv"
    rows = [f"{symbol},{day},2:1" for symbol, days in SPLITS.items() for day in days]
    path.write_text("\n".join(["symbol,date,ratio", *rows]) + "\n")
    series = load_bars([Path(folder) / "stocks_1d_2000_2013.csv"]).series
    wanted = [each for each in series if f"S:{each.symbol.removeprefix('S:')}" in SPLITS]
    for each in wanted:
        each.symbol = f"S:{each.symbol.removeprefix('S:')}"
    splits = read_splits(path) if announced else ()
    exchange = Exchange(wanted, ExchangeOptions(splits=splits))
    asyncio.run(Runner(Holder(), SimulatedVenue(exchange), mode="backtest").run())
    outcome = exchange.outcome()
    adds_up(outcome)
    held = {position.symbol: position.quantity for position in outcome.positions}
    stops = {order.symbol: order.stop_price for order in outcome.open_orders}
    if announced:
        assert outcome.warnings == []
        assert held == {"S:AAPL": 400, "S:MSFT": 200}
        assert stops == {"S:AAPL": Decimal("0.25"), "S:MSFT": Decimal("0.5")}
    else:
        assert held == {"S:AAPL": 100, "S:MSFT": 100}
        assert sorted(text[:10] + text[17:23] for text in outcome.warnings) == [
            "2000-06-21S:AAPL",
            "2003-02-18S:MSFT",
            "2005-02-28S:AAPL",
        ]


async def test_over_the_network_nights_are_the_same() -> None:
    def exchange() -> Exchange:
        series = BarSeries(X, "12h", DAY // 2)
        for half in range(12):
            price = 10.0 if half < 6 else 5.0
            series.append(half * DAY // 2, price, price, price, price, 100.0)
        at = datetime(1970, 1, 4, tzinfo=UTC)
        return Exchange(
            [series],
            ExchangeOptions(borrow_rate=Decimal("0.1"), splits=(Split(X, at, Decimal(2)),)),
        )

    def strategy() -> Scripted:
        return Scripted({0: sell, 1: lambda s, c: s.buy(X, 365, limit=2)})

    here, there, one, other = exchange(), exchange(), strategy(), strategy()
    await Runner(one, SimulatedVenue(here), mode="backtest", run_id="r").run()
    async with ProxyServer(there, ws_port=0, rest_port=0) as server:
        endpoints = Endpoints(ws_url=server.ws_url, rest_url=server.rest_url)
        venue = ProxyVenue(endpoints, is_live=False)
        await Runner(other, venue, mode="backtest", run_id="r").run()
    assert here.outcome().adjustments == there.outcome().adjustments
    assert len(amounts(one)) == 6
    assert amounts(one) == amounts(other)
    changed = [e.position.quantity for e in other.seen if isinstance(e, PositionEvent)]
    assert changed == [365, 730]
    (order,) = there.outcome().open_orders
    assert (order.quantity, order.limit_price) == (Decimal(730), Decimal(1))


# The same with prices that were adjusted.


class Plan(Strategy):
    """Follows a drawn plan, in the units of the day; notes equity at every close."""

    def __init__(self, plan: dict[int, list[tuple[str, int, float]]], scale: list[int]) -> None:
        super().__init__()
        self.plan = plan
        self.scale = scale
        self.count = 0
        self.equities: list[Decimal] = []

    def on_candle(self, candle: Candle) -> None:
        self.equities.append(self.account.equity)
        units = self.scale[self.count]
        for verb, quantity, price in self.plan.get(self.count, ()):
            size, at = quantity * units, price / units
            if verb == "buy":
                self.buy(X, size, stop_loss=at)
            elif verb == "sell":
                self.sell(X, size)
            elif verb == "limit":
                self.buy(X, size, limit=at)
            elif verb == "trail":
                self.sell(X, size, trailing=at)
            else:
                self.close(X)
        self.count += 1


def replay(
    bars: list[list[float]], plan: Plan, **options: Any
) -> tuple[Outcome, list[Decimal], list[tuple[Any, ...]]]:
    series = BarSeries(X, "1d", DAY)
    for day, (opened, high, low, close, volume) in enumerate(bars):
        series.append(day * DAY, opened, high, low, close, volume)
    exchange = Exchange([series], ExchangeOptions(fee_rate=Decimal("0.001"), **options))
    asyncio.run(Runner(plan, SimulatedVenue(exchange), mode="backtest").run())
    outcome = exchange.outcome()
    adds_up(outcome)
    bookings = list(in_order(outcome.fills, outcome.adjustments))
    end = exchange.now_ns
    curve = equity_curve(outcome.start_equity, bookings, outcome.series, end)
    report: list[tuple[Any, ...]] = list(points_of(curve))
    report += [(t.opened_ns, t.closed_ns, t.profit, t.fees) for t in round_trips(bookings)]
    report.append((time_held(bookings, end),))
    return outcome, plan.equities, report


@st.composite
def day_bars(draw: st.DrawFn) -> list[float]:
    low, one, other, high = sorted(draw(st.lists(st.integers(8, 400), min_size=4, max_size=4)))
    opened, closed = draw(st.sampled_from([(one, other), (other, one)]))
    return [opened / 4, high / 4, low / 4, closed / 4, 100.0]


actions = st.tuples(
    st.sampled_from(["buy", "sell", "limit", "trail", "close"]),
    st.integers(1, 40),
    st.integers(8, 400).map(lambda tick: tick / 4),
)


@settings(max_examples=MANY)
@pytest.mark.timeout(600)
@given(
    bars=st.lists(day_bars(), min_size=4, max_size=10),
    plan=st.dictionaries(st.integers(0, 9), st.lists(actions, max_size=3), max_size=6),
    when=st.integers(1, 9),
    ratio=st.sampled_from([2, 4, 5]),
    options=st.sampled_from(
        [{}, {"max_volume_share": Decimal("0.1")}, {"borrow_rate": Decimal("0.0365")}]
    ),
)
def test_announced_splits_and_adjusted_prices_make_the_same_equity(
    bars: list[list[float]],
    plan: dict[int, list[tuple[str, int, float]]],
    when: int,
    ratio: int,
    options: dict[str, Any],
) -> None:
    """`bars` are in new units; before the split, the raw ones have `ratio` times the price."""
    when = min(when, len(bars) - 1)
    raw = [
        [price * ratio for price in bar[:4]] + [bar[4] / ratio] if day < when else bar
        for day, bar in enumerate(bars)
    ]
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=when)
    splits = (Split(X, at, Decimal(ratio)),)
    scale = [1 if day < when else ratio for day in range(len(bars))]
    # The plan is in old units: adjusted prices are traded in new units from the start.
    one, equities, report = replay(raw, Plan(plan, scale), splits=splits, **options)
    other, expected, reported = replay(bars, Plan(plan, [ratio] * len(bars)), **options)
    assert equities == expected
    assert one.equity == other.equity
    assert report == reported

    def restated(fill: Fill) -> tuple[int, Decimal, Decimal, str]:
        units = 1 if fill.bar_ns >= when * DAY else ratio
        return fill.time_ns, fill.quantity * units, fill.price / units, fill.rule

    assert [restated(fill) for fill in one.fills] == [
        (fill.time_ns, fill.quantity, fill.price, fill.rule) for fill in other.fills
    ]
