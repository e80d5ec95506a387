"""The story of an order, for every way in which an order can end."""

import asyncio
import tracemalloc
from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import Candle, OrderEvent, OrderEventKind, Quote, Strategy, TimeInForce
from strategy_runtime.clock import DAY_NS, NANOSECONDS, rfc3339
from strategy_runtime.errors import ConfigError
from strategy_runtime.report.explain import explain
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import LIQUIDATION, Outcome
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.strategies import Scripted

X = "S:X"
MINUTE = 60 * NANOSECONDS
FLAT = [10, 10, 10, 10]
Action = Callable[[Scripted, Candle], object]


async def outcome_of(script: dict[int, Action], *bars: Sequence[float], **options: Any) -> Outcome:
    async with Scripted(script).run_test(**options) as pilot:
        await pilot.candles(X, bars=[FLAT, *bars])
        return pilot.exchange.outcome()


async def test_a_market_order_that_filled() -> None:
    outcome = await outcome_of({0: lambda s, c: s.buy(X, 2)}, [11, 12, 9, 10], fee_rate="0.01")
    assert explain(outcome, "ord-1") == (
        "Order ord-1, Scripted-test-1\n"
        "  It was accepted at 2024-01-02T14:31:00Z, to buy 2 S:X by a market order, good until "
        "cancelled.\n"
        "  At 2024-01-02T14:31:00Z 2 filled at 11, for a fee of 0.22: at the open of 11, as "
        "market orders do (market_open; bar of 2024-01-02T14:31:00Z).\n"
        "  With that it was complete.\n"
    )


@pytest.mark.parametrize(
    ("price", "shown"), [(1.25e-8, "0.0000000125"), (12345678, "12345678"), (1e16, f"1{'0' * 16}")]
)
async def test_its_prices_are_in_digits(price: float, shown: str) -> None:
    outcome = await outcome_of({0: lambda s, c: s.buy(X, Decimal("1e-12"))}, [price] * 4)
    assert f"filled at {shown}: at the open of {shown}, as" in explain(outcome, "ord-1")


async def test_a_price_that_costs_made_worse_says_what_it_was_before() -> None:
    outcome = await outcome_of({0: lambda s, c: s.buy(X, 2)}, FLAT, spread="0.5", fee_rate="0.01")
    assert (
        "2 filled at 10.25 (10 before spread and slippage), for a fee of 0.205: at the open of 10"
    ) in explain(outcome, "ord-1")


async def test_an_order_and_a_leg_that_were_changed() -> None:
    outcome = await outcome_of(
        {
            0: lambda s, c: s.buy(X, 2, limit=8, stop_loss=5),
            1: lambda s, c: s.modify(s.orders()[0], quantity=3, limit=9),
            2: lambda s, c: s.modify(s.orders()[0], stop=6),
        },
        FLAT,
        [10, 10, 9, 9],
        [9, 9, 9, 9],
    )
    assert explain(outcome, "ord-1") == (
        "Order ord-1, Scripted-test-1\n"
        "  It was accepted at 2024-01-02T14:31:00Z, to buy 2 S:X by a limit order, limit 8, good "
        "until cancelled.\n"
        "  Later it was changed, in the end to buy 3 S:X by a limit order, limit 9.\n"
        "  At 2024-01-02T14:33:00Z 3 filled at 9: at the limit, which lay within the bar's range "
        "of 9 to 10 (limit_touch; bar of 2024-01-02T14:32:00Z).\n"
        "  With that it was complete.\n"
        "  Its fill placed ord-2 (stop order, stop 5) to close the position again.\n"
    )
    assert "Later it was changed, in the end to sell 3 S:X by a stop order, stop 6.\n" in explain(
        outcome, "ord-2"
    )


async def test_the_distance_of_a_trailing_stop_has_its_unit() -> None:
    script: dict[int, Action] = {
        0: lambda s, c: (s.sell(X, 1, trailing=2), s.sell(X, 1, trailing_percent=3))
    }
    outcome = await outcome_of(script)
    assert "by a trailing-stop at a distance of 2, good" in explain(outcome, "ord-1")
    assert "by a trailing-stop at a distance of 3 %, good" in explain(outcome, "ord-2")


