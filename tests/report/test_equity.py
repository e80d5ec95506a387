"""Equity and drawdown, against values computed by hand and a simple implementation."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy_runtime.report import equity as module
from strategy_runtime.report.equity import equity_curve
from strategy_runtime.report.equity_path import path_of
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Adjustment, Fill
from tests.report.support import START, STEP, fill, interest, points_of, series
from tests.work import steps_of

CASH = Decimal(1000)
END = START + 1000 * STEP


def points(
    fills: Sequence[Fill | Adjustment], data: Sequence[BarSeries], end: int = END
) -> list[float]:
    return [equity for _, equity in points_of(equity_curve(CASH, fills, data, end))]


def test_nothing_traded_nothing_moves() -> None:
    assert points([], [series([1, 2, 3])]) == []


def test_equity_follows_the_closes_while_a_position_is_held() -> None:
    bought = fill("10", "11", bar=1, fee="5")
    sold = fill("-10", "14", bar=3, fee="5")
    # Before; after bar 1: 1000 - 110 - 5 + 10 x 12; after bar 2: with 9; sold at the open of bar 3.
    assert points([bought, sold], [series([10, 12, 9, 99])]) == [1000.0, 1005.0, 975.0, 1020.0]


def test_a_fill_at_an_open_does_not_touch_the_close_of_the_same_instant() -> None:
    bought, sold = fill("10", "10", bar=0), fill("-10", "50", bar=1)
    assert points([bought, sold], [series([20, 60])]) == [1000.0, 1100.0, 1400.0]


def test_a_fill_within_a_bar_comes_before_its_close() -> None:
    bought = fill("10", "10", bar=1, intrabar=True)
    assert points([bought], [series([20, 12])]) == [1000.0, 1020.0]


def test_a_short_position_gains_when_the_price_falls() -> None:
    assert points([fill("-10", "10")], [series([8, 11])]) == [1000.0, 1020.0, 990.0]


def test_equity_goes_on_with_the_next_position() -> None:
    fills = [fill("10", "10"), fill("-10", "12", bar=1), fill("10", "20", bar=2)]
    assert points(fills, [series([11, 15, 22, 23])]) == [
        1000.0,
        1010.0,
        1020.0,  # sold
        1020.0,  # before the next
        1040.0,
        1050.0,
    ]


def test_several_symbols_count_together() -> None:
    fills = [fill("10", "10"), fill("5", "20", bar=1, symbol="S:B")]
    data = [series([10, 12, 11]), series([21, 19, 25], symbol="S:B")]
    assert points(fills, data) == [1000.0, 1000.0, 1000 + 20 - 5, 1000 + 10 + 25]


def test_bars_after_the_end_of_a_stopped_run_do_not_count() -> None:
    assert points([fill("10", "10")], [series([11, 12, 13])], end=START + 2 * STEP) == [
        1000.0,
        1010.0,
        1020.0,
    ]


def test_a_rounding_error_of_floats_is_not_a_fall() -> None:
    deals = [fill("26", "10"), fill("-26", "10.4", bar=1)]
    data = [series([10.4, 10.4, 10.4])]
    assert points(deals, data)[1:] == [1010.4000000000001, 1010.4]
    found = path_of(CASH, equity_curve(CASH, deals, data, END), START, END, {}, [START])
    assert (found.max_drawdown, found.max_drawdown_dates, found.longest_drawdown_ns) == (0, None, 0)
    assert found.points == [(START, 1010.4, 0.0)]


def test_each_point_of_the_curve_has_its_instant() -> None:
    fills = [fill("10", "10"), fill("-10", "12", bar=2)]
    curve = points_of(equity_curve(CASH, fills, [series([11, 13, 99])], END))
    # A fill at an open comes just after the previous close, at the same time.
    assert [now - START for now, _ in curve] == [1, STEP, 2 * STEP, 2 * STEP + 1]


@pytest.mark.parametrize("enough", [1, 2, 100])
def test_bars_of_several_lengths_keep_their_instants_however_a_curve_is_cut(
    enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENOUGH", enough)
    monkeypatch.setattr(module, "STRETCH", enough)
    longer = BarSeries("S:B", "2m", 2 * STEP)
    for row, close in enumerate([20, 21, 22]):
        longer.append(START + 2 * row * STEP, close, close, close, close, 1.0)
    fills = [
        fill("10", "10"),
        fill("-10", "12", bar=2),
        fill("1", "21", bar=2, symbol="S:B"),
    ]
    curve = points_of(equity_curve(CASH, fills, [series([11, 13, 99]), longer], END))
    assert [(now - START, equity) for now, equity in curve] == [
        (1, 1000.0),
        (STEP, 1010.0),
        (2 * STEP, 1030.0),
        (2 * STEP + 1, 1020.0),  # both the sale and the purchase
        (4 * STEP, 1020.0),
        (6 * STEP, 1021.0),
    ]


def plainly(fills: Sequence[Fill], data: Sequence[BarSeries]) -> float:
    """Compute the drawdown by valuing every position at every time."""
    happenings: list[tuple[int, int, int, object]] = []
    for index, each in enumerate(fills):
        at_open = each.bar_ns == each.time_ns
        happenings.append((each.time_ns + at_open, 0, index, each))
    for bars in data:
        for row, start in enumerate(bars.starts):
            happenings.append((start + bars.step, 1, 0, (bars.symbol, bars.closes[row])))
    cash, held, marks = float(CASH), dict.fromkeys("AB", 0.0), dict.fromkeys("AB", 0.0)
    peak, worst = float(CASH), 0.0
    happenings.sort(key=lambda each: each[:3])
    for _, together in groupby(happenings, key=lambda each: each[0]):
        touched: set[str] = set()
        has_closed = False
        for _, _, _, what in together:
            if isinstance(what, Fill):
                name, signed = what.symbol[-1], float(what.quantity) * what.side.sign
                cash -= signed * float(what.price) + float(what.fee)
                held[name] += signed
                marks[name] = float(what.price)
                has_closed = has_closed or not held[name]
            elif isinstance(what, tuple):
                touched.add(what[0][-1])
                marks[what[0][-1]] = what[1]
        if has_closed or any(held[name] for name in touched):
            equity = cash + sum(held[name] * marks[name] for name in held)
            peak = max(peak, equity)
            worst = max(worst, (peak - equity) / peak)
    return worst


def test_a_position_that_is_closed_beside_another_counts_at_once() -> None:
    held, gaps = fill("1", "10"), with_gaps([10, None, None, None, 10], "S:A")
    fills = [held, fill("50", "10", symbol="S:B"), fill("-50", "5", bar=2, symbol="S:B")]
    fills.append(fill("50", "5", bar=3, symbol="S:B"))
    data = [gaps, with_gaps([10, 10, 5, 10, 10], "S:B")]
    assert points(fills, data) == [1000, 1000, 1000, 750, 1000, 1000]
    three = [series([10] * 5, symbol="S:C"), *data]
    assert points([fill("1", "10", symbol="S:C"), *fills], three) == [
        1000,
        1000,
        1000,
        750,
        750,
        1000,
        1000,
    ]


def test_what_is_closed_within_a_bar_counts_together_with_the_closes_of_that_bar() -> None:
    stop = fill("-50", "8", bar=1, intrabar=True)
    fills = [fill("50", "10"), fill("-50", "10", symbol="S:B"), stop]
    data = [series([10, 8, 8]), series([10, 8, 8], symbol="S:B")]
    # A hedge: one position gained what the other lost at its stop.
    assert points(fills, data) == [1000] * 4


def test_interest_makes_no_fall_of_its_own_where_a_bar_closes_with_it() -> None:
    charge = interest(bar=2)
    assert points([fill("10", "10"), charge], [series([11, 12])]) == [1000, 1010, 1019]
    halted = [series([11]), series([5, 5], symbol="S:B")]
    assert points([fill("10", "10"), charge], halted) == [1000, 1010, 1009]


def test_a_time_without_a_position_is_no_part_of_a_drawdown() -> None:
    fills = [fill("10", "10", bar=6), fill("-10", "9", bar=7)]
    bars = series([10, 10, 10, 10, 10, 10, 9, 9, 9])
    found = path_of(CASH, equity_curve(CASH, fills, [bars], END), START, START + 9 * STEP, {})
    assert found.longest_drawdown_ns == 3 * STEP - 1  # from the entry, just after the close


def test_the_time_before_a_position_opened_and_closed_at_one_open_is_no_drawdown() -> None:
    fills = [fill("10", "10", bar=6), fill("-10", "9", bar=6)]
    found = path_of(
        CASH, equity_curve(CASH, fills, [series([10] * 9)], END), START, START + 9 * STEP, {}
    )
    assert found.longest_drawdown_ns == 3 * STEP - 1


def with_gaps(closes: Sequence[int | None], symbol: str) -> BarSeries:
    bars = BarSeries(symbol, "1m", STEP)
    for row, close in enumerate(closes):
        if close is not None:
            bars.append(START + row * STEP, close, close, close, close, 1.0)
    return bars


@given(
    closes=st.tuples(
        *(st.lists(st.none() | st.integers(5, 30), min_size=8, max_size=8) for _ in range(2))
    ),
    deals=st.lists(
        st.tuples(
            st.sampled_from("AB"),
            st.integers(1, 6),
            st.booleans(),
            st.sampled_from([-2, -1, 1, 2]),
            st.integers(5, 30),
        ),
        max_size=6,
    ),
)
@settings(deadline=None)
def test_drawdown_agrees_with_a_plain_recalculation(
    closes: tuple[list[int | None], list[int | None]], deals: list[tuple[str, int, bool, int, int]]
) -> None:
    data = [with_gaps(each, f"S:{name}") for name, each in zip("AB", closes, strict=True)]
    fills = [
        fill(str(size), str(price), bar=bar, intrabar=within, symbol=f"S:{name}", fee="1")
        for name, bar, within, size, price in sorted(deals, key=lambda deal: (deal[1], deal[2]))
        if closes["AB".index(name)][bar] is not None
    ]
    found = path_of(CASH, equity_curve(CASH, fills, data, END), START, END, {})
    assert found.max_drawdown == pytest.approx(plainly(fills, data))


def test_ragged_positions_take_few_steps() -> None:
    """In a universe of hundreds of symbols, some miss a bar nearly every day."""
    bars = 50

    def steps(held: int) -> int:
        names = [f"S:{number}" for number in range(held)]
        data = [
            with_gaps([10 if (row + place) % 7 else None for row in range(bars)], name)
            for place, name in enumerate(names)
        ]
        fills = [fill("1", "10", symbol=name) for name in names]
        return steps_of(lambda: list(equity_curve(CASH, fills, data, END)))

    assert (steps(40) - steps(20)) / 20 / bars < 40
