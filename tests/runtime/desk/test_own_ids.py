"""Ids that a strategy chooses for its orders, beside those that are given to the others."""

import pytest

from strategy_runtime import Candle, OrderEvent, OrderRejected, Strategy


class Named(Strategy):
    """Gives one order without an id, then others with ids of its own, and notes what is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.candles = 0
        self.refusals: list[str] = []

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 1:
            assert self.buy("S:A", 1).client_order_id == "Named-test-1"
            self.give("mine")
            self.give("mine")
        elif self.candles == 3:  # both have filled
            self.give("mine")
            self.give("Named-test-1")
            self.give("Named-test-2")
            self.give("Named-other-2")
            assert self.buy("S:A", 1).client_order_id == "Named-test-2"

    def give(self, own_id: str) -> None:
        try:
            self.buy("S:A", 1, client_order_id=own_id)
        except ValueError as error:
            self.refusals.append(str(error))

    def on_error(self, error: Exception) -> None:
        assert not isinstance(error, OrderRejected)


class Hears(Named):
    def on_order(self, event: OrderEvent) -> None:
        pass


Hears.__name__ = "Named"


@pytest.mark.parametrize("kind", [Named, Hears])
async def test_an_id_names_one_order_of_a_run(kind: type[Named]) -> None:
    async with kind().run_test() as pilot:
        await pilot.candles("S:A", closes=[5, 5, 5, 5])
        given = [order.client_order_id for order in pilot.orders]
        assert given == ["Named-test-1", "mine", "Named-other-2", "Named-test-2"]
        used = "client_order_id 'mine' has been used in this run"
        alike = (
            "client_order_id {!r} begins with 'Named-test-' like the ids that orders without one "
            "are given; choose another"
        )
        strategy = pilot.strategy
        assert isinstance(strategy, Named)
        assert strategy.refusals == [
            used,
            used,
            alike.format("Named-test-1"),
            alike.format("Named-test-2"),
        ]
