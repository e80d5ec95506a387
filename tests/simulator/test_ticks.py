"""Market trades as data: they make candles, and fill orders if there are no quotes."""

import asyncio
import os
from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime import Candle, Strategy, TimeInForce
from strategy_runtime.clock import ns_of, utc
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.data.support import load
from tests.simulator.support import MINUTE, A, B, minutes

SECOND = 10**9
FIRST = 10**9
"""In seconds: minutes end 20 and 80 s after it."""
Action = Callable[[Strategy], object]


def trades(*rows: tuple[float, float, float], symbol: str = A) -> TickSeries:
    """Return trades of seconds after `FIRST`, price and size."""
    seconds, prices, sizes = zip(*rows, strict=True)
    series = TickSeries(symbol)
    stamps = [(FIRST + int(second)) * SECOND for second in seconds]
    series.take([array("q", stamps), array("d", prices), array("d", sizes)])
    return series


class AtCandle(Strategy):
    """Takes one action at its first candle."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action
        self.seen: list[Candle] = []
        self.quotes = 0

    def on_candle(self, candle: Candle) -> None:
        self.seen.append(candle)
        if len(self.seen) == 1:
            self.action(self)

    def on_quote(self, quote: object) -> None:
        self.quotes += 1


def run(exchange: Exchange, action: Action = lambda strategy: None) -> AtCandle:
    strategy = AtCandle(action)
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    return strategy


def prices(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def shown(fills: Sequence[Fill]) -> list[tuple[str, str, int]]:
    return [(str(f.price), f.rule, f.time_ns // SECOND - FIRST) for f in fills]


def test_trades_make_the_candles_of_a_symbol_without_bars() -> None:
    exchange = Exchange(
        [], trades=[trades((0, 5, 1), (3, 7, 2), (19, 4, 1), (25, 6, 3), (90, 6, 1))]
    )
    strategy = run(exchange)
    assert [prices(candle) for candle in strategy.seen] == [
        (5, 7, 4, 4, 4),
        (6, 6, 6, 6, 3),
        (6, 6, 6, 6, 1),
    ]
    assert strategy.quotes == 0


def test_a_trade_at_the_end_of_a_candle_belongs_to_the_next() -> None:
    exchange = Exchange([], trades=[trades((0, 5, 1), (20, 9, 1), (90, 6, 1))])
    assert [candle.close for candle in run(exchange).seen] == [5, 9, 6]


def test_candles_of_trades_have_the_timeframe_of_the_run() -> None:
    series = trades((0, 5, 1), (400, 6, 1), (800, 7, 1))
    assert {c.timeframe for c in run(Exchange([], trades=[series], timeframe="5m")).seen} == {"5m"}
    wanted = parse_subscriptions(f"{A}:candle_1m,{A}:candle_15m")
    found = run(Exchange([], subscriptions=wanted, trades=[series])).seen
    assert [candle.timeframe for candle in found].count("15m") == 2


@pytest.mark.parametrize("timeframe", ["1s", "1m", "5m"])
def test_past_candles_of_trades_are_those_that_were_told(timeframe: str) -> None:
    series = trades(*((second, 5 + second % 7, 0.1 * second) for second in range(0, 999, 7)))
    told: list[Candle] = []

    class Asking(Strategy):
        def on_candle(self, candle: Candle) -> None:
            told.append(candle)
            assert exchange.bars(A, timeframe) == told[-100:]
            assert exchange.bars(A, timeframe, limit=2) == told[-2:]

    wanted = parse_subscriptions(f"{A}:candle_{timeframe}")
    exchange = Exchange([], subscriptions=wanted, trades=[series])
    asyncio.run(Runner(Asking(), SimulatedVenue(exchange), mode="backtest").run())
    second, third = told[1].timestamp, told[2].timestamp
    assert exchange.bars(A, timeframe, start=second, limit=2) == told[1:3]
    assert exchange.bars(A, timeframe, start=utc(ns_of(second) + 1000), limit=1) == told[2:3]
    assert exchange.bars(A, timeframe, end=third) == told[:3]


def test_a_symbol_that_has_only_quotes_has_no_candles_in_the_past_either() -> None:
    quotes = QuoteSeries(A)
    quotes.append(FIRST * SECOND, 10, 11)
    exchange = Exchange([], quotes=[quotes])
    run(exchange)
    assert [exchange.bars(A, timeframe) for timeframe in ("1s", "1m", "1h")] == [[], [], []]


@pytest.mark.parametrize(
    ("action", "price", "rule", "second"),
    [
        (lambda s: s.buy(A, 1), "7.5", "market_tick", 21),
        (lambda s: s.buy(A, 1, limit=7), "6.5", "limit_gap_tick", 23),
        (lambda s: s.buy(A, 1, limit=6.5), "6.5", "limit_touch_tick", 23),
        (lambda s: s.buy(A, 1, stop=8), "9.25", "stop_gap_tick", 22),
        (lambda s: s.buy(A, 1, stop=9.25), "9.25", "stop_touch_tick", 22),
        (lambda s: s.sell(A, 1, stop=7), "6.5", "stop_gap_tick", 23),
    ],
)
def test_orders_fill_at_the_price_of_the_next_trade(
    action: Action, price: str, rule: str, second: int
) -> None:
    rows = [(0, 8, 1), (21, 7.5, 1), (22, 9.25, 1), (23, 6.5, 1), (90, 6, 1)]
    exchange = Exchange([], trades=[trades(*rows)])
    run(exchange, action)
    assert shown(exchange.outcome().fills) == [(price, rule, second)]


def test_trades_of_one_instant_are_met_one_after_the_other() -> None:
    exchange = Exchange([], trades=[trades((0, 8, 1), (21, 7, 1), (21, 5, 1), (21, 9, 1))])
    run(exchange, lambda s: s.buy(A, 1, limit=6))
    assert shown(exchange.outcome().fills) == [("5.0", "limit_gap_tick", 21)]


def test_an_immediate_order_lives_for_one_trade() -> None:
    exchange = Exchange([], trades=[trades((0, 8, 1), (21, 7, 1), (22, 5, 1))])
    run(exchange, lambda s: s.buy(A, 1, limit=6, time_in_force=TimeInForce.IOC))
    (order,) = exchange.outcome().orders
    assert (order.status.value, exchange.outcome().fills) == ("CANCELLED", [])


def test_at_a_trade_an_order_fills_in_full() -> None:
    rows = (0, 8, 1), (21, 7, 1), (90, 7, 1)
    options = ExchangeOptions(max_volume_share=Decimal("0.1"))
    exchange = Exchange([], options, trades=[trades(*rows)])
    run(exchange, lambda s: s.buy(A, 5))
    assert [fill.quantity for fill in exchange.fills] == [5]


def test_quotes_price_orders_and_trades_make_the_candles() -> None:
    quotes = QuoteSeries(A)
    for second, bid in ((0, 1.0), (21, 2.0), (30, 3.0)):
        quotes.append((FIRST + second) * SECOND, bid, bid + 0.5)
    series = trades((0, 8, 1), (21, 7, 1), (90, 7, 1))
    exchange = Exchange([], quotes=[quotes], trades=[series])
    strategy = run(exchange, lambda s: s.buy(A, 1))
    assert shown(exchange.outcome().fills) == [("2.5", "market_quote", 21)]
    assert [candle.close for candle in strategy.seen] == [8, 7, 7]
    assert strategy.quotes == 3


def test_bars_of_a_symbol_with_trades_are_seen_and_fill_nothing() -> None:
    bars = minutes(A, [100, 200, 300])
    ticks = trades((50 - FIRST, 8, 1), (70 - FIRST, 9, 1))
    exchange = Exchange([bars], trades=[ticks])
    strategy = run(exchange, lambda s: s.buy(A, 1))
    assert [candle.close for candle in strategy.seen] == [100, 200, 300]
    (fill,) = exchange.outcome().fills
    assert (str(fill.price), fill.rule, fill.time_ns) == ("9.0", "market_tick", 70 * SECOND)


def test_the_last_price_of_a_symbol_with_trades_is_that_of_the_last_trade() -> None:
    exchange = Exchange([], trades=[trades((0, 8, 1), (21, 7, 1), (22, 11, 1))])
    run(exchange, lambda s: s.buy(A, 2))
    outcome = exchange.outcome()
    assert (str(outcome.unrealized_pnl), outcome.series[0].timeframe) == ("8.0", "tick")


# Files.


def test_rows_that_cannot_be_trades_are_dropped_and_named(tmp_path: Path) -> None:
    text = "timestamp,price,qty\n1000000000,5,1\n1000000001,0,1\n1000000002,5,-1\n1000000003,5,\n"
    data = load(tmp_path, text)
    (series,) = data.ticks
    assert (list(series.bids), list(series.sizes)) == ([5, 5], [1, 0])
    assert [(fault.line, fault.detail) for fault in data.faults] == [
        (3, "price 0 size 1 (prices have to be above zero)"),
        (4, "price 5 size -1"),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1000000000,much,1", "line 2, column price: 'much' is not a number"),
        ("1000000000,1,x", "line 2, column qty: 'x' is not a number"),
        ("soon,1,1", "line 2, column timestamp: 'soon' is no time"),
    ],
)
def test_a_trade_that_cannot_be_read(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(Exception, match=problem):
        load(tmp_path, f"timestamp,price,qty\n{row}\n")


def test_quotes_and_trades_may_share_a_file_whatever_its_kind(tmp_path: Path) -> None:
    text = "ts,bid,ask,price,size\n1000000000,1,2,,\n1000000001,,,1.5,3\n1000000002,,,,\n"
    data = load(tmp_path, text)
    assert [len(each) for each in (*data.quotes, *data.ticks)] == [1, 1]
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "ts": [1_000_000_000, 1_000_000_001, 1_000_000_002],
        "bid": [1.0, None, None],
        "ask": [2.0, None, None],
        "price": [None, 1.5, None],
        "size": [None, 3.0, None],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "X.parquet")
    same = load_bars([tmp_path / "X.parquet"])
    for one, other in zip((*data.quotes, *data.ticks), (*same.quotes, *same.ticks), strict=True):
        assert [list(each) for each in one.columns] == [list(each) for each in other.columns]


def test_a_real_burst_of_quotes_and_trades() -> None:
    folder = os.environ.get("MARKET_DATA")
    if folder is None:
        pytest.skip("MARKET_DATA names no folder of market data")
    path = Path(folder) / "btcusdt_binance_spot_ticks_2024-08-08.csv.gz"
    data = load_bars([path], symbol="BTCUSDT")
    assert [len(each) for each in (*data.quotes, *data.ticks)] == [28_040, 9_757]
    exchange = Exchange([], quotes=data.quotes, trades=data.ticks)
    strategy = run(exchange, lambda s: s.buy("BTCUSDT", 1))
    assert strategy.quotes == 28_040
    assert len(strategy.seen) == 6
    (fill,) = exchange.outcome().fills
    assert fill.rule == "market_quote"


def test_symbols_with_trades_and_with_bars_run_together() -> None:
    ticks = trades((30 - FIRST, 8, 1), (90 - FIRST, 9, 1), symbol=B)
    exchange = Exchange([minutes(A, [1, 2, 3])], trades=[ticks])
    seen = [(c.symbol, c.close, c.timestamp.minute) for c in run(exchange).seen]
    assert seen == [(A, 1, 0), (B, 8, 0), (A, 2, 1), (B, 9, 1), (A, 3, 2)]
    assert exchange.now_ns == 3 * MINUTE


def test_candles_of_bars_and_of_trades_that_end_together_come_the_finest_first() -> None:
    hour = FIRST // 3_600 * 3_600

    def bars(symbol: str) -> BarSeries:
        series = BarSeries(symbol, "1m", MINUTE)
        for number in range(60):
            series.append(hour * SECOND + number * MINUTE, 10, 10, 10, 10, 1.0)
        return series

    def ticks(symbol: str) -> TickSeries:
        return trades(*((hour - FIRST + 60 * each, 10, 1) for each in range(60)), symbol=symbol)

    exchange = Exchange(
        [bars("S:D"), bars("S:C")],
        subscriptions=parse_subscriptions("*:candle_1h,*:candle_30m"),
        trades=[ticks("S:B"), ticks("S:A")],
    )
    seen = [(candle.timeframe, candle.symbol) for candle in run(exchange).seen]
    order = ["S:D", "S:C", "S:B", "S:A"]
    assert seen == [(text, symbol) for text in ("30m", "30m", "1h") for symbol in order]


def test_symbols_with_and_without_bars_have_quotes_at_one_instant() -> None:
    def quotes(symbol: str) -> QuoteSeries:
        series = QuoteSeries(symbol)
        series.append(120 * SECOND, 10, 11)
        return series

    coarse = BarSeries(B, "5m", 5 * MINUTE)
    coarse.append(0, 10, 10, 10, 10, 1.0)
    doubled = BarSeries(A, "2m", 2 * MINUTE)
    doubled.append(0, 10, 10, 10, 10, 1.0)
    exchange = Exchange([minutes(A, [10]), doubled, coarse], quotes=[quotes(B), quotes("S:C")])
    assert run(exchange).quotes == 2
