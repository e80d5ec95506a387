"""A proxy that is restarted during a live run, and knows nothing of its trades."""

from collections.abc import Callable
from typing import Any

import pytest

from strategy_runtime import Candle, Strategy, Trade
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.world import MemoryNetwork, MemoryProxy
from tests.runtime.virtual_run import live_run, market

ANEW = (
    "the proxy was restarted and knows nothing of what this run has traded: its orders, positions "
    "and account count from now on"
)


class Trades(Strategy):
    """Has a resting order, and now and then buys at ten bars in a row."""

    def on_start(self) -> None:
        self.bars = 0
        self.traded: list[str] = []
        self.anomalies: list[str] = []
        self.buy("S:A", 1, limit=1)

    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars % 20 < 10:
            self.buy("S:A", 1)

    def on_trade(self, trade: Trade) -> None:
        self.traded.append(trade.id)

    def on_anomaly(self, message: str) -> None:
        self.anomalies.append(message)


class Restarted(MemoryNetwork):
    """A network whose proxy can be restarted."""

    def restart(self, exchange: Exchange) -> None:
        proxy = self._proxy = MemoryProxy(exchange, speed=60.0, knows_ids=True)
        self.conducting = self.loop.create_task(proxy.stream.conduct())
        self.cut()


def run(strategy: Trades, seed: int, *, again: Callable[[Exchange], Exchange]) -> Exchange:
    """Run a strategy whose proxy is restarted, and return the exchange of the new one."""
    networks: list[Restarted] = []
    first = market()
    second = again(first)

    def network(*args: Any) -> Restarted:
        networks.append(Restarted(*args))
        return networks[0]

    async def during(runner: Runner) -> None:
        await sleep(15)
        networks[0].restart(second)
        await sleep(50)
        assert strategy.position("S:A").quantity == second.positions()[0].quantity
        assert [order.id for order in strategy.orders()] == [order.id for order in second.orders()]
        networks[0].conducting.cancel()

    live_run(strategy, during, network=network, exchange=first, seed=seed)
    return second


@pytest.mark.parametrize("seed", range(5))
def test_what_it_tells_is_heard_under_whatever_ids_and_nothing_of_before_is_left(seed: int) -> None:
    strategy = Trades()
    exchange = run(strategy, seed, again=lambda first: market())
    told = [trade.id for trade in reversed(exchange.trades(limit=1000))]
    assert len(told) > 10
    assert strategy.traded[-len(told) :] == told
    assert ANEW in strategy.anomalies
    assert any(
        "-1 was open and is no longer known to the venue" in text for text in strategy.anomalies
    )


def test_one_that_knows_what_was_traded_tells_nothing_twice() -> None:
    strategy = Trades()
    exchange = run(strategy, 0, again=lambda first: first)
    told = [trade.id for trade in reversed(exchange.trades(limit=1000))]
    assert strategy.traded == told
    assert strategy.anomalies == []
