"""Repeated live candles: the strategy gets each once, even without event ids."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, Event, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import CONNECTED, ScriptedProxy, at_once, candle


def bar(minute: int, close: str = "10.5", timeframe: str = "1m") -> dict[str, Any]:
    """Return a candle without an event id."""
    frame = candle(minute)
    del frame["event_id"]
    frame["bar"] |= {"close": close, "timeframe": timeframe}
    return frame


class Listens(Strategy):
    """Records its candles, and how many its average has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, int, float]] = []
        self.events = 0

    def on_start(self) -> None:
        self.average = self.sma(3)

    def on_candle(self, candle: Candle) -> None:
        self.heard.append((candle.timeframe, candle.timestamp.minute, candle.close))

    def on_event(self, event: Event) -> None:
        self.events += isinstance(event, Candle)


async def hears(*connections: list[dict[str, Any]], last: int) -> Listens:
    """Run a strategy on several connections until it has got the candle of a minute."""
    strategy = Listens()

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, *connections[proxy.connections - 1])
        while proxy.connections == len(connections):
            if ("1m", last) in [each[:2] for each in strategy.heard]:
                runner.stop()
            await sleep(0.01)

    async with ScriptedProxy(scene).serving() as proxy:
        venue = ProxyVenue(proxy.endpoints, is_live=True, reconnect_delays=at_once)
        runner = Runner(strategy, venue, mode="live")
        async with asyncio.timeout(20):
            await runner.run()
    return strategy


async def test_a_candle_that_is_repeated_on_a_new_connection_comes_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategy = await hears(
        [CONNECTED, bar(0), bar(1), bar(1), bar(0, timeframe="5m")],
        [CONNECTED, bar(1), bar(0, timeframe="5m"), bar(2)],
        last=2,
    )
    expected = [("1m", 0, 10.5), ("1m", 1, 10.5), ("5m", 0, 10.5), ("1m", 2, 10.5)]
    assert strategy.heard == expected
    assert strategy.events == 4
    assert "passed over" not in caplog.text


async def test_a_correction_and_one_that_is_late_are_passed_over_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategy = await hears([CONNECTED, bar(1), bar(1, "9.5"), bar(0), bar(2)], last=2)
    assert strategy.heard == [("1m", 1, 10.5), ("1m", 2, 10.5)]
    said = "a candle of S:X (1m) came {}, and is ignored"
    assert said.format("again with other values") in caplog.text
    assert said.format("late") in caplog.text


async def test_a_proxy_that_was_started_anew_may_begin_its_candles_anew() -> None:
    strategy = await hears(
        [CONNECTED | {"session": "first"}, bar(3), bar(4)],
        [CONNECTED | {"session": "second"}, bar(4), bar(1), bar(1), bar(2), bar(0), bar(5)],
        last=5,
    )
    assert [minute for _, minute, _ in strategy.heard] == [3, 4, 1, 2, 5]
