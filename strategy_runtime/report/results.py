"""The results of a run, computed once for all forms of output."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.report.attribute_hints import hint_for_attribute
from strategy_runtime.report.buy_and_hold import buy_and_hold
from strategy_runtime.report.columns import columns_of
from strategy_runtime.report.csv_tables import (
    Named,
    equity_csv,
    fills_csv,
    orders_csv,
    trips_csv,
)
from strategy_runtime.report.equity import CurvePart, equity_curve
from strategy_runtime.report.equity_path import ThinPoint, path_of
from strategy_runtime.report.grid import grid_of
from strategy_runtime.report.performance import (
    DayEnd,
    benchmark_of,
    day_ends,
    days_of,
    performance_of,
)
from strategy_runtime.report.summary import RunFacts, Summary, summary_of
from strategy_runtime.report.table import render
from strategy_runtime.report.trips import RoundTrip, round_trips, time_held
from strategy_runtime.simulator.outcome import Outcome, in_order
from strategy_runtime.simulator.splits import Split

__all__ = ["TABLES", "Results", "results_of"]

TableName: TypeAlias = Literal["fills", "orders", "trips", "equity"]


class Results(Struct, frozen=True, kw_only=True):
    """The results of a run; printing them shows a summary as a table.

    Attributes:
        points: The equity path, one point for each interval of a chart, see `grid.grid_of`.
        days: The end of each day in which a bar ended.
        trips: Closed positions, in the order in which they closed.
        splits: The splits that were announced.
    """

    summary: Summary
    outcome: Outcome
    points: list[ThinPoint]
    days: list[DayEnd]
    trips: list[RoundTrip]
    splits: Sequence[Split]

    @property
    def buy_and_hold(self) -> list[float]:
        """The equity of buying and holding instead, at each of `points`, computed at each call; see
        `buy_and_hold.buy_and_hold`. Empty if it cannot be computed.
        """
        instants = [*(begin for begin, _, _ in self.points[1:]), self.outcome.end_ns]
        start_equity = float(self.outcome.start_equity)
        growth = buy_and_hold(self.outcome.series, self.splits, instants)
        return [start_equity * each for each in growth]

    def table(self, name: TableName) -> dict[str, list[Any]]:
        """Return the columns of a table that `write_results` writes, for a data frame of any kind:
        `pandas.DataFrame(results.table("trips"))`.

        Times are in UTC with their zone, dates have none; amounts are floats.

        Args:
            name: `fills`, `orders`, `trips` or `equity`.

        Raises:
            ConfigError: There is no such table.
        """
        if name not in TABLES:
            raise ConfigError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
        return columns_of(TABLES[name](self, str))  # no spreadsheet reads it

    def __repr__(self) -> str:
        return render(self.summary)

    if not TYPE_CHECKING:  # or type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            """Say where to find what other engines have as attributes of their results."""
            raise AttributeError(f"results have no {name!r}{hint_for_attribute(name)}")


TABLES: Mapping[TableName, Callable[[Results, Named], str]] = {
    "fills": lambda results, named: fills_csv(results.outcome.fills, named),
    "orders": lambda results, named: orders_csv(results.outcome.orders, named),
    "trips": lambda results, named: trips_csv(results.trips, named),
    "equity": lambda results, named: equity_csv(results.days),
}
"""Writes each table as CSV."""


def results_of(outcome: Outcome, run: RunFacts) -> Results:
    """Compute the results from the state of an exchange at the end of a run."""
    start_ns, end_ns = _span_ns(outcome)
    hedging = run.options.mode is PositionMode.HEDGING
    bookings = list(in_order(outcome.fills, outcome.adjustments))
    curve = equity_curve(outcome.start_equity, bookings, outcome.marks, end_ns)
    # A run may be stopped between the open and the close of a bar.
    end = CurvePart([end_ns + 1], 0, [float(outcome.equity)])
    grid = grid_of(outcome.series, end_ns)
    bar_days = days_of(outcome.series, end_ns)
    path = path_of(outcome.start_equity, chain(curve, [end]), start_ns, end_ns, bar_days, grid)
    trips = round_trips(bookings, hedging=hedging)
    start_equity = float(outcome.start_equity)
    days = day_ends(path.by_day, start_equity, bar_days)
    performance = performance_of(
        path,
        start_equity,
        trips,
        time_held(bookings, end_ns, hedging=hedging),
        days,
        start_ns,
        end_ns,
    )
    splits = run.options.splits
    held = buy_and_hold(outcome.series, splits, [min(end, end_ns) for end in bar_days.values()])
    held_return = benchmark = None
    if held:
        held_days = day_ends(dict(zip(bar_days, held, strict=True)), 1.0, bar_days)
        held_return, benchmark = held[-1] - 1, benchmark_of(held_days, start_ns, end_ns)
    return Results(
        summary=summary_of(outcome, performance, path, held_return, benchmark, run),
        outcome=outcome,
        points=path.points,
        days=days,
        trips=trips,
        splits=splits,
    )


def _span_ns(outcome: Outcome) -> tuple[int, int]:
    """Return the period in which orders could fill; coarser bars may reach beyond it."""
    if outcome.start is None or outcome.end is None:
        return 0, 0
    start, end = ns_of(outcome.start), outcome.end_ns
    prices = [each for each in (*outcome.series, *outcome.marks) if len(each)]
    first = min((each.starts[0] for each in prices), default=start)
    last = max((each.starts[-1] + each.step for each in prices), default=end)
    return first, min(last, end)
