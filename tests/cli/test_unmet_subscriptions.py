"""Warnings about subscriptions without events, during a live run."""

import pytest

from strategy_runtime.cli import unmet_subscriptions
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.settings import read_environment, resolve

WANTED = "S:A:candle,S:A:quote,S:B:candle_1h,S:B:candle_*,S:C:quote,S:A:order"


async def test_each_overdue_subscription_is_warned_about_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = resolve({}, read_environment({"SUBSCRIPTIONS": WANTED, "TIMEFRAME": "5m"}))
    proxy = ProxyVenue(Endpoints(), is_live=True, subscriptions=parse_subscriptions(WANTED))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        wants = proxy._inbox.wants
        if len(slept) == 1:
            wants.quote("S:C")
        else:
            wants.candle("S:B", "1m")

    monkeypatch.setattr(unmet_subscriptions, "sleep", sleep)
    await unmet_subscriptions.warn_of_overdue(proxy, settings)
    assert slept == [60, 300, 3300]
    assert [record.getMessage() for record in caplog.records] == [
        "SUBSCRIPTIONS: nothing came of S:A:quote; did you mean 'S:C:quote'?",
        "SUBSCRIPTIONS: nothing came of S:A:candle; did you mean 'S:B:candle_1m'?",
        "SUBSCRIPTIONS: nothing came of S:B:candle_1h; did you mean 'S:B:candle_1m'?",
    ]
