"""backtesting.py, with one run per symbol, because it supports only one."""

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks.engines import CASH, DISTANCE, FAST, SLOW, Fill, Run
from benchmarks.market import START_NS, Columns

__all__ = ["STRATEGIES", "SmaCross", "fills_of", "prepare"]


def mean(values: Any, count: int) -> Any:
    return pd.Series(values).rolling(count).sum() / count


class SmaCross(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        self.fast = self.I(mean, self.data.Close, FAST)
        self.slow = self.I(mean, self.data.Close, SLOW)

    def next(self) -> None:
        if self.fast[-1] > self.slow[-1] and self.fast[-2] <= self.slow[-2]:
            if not self.position:
                self.buy(size=1)
        elif self.fast[-1] < self.slow[-1] and self.position:
            self.position.close()


class ReplacesOrder(Strategy):  # type: ignore[misc]
    def init(self) -> None: ...

    def next(self) -> None:
        for order in self.orders:
            order.cancel()
        self.order_at(self.data.Close[-1])
        if self.position:
            self.position.close()

    def order_at(self, close: float) -> None:
        raise NotImplementedError


class ReplacedLimits(ReplacesOrder):
    def order_at(self, close: float) -> None:
        self.buy(size=1, limit=close - DISTANCE)


class ReplacedStops(ReplacesOrder):
    def order_at(self, close: float) -> None:
        self.buy(size=1, stop=close + DISTANCE)


STRATEGIES = {each.__name__: each for each in (SmaCross, ReplacedLimits, ReplacedStops)}


def prepare(columns: list[Columns], strategy: str = "SmaCross") -> Run:
    warnings.simplefilter("ignore")
    frames = [
        pd.DataFrame(
            dict(zip(("Open", "High", "Low", "Close"), each[1:], strict=True)),
            index=pd.date_range(pd.Timestamp(START_NS), periods=len(each.closes), freq="1min"),
        )
        for each in columns
    ]
    symbols = [each.symbol for each in columns]

    def run() -> Callable[[], list[Fill]]:
        results = [
            Backtest(frame, STRATEGIES[strategy], cash=CASH, finalize_trades=False).run()
            for frame in frames
        ]
        return lambda: [
            fill
            for symbol, result in zip(symbols, results, strict=True)
            for fill in fills_of(symbol, result)
        ]

    return run


def fills_of(symbol: str, result: Any) -> list[Fill]:
    """Return the fills of a run, including that of the open position."""
    fills = []
    for trade in result._trades.itertuples():
        fills.append(Fill(symbol, trade.EntryBar, 1, float(trade.EntryPrice)))
        fills.append(Fill(symbol, trade.ExitBar, -1, float(trade.ExitPrice)))
    for trade in result._strategy.trades:
        fills.append(Fill(symbol, trade.entry_bar, 1, float(trade.entry_price)))
    return fills
