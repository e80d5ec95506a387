"""A run that is asked to stop comes to its end in time, whatever is without an answer."""

from collections.abc import Callable

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.runtime.runner import OnExit, Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.busy import steps
from tests.runtime.slow import Asked, slow
from tests.runtime.virtual_run import live_run

HANGS = 60.0
A, B = "S:A", "S:B"


class Trades(Strategy):
    """Has an order open and a position in one symbol, and gives an order in the other at last."""

    waits: bool = False

    def __init__(self, **given: bool) -> None:
        super().__init__(**given)
        self.bars = 0

    async def on_candle(self, candle: Candle) -> None:
        self.bars += candle.symbol == A
        if candle.symbol == A and self.bars == 3:
            self.buy(A, 1, limit=5)
            self.buy(A, 1)
        elif candle.symbol == B and self.bars == 10:
            ticket = self.buy(B, 1, limit=5)
            if self.waits:
                await ticket

    async def on_stop(self) -> None:
        self.cancel_all(B)


def stopped(
    strategy: Strategy, delay: Callable[[Asked], float], on_exit: OnExit, after: float
) -> tuple[float, Exchange, list[Asked]]:
    """How long it took to stop, so long after the last order, and what is left."""
    began = [0.0]

    async def wait(runner: Runner) -> None:
        while not any(each.body.get("symbol") == B for each in asked):
            await sleep(0.01)
        await sleep(after)
        began[0] = monotonic()

    asked: list[Asked] = []
    market = Exchange([steps(symbol, [10.0] * 400) for symbol in (A, B)])
    live_run(strategy, wait, exchange=market, network=slow(delay, asked), on_exit=on_exit)
    (closed,) = (each.since for each in asked if each.method == "CLOSE")
    return closed - began[0], market, asked


def in_b(asked: Asked) -> float:
    return HANGS * (asked.body.get("symbol") == B)


@pytest.mark.parametrize("after", [0.1, 3.0, 12.0])
@pytest.mark.parametrize("waits", [False, True], ids=["left", "awaited"])
@pytest.mark.parametrize(("on_exit", "orders", "held"), [("cancel", 0, 1), ("flatten", 0, 0)])
def test_what_was_asked_for_is_done_beside_an_order_without_an_answer(
    on_exit: OnExit,
    orders: int,
    held: int,
    waits: bool,
    after: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    took, market, _ = stopped(Trades(waits=waits), in_b, on_exit, after)
    assert took < 7.4
    assert len(market.orders()) == orders
    assert sum(position.signed_quantity for position in market.positions()) == held
    assert "on_stop took longer" not in caplog.text
    assert "anomaly: S:B Trades-bt-3: sent, and nobody can say whether it arrived" in caplog.text


def test_an_answer_under_way_is_waited_for() -> None:
    took, market, asked = stopped(
        Trades(), lambda asked: 2.5 * (asked.body.get("symbol") == B), "keep", 0.1
    )
    assert took < 3.0
    (post,) = (each for each in asked if each.body.get("symbol") == B)
    assert post.until is not None
    assert post.until - post.since >= 2.5
    assert [order.symbol for order in market.orders()] == [A]


class NeverStops(Trades):
    """Its last hook has no end either."""

    async def on_stop(self) -> None:
        await sleep(HANGS)


@pytest.mark.parametrize("on_exit", ["keep", "flatten"])
def test_hooks_without_end_leave_time_for_what_was_asked_for(
    on_exit: OnExit, caplog: pytest.LogCaptureFixture
) -> None:
    took, market, _ = stopped(NeverStops(waits=True), in_b, on_exit, 0.1)
    assert took < 7.4
    assert len(market.orders()) == (1 if on_exit == "keep" else 0)
    assert "on_stop took longer than 3 s and was cancelled" in caplog.text
