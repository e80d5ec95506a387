"""Indicators against their definitions."""

from math import isnan
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import Ema, Family, Sma, Strategy, crossed_above, crossed_below
from strategy_runtime.errors import TimeframeError

prices = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200)


@given(prices, st.integers(1, 30))
def test_sma_is_the_mean_of_the_last_prices(values: list[float], period: int) -> None:
    average = Sma(period)
    for count, price in enumerate(values, start=1):
        average.push(price)
        if count < period:
            assert isnan(average.value)
            assert not average.is_ready
        else:
            assert average.value == pytest.approx(fmean(values[count - period : count]))


@given(prices, st.integers(1, 30))
def test_ema_follows_its_recursion_from_the_simple_mean(values: list[float], period: int) -> None:
    average = Ema(period)
    expected: float | None = None
    for count, price in enumerate(values, start=1):
        average.push(price)
        if count == period:
            expected = fmean(values[:period])
        elif expected is not None:
            expected += 2 / (period + 1) * (price - expected)
        if expected is None:
            assert isnan(average.value)
        else:
            assert average.value == pytest.approx(expected)


def test_crossings_happen_once_and_never_before_both_are_warm() -> None:
    quick, calm = Sma(1), Sma(3)
    seen = []
    for price in [3, 2, 1, 5, 6, 1, 1]:
        quick.push(price)
        calm.push(price)
        seen.append((crossed_above(quick, calm), crossed_below(quick, calm)))
    assert seen == [(False, False)] * 3 + [(True, False), (False, False), (False, True)] + [
        (False, False)
    ]


@pytest.mark.parametrize("is_number", [True, False])
def test_to_touch_is_not_to_cross_and_to_leave_is(is_number: bool) -> None:
    quick, level = Sma(1), Sma(1)
    for price, above, below in [
        (1, False, False),
        (2, False, False),
        (3, True, False),
        (2, False, False),
        (1, False, True),
        (3, True, False),
        (1, False, True),
        (2, False, False),
        (1, False, True),
    ]:
        quick.push(price)
        level.push(2)
        other = 2 if is_number else level
        crossed = crossed_above(quick, other), crossed_below(quick, other)
        assert crossed == (above, below)


def test_a_family_makes_one_member_a_symbol() -> None:
    family = Family[Sma](lambda: Sma(2))
    assert family["S:A"] is family["S:A"]
    assert family["S:A"] is not family["S:B"]


@pytest.mark.parametrize("period", [0, -3, 2.5, "10", None, 10**20])
def test_a_period_that_cannot_be_one_is_refused_where_it_is_given(period: Any) -> None:
    said = rf"must be a whole number from 1 to 1000000, not {period!r}$"
    with pytest.raises(ValueError, match=said):
        Sma(period)
    for make in (Strategy().sma, Strategy().ema):
        with pytest.raises(ValueError, match=said):
            make(period)


async def test_a_timeframe_may_be_spelt_in_another_way_and_has_to_be_one() -> None:
    class Hourly(Strategy):
        def on_start(self) -> None:
            self.averages = [self.sma(1, timeframe=text) for text in ("60m", "1h", "1d")]
            with pytest.raises(TimeframeError, match="'1H' is not a timeframe"):
                self.sma(1, timeframe="1H")

    strategy = Hourly()
    async with strategy.run_test(timeframe="1h") as pilot:
        await pilot.candles("S:X", closes=[10])
    assert [family["S:X"].is_ready for family in strategy.averages] == [True, True, False]


@pytest.mark.parametrize("period", [3, 5, 7])
def test_in_a_flat_market_an_average_does_not_move(period: int) -> None:
    average, found = Sma(period), set()
    for number in range(5_000):
        average.push(99.99)
        if number >= period:
            found.add((average.previous, average.value))
    assert found == {(average.value, average.value)}
