"""Equity and drawdown, against values worked out by hand and against a plain re-calculation."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy_runtime.report.metrics import equity_points, max_drawdown
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Fill
from tests.report.support import START, STEP, fill, series

CASH = Decimal(1000)
END = START + 1000 * STEP


def points(fills: Sequence[Fill], data: Sequence[BarSeries], end: int = END) -> list[float]:
    return list(equity_points(CASH, fills, data, end))


def test_nothing_traded_nothing_moves() -> None:
    assert points([], [series([1, 2, 3])]) == []
    assert max_drawdown(CASH, []) == 0.0


def test_equity_follows_the_closes_while_a_position_is_held() -> None:
    bought = fill("10", "11", bar=1, fee="5")
    sold = fill("-10", "14", bar=3, fee="5")
    # After bar 1: 1000 - 110 - 5 + 10 x 12; after bar 2: with 9; sold at the open of bar 3.
    assert points([bought, sold], [series([10, 12, 9, 99])]) == [1005.0, 975.0, 1020.0]


def test_a_fill_at_an_open_does_not_touch_the_close_of_the_same_instant() -> None:
    bought, sold = fill("10", "10", bar=0), fill("-10", "50", bar=1)
    assert points([bought, sold], [series([20, 60])]) == [1100.0, 1400.0]


def test_a_fill_within_a_bar_comes_before_its_close() -> None:
    bought = fill("10", "10", bar=1, intrabar=True)
    assert points([bought], [series([20, 12])]) == [1020.0]


def test_a_short_position_gains_when_the_price_falls() -> None:
    assert points([fill("-10", "10")], [series([8, 11])]) == [1020.0, 990.0]


def test_several_symbols_count_together() -> None:
    fills = [fill("10", "10"), fill("5", "20", bar=1, symbol="S:B")]
    data = [series([10, 12, 11]), series([21, 19, 25], symbol="S:B")]
    assert points(fills, data) == [1000.0, 1000 + 20 - 5, 1000 + 10 + 25]


def test_bars_after_the_end_of_a_stopped_run_do_not_count() -> None:
    assert points([fill("10", "10")], [series([11, 12, 13])], end=START + 2 * STEP) == [
        1010.0,
        1020.0,
    ]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [([1100, 990, 1200, 900], 0.25), ([900, 1000], 0.1), ([1001, 1002], 0.0), ([1000, 1000], 0.0)],
)
def test_drawdown_is_the_largest_fall_from_a_peak(curve: list[float], expected: float) -> None:
    assert max_drawdown(CASH, curve) == pytest.approx(expected)


def plainly(fills: Sequence[Fill], data: Sequence[BarSeries]) -> float:
    """The drawdown by walking every instant and marking every position at it."""
    happenings: list[tuple[int, int, int, object]] = []
    for index, each in enumerate(fills):
        at_open = each.bar_ns == each.time_ns
        happenings.append((each.time_ns, 2 if at_open else 0, index, each))
    for bars in data:
        for row, start in enumerate(bars.starts):
            happenings.append((start + bars.step, 1, 0, (bars.symbol, bars.closes[row])))
    cash, held, marks = float(CASH), dict.fromkeys("AB", 0.0), dict.fromkeys("AB", 0.0)
    peak, worst = float(CASH), 0.0
    instants = sorted({(time, phase) for time, phase, _, _ in happenings})
    for instant in instants:
        for time, phase, _, what in sorted(happenings, key=lambda each: each[:3]):
            if (time, phase) != instant:
                continue
            if isinstance(what, Fill):
                signed = float(what.quantity) * what.side.sign
                cash -= signed * float(what.price) + float(what.fee)
                held[what.symbol[-1]] += signed
            elif isinstance(what, tuple):
                marks[what[0][-1]] = what[1]
        is_flat = not any(held.values())
        if instant[1] == 1 or is_flat:
            equity = cash + sum(held[name] * marks[name] for name in held)
            peak = max(peak, equity)
            worst = max(worst, (peak - equity) / peak)
    return worst


@given(
    closes=st.tuples(*(st.lists(st.integers(5, 30), min_size=8, max_size=8) for _ in range(2))),
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
    closes: tuple[list[int], list[int]], deals: list[tuple[str, int, bool, int, int]]
) -> None:
    data = [
        series([float(close) for close in each], symbol=f"S:{name}")
        for name, each in zip("AB", closes, strict=True)
    ]
    fills = [
        fill(str(size), str(price), bar=bar, intrabar=within, symbol=f"S:{name}", fee="1")
        for name, bar, within, size, price in sorted(deals, key=lambda deal: (deal[1], deal[2]))
    ]
    assert max_drawdown(CASH, points(fills, data)) == pytest.approx(plainly(fills, data))
