"""Indicators and history are filled before the first event."""

from datetime import UTC, datetime
from typing import ClassVar

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import ns_of
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime

MINUTE = 60 * 10**9
START = ns_of(datetime(2024, 1, 2, 14, 30, tzinfo=UTC))


def candle(number: int, close: float) -> Candle:
    start = datetime(2024, 1, 2, 14, 30 + number, tzinfo=UTC)
    return Candle("S:X", "1m", ns_of(start), close, close, close, close)


class Known(SimulatedVenue):
    """A venue that has bars from before its stream starts."""

    def __init__(self, exchange: Exchange, past: list[Candle]) -> None:
        super().__init__(exchange)
        self.past = past
        self.asked: list[tuple[str, str, int]] = []
        self.seen: list[tuple[float, list[float]]] = []

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        self.asked.append((symbol, timeframe, limit))
        return self.past[-limit:]


class Averages(Strategy):
    lookback: ClassVar[int] = 2

    def on_start(self) -> None:
        self.average = self.sma(3)
        self.seen: list[tuple[float, list[float]]] = []

    def on_candle(self, candle: Candle) -> None:
        closes = [each.close for each in self.history("S:X", 2)]
        self.seen.append((self.average["S:X"].value, closes))


async def run(
    past: list[Candle],
    *,
    mode: str = "live",
    subscriptions: str = "S:X:candle",
    kind: type[Known] = Known,
) -> Known:
    series = BarSeries("S:X", "1m", MINUTE)
    for number, close in ((3, 40.0), (4, 50.0)):
        series.append(START + number * MINUTE, close, close, close, close, 1)
    venue = kind(Exchange([series]), past)
    runner = Runner(
        strategy := Averages(),
        venue,
        mode="live" if mode == "live" else "backtest",
        subscriptions=parse_subscriptions(subscriptions),
    )
    await runner.run()
    venue.seen = strategy.seen
    return venue


async def test_the_longest_look_back_is_fetched_and_joined() -> None:
    venue = await run([candle(0, 10), candle(1, 20), candle(2, 30)])
    assert venue.asked == [("S:X", "1m", 3), ("S:X", "1m", 16)]
    assert venue.seen == [(30, [30, 40]), (40, [40, 50])]


async def test_a_candle_that_the_history_had_already_is_not_fed_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    venue = await run([candle(1, 20), candle(2, 30), candle(3, 40)])
    assert venue.seen == [(30, [30, 40]), (40, [40, 50])]
    assert "closed at" not in caplog.text


async def test_a_bar_that_was_listed_before_it_was_closed_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await run([candle(1, 20), candle(2, 30), candle(3, 41)])
    assert (
        "the bar of S:X (1m) from 2024-01-02T14:33:00Z closed at 40, and had been listed with 41: "
        "a proxy has to list closed bars only; history and indicators have what was listed"
    ) in caplog.messages


class Coarser(Known):
    """A venue that has an hourly bar besides the minutes."""

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        found = await super().bars(symbol, timeframe, limit=limit)
        start = ns_of(datetime(2024, 1, 2, 13, tzinfo=UTC))
        hour = Candle("S:X", "1h", start, 9.0, 9.0, 9.0, 9.0)
        return [hour] if timeframe == "1h" else found


async def test_the_finest_of_several_timeframes_is_followed() -> None:
    past = [candle(0, 10), candle(1, 20), candle(2, 30)]
    venue = await run(past, subscriptions="S:X:candle_1h, S:X:candle_1m", kind=Coarser)
    assert venue.asked[:2] == [("S:X", "1m", 3), ("S:X", "1h", 3)]
    assert venue.seen == [(30, [30, 40]), (40, [40, 50])]


class Closing(Known):
    """A venue at which a bar closes between the first request and the start of the stream."""

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        found = await super().bars(symbol, timeframe, limit=limit)
        if len(self.asked) == 1:
            self.past.append(candle(2, 30))
        return found


async def test_a_bar_that_closes_before_the_stream_begins_is_not_missed() -> None:
    venue = await run([candle(0, 10), candle(1, 20)], kind=Closing)
    assert venue.seen == [(30, [30, 40]), (40, [40, 50])]


async def test_too_short_a_history_is_said(caplog: pytest.LogCaptureFixture) -> None:
    await run([candle(2, 30)])
    assert "S:X:candle: 1 of 3 candles to warm up with" in caplog.text


@pytest.mark.parametrize("subscriptions", ["", "*:candle", "S:X:quote"])
async def test_without_a_named_symbol_a_cold_start_is_said(
    caplog: pytest.LogCaptureFixture, subscriptions: str
) -> None:
    venue = await run([candle(2, 30)], subscriptions=subscriptions)
    assert ("S:X", "1m", 3) not in venue.asked
    assert (
        "indicators and history start empty, and the longest takes 3 candles: subscribe by "
        "symbol, as in S:AAPL:candle, to have earlier candles fetched"
    ) in caplog.messages


class Refusing(Known):
    """A venue that has no history, and says so."""

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        await super().bars(symbol, timeframe, limit=limit)
        raise ApiError(501, "NOT_IMPLEMENTED", "no history here")


async def test_a_history_that_is_refused_is_not_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    venue = await run([], kind=Refusing)
    assert [limit for _, _, limit in venue.asked].count(3) == 1
    assert "no history of S:X:candle to warm up with" in caplog.text
    assert len(venue.seen) == 2


class Busy(Known):
    """A venue that fails to answer the first request."""

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        found = await super().bars(symbol, timeframe, limit=limit)
        if len(self.asked) == 1:
            raise ApiError(429, "RATE_LIMITED", "not so fast", retry_after=7.0)
        return found


def test_a_history_that_is_not_to_be_had_yet_is_waited_for() -> None:
    loop = VirtualLoop()
    past = [candle(0, 10), candle(1, 20), candle(2, 30)]
    venue = virtual_time.run(run(past, kind=Busy), loop, VirtualTime(loop))
    assert venue.seen == [(30, [30, 40]), (40, [40, 50])]
    assert loop.time() >= 1007


@pytest.mark.parametrize(
    ("mode", "subscriptions"), [("backtest", "S:X:candle"), ("live", "*:candle"), ("live", "")]
)
async def test_where_nothing_is_fetched(mode: str, subscriptions: str) -> None:
    venue = await run([candle(2, 30)], mode=mode, subscriptions=subscriptions)
    assert venue.asked == []
