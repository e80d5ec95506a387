"""Coarser candles made of finer bars."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import ns_of, utc
from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.testing import FIRST_BAR
from tests.simulator.support import no_short_cuts, order
from tests.strategies import Scripted
from tests.work import steps_of

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE
START = ns_of(FIRST_BAR)  # 14:30


def minutes(*closes: float, start: int = START, missing: tuple[int, ...] = ()) -> BarSeries:
    series = BarSeries("S:X", "1m", MINUTE)
    for number, close in enumerate(closes):
        if number not in missing:
            series.append(start + number * MINUTE, close, close + 0.5, close - 0.5, close, 10.0)
    return series


def play(exchange: Exchange, strategy: Scripted) -> list[Candle]:
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    return [event for event in strategy.seen if isinstance(event, Candle)]


def times(candles: list[Candle]) -> list[str]:
    return [f"{c.timeframe} {c.timestamp:%H:%M}" for c in candles]


def test_a_candle_is_made_of_its_parts() -> None:
    first, second = play(Exchange([minutes(*range(1, 11))], timeframe="5m"), Scripted({}))
    assert (first.open, first.high, first.low, first.close, first.volume) == (1, 5.5, 0.5, 5, 50)
    assert (second.open, second.close) == (6, 10)
    assert times([first, second]) == ["5m 14:30", "5m 14:35"]


def test_candles_keep_to_the_clock_and_an_empty_time_has_none() -> None:
    series = minutes(*range(1, 21), start=START + 2 * MINUTE, missing=tuple(range(4, 12)))
    candles = play(Exchange([series], timeframe="5m"), Scripted({}))
    assert times(candles) == ["5m 14:30", "5m 14:35", "5m 14:40", "5m 14:45", "5m 14:50"]
    assert [candle.close for candle in candles] == [3, 4, 13, 18, 20]


@pytest.mark.parametrize(
    ("step", "first", "timeframe", "expected"),
    [
        # Stocks trade from half past on, and their hourly bars start then.
        (60, "2024-01-02T14:30", "4h", ["12:00 0-0", "16:00 1-4", "20:00 5-8"]),
        (60, "2024-01-02T13:15", "4h", ["12:00 0-2", "16:00 3-6", "20:00 7-9"]),
        # In UTC, Mondays of Tokyo and of currencies start on Sundays.
        (1440, "2024-01-07T15:00", "1w", ["Jan 08 0-6"]),
        (1440, "2024-01-07T22:00", "1w", ["Jan 08 0-6"]),
        # The last day of a month in New York ends in the next month.
        (1440, "2024-01-29T05:00", "1M", ["Jan 01 0-2"]),
    ],
)
def test_a_bar_belongs_to_the_candle_that_its_middle_is_in(
    step: int, first: str, timeframe: str, expected: list[str]
) -> None:
    series = BarSeries("S:X", "1h" if step == 60 else "1d", step * MINUTE)
    for number in range(10):
        start = ns_of(datetime.fromisoformat(first).replace(tzinfo=UTC)) + number * series.step
        series.append(start, number, number + 0.5, number, number + 0.25, 1)
    exchange = Exchange([series], timeframe=timeframe)
    told: list[Candle] = []
    for _ in exchange.phases():
        told += [event for event in exchange.outbox if isinstance(event, Candle)]
        exchange.outbox.clear()
        assert exchange.bars("S:X", timeframe) == told
    form = "%H:%M" if step == 60 else "%b %d"
    whole = told[: len(expected)]
    assert [f"{c.timestamp:{form}} {c.open:g}-{c.close - 0.25:g}" for c in whole] == expected
    assert all((c.high, c.volume) == (c.close + 0.25, c.close + 0.75 - c.open) for c in whole)


@settings(deadline=None)
@given(
    lengths=st.sampled_from([("1m", "5m"), ("1h", "4h"), ("1h", "1d"), ("1d", "1w"), ("1d", "1M")]),
    late=st.integers(0, 3),
    gaps=st.lists(st.integers(0, 9), min_size=1, max_size=40),
)
def test_each_bar_is_part_of_one_candle_however_bars_lie(
    lengths: tuple[str, str], late: int, gaps: list[int]
) -> None:
    fine, coarse = map(parse_timeframe, lengths)
    step, start = fine.nanoseconds, START // DAY * DAY + late * fine.nanoseconds // 4
    series = BarSeries("S:X", fine.text, step)
    expected: dict[int, tuple[float, float]] = {}
    for number, gap in enumerate(gaps):
        start += step + gap * step // 4
        series.append(start, number, number, number, number, 1)
        begin, _ = coarse.span_around(start + step // 2)
        first, _ = expected.get(begin, (number, number))
        expected[begin] = first, number
    exchange, told = Exchange([series], timeframe=coarse.text), list[Candle]()
    for _ in exchange.phases():
        told += [event for event in exchange.outbox if isinstance(event, Candle)]
        exchange.outbox.clear()
        assert exchange.bars("S:X", coarse.text) == told
    assert {ns_of(c.timestamp): (c.open, c.close) for c in told} == expected
    assert [c.volume for c in told] == [last - first + 1 for first, last in expected.values()]


def test_finer_and_coarser_candles_of_one_instant_come_in_that_order() -> None:
    wanted = parse_subscriptions("S:X:candle_5m,S:X:candle_1m")
    candles = play(Exchange([minutes(*range(1, 6))], subscriptions=wanted), Scripted({}))
    assert times(candles)[-2:] == ["1m 14:34", "5m 14:30"]


def test_finer_candles_come_in_runs_until_a_coarser_one_ends() -> None:
    def stream_of(timeframes: str) -> tuple[list[int], list[Candle]]:
        wanted = ",".join(f"S:X:candle_{text}" for text in timeframes.split())
        series = minutes(*range(1, 181), missing=(70, 71, 150))
        exchange = Exchange([series], None, parse_subscriptions(wanted))
        runs: list[int] = []
        candles: list[Candle] = []
        for event in exchange.stream(exchange.phases()):
            if isinstance(event, CandleRun):
                before = len(candles)
                for candle in event.candles:
                    event.last = candle
                    candles.append(candle)
                runs.append(len(candles) - before)
            elif isinstance(event, Candle):
                candles.append(event)
        return runs, candles

    hours = [29, 57, 59, 29]
    for timeframes, expected in (("1m 1h", hours), ("1m 1h 1d", hours), ("1m 2m", [])):
        runs, candles = stream_of(timeframes)
        assert runs == expected
        with no_short_cuts():
            assert stream_of(timeframes) == ([], candles)


def test_plain_candle_is_the_timeframe_of_the_run() -> None:
    wanted = parse_subscriptions("S:X:candle")
    exchange = Exchange([minutes(*range(1, 6))], subscriptions=wanted, timeframe="5m")
    assert times(play(exchange, Scripted({}))) == ["5m 14:30"]


def test_orders_fill_in_the_finer_bars() -> None:
    series = minutes(*range(1, 16))
    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1, stop=8)})
    exchange = Exchange([series], timeframe="5m")
    play(exchange, strategy)
    (fill,) = exchange.outcome().fills
    assert (fill.price, utc(fill.bar_ns).strftime("%H:%M")) == (Decimal("8"), "14:37")


def test_simulated_now_of_a_coarser_candle_is_its_end() -> None:
    seen: list[str] = []

    class Clock(Strategy):
        def on_candle(self, candle: Candle) -> None:
            seen.append(f"{self.now:%H:%M}")

    exchange = Exchange([minutes(*range(1, 8))], timeframe="5m")
    asyncio.run(Runner(Clock(), SimulatedVenue(exchange), mode="backtest").run())
    assert seen == ["14:35", "14:40"]


def test_weeks_begin_on_monday() -> None:
    series = BarSeries("S:X", "1d", DAY)
    for number in range(10):  # Tuesday, 2 January 2024, and the nine days after it
        series.append(ns_of(FIRST_BAR) // DAY * DAY + number * DAY, 1, 1, 1, number, 1)
    candles = play(Exchange([series], timeframe="1w"), Scripted({}))
    assert [f"{c.timestamp:%a %d}" for c in candles] == ["Mon 01", "Mon 08"]
    assert [c.close for c in candles] == [5, 9]


def days(first: datetime, count: int) -> BarSeries:
    """Return daily bars, each of which closes at its number."""
    series = BarSeries("S:X", "1d", DAY)
    for number in range(count):
        price = float(number)
        series.append(ns_of(first) + number * DAY, price, price, price, price, 1)
    return series


def test_months_are_those_of_the_calendar() -> None:
    series = days(datetime(2023, 11, 1, tzinfo=UTC), 152)
    candles = play(Exchange([series], timeframe="1M"), Scripted({}))
    # 30, 31, 31 and, in a leap year, 29 days; the last of March is day 151.
    assert [f"{c.timestamp:%Y-%m-%d}" for c in candles] == [
        "2023-11-01",
        "2023-12-01",
        "2024-01-01",
        "2024-02-01",
        "2024-03-01",
    ]
    assert [(c.open, c.close, c.volume) for c in candles] == [
        (0, 29, 30),
        (30, 60, 31),
        (61, 91, 31),
        (92, 120, 29),
        (121, 151, 31),
    ]


def test_a_month_is_told_when_it_is_over() -> None:
    seen: list[str] = []

    class Clock(Strategy):
        def on_candle(self, candle: Candle) -> None:
            seen.append(f"{candle.timestamp:%m-%d} at {self.now:%m-%d %H:%M}")

    exchange = Exchange([days(datetime(2023, 1, 20, tzinfo=UTC), 40)], timeframe="1M")
    asyncio.run(Runner(Clock(), SimulatedVenue(exchange), mode="backtest").run())
    assert seen == ["01-01 at 02-01 00:00", "02-01 at 03-01 00:00"]


def test_a_request_for_months_has_those_that_are_over() -> None:
    exchange = Exchange([days(datetime(2023, 1, 1, tzinfo=UTC), 59)])
    phases = exchange.phases()
    told: list[int] = []
    for _ in range(59):
        next(phases)
        exchange.outbox.clear()
        told.append(len(exchange.bars("S:X", "1M")))
    assert told == [0] * 30 + [1] * 28 + [2]


def test_weeks_make_no_months() -> None:
    weekly = BarSeries("S:X", "1w", 7 * DAY)
    weekly.append(4 * DAY, 1, 1, 1, 1, 1)
    with pytest.raises(ConfigError, match="candles of 1M cannot be made of the 1w bars of S:X"):
        Exchange([weekly], timeframe="1M")


def test_a_timeframe_that_the_bars_do_not_make() -> None:
    with pytest.raises(ConfigError, match="candles of 90s cannot be made of the 1m bars of S:X"):
        Exchange([minutes(1)], timeframe="90s")


def test_history_follows_coarser_bars_that_came_first_though_finer_ones_come_alone() -> None:
    class Long(Strategy):
        lookback: ClassVar[int] = 20

        def on_stop(self) -> None:
            self.kept = [candle.timeframe for candle in self.history("S:X", 20)]

    strategy, wanted = Long(), parse_subscriptions("S:X:candle_1m,S:X:candle_1h")
    before = hours(700, 800, start=START - 150 * MINUTE)
    exchange = Exchange([before, minutes(*range(1, 11))], subscriptions=wanted)
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert strategy.kept == ["1h"] * 2


def test_requests_see_only_candles_that_are_over() -> None:
    exchange = Exchange([minutes(*range(1, 9))])
    phases = exchange.phases()
    for _ in range(7):
        next(phases)
        exchange.outbox.clear()
    assert times(exchange.bars("S:X", "5m")) == ["5m 14:30"]
    assert len(exchange.bars("S:X", "1m")) == 7
    with pytest.raises(ApiError, match="timeframe 90s is not loaded"):
        exchange.bars("S:X", "90s")


@pytest.mark.parametrize("is_given", [False, True])
def test_a_candle_is_not_over_while_its_last_bar_meets_the_orders(is_given: bool) -> None:
    given = BarSeries("S:X", "5m", 5 * MINUTE)
    given.append(START, 1, 5.5, 0.5, 5, 50)
    exchange = Exchange([minutes(*range(1, 6)), *([given] if is_given else [])])
    stop = order(symbol="S:X", order_type=OrderType.STOP, stop_price=Decimal("5.2"))
    exchange.submit(stop)
    seen: dict[str, tuple[int, list[float]]] = {}
    for _ in exchange.phases():
        finer, coarser = exchange.bars("S:X", "1m"), exchange.bars("S:X", "5m")
        for event in exchange.outbox:
            seen[type(event).__name__] = len(finer), [candle.volume for candle in coarser]
        exchange.outbox.clear()
    assert seen["TradeEvent"] == (4, [])
    assert seen["Candle"] == (5, [50])


# Coarser bars in the data.


def hours(*closes: float, symbol: str = "S:X", start: int = START - 30 * MINUTE) -> BarSeries:
    """Return hourly bars, the first of which starts at 14:00."""
    series = BarSeries(symbol, "1h", 60 * MINUTE)
    for number, close in enumerate(closes):
        series.append(start + number * 60 * MINUTE, close, close, close, close, 1.0)
    return series


def test_coarser_bars_of_the_data_are_told_where_they_are_wanted() -> None:
    data = [hours(700, 800), minutes(*range(1, 101))]
    assert {candle.timeframe for candle in play(Exchange(data), Scripted({}))} == {"1m"}
    wanted = parse_subscriptions("S:X:candle_1m,S:X:candle_1h")
    candles = play(Exchange(data, subscriptions=wanted), Scripted({}))
    found = [(c.close, f"{c.timestamp:%H:%M}") for c in candles if c.timeframe == "1h"]
    assert found == [(700, "14:00"), (800, "15:00")]
    everything = play(
        Exchange(data, subscriptions=parse_subscriptions("S:X:candle_*")), Scripted({})
    )
    assert everything == candles


def test_coarser_bars_of_the_data_are_told_when_they_are_over() -> None:
    wanted = parse_subscriptions("S:X:candle_1m,S:X:candle_1h")
    exchange = Exchange([minutes(*range(1, 61)), hours(700, 800)], subscriptions=wanted)
    candles = play(exchange, Scripted({}))
    at = next(index for index, candle in enumerate(candles) if candle.timeframe == "1h")
    assert times(candles[at - 1 : at + 2]) == ["1m 14:59", "1h 14:00", "1m 15:00"]


def test_the_run_s_timeframe_is_taken_from_the_data_where_they_have_it() -> None:
    data = [minutes(*range(1, 101)), hours(700, 800)]
    candles = play(Exchange(data, timeframe="1h"), Scripted({}))
    assert [candle.close for candle in candles] == [700, 800]


def test_orders_never_fill_in_coarser_bars_of_the_data() -> None:
    data = [minutes(*range(1, 101)), hours(700, 800)]
    wanted = parse_subscriptions("S:X:candle_1h")
    exchange = Exchange(data, subscriptions=wanted)
    play(exchange, Scripted({0: lambda s, _: s.buy("S:X", 1)}))
    (fill,) = exchange.outcome().fills
    assert (fill.price, f"{utc(fill.bar_ns):%H:%M}") == (Decimal(31), "15:00")
    assert exchange.outcome().bars == 100


def test_requests_see_coarser_bars_of_the_data_only_when_they_are_over() -> None:
    exchange = Exchange([minutes(*range(1, 101)), hours(700, 800)])
    seen: list[list[float]] = []
    for _ in exchange.phases():
        exchange.outbox.clear()
        seen.append([candle.close for candle in exchange.bars("S:X", "1h")])
    assert seen[28] == []
    assert seen[29] == [700]
    assert seen[88] == [700]
    assert seen[89] == [700, 800]


def test_timeframes_may_differ_from_symbol_to_symbol() -> None:
    data = [minutes(*range(1, 61)), hours(700, 800), hours(5, 6, symbol="S:Y")]
    candles = play(Exchange(data), Scripted({}))
    assert {(c.symbol, c.timeframe) for c in candles} == {("S:X", "1m"), ("S:Y", "1h")}
    ends = [
        c.timestamp.hour * 60 + c.timestamp.minute + (60 if c.timeframe == "1h" else 1)
        for c in candles
    ]
    assert ends == sorted(ends)


def test_a_request_names_first_last_and_how_many() -> None:
    exchange = Exchange([minutes(*range(1, 11))])
    for _ in exchange.phases():
        exchange.outbox.clear()
    first, last = utc(START + 2 * MINUTE), utc(START + 6 * MINUTE)

    def closes(**limits: object) -> list[float]:
        return [candle.close for candle in exchange.bars("S:X", "1m", **limits)]  # type: ignore[arg-type]

    assert closes() == list(range(1, 11))
    assert closes(limit=2) == [9, 10]
    assert closes(start=first, limit=2) == [3, 4]
    assert closes(end=last, limit=2) == [6, 7]
    assert closes(start=first, end=last) == [3, 4, 5, 6, 7]
    assert closes(start=last, end=first) == []


def test_a_request_for_coarser_candles_may_begin_before_1970() -> None:
    series = BarSeries("S:X", "1d", DAY)
    for number in range(8):
        series.append((number - 4) * DAY, 1, 9, 1, number + 1, 1.0)
    exchange = Exchange([series])
    play(exchange, Scripted({}))
    assert [candle.close for candle in exchange.bars("S:X", "2d")] == [2, 4, 6, 8]


def test_a_request_for_coarser_candles_looks_at_the_bars_near_them_alone() -> None:
    def look_up(count: int) -> int:
        missing = (*range(7, 25), *range(count - 60, count - 20), count - 3)
        exchange = Exchange([minutes(*range(1, count + 1), missing=missing)])
        play(exchange, Scripted({}))
        first = exchange.bars("S:X", "15m", start=utc(0), limit=5)
        last = exchange.bars("S:X", "15m", limit=5)
        assert [exchange.bars("S:X", "15m", limit=few) for few in (1, 4)] == [last[-1:], last[-4:]]
        at = last[2].timestamp
        for moment in (at, at + timedelta(minutes=4)):
            assert exchange.bars("S:X", "15m", end=moment, limit=2) == last[1:3]
            later = exchange.bars("S:X", "15m", start=moment, limit=2)
            assert later == (last[2:4] if moment == at else last[3:])
        assert exchange.bars("S:X", "15m", start=utc(0), end=first[1].timestamp) == first[:2]

        def ask() -> None:
            exchange.bars("S:X", "15m", limit=5)
            exchange.bars("S:X", "15m", end=at, limit=2)
            exchange.bars("S:X", "15m", start=at)
            exchange.bars("S:X", "15m", start=utc(0), limit=2)

        return steps_of(ask)

    assert look_up(3600) == look_up(1800)


def test_a_request_for_coarser_candles_has_those_in_between_whatever_bars_are_missing() -> None:
    series = BarSeries("S:X", "1h", 60 * MINUTE)
    for hour in (0, 1, 2, 3, 7, 8, 15, 16, 17, 23, 24, 28, 31, 35, 36, 37, 38, 39, 43):
        series.append(START + hour * series.step, hour, hour, hour, hour, 1.0)  # from half past on
    exchange = Exchange([series])
    play(exchange, Scripted({}))
    candles = exchange.bars("S:X", "4h")
    assert len(candles) == 10
    moments = [utc(START + hour * series.step) for hour in range(-4, 50)]
    for end in moments:
        before = [each for each in candles if each.timestamp <= end]
        assert exchange.bars("S:X", "4h", end=end, limit=2) == before[-2:]
        for start in moments:
            found = [each for each in before if each.timestamp >= start]
            assert exchange.bars("S:X", "4h", start=start, end=end) == found


def test_indicators_and_history_follow_one_timeframe_each() -> None:
    class Mixed(Strategy):
        lookback: ClassVar[int] = 10

        def on_start(self) -> None:
            self.fine, self.coarse = self.sma(2), self.sma(2, timeframe="5m")

        def on_stop(self) -> None:
            self.kept = [candle.timeframe for candle in self.history("S:X", 10)]

    wanted = parse_subscriptions("S:X:candle_5m,S:X:candle_1m")
    strategy = Mixed()
    exchange = Exchange([minutes(*range(1, 11))], subscriptions=wanted)
    asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
    assert strategy.fine["S:X"].value == (9 + 10) / 2
    assert strategy.coarse["S:X"].value == (5 + 10) / 2
    assert strategy.kept == ["1m"] * 10


@pytest.mark.parametrize(
    ("subscriptions", "symbols"),
    [
        ("", "ABC"),
        ("B:candle,A:candle,C:candle", "BAC"),
        ("C:candle,*:candle", "CAB"),
        ("A:candle,B:candle_3m,B:candle_1m,C:candle", "ABC"),
    ],
)
def test_candles_of_one_instant_come_in_the_order_of_the_subscriptions(
    subscriptions: str, symbols: str
) -> None:
    data = []
    for symbol in "ABC":
        series = BarSeries(symbol, "1m", MINUTE)
        series.append(0, 1, 1, 1, 1, 1)
        series.append(MINUTE, 1, 1, 1, 1, 1)
        data.append(series)
    wanted = parse_subscriptions(subscriptions, "here")
    exchange = Exchange(data, subscriptions=wanted)
    phases = exchange.phases()
    next(phases)
    assert [event.symbol for event in exchange.outbox if isinstance(event, Candle)] == list(symbols)
    for symbol in "CBA":
        exchange.submit(order(symbol=symbol))
    next(phases)
    assert [fill.symbol for fill in exchange.fills] == list(symbols)


@pytest.mark.parametrize(
    ("subscriptions", "symbols"), [("", "AB"), ("B:candle_4m,A:candle_4m", "BA")]
)
def test_so_do_those_that_are_made_of_bars_of_several_lengths(
    subscriptions: str, symbols: str
) -> None:
    data = []
    for symbol, step in (("A", 2), ("B", 1)):
        series = BarSeries(symbol, f"{step}m", step * MINUTE)
        for start in range(0, 4, step):
            series.append(start * MINUTE, 1, 1, 1, 1, 1)
        data.append(series)
    wanted = parse_subscriptions(subscriptions, "here")
    exchange = Exchange(data, subscriptions=wanted, timeframe="4m")
    candles = []
    for _ in exchange.phases():
        candles += [event.symbol for event in exchange.outbox if isinstance(event, Candle)]
        exchange.outbox.clear()
    assert candles == list(symbols)