@pytest.mark.parametrize(
    ("action", "bars", "options", "sentence"),
    [
        (
            lambda s, c: s.buy(X, 2, limit=9),
            [[10, 10, 9, 9]],
            {},
            "at the limit, which lay within the bar's range of 9 to 10",
        ),
        (
            lambda s, c: s.buy(X, 2, stop=11),
            [[12, 12, 9, 9]],
            {},
            "beyond the stop: the market had gapped over it",
        ),
        (
            lambda s, c: s.buy(X, 2, limit=9),
            [FLAT],
            {},
            "It was still waiting when the run ended at 2024-01-02T14:32:00Z.",
        ),
        (
            lambda s, c: s.buy(X, 10_000),
            [[11, 11, 11, 11]],
            {},
            "it was rejected: insufficient margin.",
        ),
        (
            lambda s, c: s.buy(X, 1, limit=9, time_in_force=TimeInForce.IOC),
            [FLAT],
            {},
            "it was cancelled because it was good for one bar.",
        ),
        (
            lambda s, c: s.buy(X, 20),
            [[10, 10, 10, 10, 100]],
            {"max_volume_share": "0.1"},
            "The rest was still waiting when the run ended",
        ),
    ],
)
async def test_how_the_order_ended(
    action: Action, bars: list[list[float]], options: dict[str, Any], sentence: str
) -> None:
    assert sentence in explain(await outcome_of({0: action}, *bars, **options), "Scripted-test-1")


PRICES: dict[str, Action] = {
    "market_quote": lambda s, c: s.buy(X, 1),
    "limit_gap_quote": lambda s, c: s.buy(X, 1, limit=11),
    "limit_touch_quote": lambda s, c: s.buy(X, 1, limit=10),
    "stop_gap_quote": lambda s, c: s.buy(X, 1, stop=9),
    "stop_touch_quote": lambda s, c: s.buy(X, 1, stop=10),
    "stop_limit_quote": lambda s, c: s.buy(X, 1, stop=9, limit=11),
    "trailing_stop_gap_quote": lambda s, c: s.sell(X, 1, trailing=1),
    "trailing_stop_touch_quote": lambda s, c: s.sell(X, 1, trailing=2),
    "liquidation": lambda s, c: s.sell(X, 8_000),
}


@pytest.mark.parametrize("bar", [None, 0, 62, 63])
@pytest.mark.parametrize("rule", PRICES)
def test_fills_at_quotes(rule: str, bar: int | None) -> None:
    """The order is placed at a price of 12; then comes 10, or 30 to exhaust the account. A bar
    may start with either.
    """
    quotes, bars = QuoteSeries(X), BarSeries(X, "1m", 60)
    bars.append(bar or 0, 12, 12, 12, 12, 0)
    for stamp, price in enumerate((12, 10, 30), start=61):
        quotes.append(stamp, price, price)

    class Once(Scripted):
        def on_quote(self, quote: Quote) -> None:
            if quote.stamp == 61:
                PRICES[rule](self, Candle(X, "1m", 0, 12, 12, 12, 12))

    exchange = Exchange([] if bar is None else [bars], quotes=[quotes])
    asyncio.run(Runner(Once({}), SimulatedVenue(exchange), mode="backtest").run())
    outcome = exchange.outcome()
    (fill,) = [fill for fill in outcome.fills if fill.rule == rule]
    assert f"({rule}; quote of {rfc3339(fill.bar_ns)})." in explain(outcome, fill.order_id)


def of_ticks(series: QuoteSeries, action: Callable[[Strategy], object]) -> Outcome:
    """Run an action, then one tick per day, at 12, 11 and 13, with times in nanoseconds."""

    class AtOnce(Strategy):
        def on_connect(self) -> None:
            action(self)

    stamps, prices = [1, DAY_NS + 1, 2 * DAY_NS + 1], array("d", [12, 11, 13])
    series.take([array("q", stamps), prices, prices])
    if isinstance(series, TickSeries):
        exchange = Exchange([], trades=[series])
    else:
        exchange = Exchange([], quotes=[series])
    asyncio.run(Runner(AtOnce(), SimulatedVenue(exchange), mode="backtest").run())
    return exchange.outcome()


