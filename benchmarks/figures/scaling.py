"""The cost of a bar in longer runs, with more symbols, and with more resting orders."""

import asyncio
import gc
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks import market
from benchmarks.engines import CASH
from benchmarks.engines.ours import series_of
from benchmarks.measure import Sample, in_turns, medians
from benchmarks.scale import Scale
from benchmarks.strategies import SmaCross
from benchmarks.tables import Table, rounded
from strategy_runtime import Candle, Strategy
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue

__all__ = ["measure"]


_LONG = 1_000_000
"""Runs of more bars are measured once."""


class Rests(Strategy):
    """Places so many limit orders far below the market, and then does nothing."""

    count: int

    def on_start(self) -> None:
        self.seen = 0
        self.placed_at = 0.0

    def on_candle(self, candle: Candle) -> None:
        self.seen += 1
        if self.seen == 1:
            for number in range(self.count):
                self.buy(candle.symbol, Decimal("0.001"), limit=50 + number % 4000 * 0.01)
        elif self.seen == 3:  # all orders have been through their first bar
            self.placed_at = time.process_time()


def measure(scale: Scale) -> list[Table]:
    """Measure three tables."""
    bars = scale.bars // 5
    counts = (1, 10, 100, 1000, 10_000)
    lengths = [each for each in (10_000, 100_000, 1_000_000, 10_000_000) if each <= scale.bars * 10]
    return [
        _table("Length of a run", "bars", {n: (SmaCross, 1, n) for n in lengths}, scale),
        _table(
            "Symbols",
            "symbols",
            {n: (SmaCross, n, max(bars // n, bars // 400)) for n in (1, 10, 100, 1000)},
            scale,
        ),
        _table(
            "Resting limit orders",
            "orders",
            {n: (partial(Rests, count=n), 1, bars // 20) for n in counts},
            scale,
        ),
    ]


def _table(
    title: str, what: str, cases: dict[int, tuple[Callable[[], Any], int, int]], scale: Scale
) -> Table:
    runs = {str(n): partial(_run, *case) for n, case in cases.items()}
    repeats = {str(n): 1 if bars > _LONG else scale.repeats for n, (_, _, bars) in cases.items()}
    found = {name: medians(samples) for name, samples in in_turns(runs, repeats).items()}
    first = next(iter(found.values()))["cpu_us"]
    return Table(
        title=f"{title} (CPU per bar)",
        rows=[
            {
                what: int(name),
                "CPU µs/bar": rounded(each["cpu_us"]),
                "of the first": rounded(each["cpu_us"] / first),
            }
            for name, each in found.items()
        ],
    )


def _run(make: Callable[[], Any], symbols: int, bars: int) -> Sample:
    series = [series_of(market.make(f"S{n}", bars, seed=n)) for n in range(symbols)]
    exchange = Exchange(series, ExchangeOptions(cash=Decimal(CASH)))
    strategy = make()
    runner = Runner(strategy, SimulatedVenue(exchange), mode="backtest")
    gc.collect()
    began = time.process_time()
    asyncio.run(runner.run())
    ended = time.process_time()
    if isinstance(strategy, Rests):  # leave out placing the orders
        began = strategy.placed_at
    return {"cpu_us": (ended - began) / (symbols * bars) * 1e6}
