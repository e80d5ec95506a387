"""A key that is revoked during a run ends it, without endless retries."""

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied
from strategy_runtime.runtime.runner import Runner
from tests.chaos.plan import Fault, Kind
from tests.runtime.virtual_run import live_run


class Rests(Strategy):
    """Has an open order, so that the venue is asked for it now and then."""

    def on_candle(self, candle: Candle) -> None:
        if not self.orders():
            self.buy("S:A", 1, limit=5)


async def wait(runner: Runner) -> None:
    await sleep(30)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("lost", [(), (Fault(Kind.DROP, 10),)], ids=["link up", "link lost"])
def test_a_key_that_is_not_taken_any_more_ends_the_run(
    lost: tuple[Fault, ...], status: int
) -> None:
    # After the start, and the order with the request whether the proxy knows ids.
    denied = tuple(Fault(Kind.STATUS_BEFORE, at, number=status) for at in range(16, 30))
    with pytest.raises(AccessDenied, match=rf"the proxy refused GET /\w+ with {status}: a status"):
        live_run(Rests(), wait, faults=(*lost, *denied))
