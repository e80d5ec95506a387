"""Six strategies on real prices, fill by fill, against two other engines.

Each strategy is one function from the bars so far to commands; three small adapters execute it. No
fill may differ in bar, side, quantity or price. If the engines' conventions differ from ours by
default, ours are set to theirs (docs/peers.md).
"""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue

warnings.simplefilter("ignore")
backtesting: Any = pytest.importorskip("backtesting", reason="backtesting.py is not installed")
backtrader: Any = pytest.importorskip("backtrader", reason="backtrader is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

DAY = 86_400 * 10**9
CASH = 10_000_000
SIZE = 10
WARM = 60


class Command(NamedTuple):
    """A command of a strategy: cancel open orders, or place an order of a signed size."""

    kind: str
    size: int = 0
    price: float = 0.0
    stop_loss: float = 0.0
    take_profit: float = 0.0


class Seen(NamedTuple):
    """Opens, highs, lows and closes so far."""

    highs: list[float]
    lows: list[float]
    closes: list[float]


Rule = Callable[[Seen, int], list[Command]]
Fills = Counter[tuple[int, str, float]]
"""Units by bar, side and price: an engine may report one execution as several."""


def mean(values: list[float], count: int) -> float:
    return sum(values[-count:]) / count


def tick(price: float) -> int:
    """Return the number of decimals: shares are quoted in cents, currencies in pipettes."""
    return 2 if price > 10 else 5


def away(price: float, share: float) -> float:
    """Return a price some distance away; currencies move a tenth as far as shares."""
    return round(price * (1 + (share if price > 10 else share / 10)), tick(price))


def crossing(closes: list[float], fast: int, slow: int) -> int:
    """Return +1 if the fast mean has just risen above the slow one, -1 if it has fallen below."""
    now = mean(closes, fast) > mean(closes, slow)
    before = mean(closes[:-1], fast) > mean(closes[:-1], slow)
    return (now and not before) - (before and not now)


def cross_long(seen: Seen, position: int) -> list[Command]:
    turn = crossing(seen.closes, 10, 30)
    if turn > 0 and not position:
        return [Command("market", SIZE)]
    return [Command("market", -position)] if turn < 0 and position else []


def cross_flip(seen: Seen, position: int) -> list[Command]:
    turn = crossing(seen.closes, 5, 20)
    wanted = turn * SIZE
    return [Command("market", wanted - position)] if turn and wanted != position else []


def dip(seen: Seen, position: int) -> list[Command]:
    if position:
        return [Command("cancel"), Command("market", -position)]
    return [Command("cancel"), Command("limit", SIZE, away(seen.closes[-1], -0.015))]


def breakout(seen: Seen, position: int) -> list[Command]:
    if not position:
        top = max(seen.highs[-20:])
        return [Command("cancel"), Command("stop", SIZE, away(top, 0.0001))]
    return [Command("market", -position)] if seen.closes[-1] < min(seen.lows[-11:-1]) else []


def breakdown(seen: Seen, position: int) -> list[Command]:
    if not position:
        bottom = min(seen.lows[-20:])
        return [Command("cancel"), Command("stop", -SIZE, away(bottom, -0.0001))]
    return [Command("market", -position)] if seen.closes[-1] > max(seen.highs[-6:-1]) else []


def bracket(seen: Seen, position: int) -> list[Command]:
    if position or crossing(seen.closes, 5, 15) <= 0:
        return []
    close = seen.closes[-1]
    return [Command("bracket", SIZE, 0.0, away(close, -0.04), away(close, 0.05))]


RULES: list[Rule] = [cross_long, cross_flip, dip, breakout, breakdown, bracket]


def frame(name: str) -> Any:
    from backtesting import test

    return getattr(test, name)


def ours(data: Any, rule: Rule, children: str) -> Fills:
    series = BarSeries("GOOG", "1d", DAY)
    rows = zip(data.Open, data.High, data.Low, data.Close, strict=True)
    for number, row in enumerate(rows):
        opened, high, low, close = map(float, row)
        series.append(number * DAY, opened, high, low, close, 0.0)

    class Ours(Strategy):
        def on_start(self) -> None:
            self.seen = Seen([], [], [])

        def on_candle(self, candle: Candle) -> None:
            for values, value in zip(
                self.seen, (candle.high, candle.low, candle.close), strict=True
            ):
                values.append(value)
            if len(self.seen.closes) < WARM:
                return
            for command in rule(self.seen, int(self.position("GOOG").quantity)):
                self.carry_out(command)

        def carry_out(self, command: Command) -> None:
            if command.kind == "cancel":
                self.cancel_all("GOOG")
                return
            give = self.buy if command.size > 0 else self.sell
            give(
                "GOOG",
                abs(command.size),
                limit=command.price if command.kind == "limit" else None,
                stop=command.price if command.kind == "stop" else None,
                stop_loss=command.stop_loss or None,
                take_profit=command.take_profit or None,
            )

    import asyncio
    from decimal import Decimal

    options = ExchangeOptions(cash=Decimal(CASH), children=children)  # type: ignore[arg-type]
    exchange = Exchange([series], options)
    asyncio.run(Runner(Ours(), SimulatedVenue(exchange), mode="backtest").run())
    fills: Fills = Counter()
    for fill in exchange.outcome().fills:
        fills[fill.bar_ns // DAY, fill.side.value, float(fill.price)] += int(fill.quantity)
    return fills


def backtesting_py(data: Any, rule: Rule) -> Fills:
    from backtesting import Backtest
    from backtesting import Strategy as Theirs

    class Adapter(Theirs):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            count = len(self.data)
            if count < WARM:
                return
            columns = (self.data.High, self.data.Low, self.data.Close)
            seen = Seen(*(column.tolist() for column in columns))
            for command in rule(seen, self.position.size):
                if command.kind == "cancel":
                    for order in [o for o in self.orders if not o.is_contingent]:
                        order.cancel()
                    continue
                give = self.buy if command.size > 0 else self.sell
                give(
                    size=abs(command.size),
                    limit=command.price if command.kind == "limit" else None,
                    stop=command.price if command.kind == "stop" else None,
                    sl=command.stop_loss or None,
                    tp=command.take_profit or None,
                )

    stats = Backtest(data, Adapter, cash=CASH, finalize_trades=False).run()
    fills: Fills = Counter()

    def add(bar: int, size: int, price: float) -> None:
        fills[bar, "BUY" if size > 0 else "SELL", price] += abs(size)

    for trade in stats._trades.itertuples():
        add(trade.EntryBar, trade.Size, trade.EntryPrice)
        add(trade.ExitBar, -trade.Size, trade.ExitPrice)
    for trade in stats._strategy.trades:
        add(trade.entry_bar, trade.size, trade.entry_price)
    return fills


def backtrader_py(data: Any, rule: Rule) -> Fills:
    fills: Fills = Counter()

    class Adapter(backtrader.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.resting: list[Any] = []

        def notify_order(self, order: Any) -> None:
            if order.status == order.Completed:
                side = "BUY" if order.isbuy() else "SELL"
                # executed.price is a mean of floats, inexact in the last digit.
                for bit in order.executed.exbits:
                    fills[len(self.data) - 1, side, bit.price] += abs(int(bit.size))

        def next(self) -> None:
            count = len(self.data)
            if count < WARM:
                return
            columns = (self.data.high, self.data.low, self.data.close)
            seen = Seen(*(list(column.get(size=count)) for column in columns))
            for command in rule(seen, int(self.position.size)):
                if command.kind == "cancel":
                    for order in self.resting:
                        self.cancel(order)
                    self.resting.clear()
                elif command.kind == "bracket":
                    self.buy_bracket(
                        size=command.size,
                        exectype=backtrader.Order.Market,
                        stopprice=command.stop_loss,
                        limitprice=command.take_profit,
                    )
                else:
                    give = self.buy if command.size > 0 else self.sell
                    kinds = {
                        "market": backtrader.Order.Market,
                        "limit": backtrader.Order.Limit,
                        "stop": backtrader.Order.Stop,
                    }
                    order = give(
                        size=abs(command.size),
                        exectype=kinds[command.kind],
                        price=command.price or None,
                    )
                    if command.kind != "market":
                        self.resting.append(order)

    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.broker.setcash(CASH)
    cerebro.adddata(backtrader.feeds.PandasData(dataname=data))
    cerebro.addstrategy(Adapter)
    cerebro.run()
    return fills


@pytest.fixture(scope="module", params=["GOOG", "EURUSD"])
def data(request: pytest.FixtureRequest) -> Any:
    """Nine years of daily prices of a share; two hundred days of hourly ones of a currency."""
    return frame(request.param)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_backtesting_py_makes_the_same_fills(data: Any, rule: Rule) -> None:
    mine = ours(data, rule, "same_bar")
    assert sum(mine.values()) > 20 * SIZE
    assert mine == backtesting_py(data, rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_backtrader_makes_the_same_fills(data: Any, rule: Rule) -> None:
    mine = ours(data, rule, "next_bar")
    assert sum(mine.values()) > 20 * SIZE
    assert mine == backtrader_py(data, rule)
