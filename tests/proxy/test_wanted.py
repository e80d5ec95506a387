"""The filter by subscriptions, and the entries that were never matched."""

import pytest

from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy.wanted import Wanted


def unmet(wanted: Wanted) -> str:
    return ",".join(map(str, wanted.unmet))


def test_an_entry_is_met_by_the_first_that_it_asks_for() -> None:
    text = "S:X:candle_5m,S:X:quote,*:candle,S:Y:*,S:Z:candle"
    wanted = Wanted(parse_subscriptions(text))
    assert unmet(wanted) == text
    assert not wanted.quote("S:Z")
    assert unmet(wanted) == text
    assert wanted.candle("S:X", "1m")
    assert unmet(wanted) == "S:X:candle_5m,S:X:quote,S:Y:*,S:Z:candle"
    assert wanted.candle("S:X", "5m")
    assert wanted.quote("S:X")
    assert wanted.quote("S:Y")
    assert unmet(wanted) == "S:Z:candle"
    assert wanted.candle("S:Z", "1h")
    assert unmet(wanted) == ""


@pytest.mark.parametrize("text", ["", "S:X:order", "*:account"])
def test_of_orders_and_the_account_none_has_to_come(text: str) -> None:
    assert unmet(Wanted(parse_subscriptions(text))) == ""
