"""Indicators, against their definitions."""

import pickle
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from itertools import pairwise
from math import isnan, nan
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import (
    Atr,
    BollingerBands,
    Candle,
    Ema,
    Family,
    Highest,
    HookFailed,
    Indicator,
    Lowest,
    Macd,
    Rsi,
    Sma,
    Strategy,
    crossed_above,
    crossed_below,
)
from strategy_runtime.errors import TimeframeError
from strategy_runtime.ids import generator

prices = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200)
ranges = st.lists(
    st.lists(st.floats(0.01, 1e6), min_size=3, max_size=3).map(sorted), min_size=1, max_size=120
)
"""Rows of low, close and high."""


def candles_of(rows: Sequence[Sequence[float]]) -> list[Candle]:
    start = datetime(2024, 1, 2, tzinfo=UTC)
    return [Candle("S:X", "1d", start, close, high, low, close) for low, close, high in rows]


def values_of(indicator: Indicator, rows: Sequence[Sequence[float]]) -> list[float]:
    values = []
    for candle in candles_of(rows):
        indicator.update(candle)
        values.append(indicator.value)
    return values


def smoothed(values: Sequence[float], period: int) -> list[float]:
    """Wilder's smoothing: first a mean, then each value with a weight of 1 in `period`."""
    found = [nan] * min(period - 1, len(values))
    for count in range(period, len(values) + 1):
        if count == period:
            found.append(fmean(values[:period]))
        else:
            found.append((found[-1] * (period - 1) + values[count - 1]) / period)
    return found


def alike(values: Sequence[float], scale: float = 1.0) -> Any:
    return pytest.approx(list(values), nan_ok=True, rel=1e-6, abs=1e-9 * scale)


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


@given(prices, st.integers(1, 30))
def test_rsi_is_what_was_gained_of_all_that_closes_moved(values: list[float], period: int) -> None:
    changes = [after - before for before, after in pairwise(values)]
    gained = smoothed([max(change, 0) for change in changes], period)
    moved = smoothed([abs(change) for change in changes], period)
    expected = [
        50.0 if not all_of_it else 100 * up / all_of_it
        for up, all_of_it in zip(gained, moved, strict=True)
    ]
    found = values_of(Rsi(period), [[value] * 3 for value in values])
    assert found == pytest.approx([nan, *expected], nan_ok=True, abs=1e-3)


@pytest.mark.parametrize(
    ("closes", "value"), [([5, 5, 5, 5], 50), ([1, 2, 3, 4], 100), ([4, 3, 2, 1], 0)]
)
def test_rsi_has_its_ends_and_its_middle(closes: list[float], value: float) -> None:
    assert values_of(Rsi(3), [[close] * 3 for close in closes])[-1] == value


@given(ranges, st.integers(1, 30))
def test_atr_smooths_the_true_range(rows: list[list[float]], period: int) -> None:
    true_ranges = [rows[0][2] - rows[0][0]] + [
        max(high - low, abs(high - before[1]), abs(low - before[1]))
        for before, (low, _, high) in pairwise(rows)
    ]
    expected = smoothed(true_ranges, period)
    assert values_of(Atr(period), rows) == alike(expected, 1e6)


@given(ranges, st.integers(1, 30))
def test_the_highest_and_the_lowest_are_of_the_last_candles(
    rows: list[list[float]], period: int
) -> None:
    for indicator, column, farthest in ((Highest(period), 2, max), (Lowest(period), 0, min)):
        prices = [row[column] for row in rows]
        expected = [
            nan if count < period else farthest(prices[count - period : count])
            for count in range(1, len(prices) + 1)
        ]
        assert values_of(indicator, rows) == pytest.approx(expected, nan_ok=True, rel=0, abs=0)


def test_a_breakout_is_a_close_above_what_was_the_highest() -> None:
    highest = Highest(2)
    seen = []
    for low, close, high in ((1, 2, 3), (1, 2, 4), (2, 5, 5), (4, 4.5, 6)):
        highest.update(candles_of([[low, close, high]])[0])
        seen.append(close > highest.previous)
    assert seen == [False, False, True, False]


@given(prices, st.integers(1, 30), st.floats(0.1, 5))
def test_bollinger_bands_lie_so_many_deviations_from_the_average(
    values: list[float], period: int, width: float
) -> None:
    bands = BollingerBands(period, width)
    for count, price in enumerate(values, start=1):
        bands.push(price)
        assert bands.is_ready == bands.upper.is_ready == bands.lower.is_ready == (count >= period)
        if bands.is_ready:
            last = values[count - period : count]
            middle, reach = fmean(last), width * pstdev(last)
            found = [bands.lower.value, bands.value, bands.upper.value]
            assert found == alike([middle - reach, middle, middle + reach], 1e6)


@given(prices)
def test_macd_is_the_difference_of_two_averages_and_has_one_of_its_own(
    values: list[float],
) -> None:
    macd, quick, calm, signal = Macd(3, 7, 4), Ema(3), Ema(7), Ema(4)
    for price in values:
        quick.push(price)
        calm.push(price)
        if calm.is_ready:
            signal.push(quick.value - calm.value)
        macd.push(price)
        assert [macd.value, macd.signal.value, macd.histogram.value] == alike(
            [quick.value - calm.value, signal.value, quick.value - calm.value - signal.value], 1e6
        )


def test_lines_cross_like_indicators() -> None:
    close, bands = Sma(1), BollingerBands(3, 1)
    seen = []
    for price in (10, 10, 10, 13, 6):
        close.push(price)
        bands.push(price)
        seen.append((crossed_above(close, bands.upper), crossed_below(close, bands.lower)))
    assert seen == [(False, False)] * 3 + [(True, False), (False, True)]


