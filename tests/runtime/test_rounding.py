"""Rounding of orders: quantities to whole lots, prices to whole ticks."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import Candle, OrderRejected, Side
from strategy_runtime.backtesting import backtest
from strategy_runtime.backtesting.options import options_from
from strategy_runtime.errors import ConfigError, HookFailed
from strategy_runtime.runtime.rounding import AS_GIVEN, Rounding, steps_of
from strategy_runtime.runtime.settings import read_environment, resolve
from tests.strategies import Scripted

X, Y = "S:X", "S:Y"
FLAT = [10, 10, 10, 10]
Action = Callable[[Scripted, Candle], object]


def doing(*actions: Action) -> Scripted:
    return Scripted(dict(enumerate(actions)))


@pytest.mark.parametrize(
    ("arguments", "quantity"),
    [
        ({"quantity": 25}, 25),
        ({"quantity": 7.9}, 7),
        ({"quantity": Decimal("7.9")}, 7),
        ({"notional": 99}, 9),
        ({"fraction": 0.1234}, 1234),
        ({"risk": 100, "stop_loss": 7}, 33),
    ],
)
async def test_quantities_are_rounded_down_to_whole_lots(
    arguments: dict[str, Any], quantity: int
) -> None:
    strategy = doing(lambda s, c: s.buy(X, **arguments))
    async with strategy.run_test(lot_size=1) as pilot:
        await pilot.candles(X, closes=FLAT)
        assert [order.quantity for order in pilot.orders] == [quantity]
        assert pilot.position(X).quantity == quantity


async def test_an_order_for_less_than_a_lot_is_refused() -> None:
    strategy = doing(lambda s, c: s.buy(X, notional=9), lambda s, c: s.sell(X, 0.5))
    async with strategy.run_test(lot_size=1) as pilot:
        await pilot.candles(X, closes=FLAT)
        first, second = strategy.refusals
        assert isinstance(first, OrderRejected)
        assert (first.code, first.details) == ("LOT_SIZE", {"lot_size": "1", "asked": "0.9"})
        assert "0.9 of S:X is less than a lot, which is 1" in str(first)
        assert "0.5 of S:X is less than a lot" in str(second)
        assert [order.status for order in pilot.orders] == []


@pytest.mark.parametrize(
    ("verb", "asked", "rounded"),
    [
        ("buy", {"limit": 9.517}, {"limit_price": "9.51"}),
        ("sell", {"limit": 10.517}, {"limit_price": "10.52"}),
        ("buy", {"stop": 10.511}, {"stop_price": "10.52"}),
        ("sell", {"stop": 9.519}, {"stop_price": "9.51"}),
        ("buy", {"stop": 10.511, "limit": 10.999}, {"stop_price": "10.52", "limit_price": "10.99"}),
        ("sell", {"trailing": 0.111}, {"trailing_distance": "0.12"}),
        ("sell", {"trailing_percent": 1.2345}, {"trailing_distance": "1.2345"}),
        ("buy", {"limit": Decimal("9.51")}, {"limit_price": "9.51"}),
        ("buy", {"limit": 3.17 * 3}, {"limit_price": "9.51"}),
    ],
)
async def test_a_limit_is_rounded_to_no_worse_and_a_stop_to_no_sooner(
    verb: str, asked: dict[str, Any], rounded: dict[str, str]
) -> None:
    strategy = doing(lambda s, c: getattr(s, verb)(X, 1, **asked))
    async with strategy.run_test(tick_size=0.01) as pilot:
        await pilot.candles(X, closes=[10])
        (order,) = pilot.orders
        assert {name: str(getattr(order, name)) for name in rounded} == rounded


@pytest.mark.parametrize(
    ("verb", "stop_loss", "take_profit", "legs"),
    [("buy", 8.999, 11.001, [8.99, 11.01]), ("sell", 11.001, 8.999, [11.01, 8.99])],
)
async def test_the_legs_of_a_bracket_are_in_ticks_too(
    verb: str, stop_loss: float, take_profit: float, legs: list[float]
) -> None:
    strategy = doing(
        lambda s, c: getattr(s, verb)(X, 1, stop_loss=stop_loss, take_profit=take_profit)
    )
    async with strategy.run_test(tick_size="0.01") as pilot:
        await pilot.candles(X, closes=FLAT)
        prices = [leg.stop_price or leg.limit_price for leg in pilot.legs]
        assert [float(price or 0) for price in prices] == legs


async def test_changes_are_rounded_like_orders() -> None:
    strategy = doing(
        lambda s, c: s.buy(X, 5, limit=9),
        lambda s, c: s.modify(s.orders(X)[0], quantity=3.5, limit=9.119),
        lambda s, c: s.modify(s.orders(X)[0], quantity=0.5),
    )
    async with strategy.run_test(lot_size=1, tick_size=0.01) as pilot:
        await pilot.candles(X, closes=FLAT)
        (order,) = pilot.orders
        assert (order.quantity, order.limit_price) == (Decimal(3), Decimal("9.11"))
        (refusal,) = strategy.refusals
        assert "LOT_SIZE: 0.5 of S:X is less than a lot" in str(refusal)


async def test_what_is_held_can_always_be_closed_and_parts_of_it_in_lots() -> None:
    tickets: list[object] = []
    strategy = doing(
        lambda s, c: s.buy(X, 5),
        lambda s, c: tickets.append(s.close(X, s.position(X).quantity / 2)),
        lambda s, c: tickets.append(s.close(X, 0.5)),
        lambda s, c: tickets.append(s.close(X)),
        lambda s, c: tickets.append(s.close(X, 0.5)),
    )
    async with strategy.run_test(lot_size=1) as pilot:
        await pilot.candles(X, closes=[10] * 6)
        assert [(each.side, int(each.quantity)) for each in pilot.orders] == [
            (Side.BUY, 5),
            (Side.SELL, 2),
            (Side.SELL, 3),
        ]
        assert (tickets[1], tickets[3]) == (None, None)


async def test_a_part_of_a_lot_can_be_closed_where_it_is_all_there_is() -> None:
    strategy = doing(
        lambda s, c: s.buy(X, 5), lambda s, c: None, lambda s, c: s.close(X, s.position(X).quantity)
    )
    async with strategy.run_test(lot_size=1, splits=["S:X 1:2 2024-01-02T14:32Z"]) as pilot:
        await pilot.candles(X, closes=[10, 10, 20, 20])
        assert strategy.refusals == []
        assert pilot.position(X).is_flat


async def test_closing_more_than_is_held_leaves_no_part_of_a_lot() -> None:
    strategy = doing(
        lambda s, c: s.buy(X, 5), lambda s, c: None, lambda s, c: s.close(X, Decimal("2.7"))
    )
    async with strategy.run_test(lot_size=1, splits=["S:X 1:2 2024-01-02T14:32Z"]) as pilot:
        await pilot.candles(X, closes=[10, 10, 20, 20])
        assert pilot.orders[-1].quantity == Decimal("2.5")
        assert pilot.position(X).is_flat


async def test_a_part_of_what_is_long_and_short_alike_is_refused_in_lots_too() -> None:
    strategy = doing(
        lambda s, c: [s.buy(X, 5), s.sell(X, 5)], lambda s, c: s.close(X, Decimal("0.7"))
    )
    with pytest.raises(HookFailed) as failed:
        async with strategy.run_test(lot_size=1, mode="HEDGING") as pilot:
            await pilot.candles(X, closes=FLAT)
    assert "S:X is held long and short in equal size, so a quantity could come" in str(
        failed.value.__cause__
    )


async def test_a_target_is_in_whole_lots() -> None:
    strategy = doing(
        lambda s, c: s.target(X, notional=58),
        lambda s, c: s.target(X, quantity=5.9),
        lambda s, c: s.target(X, quantity=-2.5),
        lambda s, c: s.target(X, quantity=0),
    )
    async with strategy.run_test(lot_size=1) as pilot:
        await pilot.candles(X, closes=[10] * 5)
        assert [(each.side, int(each.quantity)) for each in pilot.orders] == [
            (Side.BUY, 5),
            (Side.SELL, 7),
            (Side.BUY, 2),
        ]
        assert strategy.refusals == []


async def test_steps_by_symbol() -> None:
    strategy = doing(lambda s, c: None, lambda s, c: [s.buy(each, 1.23456) for each in (X, Y)])
    async with strategy.run_test(lot_size={X: 1, "*": 0.01}) as pilot:
        await pilot.candles(X, closes=[10])
        await pilot.candles(Y, closes=[10])
        assert [str(order.quantity) for order in pilot.orders] == ["1", "1.23"]
    steps = steps_of({X: 1, "*": 0.01}, "lot_size")
    assert (steps.of(X), steps.of(Y)) == (Decimal(1), Decimal("0.01"))
    assert steps_of(" S:X = 1, *=0.01 ", "lot_size") == steps
    assert str(steps) == "S:X=1,*=0.01"
    assert str(steps_of("0.010", "tick_size")) == "0.01"
    assert steps_of({X: 1}, "lot_size").of(Y) is None


async def test_a_price_of_less_than_a_tick_is_refused() -> None:
    strategy = doing(lambda s, c: s.buy(X, 1, limit=0.004))
    with pytest.raises(HookFailed) as failed:
        async with strategy.run_test(tick_size=0.01) as pilot:
            await pilot.candles(X, closes=FLAT)
    assert "limit=0.004 of S:X is less than one tick of 0.01" in str(failed.value.__cause__)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0", "lot_size: '0' is no step above zero; write one number, such as 0.01, or one for"),
        (-1, "lot_size: -1 is no step above zero"),
        ("nan", "'nan' is no step"),
        ("S:X=", "'' is no step"),
        ("S:X", "'S:X' is no step"),
        (True, "True is no step"),
        ("S:X=1,S:X=2", "lot_size has 'S:X' twice"),
        ("=1", "lot_size has '' in the place of a symbol"),
        ({1: 1}, "lot_size has 1 in the place of a symbol"),
        ({X: None}, "None is no step"),
        ("1e-19", "'1e-19' is no step"),
    ],
)
def test_steps_that_are_none_are_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        steps_of(given, "lot_size")
    assert message in str(refused.value)


@given(
    st.decimals(Decimal("1e-9"), Decimal("1e9"), places=9),
    st.sampled_from(["1", "0.01", "0.25", "0.0001", "7", "100"]),
)
def test_rounding_is_by_less_than_a_step_and_leaves_multiples_alone(
    number: Decimal, step: str
) -> None:
    size = Decimal(step)
    rounding = Rounding(lot_size=steps_of(step, "lot_size"), tick_size=steps_of(step, "tick_size"))
    lots = rounding.lots(X, number)
    assert lots <= number < lots + size
    assert lots % size == 0
    assert rounding.lots(X, lots) is lots
    limit = rounding.prices(X, Side.SELL, {"limit_price": number})["limit_price"]
    assert number <= limit < number + size
    assert limit % size == 0


def test_steps_that_are_not_given_may_be_none() -> None:
    _, _, rounding = options_from({"lot_size": None, "tick_size": None})
    assert rounding == AS_GIVEN


def test_results_show_the_steps_and_warn_of_symbols_that_never_come(tmp_path: Path) -> None:
    prices = tmp_path / "X.csv"
    prices.write_text("timestamp,open,high,low,close\n2024-01-02,1,1,1,1\n2024-01-03,1,1,1,1\n")
    summary = backtest(Scripted({}), prices, lot_size={"X": 1}, tick_size=0.5).summary
    assert (summary.options["lot_size"], summary.options["tick_size"]) == ("X=1", "0.5")
    assert summary.warnings == []
    summary = backtest(Scripted({}), prices, lot_size={"XX": 1}).summary
    assert summary.warnings == ["lot_size names XX, for which no data comes; did you mean 'X'?"]
    assert "tick_size" not in summary.options


def test_a_list_of_a_whole_market_makes_one_warning() -> None:
    """Looking for similar names among thousands takes seconds, in each run of a sweep."""
    names = [f"A{number:04}" for number in range(2000)]
    rounding = Rounding(lot_size=steps_of(dict.fromkeys(names, 1), "lot_size"))
    assert list(rounding.unknown_symbols(names)) == []
    assert len(list(rounding.unknown_symbols({*names[5:]}))) == 5
    (warning,) = rounding.unknown_symbols({*names[:1000]})
    assert warning == (
        "lot_size names 1,000 symbols for which no data comes: A1000, A1001, A1002, A1003, A1004 "
        "and 995 more"
    )


def test_settings_have_steps_and_warn_of_symbols_that_are_not_subscribed_to() -> None:
    variables = {"STRATEGY_LOT_SIZE": "AAPL=1", "SUBSCRIPTIONS": "S:AAPL:candle"}
    found = resolve({"tick_size": "0.01"}, read_environment(variables))
    assert str(found.rounding.tick_size) == "0.01"
    assert ("lot-size", "AAPL=1", "STRATEGY_LOT_SIZE") in found.rows()
    said = "lot_size names AAPL, for which no data comes; did you mean 'S:AAPL'?"
    assert found.warnings == [said]
    with pytest.raises(ConfigError, match="STRATEGY_LOT_SIZE: 'one' is no step above zero"):
        resolve({}, read_environment({"STRATEGY_LOT_SIZE": "one"}))
