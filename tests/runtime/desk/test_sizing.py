"""Order sizing in four ways, and positions brought to a target."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import Candle, Side, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.runtime.desk.sizing import size_of
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from tests.chaos.busy import steps
from tests.runtime.virtual_run import live_run
from tests.strategies import Scripted

X = "S:X"
FLAT = [10, 10, 10, 10]


async def test_the_four_ways_of_sizing() -> None:
    class Sizes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, 7)
            self.buy(X, fraction=0.1)
            self.buy(X, notional=500)
            self.buy(X, risk=100, stop_loss=8)

    async with Sizes().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert [order.quantity for order in pilot.orders] == [7, 1000, 50, 50]


@pytest.mark.parametrize(
    ("arguments", "close", "quantity"),
    [
        ({"notional": 100}, 3, "33.33333333"),
        ({"notional": 100}, 7, "14.28571428"),
        ({"notional": 1000}, 10, "100"),
        ({"fraction": 0.02}, 0.03, "66666.66666"),
        ({"risk": 10, "stop_loss": 4}, 7, "3.333333333"),
        ({"quantity": 0.1 + 0.2}, 7, "0.3000000000"),
        ({"quantity": Decimal("1.23456789012345")}, 7, "1.23456789012345"),
        ({"quantity": Decimal(1000) / Decimal("187.25")}, 7, "5.340453938584779706"),
        ({"quantity": 1.23456789e-12}, 7, "1.234567E-12"),
        ({"notional": 1e-12}, 7, "1.42857E-13"),
    ],
)
async def test_a_size_is_rounded_down_to_ten_digits(
    arguments: dict[str, float], close: float, quantity: str
) -> None:
    class Sizes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, **arguments)  # type: ignore[arg-type]

    async with Sizes().run_test() as pilot:
        await pilot.candles(X, closes=[close])
        assert [str(order.quantity) for order in pilot.orders] == [quantity]


async def test_what_is_bought_in_parts_and_sold_in_the_same_parts_leaves_nothing() -> None:
    lots = [Decimal(1000) / Decimal(price) for price in ("187.25", "91.1", "33.33")]

    def each(verb: str) -> Callable[[Scripted, Candle], object]:
        return lambda s, c: [getattr(s, verb)(X, lot) for lot in lots]

    async with Scripted({0: each("buy"), 1: each("sell")}).run_test() as pilot:
        await pilot.candles(X, closes=FLAT)
        assert len(pilot.fills) == 6
        assert pilot.position(X).is_flat


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give exactly one of quantity, fraction, notional and risk for S:X, not none of"),
        ({"quantity": 1, "risk": 2}, "not quantity and risk"),
        ({"risk": 100}, "give stop_loss="),
        ({"quantity": -1}, "quantity must be a number above zero, not -1"),
        ({"quantity": 0}, "quantity must be a number above zero, not 0"),
        ({"quantity": 0.0}, "quantity must be a number above zero, not 0.0"),
        (
            {"quantity": Decimal("1E-19")},
            "quantity must be at least 0.000000000000000001, not 0.0000000000000000001",
        ),
        (
            {"quantity": 1e-19},
            "quantity must be at least 0.000000000000000001, not 0.0000000000000000001",
        ),
        (
            {"notional": 1e-18},
            "notional=0.000000000000000001 of S:X at 10 gives no quantity that could be traded, "
            "which is at least 0.000000000000000001",
        ),
        ({"quantity": float("nan")}, "quantity must be a number above zero, not nan"),
        (
            {"quantity": 1, "trailing": 1, "trailing_percent": 5},
            "give trailing= .price units. or trailing_percent=, not both",
        ),
        ({"quantity": 1, "limit": 5, "trailing": 1}, "a trailing stop takes neither limit= nor"),
        (
            {"quantity": 1, "time_in_force": "GOOD"},
            "time_in_force is one of GTC, DAY, IOC, FOK, not 'GOOD'",
        ),
    ],
)
async def test_arguments_that_contradict_each_other(
    arguments: dict[str, Any], message: str
) -> None:
    class Wrong(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(ValueError, match=message):
                self.buy(X, **arguments)

    async with Wrong().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_what_is_sized_by_a_price_needs_one() -> None:
    class Elsewhere(Strategy):
        def on_candle(self, candle: Candle) -> None:
            said = (
                "notional= needs a price of S:Y and none has been seen; give quantity=, or limit="
            )
            with pytest.raises(ValueError, match=said):
                self.buy("S:Y", notional=100)

    async with Elsewhere().run_test() as pilot:
        await pilot.candles(X, closes=[10])


@pytest.mark.parametrize("target", [{}, {"quantity": 1, "notional": 10}])
async def test_a_target_is_meant_in_one_way(target: dict[str, int]) -> None:
    class Wrong(Strategy):
        def on_candle(self, candle: Candle) -> None:
            said = "give exactly one of quantity, fraction and notional as the target of S:X$"
            with pytest.raises(ValueError, match=said):
                self.target(X, **target)

    async with Wrong().run_test() as pilot:
        await pilot.candles(X, closes=[10])


@pytest.mark.parametrize("limits", [{}, {"max_order_notional": 1_000_000}])
async def test_a_fraction_of_no_equity_is_refused_and_the_run_ends_as_it_does(
    limits: dict[str, Any],
) -> None:
    def all_in(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, fraction=1)
        strategy.target(X, fraction=0.5)

    strategy = Scripted({0: lambda s, c: s.sell(X, fraction=1), 2: all_in})
    async with strategy.run_test(**limits) as pilot:
        await pilot.candles(X, bars=[[10] * 4, [10] * 4, [10, 25, 10, 25], [25] * 4])
        assert pilot.exchange.outcome().bankrupt
        assert [order.quantity for order in pilot.orders] == [10_000, 10_000]
    assert [str(refusal) for refusal in strategy.refusals] == [
        "S:X Scripted-test-2: INSUFFICIENT_FUNDS: equity is -50000, so fraction= gives no quantity"
    ]


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("buy", {"stop_loss": 12}, "must be below the entry price 10 for risk= to be lost there"),
        ("buy", {"stop_loss": 10}, "must be below the entry price 10"),
        ("buy", {"stop_loss": 9.5, "limit": 9}, "must be below the entry price 9 for"),
        ("sell", {"stop_loss": 8}, "must be above the entry price 10 for"),
    ],
)
async def test_the_stop_to_which_risk_is_measured_is_on_the_side_of_losses(
    verb: str, arguments: dict[str, Any], message: str
) -> None:
    class Wrong(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(ValueError, match=message):
                getattr(self, verb)(X, risk=100, **arguments)
            right = {"buy": 8, "sell": 12}[verb]
            getattr(self, verb)(X, risk=100, stop_loss=right)

    async with Wrong().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert [order.quantity for order in pilot.orders] == [50]


@pytest.mark.parametrize("way", ["notional", "fraction", "risk"])
@pytest.mark.parametrize("price", [0.0, -37.63])
def test_nothing_is_sized_by_a_price_of_nothing(way: str, price: float) -> None:
    sizes: dict[str, Any] = {"notional": None, "fraction": None, "risk": None, way: 5}
    with pytest.raises(ValueError, match="needs a price of S:X above zero, and the last"):
        size_of(
            X,
            Side.SELL,
            None,
            **sizes,
            equity=lambda: Decimal(1000),
            prices={"stop_loss": Decimal(1)},
            last={X: price},
        )


async def test_target_brings_a_position_to_a_size() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.target(X, quantity=10),
            1: lambda s, c: s.target(X, quantity=-5),
            2: lambda s, c: s.target(X, quantity=-5),
            3: lambda s, c: s.target(X, fraction=0),
        }
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 5)
        assert [f.quantity * f.side.sign for f in pilot.fills] == [10, -15, 5]


@pytest.mark.parametrize("sign", [1, -1])
async def test_a_part_of_a_position_is_closed_on_either_side(sign: int) -> None:
    strategy = Scripted(
        {0: lambda s, c: s.target(X, quantity=10 * sign), 1: lambda s, c: s.close(X, 4)}
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert [f.quantity * f.side.sign for f in pilot.fills] == [10 * sign, -4 * sign]


async def test_target_leaves_nothing_beside_a_position_on_an_account_that_hedges() -> None:
    held: list[list[Decimal]] = []

    def look(strategy: Scripted, candle: Candle) -> int:
        held.append([part.signed_quantity for part in pilot.exchange.positions()])
        return len(held)

    strategy = Scripted(
        {
            0: lambda s, c: s.target(X, quantity=10),
            1: lambda s, c: (look(s, c), s.target(X, quantity=4)),
            2: lambda s, c: (look(s, c), s.target(X, quantity=-5)),
            3: lambda s, c: (look(s, c), s.target(X, fraction=0)),
            4: look,
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT] * 5)
    assert held == [[10], [4], [-5], []]
    assert strategy.refusals == []


class Turns(Strategy):
    """Targets a position on one side, then on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.targets = [10, -5]

    def on_candle(self, candle: Candle) -> None:
        if self.targets:
            self.target("S:A", quantity=self.targets.pop(0))


def test_live_target_leaves_nothing_beside_a_position_either() -> None:
    exchange = Exchange([steps("S:A", [10.0] * 20)], ExchangeOptions(mode=PositionMode.HEDGING))
    live_run(Turns(), lambda runner: sleep(10), exchange=exchange)
    assert [part.signed_quantity for part in exchange.positions()] == [-5]


async def test_target_does_not_turn_a_position_that_a_stop_has_closed() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.buy(X, 10, stop_loss=9),
            1: lambda s, c: s.target(X, quantity=0),
        }
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, (8, 8, 8, 8), (8, 8, 8, 8)])
        assert [f.quantity * f.side.sign for f in pilot.fills] == [10, -10]
