"""Quotes as market data: orders of a symbol with quotes fill only at these."""

import asyncio
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime import OrderStatus, Quote, Side, Strategy, TimeInForce
from strategy_runtime.clock import DAY_NS
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Outcome
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import limit

SECOND = 10**9
X = "EUR/USD"
Action = Callable[[Strategy], object]


def quotes(*pairs: tuple[float, float], every: int = SECOND) -> QuoteSeries:
    series = QuoteSeries(X)
    for number, (bid, ask) in enumerate(pairs):
        series.append(1_704_205_800 * SECOND + number * every, bid, ask)
    return series


class AtQuote(Strategy):
    """Takes one action at its first quote."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action
        self.seen: list[Quote] = []
        self.held: list[Decimal] = []

    def on_quote(self, quote: Quote) -> None:
        self.seen.append(quote)
        self.held.append(self.position(X).quantity)
        if len(self.seen) == 1:
            self.action(self)


def play(action: Action, *pairs: tuple[float, float], every: int = SECOND) -> Outcome:
    exchange = Exchange([], quotes=[quotes(*pairs, every=every)])
    asyncio.run(Runner(AtQuote(action), SimulatedVenue(exchange), mode="backtest").run())
    return exchange.outcome()


@pytest.mark.parametrize(
    ("action", "second", "price", "rule"),
    [
        (lambda s: s.buy(X, 1), (1.1, 1.3), "1.3", "market_quote"),
        (lambda s: s.sell(X, 1), (1.1, 1.3), "1.1", "market_quote"),
        (lambda s: s.buy(X, 1, limit=1.25), (1.1, 1.2), "1.2", "limit_gap_quote"),
        (lambda s: s.buy(X, 1, limit=1.2), (1.1, 1.2), "1.2", "limit_touch_quote"),
        (lambda s: s.sell(X, 1, limit=1.05), (1.1, 1.2), "1.1", "limit_gap_quote"),
        (lambda s: s.buy(X, 1, stop=1.15), (1.1, 1.2), "1.2", "stop_gap_quote"),
        (lambda s: s.sell(X, 1, stop=1.1), (1.1, 1.2), "1.1", "stop_touch_quote"),
    ],
)
def test_buys_fill_at_the_ask_and_sells_at_the_bid_of_the_next_quote(
    action: Action, second: tuple[float, float], price: str, rule: str
) -> None:
    outcome = play(action, (1.0, 1.1), second)
    (fill,) = outcome.fills
    assert (fill.price, fill.rule) == (Decimal(price), rule)
    assert fill.time_ns == 1_704_205_801 * SECOND


@pytest.mark.parametrize(
    "action",
    [
        lambda s: s.buy(X, 1, limit=1.19),
        lambda s: s.sell(X, 1, limit=1.11),
        lambda s: s.buy(X, 1, stop=1.21),
        lambda s: s.sell(X, 1, stop=1.09),
    ],
)
def test_a_quote_that_does_not_reach_the_price_does_not_fill(action: Action) -> None:
    outcome = play(action, (1.1, 1.2), (1.1, 1.2))
    assert outcome.fills == []


@pytest.mark.parametrize(
    ("action", "quiet", "price"),
    [
        (lambda s: s.buy(X, 1, stop=1.15), (1.0, 1.1), "1.2"),
        (lambda s: s.sell(X, 1, stop=1.15), (1.2, 1.3), "1.1"),
        (lambda s: s.buy(X, 1, limit=1.2), (1.2, 1.3), "1.2"),
        (lambda s: s.sell(X, 1, limit=1.1), (1.0, 1.1), "1.1"),
    ],
)
def test_an_order_that_has_rested_for_long_meets_its_own_side_of_a_quote(
    action: Action, quiet: tuple[float, float], price: str
) -> None:
    (fill,) = play(action, *[quiet] * 4, (1.1, 1.2)).fills
    assert fill.price == Decimal(price)


def test_the_fill_is_announced_before_the_quote_that_made_it() -> None:
    exchange = Exchange([], quotes=[quotes((1.0, 1.1), (1.1, 1.2))])
    strategy = AtQuote(lambda s: s.buy(X, 2))
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert strategy.held == [0, 2]
    assert [(quote.bid, quote.ask, quote.last) for quote in strategy.seen] == [
        (1.0, 1.1, 1.05),
        (1.1, 1.2, 1.15),
    ]


def test_quotes_of_one_instant_come_one_after_the_other() -> None:
    outcome = play(lambda s: s.buy(X, 1), (1.0, 1.1), (1.1, 1.2), (1.2, 1.3), every=0)
    assert [fill.price for fill in outcome.fills] == [Decimal("1.2")]


def test_the_quotes_of_an_instant_come_before_the_opens() -> None:
    """An order placed at any of them meets the open of a bar that starts then."""
    begin = quotes((1.0, 1.1)).stamps[0]
    for number in range(3):
        bars = BarSeries("S:A", "1m", 60 * SECOND)
        bars.append(begin, 10, 11, 9, 10, 0)
        exchange = Exchange([bars], quotes=[quotes(*[(1.0, 1.1)] * 3, every=0)])
        exchange.submit(limit("1", symbol="S:A"))
        told = 0
        for _ in exchange.phases():
            is_quote = any(isinstance(event, Quote) for event in exchange.outbox)
            exchange.outbox.clear()
            told += is_quote
            if is_quote and told == number + 1:
                exchange.submit(limit("8", Side.SELL, "1", symbol="S:A"))
        (fill,) = exchange.fills
        assert (fill.rule, fill.price) == ("limit_gap_open", Decimal(10))


def test_an_immediate_order_lives_for_one_quote() -> None:
    outcome = play(
        lambda s: s.buy(X, 1, limit=1.0, time_in_force=TimeInForce.IOC), (1.1, 1.2), (1.1, 1.2)
    )
    assert [order.status for order in outcome.orders] == [OrderStatus.CANCELLED]


def test_equity_stands_at_the_middle() -> None:
    outcome = play(lambda s: s.buy(X, 100), (1.0, 1.1), (1.1, 1.3))
    assert outcome.unrealized_pnl == Decimal("-10.0")


@pytest.mark.parametrize(
    ("bid", "ask", "middle"),
    [
        (61837.63, 61837.64, "61837.635"),
        (1.1, 1.3, "1.2"),
        (1.23e-10, 1.24e-10, "1.235E-10"),
        (3e-13, 4e-13, "3.5E-13"),
    ],
)
def test_the_middle_has_the_digits_of_bid_and_ask(bid: float, ask: float, middle: str) -> None:
    outcome = play(lambda s: s.buy(X, 1), (bid, ask), (bid, ask))
    (position,) = outcome.positions
    assert position.current_price == Decimal(middle)


def test_an_account_stands_at_each_quote_of_an_instant() -> None:
    series = quotes((1, 1), (1, 1))
    for stamp, price in ((series.stamps[-1], 0.92), (series.stamps[-1] + SECOND, 2)):
        series.append(stamp, price, price)
    exchange = Exchange(
        [], ExchangeOptions(cash=Decimal(1000), leverage=Decimal(10)), quotes=[series]
    )
    strategy = AtQuote(lambda s: s.buy(X, 9000))
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    bought, closed = exchange.outcome().fills
    assert (closed.rule, closed.price) == ("liquidation", Decimal("0.92"))
    assert closed.time_ns == bought.time_ns


@pytest.mark.parametrize(
    ("action", "last", "price"),
    [
        (lambda s: s.buy(X, 9000), (0.8, 1.0), "0.8"),
        (lambda s: s.sell(X, 9000), (1.0, 1.2), "1.2"),
    ],
)
def test_a_liquidation_sells_at_the_bid_and_buys_at_the_ask(
    action: Action, last: tuple[float, float], price: str
) -> None:
    exchange = Exchange(
        [],
        ExchangeOptions(cash=Decimal(1000), leverage=Decimal(10)),
        quotes=[quotes((1, 1), (1, 1), last)],
    )
    asyncio.run(Runner(AtQuote(action), SimulatedVenue(exchange), mode="backtest").run())
    fill = exchange.outcome().fills[-1]
    assert (fill.rule, fill.price) == ("liquidation", Decimal(price))


@pytest.mark.parametrize(
    ("last", "every", "expected"),
    [
        ((5.0, 5.1), DAY_NS, ["went from 10.1 to 5.05 overnight with a position open: it looks"]),
        ((5.0, 5.1), SECOND, []),
        ((1.0, 9.1), DAY_NS, []),
        ((9.9, 10.1), DAY_NS, []),
    ],
)
def test_a_suspected_split_shows_in_quotes_as_it_does_in_bars(
    last: tuple[float, float], every: int, expected: list[str]
) -> None:
    pairs = [(10.0, 10.2), (10.0, 10.2), last]
    warnings = play(lambda s: s.buy(X, 1), *pairs, every=every).warnings
    assert len(warnings) == len(expected)
    assert all(text in warning for text, warning in zip(expected, warnings, strict=True))


@pytest.mark.parametrize("held", [0, 1])
def test_where_there_are_bars_they_show_a_suspected_split_and_quotes_do_not(held: int) -> None:
    bars = BarSeries(X, "1d", DAY_NS)
    for number, price in enumerate((10, 10, 5, 5)):
        bars.append(1_704_153_600 * SECOND + number * DAY_NS, price, price, price, price, 0)
    pairs = [(10.0, 10.2), (10.0, 10.2), (5.0, 5.1)]
    exchange = Exchange([bars] if held else [], quotes=[quotes(*pairs, every=DAY_NS)])
    strategy = AtQuote(lambda s: s.buy(X, 1) if held else None)
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert len(exchange.outcome().warnings) == held


def test_at_a_quote_an_order_fills_in_full() -> None:
    bars = BarSeries(X, "1m", 60 * SECOND)
    bars.append(1_704_205_800 * SECOND, 1, 1, 1, 1, 10)
    options = ExchangeOptions(max_volume_share=Decimal("0.1"))
    exchange = Exchange([bars], options, quotes=[quotes((1.0, 1.1), (1.1, 1.2))])
    strategy = AtQuote(lambda s: s.buy(X, 5))
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert [fill.quantity for fill in exchange.fills] == [5]


def test_bars_of_a_symbol_with_quotes_are_seen_but_fill_nothing() -> None:
    bars = BarSeries(X, "1m", 60 * SECOND)
    for number in range(3):
        bars.append(1_704_205_800 * SECOND + number * 60 * SECOND, 5, 9, 1, 5, 0)
    exchange = Exchange([bars], quotes=[quotes((1.0, 1.1), (1.1, 1.2), every=90 * SECOND)])
    strategy = AtQuote(lambda s: s.buy(X, 1, limit=1.15))
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    outcome = exchange.outcome()
    assert outcome.fills == []
    assert outcome.bars == 3


def test_subscriptions_choose_quotes() -> None:
    for text, count in (("EUR/USD:quote", 2), ("EUR/USD:candle", 0), ("", 2)):
        exchange = Exchange(
            [], subscriptions=parse_subscriptions(text), quotes=[quotes((1.0, 1.1), (1.1, 1.2))]
        )
        strategy = AtQuote(lambda s: None)
        asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
        assert len(strategy.seen) == count


class Maker(Strategy):
    """Keeps an order on either side of the mid price."""

    def on_start(self) -> None:
        self.count = 0

    def on_quote(self, quote: Quote) -> None:
        self.count += 1
        if self.count % 7 == 0:
            self.cancel_all()
            self.buy(quote.symbol, 10, limit=round(quote.mid - 0.01, 4))
            self.sell(quote.symbol, 10, limit=round(quote.mid + 0.01, 4))


async def test_over_the_network_the_fills_are_the_same() -> None:
    def pairs() -> QuoteSeries:
        steps = ((number * 37 % 19 - 9) / 500 for number in range(400))
        return quotes(*((round(1.1 + step, 4), round(1.102 + step, 4)) for step in steps))

    here = Exchange([], quotes=[pairs()])
    await Runner(Maker(), SimulatedVenue(here), mode="backtest").run()
    there = Exchange([], quotes=[pairs()])
    async with ProxyServer(there, ws_port=0, rest_port=0) as server:
        endpoints = Endpoints(ws_url=server.ws_url, rest_url=server.rest_url)
        await Runner(Maker(), ProxyVenue(endpoints, is_live=False), mode="backtest").run()
    assert len(here.outcome().fills) > 20
    assert here.outcome().fills == there.outcome().fills
    assert {fill.side for fill in here.outcome().fills} == {Side.BUY, Side.SELL}


# Files.


def test_a_file_with_bid_and_ask_has_quotes(tmp_path: Path) -> None:
    rows = [
        "EUR/USD,2014-05-02T00:00:00.277Z,1.3869,1.38705",
        "EUR/USD,2014-05-02T00:00:00.277Z,1.38685,1.387",
        "EUR/USD,2014-05-02T00:00:01Z,,",
        "EUR/USD,2014-05-02T00:00:02Z,1.39,1.38",
        "EUR/USD,2014-05-02T00:00:00Z,1.38,1.39",
    ]
    path = tmp_path / "ticks.csv"
    path.write_text("Symbol,Timestamp,Bid,Ask\n" + "\n".join(rows) + "\n")
    data = load_bars([path])
    (series,) = data.quotes
    assert (data.series, series.symbol, len(series)) == ([], "EUR/USD", 3)
    assert list(series.bids) == [1.38, 1.3869, 1.38685]
    assert [(fault.kind.value, fault.line) for fault in data.faults] == [
        ("impossible", 5),
        ("out of order", 6),
    ]


def test_a_quote_that_is_no_number_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("symbol,timestamp,bid,ask\nX,2014-05-02T00:00:00Z,1.1,much\n")
    with pytest.raises(DataError, match=r"ticks\.csv line 2, column ask: 'much'"):
        load_bars([path])


def test_a_real_day_of_quotes() -> None:
    folder = os.environ.get("MARKET_DATA")
    if folder is None:
        pytest.skip("MARKET_DATA names no folder of market data")
    data = load_bars([Path(folder) / "eurusd_quote_ticks_2014-05-02.csv.gz"])
    (series,) = data.quotes
    assert (len(series), data.faults) == (49_341, [])
    exchange = Exchange([], quotes=[series])
    asyncio.run(Runner(Maker(), SimulatedVenue(exchange), mode="backtest").run())
    assert exchange.is_complete
