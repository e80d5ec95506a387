"""The market of chaos runs, and a strategy that uses every verb."""

from collections.abc import Iterable
from functools import cache

from strategy_runtime import Candle, Strategy, Ticket
from strategy_runtime.ids import generator
from strategy_runtime.report.csv_tables import fills_csv
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue

__all__ = ["Busy", "calm", "steps", "walks"]

_MINUTE_NS = 60_000_000_000
_START_NS = 1_700_000_040_000_000_000


def steps(symbol: str, prices: Iterable[float], volume: float = 1e6) -> BarSeries:
    """Return minute bars that are flat, each at its own price."""
    series = BarSeries(symbol, "1m", _MINUTE_NS)
    for number, price in enumerate(prices):
        series.append(_START_NS + number * _MINUTE_NS, price, price, price, price, volume)
    return series


@cache
def walks(bars: int) -> list[BarSeries]:
    """Return minute bars of two random walks, the same in every run."""
    return [_walk("S:A", 1, bars), _walk("S:B", 2, bars)]


def _walk(symbol: str, seed: int, bars: int) -> BarSeries:
    rng, series, price = generator(seed), BarSeries(symbol, "1m", _MINUTE_NS), 100.0
    for number in range(bars):
        opened, price = price, round(price * rng.uniform(0.99, 1.01), 2)
        low, high = min(opened, price) - 0.25, max(opened, price) + 0.25
        series.append(_START_NS + number * _MINUTE_NS, opened, high, low, price, 100.0)
    return series


class Busy(Strategy):
    """Uses every verb, driven by candles alone.

    Attributes:
        tickets: Tickets of the orders it placed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tickets: list[Ticket] = []
        self._resting: list[Ticket] = []
        self._count = 0

    async def on_candle(self, candle: Candle) -> None:
        self._count += 1
        step = self._count % 11
        symbol, close = candle.symbol, candle.close
        if step == 1:
            self.tickets.append(
                self.buy(symbol, 5, stop_loss=close * 0.99, take_profit=close * 1.01)
            )
        elif step == 3:
            ticket = self.sell(symbol, 3, limit=close * 1.002)
            self.tickets.append(ticket)
            self._resting.append(ticket)
        elif step == 5 and self._resting:
            await self.amend(self._resting.pop(), close * 1.004)
        elif step == 7:
            self.cancel_all(symbol)
        elif step == 9 and not self.position(symbol).is_flat:
            closing = self.close(symbol)
            if closing is not None:
                self.tickets.append(closing)

    async def amend(self, ticket: Ticket, limit: float) -> None:
        """Move a resting order to another price."""
        order = await ticket
        if order.is_open:
            self.modify(order, limit=limit)


async def calm(bars: int) -> str:
    """Return the fills of a run without faults."""
    exchange = Exchange(walks(bars))
    await Runner(Busy(), SimulatedVenue(exchange), mode="backtest").run()
    return fills_csv(exchange.outcome().fills)
