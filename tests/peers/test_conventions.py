"""Conventions in which other engines differ silently, as docs/peers.md says."""

import re
import warnings
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.backtesting import Results, backtest, read_data

warnings.simplefilter("ignore")
backtesting: Any = pytest.importorskip("backtesting", reason="backtesting.py is not installed")
backtrader: Any = pytest.importorskip("backtrader", reason="backtrader is not installed")
pandas: Any = pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("pyarrow", reason="it comes with the extra parquet")
pytestmark = pytest.mark.filterwarnings("ignore")

RESEARCH = Path(__file__).parents[2] / "docs" / "research.md"
PERIOD = 3
CASH = 10_000


@pytest.fixture
def flat() -> Any:
    """Six days on which the price is always 100."""
    columns = dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), [100.0] * 6)
    return pandas.DataFrame(columns, index=pandas.date_range("2024-01-01", periods=6))


def theirs(data: Any, act: Callable[[Any, int], object], **options: Any) -> Any:
    """Call a function at each bar of backtesting.py, with the number of bars so far."""

    class Acts(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None: ...

        def next(self) -> None:
            act(self, len(self.data))

    run = backtesting.Backtest(data, Acts, cash=CASH, finalize_trades=True, **options)
    return run.run()._trades


def ours(data: Any, act: Callable[[Strategy, int], object], **options: Any) -> Results:
    class Acts(Strategy):
        def on_start(self) -> None:
            self.bars = 0

        def on_candle(self, candle: Candle) -> None:
            self.bars += 1
            act(self, self.bars)

    return backtest(Acts(), {"X": data}, cash=CASH, **options)


def test_the_others_decide_first_once_their_indicators_have_values(flat: Any) -> None:
    begun: dict[str, list[int]] = {"backtesting.py": [], "backtrader": [], "here": []}

    class Tester(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.mean = self.I(lambda: flat.Close.rolling(PERIOD).mean())

        def next(self) -> None:
            begun["backtesting.py"].append(len(self.data))

    class Trader(backtrader.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.mean = backtrader.ind.SMA(period=PERIOD)

        def next(self) -> None:
            begun["backtrader"].append(len(self))

    class Averages(Strategy):
        def on_start(self) -> None:
            self.mean = self.sma(PERIOD)
            self.bars = 0

        def on_candle(self, candle: Candle) -> None:
            self.bars += 1
            begun["here"].append(self.bars)
            assert self.mean["X"].is_ready is (self.bars >= PERIOD)

    backtesting.Backtest(flat, Tester).run()
    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.adddata(backtrader.feeds.PandasData(dataname=flat))
    cerebro.addstrategy(Trader)
    cerebro.run()
    backtest(Averages(), {"X": flat})
    firsts = {name: bars[0] for name, bars in begun.items()}
    assert firsts == {"backtesting.py": PERIOD + 1, "backtrader": PERIOD, "here": 1}


def test_a_fraction_is_one_of_equity_and_not_of_what_is_left_or_can_be_borrowed(flat: Any) -> None:
    def buy_twice(strategy: Any, bars: int) -> None:
        if bars in (2, 3):
            strategy.buy(size=0.5)

    assert sorted(theirs(flat, buy_twice).Size) == [25, 50]
    assert sorted(theirs(flat, buy_twice, margin=0.5).Size) == [50, 100]

    def buy_twice_here(strategy: Strategy, bars: int) -> None:
        if bars in (2, 3):
            strategy.buy("X", fraction=0.5)

    for leverage in (1, 2):
        fills = ours(flat, buy_twice_here, leverage=leverage).outcome.fills
        assert [fill.quantity for fill in fills] == [50, 50]


def test_the_cash_of_the_others_is_a_tenth_of_ours(flat: Any) -> None:
    default = signature(backtesting.Backtest).parameters["cash"].default
    assert default == backtrader.Cerebro().broker.getcash() == 10_000
    assert backtest(Strategy(), {"X": flat}).summary.start_equity == "100000"


def test_adjusted_closes_are_not_read(tmp_path: Path) -> None:
    prices = tmp_path / "X.csv"
    rows = "2024-01-02,100,110,90,100,50,7\n2024-01-03,100,110,90,100,50,7\n"
    prices.write_text("Date,Open,High,Low,Close,Adj Close,Volume\n" + rows)
    seen: list[float] = []

    class Trader(backtrader.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            seen.append(self.data.close[0])

    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.adddata(backtrader.feeds.YahooFinanceCSVData(dataname=str(prices)))
    cerebro.addstrategy(Trader)
    cerebro.run()
    assert seen == [50, 50]
    assert [*read_data(prices).series[0].closes] == [100, 100]


def test_entries_of_one_position_are_one_trade(flat: Any) -> None:
    def pyramid(strategy: Any, bars: int) -> None:
        if bars in (2, 3):
            strategy.buy(size=10)
        elif bars == 4:
            strategy.position.close()

    def pyramid_here(strategy: Strategy, bars: int) -> None:
        if bars in (2, 3):
            strategy.buy("X", 10)
        elif bars == 4:
            strategy.close("X")

    assert len(theirs(flat, pyramid)) == 2
    assert len(ours(flat, pyramid_here).trips) == 1


def test_a_spread_is_in_price_units_and_slippage_is_paid_at_the_exit_too(flat: Any) -> None:
    def trade(strategy: Any, bars: int) -> None:
        if bars == 2:
            strategy.buy(size=10)
        elif bars == 4:
            strategy.position.close()

    def trade_here(strategy: Strategy, bars: int) -> None:
        if bars == 2:
            strategy.buy("X", 10)
        elif bars == 4:
            strategy.close("X")

    (trip,) = theirs(flat, trade, spread=0.01).itertuples()
    assert (trip.EntryPrice, trip.ExitPrice) == (101, 100)
    (slipped,) = ours(flat, trade_here, slippage=0.01).trips
    assert (float(slipped.entry_price), float(slipped.exit_price)) == (101, 99)
    (spread,) = ours(flat, trade_here, spread=0.01).trips
    assert (float(spread.entry_price), float(spread.exit_price)) == (100.005, 99.995)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_signals_of_pandas_are_looked_up_as_is_shown(flat: Any, zone: str | None) -> None:
    page = RESEARCH.read_text()
    (source,) = re.findall(r"^```python\n(.*?class Signals.*?)^signals = ", page, re.M | re.S)
    (expression,) = re.findall(r"take `(set\(entries.*?)`:", page)
    namespace: dict[str, Any] = {}
    exec(source[source.rindex("from collections.abc") :], namespace)  # noqa: S102
    if zone is not None:
        flat, expression = flat.tz_localize(zone), expression.replace('.tz_localize("UTC")', "")
    enter, leave = flat.index == "2024-01-02", flat.index == "2024-01-04"
    times = [
        eval(expression, {"entries": pandas.Series(each, index=flat.index)})  # noqa: S307
        for each in (enter, leave)
    ]
    (trip,) = backtest(namespace["Signals"](*times), {"X": flat}).trips
    assert pandas.to_datetime([trip.opened_ns, trip.closed_ns]).day.tolist() == [3, 5]
