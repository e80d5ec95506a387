"""An unexpected error of a request is a failure of its hook, and its ticket is settled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from strategy_runtime import Candle, OrderRejected, Strategy, Ticket
from strategy_runtime.clock import sleep
from strategy_runtime.errors import HookFailed
from strategy_runtime.ids import generator
from strategy_runtime.protocol.models import OrderHandle, OrderRequest
from strategy_runtime.proxy.transport import Answer
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.plan import Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, venue_on
from tests.runtime.virtual_run import live_run

X = "S:A"
LATE_S = 2.0


class Broken(MemoryNetwork):
    """Raises an unexpected error instead of placing an order for 13, and after one for 14."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        if b'"quantity":"13"' in (body or b"") or method == "DELETE":
            raise LookupError("broken")
        answer = await super().request(method, url, body)
        if b'"quantity":"14"' in (body or b""):
            await sleep(LATE_S)
            raise LookupError("broken late")
        return answer


class Does(Strategy):
    """Performs given actions at its first candles, and records errors and anomalies."""

    def __init__(self, *deeds: Callable[["Does"], Any]) -> None:
        super().__init__()
        self.candles = 0
        self.errors: list[Exception] = []
        self.anomalies: list[str] = []
        self.tickets: list[Ticket] = []
        self._deeds = deeds

    async def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles <= len(self._deeds):
            done = self._deeds[self.candles - 1](self)
            if asyncio.iscoroutine(done):
                await done

    def gives(self, quantity: int) -> Ticket:
        self.tickets.append(self.buy(X, quantity, limit=5))
        return self.tickets[-1]

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)


def leaves(strategy: Does) -> None:
    strategy.gives(13)


async def awaits(strategy: Does) -> None:
    await strategy.gives(13)


def backtest(strategy: Strategy, on_error: OnError | None = None) -> None:
    """Run a strategy over the network."""
    loop, rng = VirtualLoop(), generator(0)
    time = VirtualTime(loop)
    proxy = MemoryProxy(Exchange([steps(X, [10.0] * 20)]), speed=None, knows_ids=True)
    network = Broken(proxy, Plan([]), loop, time, rng)

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        venue = venue_on(network, rng, is_live=False)
        try:
            await Runner(strategy, venue, mode="backtest", on_error=on_error).run()
        finally:
            conducting.cancel()

    virtual_time.run(work(), loop, time)


def live(strategy: Strategy) -> Exchange:
    return live_run(strategy, lambda runner: sleep(30), network=Broken)


DOUBT = (
    "S:A Does-bt-1: sent, and nobody can say whether it arrived: LookupError: broken; no more "
    "orders in S:A until it is known"
)


@pytest.mark.parametrize("deed", [leaves, awaits])
def test_in_a_backtest_it_ends_the_run(deed: Callable[[Does], Any]) -> None:
    strategy = Does(deed)
    with pytest.raises(
        HookFailed, match=r"^on_candle failed at candle S:A .* \(evt-1\)$"
    ) as caught:
        backtest(strategy)
    assert isinstance(caught.value.__cause__, LookupError)
    assert (strategy.candles, strategy.anomalies) == (1, [DOUBT])


def test_where_the_run_goes_on_each_is_told_and_what_follows_is_answered() -> None:
    def gives_three(strategy: Does) -> None:
        strategy.gives(13)
        strategy.cancel(strategy.tickets[0])
        strategy.gives(2)

    strategy = Does(lambda self: self.gives(1), gives_three)
    backtest(strategy, "continue")
    assert strategy.candles == 20
    first, second = (each for each in strategy.errors if isinstance(each, HookFailed))
    refusals = [each for each in strategy.errors if isinstance(each, OrderRejected)]
    assert str(first).startswith("on_candle failed at candle S:A")
    assert str(second) == "an earlier hook failed"
    assert [type(error.__cause__) for error in (first, second)] == [LookupError] * 2
    assert [(each.code, each.client_order_id) for each in refusals] == [
        ("NOT_ANSWERED", "Does-bt-1"),
        ("SYMBOL_HALTED", "Does-bt-3"),
    ]
    assert strategy.anomalies[0] == DOUBT.replace("bt-1", "bt-2")


@pytest.mark.parametrize("deed", [leaves, awaits])
def test_live_it_is_told_and_the_order_is_asked_for(
    deed: Callable[[Does], Any], caplog: pytest.LogCaptureFixture
) -> None:
    strategy = Does(deed)
    live(strategy)
    (failure,) = strategy.errors
    assert isinstance(failure, HookFailed)
    assert failure.hook == "on_candle"
    assert "LookupError: broken" in caplog.text
    assert strategy.anomalies == [
        DOUBT,
        "S:A Does-bt-1 never arrived; orders in S:A are sent again",
    ]
    assert strategy.candles > 25


def test_one_that_ends_so_when_no_hook_waits_for_it_any_more_is_told_all_the_same() -> None:
    strategy = Does(lambda self: self.gives(14))
    exchange = live(strategy)
    (failure,) = strategy.errors
    assert isinstance(failure, HookFailed)
    assert str(failure) == "an earlier hook failed"
    assert str(failure.__cause__) == "broken late"
    assert [order.client_order_id for order in exchange.orders()] == ["Does-bt-1"]
    assert strategy.tickets[0].order.status.value == "OPEN"


def test_one_that_the_last_hook_gave_fails_the_run() -> None:
    class Cancels(Does):
        def on_stop(self) -> None:
            self.cancel_all()

    with pytest.raises(HookFailed, match=r"^on_stop failed$"):
        live(Cancels(lambda self: self.gives(1)))


def test_one_behind_all_hooks_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    strategy = Does(lambda self: self.gives(1))
    live_run(strategy, lambda runner: sleep(10), network=Broken, on_exit="cancel")
    (record,) = (each for each in caplog.records if each.message == "a request failed")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


class BrokenExchange(Exchange):
    """Raises instead of placing an order."""

    def submit(self, request: OrderRequest) -> OrderHandle:
        raise LookupError("broken")

    def place(self, request: OrderRequest) -> Any:
        raise LookupError("broken")


async def test_in_process_its_ticket_is_not_waited_for_without_end() -> None:
    async def waits(strategy: Does) -> None:
        with pytest.raises(OrderRejected, match=r"NOT_ANSWERED: .*: LookupError: broken"):
            await strategy.tickets[0]

    strategy = Does(leaves, waits)
    venue = SimulatedVenue(BrokenExchange([steps(X, [10.0] * 3)]))
    await Runner(strategy, venue, mode="backtest", on_error="continue").run()
    (failure,) = strategy.errors
    assert isinstance(failure.__cause__, LookupError)
    assert strategy.candles == 3
