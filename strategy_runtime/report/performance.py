"""How good a run was: returns by day, what they varied by, and the positions that were closed.

Conventions. A day's return is its last equity over that of the day before, or the starting equity,
less one; every day in which a bar ends counts, also without a position, see `days_of`. Figures a
year are scaled by the number of such days a year that the data has: about 252 for stocks, 365 for
what trades every day, 52 for weekly bars. Deviations are those of a sample (n - 1), the risk-free
rate is zero. What cannot be said, for want of days or positions, is None: never infinite, never
not-a-number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import fmean, stdev

from msgspec import Struct

from strategy_runtime.clock import DAY_NS
from strategy_runtime.report.equity_path import NOISE, EquityPath, day_of
from strategy_runtime.report.grid import bars_by, first_after
from strategy_runtime.report.trips import RoundTrip
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH

__all__ = ["DayEnd", "Performance", "day_ends", "days_of", "performance_of"]

_YEAR_DAYS = 365.25
_ENOUGH_DAYS = 30
_EVENING = 9 * DAY_NS // 24  # from 15:00 on: midnight in Tokyo, while New York opens by 14:30


class DayEnd(Struct, frozen=True):
    """How a day ended.

    Attributes:
        equity: The last of the day.
        gain: The return of the day, as a share.
    """

    date: date
    equity: float
    gain: float


class Performance(Struct, frozen=True, kw_only=True):
    """Figures by which runs are compared.

    Attributes:
        annual_return: Compound growth a year; None for less than 30 days, and where no equity was
            left.
        annual_volatility: Deviation of the daily returns times the root of the days a year.
        sharpe: Mean daily return over its deviation, times the root of the days a year.
        sortino: The same over the downside deviation, the root of the mean of the squared negative
            returns, all days counted.
        calmar: `annual_return` over the maximum drawdown.
        longest_drawdown_days: From when equity was last at a peak until it was back there, or the
            end.
        exposure: Share of the time in which a position was held.
        trades: Positions closed, from flat to flat.
        win_rate: Share of them with a profit after fees.
        profit_factor: Their profits over their losses; None without a loss.
        average_trade, best_trade, worst_trade: Profit after fees as a share of the entry's worth.
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


def days_of(series: Iterable[BarSeries], end_ns: int) -> dict[int, int]:
    """The UTC days in which bars end by `end_ns`, since the epoch and in order, and when each ends.

    Midnight belongs to the day it ends. Days of daily bars begin when these do, so that a bar from
    midnight to midnight in New York is one of its date, and its day ends with it. Those that begin
    late in the day are of the next date, as from midnight to midnight in Berlin or Tokyo.
    """
    days: dict[int, int] = {}
    before: BarSeries | None = None
    for each in series:
        # Most symbols have their bars at the same times.
        if before is not None and each.step == before.step and each.starts == before.starts:
            each.release()
            continue
        before = each
        row, starts, step = 0, each.starts, each.step
        count = bars_by(each, end_ns)
        while row < count:
            late = (starts[row] + _EVENING) % DAY_NS - _EVENING if step >= DAY_NS else 0
            day = (starts[row] + step - late - 1) // DAY_NS
            end = (day + 1) * DAY_NS + late
            days[day] = max(end, days.get(day, end))
            last, row = row, first_after(starts, row + 1, count, end - step)
            if last // STRETCH != row // STRETCH:
                each.release()
    return dict(sorted(days.items()))


def day_ends(by_day: Mapping[int, float], start_equity: float, days: Iterable[int]) -> list[DayEnd]:
    """How each day ended, also where nothing changed.

    Args:
        by_day: See `EquityPath.by_day`.
        days: Those of the data, see `days_of`.
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
    """Work out the figures.

    Args:
        held_ns: How long a position was held, see `trips.time_held`.
        days: See `day_ends`.
        start_ns, end_ns: Of the time in which orders could fill.
    """
    daily = [day.gain for day in days]
    last = days[-1].equity if days else start_equity
    annual = _growth_a_year(last / start_equity, (end_ns - start_ns) / DAY_NS / _YEAR_DAYS)
    volatility = sharpe = sortino = None
    if len(daily) > 1 and all(map(math.isfinite, daily)):
        scale = math.sqrt(_days_a_year(days))
        mean, deviation = fmean(daily), stdev(daily)
        downside = math.sqrt(fmean(min(each, 0.0) ** 2 for each in daily))
        volatility = deviation * scale
        sharpe = _over(mean * scale, deviation)
        sortino = _over(mean * scale, downside)
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


def _growth_a_year(growth: float, years: float) -> float | None:
    if years * _YEAR_DAYS < _ENOUGH_DAYS or growth <= 0:
        return None
    try:
        annual = growth ** (1 / years) - 1
    except OverflowError:  # a month like that twelve times over
        return None
    return _finite(annual)


def _over(figure: float | None, by: float) -> float | None:
    """One figure over another; None where that is no number."""
    if figure is None or not by:
        return None
    return _finite(figure / by)


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


def _days_a_year(days: Sequence[DayEnd]) -> float:
    return (len(days) - 1) / (days[-1].date - days[0].date).days * _YEAR_DAYS
