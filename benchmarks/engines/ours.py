"""strategy-runtime: the whole engine, with its own indicators."""

import asyncio
from array import array
from collections.abc import Callable
from decimal import Decimal

from benchmarks import strategies
from benchmarks.engines import CASH, Fill, Run
from benchmarks.market import MINUTE_NS, START_NS, Columns
from strategy_runtime import Side
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue

__all__ = ["prepare", "series_of"]


def series_of(columns: Columns) -> BarSeries:
    """Make a series as the readers of files do."""
    series = BarSeries(columns.symbol, "1m", MINUTE_NS)
    bars = len(columns.closes)
    series.starts = array("q", range(START_NS, START_NS + bars * MINUTE_NS, MINUTE_NS))
    series.opens, series.highs, series.lows, series.closes = columns[1:]
    series.volumes = array("d", bytes(8 * bars))
    return series


def prepare(columns: list[Columns], strategy: str = "SmaCross") -> Run:
    exchange = Exchange([series_of(each) for each in columns], ExchangeOptions(cash=Decimal(CASH)))
    runner = Runner(getattr(strategies, strategy)(), SimulatedVenue(exchange), mode="backtest")

    def run() -> Callable[[], list[Fill]]:
        asyncio.run(runner.run())
        return lambda: [
            Fill(
                each.symbol,
                (each.bar_ns - START_NS) // MINUTE_NS,
                1 if each.side is Side.BUY else -1,
                float(each.price),
            )
            for each in exchange.fills
        ]

    return run
