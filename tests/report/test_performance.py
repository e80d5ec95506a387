"""The figures, against their definitions written out for small runs."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import fmean, stdev
from zoneinfo import ZoneInfo

import pytest

from strategy_runtime.clock import ns_of
from strategy_runtime.report.equity_path import day_of, path_of
from strategy_runtime.report.performance import (
    Performance,
    benchmark_of,
    day_ends,
    days_of,
    performance_of,
)
from strategy_runtime.report.trips import round_trips, time_held
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Fill
from tests.report.support import START, STEP, curve_of, fill, series
from tests.work import steps_of

DAY = 86_400_000_000_000
MONDAY = 19_996 * DAY  # 2024-09-30
CASH = Decimal(1000)


def daily(days: list[int], *, step: int = DAY) -> BarSeries:
    """Make a bar on each of these days, counted from a Monday."""
    bars = BarSeries("S:A", "1d", step)
    for day in days:
        bars.append(MONDAY + day * DAY, 1, 1, 1, 1, 1)
    return bars


def figures(equities: list[float], days: list[int], fills: list[Fill] | None = None) -> Performance:
    """Compute the figures of a run with one equity at the end of each day."""
    end = MONDAY + (days[-1] + 1) * DAY
    curve = [(MONDAY + (day + 1) * DAY, equity) for day, equity in zip(days, equities, strict=True)]
    known = days_of([daily(days)], end)
    path = path_of(CASH, curve_of(curve), MONDAY, end, known)
    deals = fills or []
    return performance_of(
        path,
        1000.0,
        round_trips(deals),
        time_held(deals, end),
        day_ends(path.by_day, 1000.0, known),
        MONDAY,
        end,
    )


def test_ratios_are_those_of_the_daily_returns() -> None:
    equities = [1010.0, 1005.0, 1025.0, 1020.0, 1030.0]
    found = figures(equities, [0, 1, 2, 3, 4])
    before = [1000.0, *equities[:-1]]
    returns = [now / then - 1 for now, then in zip(equities, before, strict=True)]
    scale = math.sqrt(365.25)
    downside = math.sqrt(sum(min(each, 0) ** 2 for each in returns) / 5)
    assert found.annual_volatility == pytest.approx(stdev(returns) * scale)
    assert found.sharpe == pytest.approx(fmean(returns) / stdev(returns) * scale)
    assert found.sortino == pytest.approx(fmean(returns) / downside * scale)
    assert found.annual_return is None  # five days are too few for an annual figure


def test_a_benchmark_has_the_ratios_of_an_equity_that_moves_alike() -> None:
    worth, days = [1.1, 1.32, 0.99, 1.2] * 10, range(40)
    by_day = {MONDAY // DAY + day: worth[day] for day in days}
    ends = day_ends(by_day, 1.0, by_day)
    found = benchmark_of(ends, MONDAY, MONDAY + 40 * DAY)
    alike = figures([1000 * each for each in worth], [*days])
    assert found.sharpe == pytest.approx(alike.sharpe)
    assert found.annual_return == pytest.approx(alike.annual_return)
    assert found.annual_volatility == pytest.approx(alike.annual_volatility)
    assert found.max_drawdown == pytest.approx(0.25)
    falling = benchmark_of(day_ends({0: 0.8}, 1.0, [0]), 0, DAY)
    assert falling.max_drawdown == pytest.approx(0.2), "it falls from what was invested"


def test_a_year_has_as_many_days_as_the_data_show() -> None:
    weekdays = [day for day in range(7 * 52) if day % 7 < 5]
    equities = [1000 + (day % 3) for day in weekdays]
    found = figures([float(each) for each in equities], weekdays)
    returns = [now / then - 1 for now, then in zip(equities, [1000, *equities[:-1]], strict=True)]
    assert found.annual_volatility is not None
    a_year = (found.annual_volatility / stdev(returns)) ** 2
    assert 260 < a_year < 263


def test_growth_compounds() -> None:
    found = figures([1000.0] * 730 + [1210.0], list(range(731)))
    assert found.annual_return == pytest.approx(1.21 ** (365.25 / 731) - 1)


@pytest.mark.parametrize(("days", "is_enough"), [(29, False), (30, True)])
def test_a_month_is_the_least_that_says_something_about_a_year(days: int, is_enough: bool) -> None:
    found = figures([1000.0] * days, list(range(days)))
    assert (found.annual_return is not None) is is_enough


def test_a_day_without_a_position_returns_nothing() -> None:
    with_gap = figures([1010.0, 1010.0, 1010.0, 1020.0], [0, 1, 2, 3])
    known = days_of([daily([0, 1, 2, 3])], MONDAY + 4 * DAY)
    curve = curve_of([(MONDAY + DAY, 1010.0), (MONDAY + 4 * DAY, 1020.0)])
    path = path_of(CASH, curve, MONDAY, MONDAY + 4 * DAY, known)
    days = day_ends(path.by_day, 1000.0, known)
    found = performance_of(path, 1000.0, [], 0, days, MONDAY, MONDAY + 4 * DAY)
    assert found.sharpe == with_gap.sharpe


def test_what_is_sold_at_the_open_of_a_bar_counts_to_the_day_in_which_it_ends() -> None:
    weeks = daily([0, 7, 14, 21, 28], step=7 * DAY)
    start, end = MONDAY, MONDAY + 35 * DAY
    sold_on_monday = [(start + 7 * DAY, 1100.0), (start + 7 * DAY + 1, 900.0)]
    known = days_of([weeks], end)
    path = path_of(CASH, curve_of(sold_on_monday), start, end, known)
    days = day_ends(path.by_day, 1000.0, known)
    found = performance_of(path, 1000.0, [], 0, days, start, end)
    returns = [0.1, 900 / 1100 - 1, 0.0, 0.0, 0.0]
    assert found.sharpe == pytest.approx(fmean(returns) / stdev(returns) * math.sqrt(365.25 / 7))
    assert found.annual_return == pytest.approx(0.9 ** (365.25 / 35) - 1)


def test_a_rounding_error_of_floats_is_not_a_loss() -> None:
    known = days_of([daily([0, 1, 2])], MONDAY + 3 * DAY)
    gains = [day.gain for day in day_ends({19_996: 1010.4000000000001, 19_997: 1010.4}, 1e3, known)]
    assert gains == [pytest.approx(0.0104), 0.0, 0.0]
    found = figures([1010.4000000000001, 1010.4, 1010.4], [0, 1, 2])
    assert found.sharpe is not None
    assert found.sortino is found.calmar is None


def test_a_figure_that_cannot_be_computed_is_none() -> None:
    found = figures([1000.0], [0])
    assert found.sharpe is found.sortino is found.calmar is found.annual_volatility is None
    assert found.win_rate is found.profit_factor is found.best_trade is None
    assert found.average_holding_s is None
    assert (found.trades, found.exposure, found.longest_drawdown_days) == (0, 0.0, 0.0)
    flat = figures([1000.0, 1000.0, 1000.0], [0, 1, 2])
    assert (flat.annual_volatility, flat.sharpe, flat.sortino) == (0.0, None, None)


@pytest.mark.parametrize("last", [1e300, math.inf, math.nan])
def test_no_figure_is_infinite_however_much_was_gained(last: float) -> None:
    days = list(range(40))
    found = figures([1000.0, 999.999999, *[1000.0] * 37, last], days)
    assert found.annual_return is found.calmar is None
    figured = [getattr(found, name) for name in found.__struct_fields__]
    assert all(each is None or math.isfinite(each) for each in figured)


def test_closed_positions_are_counted_after_fees() -> None:
    fills = [
        fill("1", "100"),
        fill("-1", "110", bar=1, fee="2"),
        fill("1", "100", bar=2),
        fill("-1", "101", bar=4, fee="3"),
        fill("1", "50", bar=5),
        fill("-1", "50", bar=6),
    ]
    end = START + 10 * STEP
    path = path_of(CASH, [], START, end, {})
    held = time_held(fills, end)
    found = performance_of(path, 1000.0, round_trips(fills), held, [], START, end)
    assert (found.trades, found.win_rate, found.profit_factor) == (3, 1 / 3, 4.0)
    assert (found.best_trade, found.worst_trade) == (0.08, -0.02)
    assert found.average_trade == pytest.approx(0.02)
    assert found.average_holding_s == pytest.approx(80.0)
    assert found.exposure == pytest.approx(0.4)


def test_days_are_those_in_which_a_bar_ends() -> None:
    first = MONDAY // DAY

    def midnights(*days: int) -> dict[int, int]:
        return {first + day: MONDAY + (day + 1) * DAY for day in days}

    assert days_of([daily([0, 1, 4])], MONDAY + 5 * DAY) == midnights(0, 1, 4)
    assert days_of([daily([0, 1, 4])], MONDAY + 2 * DAY) == midnights(0, 1)
    hours = BarSeries("S:A", "1h", DAY // 24)
    for hour in [*range(20, 60), *range(100, 130)]:
        hours.append(MONDAY + hour * DAY // 24, 1, 1, 1, 1, 1)
    assert days_of([hours, daily([1])], MONDAY + 9 * DAY) == midnights(0, 1, 2, 4, 5)
    assert days_of([series([1.0])], START) == {}


def test_a_daily_bar_of_a_place_with_a_clock_of_its_own_has_the_date_on_which_it_begins() -> None:
    new_york = BarSeries("S:A", "1d", DAY)
    fifth, fourth = DAY * 5 // 24, DAY * 4 // 24
    for day, hour in ((0, fifth), (1, fifth), (4, fourth)):  # clocks change over the weekend
        new_york.append(MONDAY + day * DAY + hour, 1, 1, 1, 1, 1)
    first = MONDAY // DAY
    assert days_of([new_york], MONDAY + 9 * DAY) == {
        first: MONDAY + DAY + fifth,
        first + 1: MONDAY + 2 * DAY + fifth,
        first + 4: MONDAY + 5 * DAY + fourth,
    }


@pytest.mark.parametrize(
    "place",
    ["Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "America/Los_Angeles"],
)
def test_daily_bars_from_midnight_to_midnight_have_the_dates_of_their_place(place: str) -> None:
    bars, dates = BarSeries("S:A", "1d", DAY), []
    for day in range(366):
        midnight = datetime(2024, 1, 1, tzinfo=ZoneInfo(place)) + timedelta(days=day)
        if midnight.weekday() < 5:  # clocks change over the weekend
            bars.append(ns_of(midnight), 1, 1, 1, 1, 1)
            dates.append(midnight.date())
    found = days_of([bars], bars.starts[-1] + DAY)
    assert [day_of(number) for number in found] == dates
    assert [*found.values()] == [start + DAY for start in bars.starts]


@pytest.mark.parametrize(("hour", "minute"), [(13, 30), (14, 30)])
def test_a_daily_bar_from_the_opening_of_new_york_is_of_the_day_in_which_it_begins(
    hour: int, minute: int
) -> None:
    friday = datetime(2024, 5, 31, hour, minute, tzinfo=UTC)
    bars = BarSeries("S:A", "1d", DAY)
    bars.append(ns_of(friday), 1, 1, 1, 1, 1)
    (day,) = days_of([bars], ns_of(friday) + DAY)
    assert day_of(day) == friday.date()


def test_the_days_of_symbols_with_equal_bars_are_found_once() -> None:
    end = MONDAY + 200 * DAY

    def alike(count: int) -> list[BarSeries]:
        return [daily(list(range(200))) for _ in range(count)]

    alone, together = alike(1), alike(20)
    assert steps_of(lambda: days_of(together, end)) < 1.5 * steps_of(lambda: days_of(alone, end))
    others = daily([300]), daily([0, 301])
    found = days_of([*together, *others], MONDAY + 302 * DAY)
    first = MONDAY // DAY
    assert [day - first for day in found] == [*range(200), 300, 301]


def test_the_days_of_ragged_symbols_are_found_once() -> None:
    end = MONDAY + 200 * DAY
    alone = [daily(list(range(200)))]
    together = [*alone, *(daily(list(range(late, 200))) for late in range(1, 20))]
    assert steps_of(lambda: days_of(together, end)) < 2 * steps_of(lambda: days_of(alone, end))
