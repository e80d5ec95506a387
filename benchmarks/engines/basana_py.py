"""basana, on its backtesting exchange."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import basana as bs
from basana.backtesting import exchange as backtesting

from benchmarks.engines import CASH, SLOW, Fill, Means, Run
from benchmarks.market import Columns

__all__ = ["prepare"]

_START = datetime(2020, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Source(bs.FifoQueueEventSource):  # type: ignore[misc]
    def __init__(self, columns: Columns) -> None:
        super().__init__()
        pair = bs.Pair(columns.symbol, "USD")
        for row, prices in enumerate(zip(*columns[1:], strict=True)):
            begin = _START + row * _MINUTE
            exact = [Decimal(repr(price)) for price in prices]
            bar = bs.Bar(begin, pair, *exact, Decimal(10**9), _MINUTE)
            self.push(bs.BarEvent(begin + _MINUTE, bar))


class SmaCross:
    def __init__(self, exchange: Any, symbol: str) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.pair = bs.Pair(symbol, "USD")
        self.means = Means()
        self.above = True
        self.is_long = False
        self.fills: list[Fill] = []
        self.row = -1

    async def on_order(self, event: Any) -> None:
        order = event.order
        if order.is_open:
            return
        sign = 1 if order.operation == bs.OrderOperation.BUY else -1
        self.is_long = sign > 0
        self.fills.append(Fill(self.symbol, self.row + 1, sign, float(order.fill_price)))

    async def on_bar(self, event: Any) -> None:
        self.row += 1
        means = self.means
        means.push(float(event.bar.close))
        if self.row < SLOW - 1:
            return
        if means.fast > means.slow:
            if not self.above and not self.is_long:
                await self.exchange.create_market_order(
                    bs.OrderOperation.BUY, self.pair, Decimal(1)
                )
            self.above = True
        else:
            self.above = False
            if means.fast < means.slow and self.is_long:
                await self.exchange.create_market_order(
                    bs.OrderOperation.SELL, self.pair, Decimal(1)
                )


def prepare(columns: list[Columns]) -> Run:
    dispatcher = bs.backtesting_dispatcher()
    exchange = backtesting.Exchange(dispatcher, initial_balances={"USD": Decimal(CASH)})
    exchange.set_symbol_precision("USD", 2)
    strategies = []
    for each in columns:
        exchange.set_symbol_precision(each.symbol, 0)
        strategy = SmaCross(exchange, each.symbol)
        strategies.append(strategy)
        exchange.add_bar_source(Source(each))
        exchange.subscribe_to_bar_events(strategy.pair, strategy.on_bar)
    by_symbol = {each.symbol: each for each in strategies}

    async def on_order(event: Any) -> None:
        await by_symbol[event.order.pair.base_symbol].on_order(event)

    exchange.subscribe_to_order_events(on_order)

    def run() -> Callable[[], list[Fill]]:
        asyncio.run(dispatcher.run())
        return lambda: [fill for strategy in strategies for fill in strategy.fills]

    return run
