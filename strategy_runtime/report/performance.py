"""Performance figures of a run, from daily returns and closed positions.

Conventions: a day's return is its last equity divided by that of the day before (or by the starting
equity), minus one. Every day in which a bar ends counts, with or without a position, see `days_of`.
Annual figures are scaled by the number of such days per year in the data: about 252 for stocks, 365
for what trades every day, 52 for weekly bars. Deviations are sample deviations (n - 1), and the
risk-free rate is zero. A figure that cannot be computed, for want of days or positions, is None,
never infinite or NaN.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import accumulate
from statistics import fmean, stdev

from msgspec import Struct

from strategy_runtime.clock import DAY_NS
from strategy_runtime.report.equity_path import NOISE, EquityPath, day_of
from strategy_runtime.report.grid import bars_by, first_after
from strategy_runtime.report.trips import RoundTrip
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH

__all__ = [
    "Benchmark",
    "DayEnd",
    "Performance",
    "benchmark_of",
    "day_ends",
    "days_of",
    "performance_of",
]

_YEAR_DAYS = 365.25
_ENOUGH_DAYS = 30
# Daily bars that start from 15:00 UTC on belong to the next date: midnight in Tokyo is 15:00 UTC,
# and New York opens no later than 14:30.
_EVENING = 9 * DAY_NS // 24


class DayEnd(Struct, frozen=True):
    """The end of a day.

    Attributes:
        equity: The last equity of the day.
        gain: The return of the day, as a share.
    """

    date: date
    equity: float
    gain: float


class Performance(Struct, frozen=True, kw_only=True):
    """Figures by which runs are compared.

    Attributes:
        annual_return: Compound annual growth; None for less than 30 days, or if no equity is left.
        annual_volatility: Deviation of daily returns times the square root of the days per year.
        sharpe: Mean daily return divided by its deviation, times the square root of the days per
            year.
        sortino: The same with the downside deviation, the root mean square of the negative returns
            over all days.
        calmar: `annual_return` divided by the maximum drawdown.
        longest_drawdown_days: Longest time from when equity was last at a peak until it was back
            there, or the end.
        exposure: Share of the time in which a position was held.
        trades: Closed positions, from flat to flat.
        win_rate: Share of them with a profit after fees.
        profit_factor: Their profits divided by their losses; None without a loss.
        average_trade, best_trade, worst_trade: Profit after fees as a share of the entry value.
        average_holding_s: Mean time from opening to closing, in seconds.
    """

    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    longest_drawdown_days: float
    exposure: float
    trades: int
    win_rate: float | None
    profit_factor: float | None
    average_trade: float | None
    best_trade: float | None
    worst_trade: float | None
    average_holding_s: float | None


class Benchmark(Struct, frozen=True, kw_only=True):
    """Figures of buying and holding, from the ends of days; see `Performance`.

    Attributes:
        max_drawdown: Largest fall from an earlier peak, as a share of that peak.
    """

    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    max_drawdown: float


def days_of(series: Iterable[BarSeries], end_ns: int) -> dict[int, int]:
    """Return the UTC days in which bars end by `end_ns`, in order, and when each day ends.

    Days are numbered since the epoch. Midnight belongs to the day it ends. Days of daily bars start
    when the bars do, so a bar from midnight to midnight in New York belongs to its local date, and
    the day ends with it. Bars that start late in the UTC day belong to the next date, as those from
    midnight to midnight in Berlin or Tokyo.
    """
    days: dict[int, int] = {}
    # Most symbols have bars at the same times, but many began later or missed some.
    known: defaultdict[int, set[int]] = defaultdict(set)
    before: BarSeries | None = None
    for each in series:
        step, count = each.step, bars_by(each, end_ns)
        starts: Iterable[int] = ()
        if step >= DAY_NS:
            starts = set(each.starts[:count]) - known[step]
            known[step] |= starts
        elif before is None or each.step != before.step or each.starts != before.starts:
            starts, before = _firsts_of_days(each, count), each
        for start in starts:
            late = (start + _EVENING) % DAY_NS - _EVENING if step >= DAY_NS else 0
            day = (start + step - late - 1) // DAY_NS
            end = (day + 1) * DAY_NS + late
            days[day] = max(end, days.get(day, end))
        each.release()
    return dict(sorted(days.items()))


def _firsts_of_days(series: BarSeries, count: int) -> Iterator[int]:
    """Yield the start of the first bar that ends in each day, of bars shorter than a day."""
    row, starts, step = 0, series.starts, series.step
    while row < count:
        start = starts[row]
        yield start
        midnight = ((start + step - 1) // DAY_NS + 1) * DAY_NS
        last, row = row, first_after(starts, row + 1, count, midnight - step)
        if last // STRETCH != row // STRETCH:
            series.release()


def day_ends(by_day: Mapping[int, float], start_equity: float, days: Iterable[int]) -> list[DayEnd]:
    """Return the end of each day, even if nothing changed.

    Args:
        by_day: See `EquityPath.by_day`.
        days: The days of the data, see `days_of`.
    """
    ends: list[DayEnd] = []
    before = start_equity
    for day in days:
        equity = by_day.get(day, before)
        gain = equity / before - 1 if before > 0 else 0.0
        ends.append(DayEnd(day_of(day), equity, 0.0 if abs(gain) < NOISE else gain))
        before = equity
    return ends


def performance_of(
    path: EquityPath,
    start_equity: float,
    trips: Sequence[RoundTrip],
    held_ns: int,
    days: Sequence[DayEnd],
    start_ns: int,
    end_ns: int,
) -> Performance:
    """Compute the figures.

    Args:
        held_ns: How long a position was held, see `trips.time_held`.
        days: See `day_ends`.
        start_ns, end_ns: The period in which orders could fill.
    """
    annual, volatility, sharpe, sortino = _ratios(days, start_equity, end_ns - start_ns)
    shares = [trip.profit_share for trip in trips]
    won = sum((trip.profit for trip in trips if trip.profit > 0), start=0)
    lost = -sum((trip.profit for trip in trips if trip.profit < 0), start=0)
    holding = [(trip.closed_ns - trip.opened_ns) / 1e9 for trip in trips]
    return Performance(
        annual_return=annual,
        annual_volatility=volatility,
        sharpe=sharpe,
        sortino=sortino,
        calmar=_over(annual, path.max_drawdown),
        longest_drawdown_days=path.longest_drawdown_ns / DAY_NS,
        exposure=held_ns / (end_ns - start_ns) if end_ns > start_ns else 0.0,
        trades=len(trips),
        win_rate=sum(trip.profit > 0 for trip in trips) / len(trips) if trips else None,
        profit_factor=_over(float(won), float(lost)),
        average_trade=fmean(shares) if shares else None,
        best_trade=max(shares, default=None),
        worst_trade=min(shares, default=None),
        average_holding_s=fmean(holding) if holding else None,
    )


def benchmark_of(days: Sequence[DayEnd], start_ns: int, end_ns: int) -> Benchmark:
    """Compute the figures of a benchmark.

    Args:
        days: What one unit of money is worth at the end of each day.
        start_ns, end_ns: See `performance_of`.
    """
    annual, volatility, sharpe, _ = _ratios(days, 1.0, end_ns - start_ns)
    worth = [1.0, *(day.equity for day in days)]
    falls = (1 - now / peak for now, peak in zip(worth, accumulate(worth, max), strict=True))
    return Benchmark(
        annual_return=annual, annual_volatility=volatility, sharpe=sharpe, max_drawdown=max(falls)
    )


def _ratios(
    days: Sequence[DayEnd], start_equity: float, span_ns: int
) -> tuple[float | None, float | None, float | None, float | None]:
    """Return annual return, annual volatility, Sharpe and Sortino ratio."""
    daily = [day.gain for day in days]
    last = days[-1].equity if days else start_equity
    annual = _growth_a_year(last / start_equity, span_ns / DAY_NS / _YEAR_DAYS)
    if len(daily) < 2 or not all(map(math.isfinite, daily)):
        return annual, None, None, None
    scale = math.sqrt(_days_a_year(days))
    mean, deviation = fmean(daily), stdev(daily)
    downside = math.sqrt(fmean(min(each, 0.0) ** 2 for each in daily))
    return annual, deviation * scale, _over(mean * scale, deviation), _over(mean * scale, downside)


def _growth_a_year(growth: float, years: float) -> float | None:
    if years * _YEAR_DAYS < _ENOUGH_DAYS or growth <= 0:
        return None
    try:
        annual = growth ** (1 / years) - 1
    except OverflowError:  # a huge gain in a short time
        return None
    return _finite(annual)


def _over(figure: float | None, by: float) -> float | None:
    """Divide one figure by another; None if the result is not finite."""
    if figure is None or not by:
        return None
    return _finite(figure / by)


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


def _days_a_year(days: Sequence[DayEnd]) -> float:
    return (len(days) - 1) / (days[-1].date - days[0].date).days * _YEAR_DAYS
