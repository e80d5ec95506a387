"""Errors of verbs, views and timers for arguments that a type checker would refuse."""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any, ClassVar

import pytest

from strategy_runtime import Candle, Strategy, crossed_above, crossed_below
from strategy_runtime.errors import ConfigError

A = "S:A"
NO_SYMBOL = "a symbol is a text such as candle.symbol or 'S:AAPL', not a Candle"
NO_COUNT = "history() takes a whole number of candles, 0 or more, not "
NO_COMPARISON = "compare an indicator with another one or with a number, as in crossed_above"

Act = Callable[[Any, Any], object]


class Says(Strategy):
    """Calls a function at its second candle, with a position and an average."""

    lookback: ClassVar[int] = 3

    def __init__(self, act: Act) -> None:
        super().__init__()
        self.act = act
        self.error: Exception | None = None

    def on_start(self) -> None:
        self.fast = self.sma(2)

    def on_candle(self, candle: Candle) -> None:
        if self.position(A).is_flat:
            self.buy(A, 10)
            return
        try:
            self.act(self, candle)
        except Exception as error:
            self.error = error


async def said(act: Act) -> str:
    strategy = Says(act)
    async with strategy.run_test() as pilot:
        await pilot.candles(A, closes=[10, 11])
        assert len(pilot.orders) == 1
    assert strategy.error is not None
    return f"{type(strategy.error).__name__}: {strategy.error}"


@pytest.mark.parametrize(
    "act",
    [
        lambda self, candle: self.history(candle, 1),
        lambda self, candle: self.last(candle),
        lambda self, candle: self.orders(candle),
        lambda self, candle: self.cancel_all(candle),
        lambda self, candle: self.position(candle),
        lambda self, candle: self.close(candle),
        lambda self, candle: self.buy(candle, 1),
        lambda self, candle: self.target(candle, quantity=1),
    ],
)
async def test_a_candle_is_no_symbol(act: Act) -> None:
    assert await said(act) == f"TypeError: {NO_SYMBOL}"


@pytest.mark.parametrize(
    ("act", "other"),
    [
        (lambda self, candle: self.position(A) == 0, "0"),
        (lambda self, candle: self.position(A) != 0, "0"),
        (lambda self, candle: self.position(A) > 0, "0"),
        (lambda self, candle: candle.close < self.position(A), "11.0"),
        (lambda self, candle: A in self.positions, "'S:A'"),
    ],
)
async def test_a_position_is_neither_a_number_nor_a_symbol(act: Act, other: str) -> None:
    assert await said(act) == (
        f"TypeError: a position is not compared with {other}: compare its quantity or its symbol, "
        "or ask whether it is_flat, is_long or is_short"
    )


async def test_a_position_is_found_among_others() -> None:
    class Holds(Strategy):
        def on_candle(self, candle: Candle) -> None:
            mine = self.position(candle.symbol)
            self.buy(candle.symbol, 1) if mine.is_flat else None
            assert (mine in self.positions) is not mine.is_flat
            assert mine == self.position(candle.symbol)
            assert mine != self.position("S:B")
            assert {mine: 1}[mine] == 1

    async with Holds().run_test() as pilot:
        await pilot.candles(A, closes=[10, 11])


@pytest.mark.parametrize("count", [-1, 2.0, True, "2", None])
async def test_an_impossible_number_of_candles_is_refused(count: Any) -> None:
    assert await said(lambda self, candle: self.history(A, count)) == (
        f"ValueError: {NO_COUNT}{count!r}"
    )


@pytest.mark.parametrize(
    ("act", "name", "value"),
    [
        (lambda self, candle: self.buy(A, True), "quantity", "True"),
        (lambda self, candle: self.buy(A, "1"), "quantity", "'1'"),
        (lambda self, candle: self.sell(A, 1, limit="5"), "limit", "'5'"),
        (lambda self, candle: self.buy(A, fraction=True), "fraction", "True"),
        (lambda self, candle: self.close(A, True), "quantity", "True"),
        (lambda self, candle: self.target(A, quantity=True), "quantity", "True"),
        (lambda self, candle: self.target(A, quantity="1"), "quantity", "'1'"),
        (lambda self, candle: self.target(A, notional="-1"), "notional", "'-1'"),
    ],
)
async def test_texts_and_booleans_are_not_numbers(act: Act, name: str, value: str) -> None:
    assert await said(act) == f"ValueError: {name} must be a number above zero, not {value}"


@pytest.mark.parametrize("name", ["post_only", "reduce_only"])
@pytest.mark.parametrize("value", ["no", 1, None])
async def test_a_flag_is_true_or_false(name: str, value: object) -> None:
    assert await said(lambda self, candle: self.buy(A, 1, limit=5, **{name: value})) == (
        f"TypeError: {name} is True or False, not {value!r}"
    )


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda self, candle: self.every(timedelta(minutes=5), print),
            "TimeframeError: datetime.timedelta(seconds=300) is not a timeframe; write a number",
        ),
        (
            lambda self, candle: self.at(time(9, 30), print),
            "ValueError: at(datetime.time(9, 30)): write '09:30' or '09:30:00'",
        ),
        (
            lambda self, candle: self.at("09:30", print, tz=None),
            "ValueError: at(…, tz=None): no such time zone; try 'America/New_York'",
        ),
        (
            lambda self, candle: self.at("09:30", print, tz=5),
            "ValueError: at(…, tz=5): no such time zone; try 'America/New_York'",
        ),
        (
            lambda self, candle: self.sma(3, timeframe=5),
            "TimeframeError: 5 is not a timeframe; write a number",
        ),
        (
            lambda self, candle: self.sma(True),
            "ValueError: a period in candles must be a whole number",
        ),
        (
            lambda self, candle: self.indicator(60),
            "TypeError: a family needs a function that makes an indicator, such as",
        ),
        (lambda self, candle: crossed_above(self.fast, 5), f"TypeError: {NO_COMPARISON}"),
        (lambda self, candle: crossed_below(self.fast, self.fast), f"TypeError: {NO_COMPARISON}"),
        (lambda self, candle: crossed_below(self.fast[A], candle), f"TypeError: {NO_COMPARISON}"),
    ],
)
async def test_the_error_names_the_argument(act: Act, message: str) -> None:
    assert (await said(act)).startswith(message)


@pytest.mark.parametrize("kept", [-1, "5", 2.5, None, True])
async def test_a_history_of_so_many_candles_cannot_be_kept(kept: Any) -> None:
    class Keeps(Strategy):
        lookback: ClassVar[int] = kept

    with pytest.raises(ConfigError, match=r"Keeps\.lookback is how many candles history\(\) ke"):
        async with Keeps().run_test():
            pass
