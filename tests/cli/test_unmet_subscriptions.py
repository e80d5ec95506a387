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
        "SUBSCRIPTIONS: nothing came of S:B:candle_1h; the proxy sends only 1m candles of S:B; if "
        "it is strategy-proxy, start it with the same --subscriptions",
    ]


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("*:candle_5m", "the proxy sends only 15m, 1m candles; if it is strategy-proxy, start it"),
        ("S:A:candle_5m", "the proxy sends only 1m candles of S:A; if it is"),
        ("S:AB:candle_1m", "did you mean 'S:A:candle_1m'"),
        ("FX_EURUSD:quote", "what came was S:A:candle_1m, S:A:quote, S:B:candle_15m"),
    ],
)
async def test_what_the_proxy_sends_instead_is_said(
    wanted: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = resolve({"subscriptions": wanted}, read_environment({}))
    proxy = ProxyVenue(Endpoints(), is_live=False, subscriptions=parse_subscriptions(wanted))
    wants = proxy._inbox.wants
    wants.candle("S:A", "1m")
    wants.candle("S:B", "15m")
    wants.quote("S:A")
    unmet_subscriptions.warn_of_unmet(proxy, settings)
    (record,) = caplog.records
    assert f"--subscriptions: nothing came of {wanted}; {hint}" in record.getMessage()


def test_where_nothing_has_come_at_all_no_hint_is_given(caplog: pytest.LogCaptureFixture) -> None:
    settings = resolve({"subscriptions": "S:A:quote"}, read_environment({}))
    proxy = ProxyVenue(Endpoints(), is_live=False, subscriptions=parse_subscriptions("S:A:quote"))
    unmet_subscriptions.warn_of_unmet(proxy, settings)
    (record,) = caplog.records
    assert record.getMessage() == "--subscriptions: nothing came of S:A:quote"
