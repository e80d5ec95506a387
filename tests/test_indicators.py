"""Indicators against their definitions."""

from math import isnan
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import Ema, Family, Sma, crossed_above, crossed_below

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


def test_an_indicator_may_cross_a_number() -> None:
    quick = Sma(1)
    for price, above, below in [(1, False, False), (3, True, False), (1, False, True)]:
        quick.push(price)
        assert (crossed_above(quick, 2), crossed_below(quick, 2)) == (above, below)


def test_a_family_makes_one_member_a_symbol() -> None:
    family = Family[Sma](lambda: Sma(2))
    assert family["S:A"] is family["S:A"]
    assert family["S:A"] is not family["S:B"]


def test_a_period_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Sma(0)
