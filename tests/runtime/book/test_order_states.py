"""Orders of ours before their first event."""

import pytest

from strategy_runtime import Candle, OrderStatus, Strategy
from strategy_runtime.runtime.book.order_states import pending
from tests.asked import ASKED, EVERYTHING

X = "S:X"


@pytest.mark.parametrize("name", ASKED)
def test_an_order_on_its_way_is_what_was_asked_for(name: str) -> None:
    assert getattr(pending(EVERYTHING, "c-1"), name) == getattr(EVERYTHING, name)


async def test_an_order_that_closes_a_position_names_it_before_its_first_event() -> None:
    class Closes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(X).is_flat:
                self.buy(X, 1)
            elif not self.orders():
                self.close(X)
                (order,) = self.orders()
                self.seen = order.status, order.position_id

    strategy = Closes()
    async with strategy.run_test(mode="hedging") as pilot:
        await pilot.candles(X, closes=[10, 10])
        (held,) = pilot.exchange.positions()
    assert strategy.seen == (OrderStatus.PENDING, held.id)