@pytest.mark.parametrize(("kind", "word"), [(QuoteSeries, "quote"), (TickSeries, "trade")])
def test_orders_that_end_at_quotes_and_trades(kind: type[QuoteSeries], word: str) -> None:
    def orders(strategy: Strategy) -> None:
        for time_in_force in (TimeInForce.IOC, TimeInForce.DAY):
            strategy.buy(X, 1, limit=1, time_in_force=time_in_force)

    outcome = of_ticks(kind(X), orders)
    told = explain(outcome, "ord-1")
    assert f"by a limit order, limit 1, good for one {word}." in told
    assert f"it was cancelled because it was good for one {word}." in told
    assert f"it expired: the first {word} of another day had come." in explain(outcome, "ord-2")


def test_legs_that_end_between_two_microseconds() -> None:
    outcome = of_ticks(QuoteSeries(X), lambda s: s.buy(X, 1, stop_loss=11, take_profit=13))
    assert "it was cancelled because ord-2 had filled." in explain(outcome, "ord-3")


def liquidated(exchange: Exchange) -> str:
    """Explain the liquidation of the short position in X, which the first candle opens."""

    class Once(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if not self.positions and not self.orders():
                for symbol in dict.fromkeys((X, candle.symbol)):
                    self.sell(symbol, 8_000)

    asyncio.run(Runner(Once(), SimulatedVenue(exchange), mode="backtest").run())
    (fill,) = [fill for fill in exchange.fills if fill.rule == LIQUIDATION and fill.symbol == X]
    return explain(exchange.outcome(), fill.order_id)


def test_a_position_that_was_liquidated_at_a_trade() -> None:
    trades = TickSeries(X)
    stamps, prices = [1, 61, 121], [12.0, 12.0, 30.0]
    columns = array("q", [stamp * NANOSECONDS for stamp in stamps]), array("d", prices)
    trades.take([*columns, array("d", [1, 1, 1])])
    assert (
        "8000 filled at 30: at the last trade, because the account ran out of margin "
        "(liquidation; trade of 1970-01-01T00:02:01Z)."
    ) in liquidated(Exchange([], trades=[trades]))


def test_a_position_that_was_liquidated_in_the_midst_of_a_bar() -> None:
    """Another symbol causes it, before the close of the bar."""
    hours, minutes = BarSeries(X, "1h", 60 * MINUTE), BarSeries("S:Y", "1m", MINUTE)
    for hour, close in enumerate((5, 5, 4)):
        hours.append(hour * 60 * MINUTE, 5, 5, 4, close, 0)
    for minute, close in ((0, 5), (1, 5), (130, 50)):
        minutes.append(minute * MINUTE, close, close, close, close, 0)
    assert "at the last close of 5, because" in liquidated(Exchange([hours, minutes]))


async def test_the_legs_of_a_bracket() -> None:
    def entry(strategy: Scripted, candle: Candle) -> object:
        return strategy.buy(X, 2, stop_loss=8, take_profit=12)

    outcome = await outcome_of({0: entry}, FLAT, [10, 13, 10, 13])
    assert (
        "Its fill placed ord-2 (stop order, stop 8) and ord-3 (limit order, limit 12) to close"
    ) in explain(outcome, "ord-1")
    assert "when ord-1 had filled, to sell 2 S:X" in explain(outcome, "ord-3")
    assert "it was cancelled because ord-3 had filled." in explain(outcome, "ord-2")


async def test_a_cancel_by_the_strategy_and_one_by_its_group() -> None:
    def group(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 1, limit=9, oco_group="g")
        strategy.buy(X, 1, stop=11, oco_group="g")
        strategy.buy(X, 1, limit=1)

    script: dict[int, Action] = {0: group, 1: lambda s, c: s.cancel("Scripted-test-3")}
    outcome = await outcome_of(script, [10, 11, 10, 10], FLAT)
    assert "cancelled because ord-2 had filled." in explain(outcome, "ord-1")
    assert "cancelled by the strategy." in explain(outcome, "ord-3")


async def test_a_leg_whose_position_another_order_has_closed() -> None:
    script: dict[int, Action] = {
        0: lambda s, c: s.buy(X, 2, stop_loss=8),
        1: lambda s, c: s.close(X),
    }
    outcome = await outcome_of(script, FLAT, FLAT)
    assert "it was cancelled because ord-3 had closed the position." in explain(outcome, "ord-2")


async def test_what_is_left_of_an_order_that_has_closed_the_position_itself() -> None:
    script: dict[int, Action] = {
        0: lambda s, c: s.buy(X, 2),
        1: lambda s, c: s.sell(X, 3, reduce_only=True),
    }
    outcome = await outcome_of(script, FLAT, FLAT)
    assert "it was cancelled because it had closed the position." in explain(outcome, "ord-2")


def reducing_for_one_bar(share: str, *, add: bool) -> str:
    """Explain an order to sell two at 11 or better, in a bar that reaches 12."""

    def reduce(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(
            X, 2, limit=13 if add else 11, reduce_only=True, time_in_force=TimeInForce.IOC
        )
        if add:
            strategy.buy(X, 1, stop=11)

    series = BarSeries(X, "1m", MINUTE)
    for number, high in enumerate([10, 10, 10, 12, 10]):
        series.append(number * MINUTE, 10, high, 10, 10, 10)
    exchange = Exchange([series], ExchangeOptions(max_volume_share=Decimal(share)))
    script: dict[int, Action] = {0: lambda s, c: s.buy(X, 2), 2: reduce}
    asyncio.run(Runner(Scripted(script), SimulatedVenue(exchange), mode="backtest").run())
    return explain(exchange.outcome(), "ord-2")


def test_what_the_volume_left_of_an_order_had_a_position_to_reduce() -> None:
    told = reducing_for_one_bar("0.1", add=False)
    assert "1 filled at 11" in told
    assert "it was cancelled because it was good for one bar." in told


def test_an_order_that_added_to_a_position_closed_none() -> None:
    assert "it was cancelled because it was good for one bar." in reducing_for_one_bar(
        "1", add=True
    )


async def test_an_unknown_order() -> None:
    outcome = await outcome_of({0: lambda s, c: s.buy(X, 2)})
    with pytest.raises(ConfigError, match=r"no order 'ord-2' among 1 in this run; did you mean"):
        explain(outcome, "ord-2")


async def test_an_order_that_was_refused() -> None:
    outcome = await outcome_of({0: lambda s, c: s.buy(X, 2)})
    with pytest.raises(ConfigError, match=r"^order 'T-bt-2' was refused when it was placed, so it"):
        explain(outcome, "T-bt-2", lambda name: name == "T-bt-2")


async def test_an_order_that_the_end_of_the_account_cancelled() -> None:
    script: dict[int, Action] = {0: lambda s, c: [s.sell(X, 9000), s.buy(X, 1, limit=1)]}
    outcome = await outcome_of(script, FLAT, [40, 40, 40, 40])
    assert outcome.bankrupt
    assert "cancelled because the account ran out of margin." in explain(outcome, "ord-2")


async def test_an_order_that_was_cancelled_with_one_that_was_rejected() -> None:
    script: dict[int, Action] = {
        0: lambda s, c: [
            s.buy(X, 9000, stop=10.5, oco_group="g"),
            s.buy(X, 1, limit=1, oco_group="g"),
            s.buy(X, 1, limit=2),
        ],
        2: lambda s, c: s.cancel_all(),
    }
    outcome = await outcome_of(script, [12, 12, 12, 12], FLAT)
    assert "it was rejected: " in explain(outcome, "ord-1")
    assert "cancelled because ord-1 was rejected." in explain(outcome, "ord-2")
    assert "cancelled by the strategy." in explain(outcome, "ord-3")


async def test_a_rejection_at_the_same_instant_closes_no_position() -> None:
    class Disappointed(Scripted):
        def on_order(self, event: OrderEvent) -> None:
            if event.event is OrderEventKind.ORDER_REJECTED:
                self.cancel_all()

    script: dict[int, Action] = {
        0: lambda s, c: s.buy(X, 1),
        1: lambda s, c: [s.sell(X, 1, limit=20, reduce_only=True), s.buy(X, 9000, stop=10.5)],
    }
    async with Disappointed(script).run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, [12, 12, 12, 12]])
        outcome = pilot.exchange.outcome()
    assert "it was rejected: " in explain(outcome, "ord-3")
    assert "cancelled by the strategy." in explain(outcome, "ord-2")


async def test_the_orders_of_a_run_are_not_kept_to_tell_of_one() -> None:
    def give_many(strategy: Scripted, candle: Candle) -> None:
        for _ in range(1000):
            strategy.buy(X, 1, limit=5)

    outcome = await outcome_of({0: give_many}, FLAT)
    tracemalloc.start()
    try:
        told = explain(outcome, "ord-500")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.startswith("Order ord-500, Scripted-test-500\n")
    assert most < 200_000
