"""Buy and hold, against values computed by hand."""

from array import array
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from strategy_runtime.report.buy_and_hold import buy_and_hold
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.splits import Split
from tests.work import steps_of

DAY = 86_400_000_000_000
MONDAY = 19_996 * DAY  # 2024-09-30


def bars(symbol: str, *prices: tuple[float, float], first: int = 0) -> BarSeries:
    """Make daily bars with these opens and closes, from a Monday or a later day on."""
    days = BarSeries(symbol, "1d", DAY)
    for day, (opened, close) in enumerate(prices, start=first):
        days.append(MONDAY + day * DAY, opened, max(opened, close), min(opened, close), close, 1)
    return days


def held(*series: BarSeries, splits: tuple[Split, ...] = (), days: int = 9) -> list[float]:
    """Return the worth of one unit of money at the end of each day that has a bar."""
    ends = sorted({start + DAY for each in series for start in each.starts})
    return buy_and_hold(series, splits, [end for end in ends if end <= MONDAY + days * DAY])


def test_money_is_spread_evenly() -> None:
    both = bars("S:A", (10, 11), (12, 15)), bars("S:B", (100, 90), (95, 80))
    assert held(*both) == pytest.approx([(1.1 + 0.9) / 2, (1.5 + 0.8) / 2])
    assert held(*both, days=1) == pytest.approx([(1.1 + 0.9) / 2])


def test_the_share_of_a_symbol_is_cash_until_its_first_bar() -> None:
    early, late = bars("S:A", (10, 11), (11, 12), (12, 13)), bars("S:B", (100, 150), first=1)
    assert held(early, late) == pytest.approx([(1.1 + 1) / 2, (1.2 + 1.5) / 2, (1.3 + 1.5) / 2])
    assert held(late, early) == pytest.approx(held(early, late))
    assert held(early, late, days=1) == pytest.approx([1.1]), "nobody has heard of the other yet"


def test_a_symbol_keeps_its_last_price_while_it_has_no_bars() -> None:
    gappy = bars("S:B", (100, 150))
    gappy.extend(bars("S:B", (100, 50), first=2))
    assert held(bars("S:A", (1, 1), (1, 1), (1, 1), (1, 1)), gappy) == [1.25, 1.25, 0.75, 0.75]


def test_after_a_split_there_are_new_units() -> None:
    prices = bars("S:A", (10, 10), (5, 6), (6, 7))
    tuesday = Split("S:A", datetime(2024, 10, 1, tzinfo=UTC), Decimal(2))
    monday = Split("S:A", datetime(2024, 9, 30, tzinfo=UTC), Decimal(2))
    other = Split("S:B", datetime(2024, 10, 1, tzinfo=UTC), Decimal(2))
    assert held(prices, splits=(tuesday, monday, other)) == pytest.approx([1, 1.2, 1.4])
    assert held(prices, splits=(tuesday,), days=1) == [1.0]


@pytest.mark.parametrize("first", [0.0, -5.0])
def test_what_nobody_can_have_bought_is_not_compared_with(first: float) -> None:
    assert held(bars("S:A", (first, 10))) == []
    assert held(bars("S:A", (10, 10)), bars("S:B", (first, 10))) == []
    assert held(bars("S:A", (10, 10)), days=0) == []
    assert held(bars("S:A", (1e-300, 1e300))) == []


def test_memory_of_long_columns_is_released_along_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each price that is read may be on a memory page of its own."""
    count, apart, page = 4 * STRETCH, 1000, 512
    read: list[int] = []
    loaded: set[int] = set()
    most = 0

    class Closes(list[float]):
        def __getitem__(self, row: Any) -> Any:
            nonlocal most
            read.append(row)
            loaded.add(row // page)
            most = max(most, len(loaded))
            return super().__getitem__(row)

    series = BarSeries("A", "1s", 1)
    series.starts = array("q", range(count))
    series.opens = array("d", [1.0])
    series.closes = Closes([1.0] * count)  # type: ignore[assignment]
    monkeypatch.setattr(BarSeries, "release", lambda self: loaded.clear())
    instants = range(apart, count, apart)
    assert len(buy_and_hold([series], (), instants)) == len(instants)
    assert len(read) == len(instants)
    assert most <= STRETCH // page + 1


def test_the_bars_of_ragged_symbols_are_looked_up_once() -> None:
    """Many symbols of a universe began late or miss a bar, so that no two have the same bars."""
    days = 200
    instants = [MONDAY + DAY * (day + 1) for day in range(days)]

    def ragged(count: int) -> list[BarSeries]:
        return [bars("A", *[(10.0, 10.0)] * (days - late), first=late) for late in range(count)]

    few, many = (
        steps_of(partial(buy_and_hold, each, (), instants)) for each in (ragged(1), ragged(20))
    )
    assert (many - few) / 19 / days < 40
