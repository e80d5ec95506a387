"""backtrader, fed from plain arrays, which is its fastest feed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader

from benchmarks.engines import CASH, SLOW, Fill, Means, Run
from benchmarks.market import Columns

__all__ = ["prepare"]

_START = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Feed(backtrader.feed.DataBase):  # type: ignore[misc]
    params = (("columns", None),)

    def start(self) -> None:
        super().start()
        self.row = 0

    def _load(self) -> bool:
        columns, row = self.p.columns, self.row
        if row == len(columns.closes):
            return False
        moment = _START + timedelta(minutes=row)
        self.lines.datetime[0] = backtrader.date2num(moment)
        self.lines.open[0] = columns.opens[row]
        self.lines.high[0] = columns.highs[row]
        self.lines.low[0] = columns.lows[row]
        self.lines.close[0] = columns.closes[row]
        self.row = row + 1
        return True


class SmaCross(backtrader.Strategy):  # type: ignore[misc]
    def __init__(self) -> None:
        self.means = [Means() for _ in self.datas]
        self.above = [True] * len(self.datas)
        self.fills: list[Fill] = []

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            sign = 1 if order.isbuy() else -1
            name, row = order.data._name, len(order.data) - 1
            self.fills.append(Fill(name, row, sign, order.executed.price))

    def next(self) -> None:
        for number, data in enumerate(self.datas):
            means = self.means[number]
            means.push(data.close[0])
            if len(data) < SLOW:
                continue
            if means.fast > means.slow:
                if not self.above[number] and not self.getposition(data).size:
                    self.buy(data=data, size=1)
                self.above[number] = True
            else:
                self.above[number] = False
                if means.fast < means.slow and self.getposition(data).size:
                    self.close(data=data)


def prepare(columns: list[Columns]) -> Run:
    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.broker.setcash(CASH)
    for each in columns:
        cerebro.adddata(Feed(columns=each), name=each.symbol)
    cerebro.addstrategy(SmaCross)

    def run() -> Callable[[], list[Fill]]:
        (strategy,) = cerebro.run()
        return lambda: strategy.fills

    return run
