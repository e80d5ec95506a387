"""Charts of many bars and fills."""

from collections.abc import Sequence

from strategy_runtime.protocol.enums import Side
from strategy_runtime.report.charts import Mark, PriceChart, price_charts
from strategy_runtime.report.grid import grid_of
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Fill
from tests.report.support import START, STEP, fill, series

SECOND = 1_000_000_000
END = START + 100_000 * STEP


def charts(
    data: Sequence[BarSeries], fills: Sequence[Fill] = (), end: int = END
) -> list[PriceChart]:
    return price_charts(data, fills, grid_of(data, end), end)


def test_few_bars_are_shown_as_they_are() -> None:
    (chart,) = charts([series([1.0, 2.0])])
    assert (chart.symbol, chart.bars, chart.marks) == ("S:A", 1, [])
    assert chart.candles == [
        (START // SECOND, 1, 1, 1, 1),
        ((START + STEP) // SECOND, 2, 2, 2, 2),
    ]


def test_many_bars_share_candles_and_no_extreme_is_lost() -> None:
    closes = [10.0 + index % 7 for index in range(4500)]
    closes[4321], closes[1234] = 99.0, 0.5
    (chart,) = charts([series(closes)])
    assert chart.bars == 3
    assert len(chart.candles) == 1500
    assert chart.candles[0] == (START // SECOND, closes[0], 12.0, 10.0, closes[2])
    assert max(candle[2] for candle in chart.candles) == 99.0
    assert min(candle[3] for candle in chart.candles) == 0.5


def test_fills_of_a_side_within_a_candle_are_one_mark() -> None:
    fills = [
        fill("2", "10", bar=4),
        fill("3", "10", bar=5),
        fill("-5", "10", bar=5),
        fill("1", "10", bar=9, symbol="S:B"),
    ]
    chart = charts([series([1.0] * 4500), series([1.0], symbol="S:B")], fills)[0]
    time = (START + 3 * STEP) // SECOND
    assert chart.marks == [Mark(time, Side.BUY, 2, 5.0), Mark(time, Side.SELL, 1, 5.0)]


def test_bars_after_the_end_of_a_stopped_run_are_left_out() -> None:
    (chart,) = charts([series([1.0, 2.0, 3.0])], end=START + 2 * STEP)
    assert [candle[4] for candle in chart.candles] == [1.0, 2.0]


def test_quotes_of_one_second_make_one_candle() -> None:
    bars = BarSeries("S:A", "quote", 0)
    for index, price in enumerate([5.0, 7.0, 4.0, 6.0]):
        bars.append(START + index * SECOND // 2, price, price, price, price, 0)
    (chart,) = charts([bars])
    second = START // SECOND
    assert chart.candles == [(second, 5, 7, 5, 7), (second + 1, 4, 6, 4, 6)]


def test_only_the_symbols_traded_most_are_shown_in_the_order_of_the_data() -> None:
    data = [series([1.0], symbol=f"S:{number:02}") for number in range(20)]
    fills = [fill("1", "1", symbol="S:19"), fill("1", "1", symbol="S:13")]
    shown = [chart.symbol for chart in charts(data, fills)]
    assert shown == [f"S:{number:02}" for number in range(10)] + ["S:13", "S:19"]


def test_symbols_share_the_times_of_their_candles_and_have_none_where_they_have_no_bars() -> None:
    late = series([5.0] * 3000, symbol="S:B", first=1500)
    early, later = charts([series([1.0] * 4500), late])
    times = [time for time, *_ in early.candles]
    assert len(times) <= 2000
    began = (START + 1500 * STEP) // SECOND
    assert [time for time, *_ in later.candles] == [time for time in times if time >= began]


def test_a_fill_in_a_bar_that_did_not_come_to_its_end_has_no_candle_to_be_marked_at() -> None:
    (chart,) = charts([series([1.0, 2.0])], [fill("1", "1")], end=START)
    assert (chart.candles, chart.marks) == ([], [])