@pytest.mark.parametrize(
    "make",
    [
        *(lambda: Sma(10), lambda: Ema(10), lambda: Rsi(10), lambda: Macd(5, 10, 4)),
        *(lambda: BollingerBands(10), lambda: Atr(10), lambda: Highest(10), lambda: Lowest(10)),
    ],
)
def test_after_its_warm_up_an_indicator_has_all_but_forgotten_what_was_before(
    make: Callable[[], Indicator],
) -> None:
    """So a live run decides as a backtest does at the same candle."""
    rng = generator(7)
    closes = [100.0]
    for _ in range(400):
        closes.append(closes[-1] * (1 + rng.gauss(0, 0.02)))
    rows = [[close * 0.99, close, close * 1.01] for close in closes]
    long = values_of(make(), rows)
    short = values_of(fresh := make(), rows[-fresh.warm_up :])
    spread = max(long[-200:]) - min(long[-200:])
    assert abs(long[-1] - short[-1]) < 0.002 * spread


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
def test_touching_a_line_is_not_crossing_it_but_leaving_it_is(is_number: bool) -> None:
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


def test_an_indicator_is_refused_in_place_of_a_function_that_makes_one() -> None:
    with pytest.raises(TypeError, match=r"write indicator\(lambda: Sma\(…\)\), not indicator"):
        Strategy().indicator(Sma(5))  # type: ignore[arg-type]


async def test_a_family_made_at_each_candle_is_told_where_to_be_made() -> None:
    class Forgets(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.sma(10)

    async with Forgets().run_test() as pilot:
        await pilot.candles("S:A", closes=[10] * 100)
        with pytest.raises(HookFailed) as failed:
            await pilot.candles("S:A", closes=[10])
    cause = failed.value.__cause__
    assert isinstance(cause, RuntimeError)
    assert str(cause).startswith("100 families of indicators were made after the first candle: ")


@pytest.mark.parametrize("period", [0, -3, 2.5, "10", None, 10**20])
def test_a_period_that_cannot_be_one_is_refused_where_it_is_given(period: Any) -> None:
    said = rf"must be a whole number from 1 to 1000000, not {period!r}$"
    with pytest.raises(ValueError, match=said):
        Sma(period)
    strategy = Strategy()
    for make in (
        *(strategy.sma, strategy.ema, strategy.rsi, strategy.atr, strategy.bollinger),
        *(strategy.highest, strategy.lowest, strategy.macd),
    ):
        with pytest.raises(ValueError, match=said):
            make(period)


def test_invalid_arguments_are_refused_at_the_call() -> None:
    strategy = Strategy()
    with pytest.raises(ValueError, match="the fast period, 26, must be shorter than the slow, 12"):
        strategy.macd(26, 12)
    for width in (0, -1.0, nan):
        with pytest.raises(ValueError, match=f"width of the bands .* above 0, not {width!r}$"):
            strategy.bollinger(20, width)


def test_a_function_that_makes_no_indicator_is_refused_at_the_call() -> None:
    class Bare:
        def update(self, candle: Candle) -> None: ...

    class Headless(Indicator):
        def __init__(self) -> None: ...

        def update(self, candle: Candle) -> None: ...

    class Abstract(Indicator): ...

    strategy = Strategy()
    with pytest.raises(TypeError) as caught:
        strategy.indicator(Bare)  # type: ignore[type-var]
    assert str(caught.value) == (
        "a family is made of indicators, not of Bare: wrap it in a subclass of Indicator that "
        "passes each new value to _set"
    )
    said = r"^Headless\.__init__ does not call super\(\)\.__init__\(warm_up=…\)$"
    with pytest.raises(TypeError, match=said):
        strategy.indicator(Headless)
    one = Sma(3)
    said = r"all would have the same Sma: make it in the function, as in lambda: Sma\(…\)$"
    with pytest.raises(TypeError, match=said):
        strategy.indicator(lambda: one)
    with pytest.raises(TypeError, match="abstract class Abstract"):
        strategy.indicator(Abstract)


async def test_every_kind_of_indicator_can_be_made_by_name_and_is_fed() -> None:
    class Everything(Strategy):
        def on_start(self) -> None:
            self.families: list[Family[Any]] = [
                *(self.sma(3), self.ema(3), self.rsi(3), self.macd(2, 3, 2)),
                *(self.bollinger(3), self.atr(3), self.highest(3), self.lowest(3)),
            ]

        def on_candle(self, candle: Candle) -> None: ...

    strategy = Everything()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", bars=[(10, 12, 9, 11)] * 6)
    assert [round(family["S:X"].value, 9) for family in strategy.families] == [
        *(11, 11, 50, 0, 11, 3, 12, 9)
    ]


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


def pickled(indicator: Indicator) -> Any:
    return pickle.loads(pickle.dumps(indicator))  # noqa: S301 - nobody else has touched it


@pytest.mark.parametrize("kind", [Sma, Ema, Rsi, BollingerBands, Highest, Lowest, Macd])
@pytest.mark.parametrize("copied", [deepcopy, pickled])
def test_an_indicator_is_copied_before_it_is_fed_and_not_after(
    kind: type[Indicator], copied: Callable[[Indicator], Indicator]
) -> None:
    arguments = (2, 3, 2) if kind is Macd else (3,)
    original, expected = kind(*arguments), kind(*arguments)
    other = copied(original)
    for candle in candles_of([(9.0, 10.0, 11.0), (7.0, 8.0, 12.0)] * 3):
        other.update(candle)
        expected.update(candle)
    assert isnan(original.value)
    assert other.value == expected.value
    with pytest.raises(TypeError) as caught:
        copied(other)
    assert str(caught.value) == (
        f"this {kind.__name__} has been fed, so it cannot be copied or pickled; make a new one, "
        "and feed it the same candles"
    )
