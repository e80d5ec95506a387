"""What a live run leaves behind."""

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.ending import OnExit
from strategy_runtime.runtime.runner import Runner
from tests.runtime.virtual_run import live_run


class Holds(Strategy):
    """Has a position with its legs, and an order that rests."""

    def __init__(self) -> None:
        super().__init__()
        self.given = False

    def on_candle(self, candle: Candle) -> None:
        if not self.given:
            self.given = True
            self.buy("S:A", 5, stop_loss=5, take_profit=15)
            self.buy("S:A", 1, limit=5)


@pytest.mark.parametrize(
    ("on_exit", "open_orders", "held"),
    [("keep", 3, 5), ("cancel", 0, 5), ("flatten", 0, 0)],
)
def test_what_is_left(
    on_exit: OnExit, open_orders: int, held: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(10)

    with caplog.at_level("INFO"):
        exchange = live_run(Holds(), wait, on_exit=on_exit)
    assert len(exchange.orders()) == open_orders
    assert sum(position.signed_quantity for position in exchange.positions()) == held
    assert (f"on exit ({on_exit}): " in caplog.text) is (on_exit != "keep")
