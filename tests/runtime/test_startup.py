"""A backtest starts only at its beginning."""

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos.busy import steps


class Once(Strategy):
    """Places an order at its first candle."""

    limit: float = 50.0
    given = False

    def on_candle(self, candle: Candle) -> None:
        if not self.given:
            self.given = True
            self.buy(candle.symbol, 1, limit=self.limit)


@pytest.mark.parametrize("limit", [50.0, 150.0], ids=["an open order", "an ended one"])
async def test_one_that_has_begun_already_is_refused(limit: float) -> None:
    exchange = Exchange([steps("S:A", [100.0] * 5)])
    await Runner(Once(limit=limit), SimulatedVenue(exchange), mode="backtest").run()
    assert [order.is_open for order in exchange.orders()] == ([True] if limit == 50 else [])
    with pytest.raises(ConfigError) as caught:
        await Runner(Once(), SimulatedVenue(exchange), mode="backtest").run()
    assert str(caught.value) == (
        "this backtest has already begun: the venue has orders of an earlier run (such as "
        "Once-bt-1), and its time does not run back; restart the proxy, then the strategy"
    )
