"""A backtest over connections that break: the same fills, byte for byte, as over calm ones."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from strategy_runtime import Candle, Strategy, Ticket
from strategy_runtime.ids import Random, generator
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.report.fills import fills_csv
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos.relay import relayed
from tests.figures import Tell

BARS = 150
FAULTS = 30
MINUTE = 60_000_000_000
START = 1_700_000_040_000_000_000


def walk(symbol: str, seed: int) -> BarSeries:
    """Minute bars of a random walk."""
    chance, series, price = generator(seed), BarSeries(symbol, "1m", MINUTE), 100.0
    for number in range(BARS):
        opened, price = price, round(price * chance.uniform(0.99, 1.01), 2)
        low, high = min(opened, price) - 0.25, max(opened, price) + 0.25
        series.append(START + number * MINUTE, opened, high, low, price, 100.0)
    return series


def data() -> list[BarSeries]:
    return [walk("S:A", 1), walk("S:B", 2)]


class Busy(Strategy):
    """Uses every verb, and knows nothing but its candles."""

    def __init__(self) -> None:
        super().__init__()
        self.resting: list[Ticket] = []
        self.count = 0

    async def on_candle(self, candle: Candle) -> None:
        self.count += 1
        step = self.count % 11
        position = self.position(candle.symbol)
        if step == 1:
            self.buy(
                candle.symbol, 5, stop_loss=candle.close * 0.99, take_profit=candle.close * 1.01
            )
        elif step == 3:
            self.resting.append(self.sell(candle.symbol, 3, limit=candle.close * 1.002))
        elif step == 5 and self.resting:
            order = await self.resting.pop()
            if order.is_open:
                self.modify(order, limit=candle.close * 1.004)
        elif step == 7:
            self.cancel_all(candle.symbol)
        elif step == 9 and not position.is_flat:
            self.close(candle.symbol)


def quickly(chance: Random) -> Iterator[float]:
    while True:
        yield 0.002


async def calm() -> str:
    exchange = Exchange(data())
    await Runner(Busy(), SimulatedVenue(exchange), mode="backtest").run()
    return fills_csv(exchange.outcome().fills)


@pytest.fixture(scope="module")
def seeds() -> range:
    return range(20)


async def test_breaking_streams_change_no_fill(seeds: range, tell: Tell) -> None:
    expected = await calm()
    assert expected.count("\n") > 50
    broken = 0
    for seed in seeds:
        exchange = Exchange(data())
        async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
            place = urlsplit(server.ws_url).netloc
            async with relayed(place, seed=seed, faults=FAULTS, reach=12_000) as relay:
                endpoints = Endpoints(ws_url=f"ws://{relay.url}", rest_url=server.rest_url)
                venue = ProxyVenue(
                    endpoints,
                    is_live=False,
                    most_connections=1000,
                    delays=quickly,
                    knocking=quickly,
                    connected_wait=1.0,
                )
                await Runner(Busy(), venue, mode="backtest").run()
        assert fills_csv(exchange.outcome().fills) == expected, (seed, relay.plan)
        broken += len(relay.plan) - 1
    tell(f"{len(seeds)} backtests over {broken} broken streams: fills as over calm ones")
