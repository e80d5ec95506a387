"""Whether the proxy at the other end is still the one that the backtest began with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import CandleFrame, ConnectionEvent
from strategy_runtime.protocol.models import Candle
from strategy_runtime.proxy.continuity import Continuity


def frame(number: int, event_id: str | None = None, **bar: Any) -> CandleFrame:
    start = datetime(2024, 3, 4, 14, number, tzinfo=UTC)
    given: dict[str, Any] = {
        "symbol": "S:X",
        "timeframe": "1m",
        "open": 1,
        "high": 1,
        "low": 1,
        "close": 1,
    } | bar
    return CandleFrame(event_id=event_id or f"evt-{number}", bar=Candle(stamp=start, **given))


def connected(session: str | None) -> ConnectionEvent:
    return ConnectionEvent(event=ConnectionEventKind.CONNECTED, session=session)


def after(latest: CandleFrame) -> Continuity:
    """That of a second connection."""
    continuity = Continuity()
    continuity.latest = latest
    continuity.opened()
    return continuity


@pytest.mark.parametrize(
    ("broken_by", "what"),
    [
        (frame(2), "an older candle, whatever its id"),
        (frame(1, "another"), "an older candle, whatever its id"),
        (frame(3, close=2), "another candle under the same id"),
        (frame(4, "evt-3"), "another candle under the same id"),
    ],
)
def test_another_run_shows_itself(broken_by: CandleFrame, what: str) -> None:
    assert after(frame(3)).is_broken_by(broken_by), what


@pytest.mark.parametrize("first", [frame(3), frame(4), frame(3, "another", close=2)])
def test_the_same_run_goes_on_and_is_not_looked_at_any_more(first: CandleFrame) -> None:
    continuity = after(frame(3))
    assert continuity.is_open
    assert not continuity.is_broken_by(first)
    assert not continuity.is_open
    assert not continuity.is_broken_by(frame(1))


@pytest.mark.parametrize("kind", [{"symbol": "S:Y"}, {"timeframe": "1d"}])
def test_candles_of_another_kind_say_nothing(kind: dict[str, str]) -> None:
    continuity = after(frame(3))
    assert not continuity.is_broken_by(frame(1, **kind))
    assert continuity.is_open
    assert continuity.is_broken_by(frame(1))


def test_nothing_is_looked_at_before_there_is_something_to_compare_with() -> None:
    continuity = Continuity()
    continuity.opened()
    assert not continuity.is_open


def test_a_session_is_a_run() -> None:
    continuity = Continuity()
    assert not continuity.is_broken_by(connected("a"))
    assert not continuity.is_broken_by(connected("a"))
    assert not continuity.is_broken_by(connected(None))
    assert continuity.is_broken_by(connected("b"))
