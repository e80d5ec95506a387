"""Order ids chosen by the strategy, next to generated ones."""

from collections.abc import Callable

import pytest

from strategy_runtime import Candle, OrderEvent, OrderRejected, Strategy
from tests.strategies import Scripted


class Named(Strategy):
    """Places an order without an id, then others with ids of its own, and records refusals."""

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
            "client_order_id {!r} begins with 'Named-test-', which is reserved for generated ids; "
            "choose another"
        )
        strategy = pilot.strategy
        assert isinstance(strategy, Named)
        assert strategy.refusals == [
            used,
            used,
            alike.format("Named-test-1"),
            alike.format("Named-test-2"),
        ]


class Halves(Strategy):
    """Uses half of a surrogate pair in every text of an order."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals: list[str] = []

    def on_candle(self, candle: Candle) -> None:
        self.give("S:\ud800")
        self.give("S:A", oco_group="\udfff")
        self.give("S:A", client_order_id="a\ud800b")
        self.buy("S:Ä", 1, oco_group="Ä", client_order_id="Ä")

    def give(self, symbol: str, **names: str) -> None:
        for verb in (self.buy, self.sell):
            try:
                verb(symbol, 1, **names)  # type: ignore[arg-type]
            except ValueError as error:
                self.refusals.append(str(error))


async def test_a_text_that_cannot_be_sent_is_refused_at_once() -> None:
    async with Halves().run_test() as pilot:
        await pilot.candles("S:Ä", closes=[5])
        strategy = pilot.strategy
        assert isinstance(strategy, Halves)
        said = "has half of a surrogate pair, which is not a character and cannot be sent"
        assert strategy.refusals[::2] == strategy.refusals[1::2]
        assert strategy.refusals[::2] == [
            f"symbol 'S:\\ud800' {said}",
            f"oco_group '\\udfff' {said}",
            f"client_order_id 'a\\ud800b' {said}",
        ]
        assert [order.client_order_id for order in pilot.orders] == ["Ä"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.buy("S:A", 1, client_order_id=5), "client_order_id is a text, not 5"),
        (lambda s: s.buy("S:A", 1, oco_group=5), "oco_group is a text, not 5"),
        (lambda s: s.cancel(s.close("S:A")), "name an order by its ticket, itself or its id, "),
        (lambda s: s.modify(7, limit=1), "not by 7"),
    ],
)
async def test_what_is_no_text_and_no_order_is_named(
    call: Callable[[Strategy], object], message: str
) -> None:
    class Wrong(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(TypeError, match=message):
                call(self)

    async with Wrong().run_test() as pilot:
        await pilot.candles("S:A", closes=[5])


async def test_ids_of_a_class_with_a_long_name_are_short_enough_for_every_venue() -> None:
    kind = type("Long" * 20, (Scripted,), {})
    strategy = kind({0: lambda s, c: s.buy("S:X", 1)})
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10, 10])
        (order,) = pilot.orders
        assert order.client_order_id == "LongLongLongLongLongLongLongLon-3c88332b-test-1"
        assert [fill.order_id for fill in pilot.fills] == [order.id]
