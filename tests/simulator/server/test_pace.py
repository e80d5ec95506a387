"""By the clock, everything comes on time, in virtual time and to a live run."""

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.busy import steps
from tests.runtime.virtual_run import live_run


class Watches(Strategy):
    """Places a resting order if asked to, and notes how late each candle is."""

    rests: bool = False

    def __init__(self, **given: bool) -> None:
        super().__init__(**given)
        self.late: list[float] = []

    def on_candle(self, candle: Candle) -> None:
        # A minute takes a second, and the first one started with the run.
        due = 1000 + (candle.end.timestamp() - 1_700_000_040) / 60
        self.late.append(monotonic() - due)
        if self.rests and not self.orders():
            self.buy("S:A", 1, limit=1)


@pytest.mark.parametrize("rests", [False, True], ids=["no order", "an order that rests"])
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_a_candle_comes_when_it_has_closed(timeframe: str, rests: bool) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(30)

    strategy = Watches(rests=rests)
    exchange = Exchange([steps("S:A", [10.0] * 100)], timeframe=timeframe)
    live_run(strategy, wait, exchange=exchange)
    assert len(strategy.late) >= 5
    assert all(0 <= late < 0.3 for late in strategy.late)
