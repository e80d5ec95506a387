"""Orders of a live run in which three in ten order requests fail.

`pytest tests/chaos/test_intents.py --intents 10000` places more of them.
"""

from collections import Counter

import pytest

from strategy_runtime import Candle, Strategy, Ticket
from strategy_runtime.clock import sleep
from strategy_runtime.ids import Random, generator
from strategy_runtime.proxy.transport import Answer
from strategy_runtime.runtime.desk.refusals import FATE_UNKNOWN
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.plan import Fault, Kind, Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, venue_on
from tests.figures import Tell

SYMBOLS = 100
SHARE = 0.3
SETTLED_S = 60.0

_FAULTS = (
    Kind.NOT_SENT,
    Kind.LOST_BEFORE,
    Kind.LOST_AFTER,
    Kind.RESET_BEFORE,
    Kind.RESET_AFTER,
    Kind.STATUS_BEFORE,
    Kind.STATUS_AFTER,
    Kind.HTML,
    Kind.TRUNCATED,
)


class Gives(Strategy):
    """Buys and sells in turn, one order per candle."""

    def __init__(self, intents: int) -> None:
        super().__init__()
        self.tickets: list[Ticket] = []
        self._intents = intents

    @property
    def is_done(self) -> bool:
        """Whether all orders are placed and settled."""
        return len(self.tickets) == self._intents and all(t.is_settled for t in self.tickets)

    def on_candle(self, candle: Candle) -> None:
        if len(self.tickets) < self._intents:
            long = self.position(candle.symbol).is_long
            give = self.sell if long else self.buy
            self.tickets.append(give(candle.symbol, 1))


class BadForOrders(MemoryNetwork):
    """Makes three in ten order requests fail."""

    def __init__(
        self, proxy: MemoryProxy, loop: VirtualLoop, time: VirtualTime, rng: Random
    ) -> None:
        super().__init__(proxy, Plan([]), loop, time, rng)
        self.posts = 0
        self._draw = rng

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        if method == "POST":
            self.posts += 1
            if self._draw.random() < SHARE:
                kind = self._draw.choice(_FAULTS)
                number = self._draw.choice((500, 502, 503, 504))
                self.plan = Plan([Fault(kind, 1, number)])
        return await super().request(method, url, body)


def market() -> Exchange:
    prices = [10.0 + number % 3 for number in range(20_000 // SYMBOLS)]
    return Exchange([steps(f"S:{place:03}", prices) for place in range(SYMBOLS)])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("knows_ids", [True, False])
def test_every_intent_is_booked_once_or_refused(
    knows_ids: bool, pytestconfig: pytest.Config, tell: Tell
) -> None:
    intents: int = pytestconfig.getoption("--intents")
    loop, rng = VirtualLoop(), generator(30)
    time = VirtualTime(loop)
    # A minute takes ten, so that the orders of one candle are sent before the next.
    proxy = MemoryProxy(market(), speed=0.1, knows_ids=knows_ids)
    network = BadForOrders(proxy, loop, time, rng)
    strategy = Gives(intents)
    venue = venue_on(network, rng, is_live=True)
    runner = Runner(strategy, venue, mode="live", rng=rng)

    async def work() -> list[str]:
        conducting = loop.create_task(proxy.stream.conduct())
        running = loop.create_task(runner.run())
        while not strategy.is_done:
            await sleep(60)
        await sleep(SETTLED_S)
        halted = runner.status().halted_symbols
        runner.stop()
        await running
        conducting.cancel()
        return halted

    assert virtual_time.run(work(), loop, time) == []
    outcomes: Counter[str] = Counter()
    told_unknown = 0
    for ticket in strategy.tickets:
        code = None if ticket.error is None else ticket.error.code
        is_booked = ticket.client_order_id in proxy.booked
        if code == FATE_UNKNOWN:
            told_unknown += 1
        else:
            assert is_booked == (code is None), (ticket.client_order_id, code)
        order = runner._book.order(ticket.client_order_id)
        assert order is not None
        assert (order.status.value == "REJECTED") != is_booked
        outcomes["booked" if is_booked else "refused"] += 1
    assert set(proxy.booked.values()) == {1}
    assert outcomes.total() == intents
    tell(
        f"{intents:,} intents, {SHARE:.0%} of {network.posts:,} POSTs faulty, proxy "
        f"{'knows' if knows_ids else 'does not know'} ids again: {dict(outcomes)}, none twice, "
        f"none unknown in the end, {told_unknown} for a while"
    )
