"""Whether the proxy is still in the run with which the backtest started."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime.errors import ConfigError, ConnectionLost
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


def connected(session: str | None, acknowledged: int | None = None) -> ConnectionEvent:
    return ConnectionEvent(
        event=ConnectionEventKind.CONNECTED, session=session, acknowledged=acknowledged
    )


def after(latest: CandleFrame) -> Continuity:
    """CONNECTED of a second connection."""
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
    assert isinstance(after(frame(3)).broken_by(broken_by), ConnectionLost), what


@pytest.mark.parametrize("first", [frame(3), frame(4), frame(3, "another", close=2)])
def test_the_same_run_goes_on_and_is_not_looked_at_any_more(first: CandleFrame) -> None:
    continuity = after(frame(3))
    assert continuity.must_check
    assert continuity.broken_by(first) is None
    assert not continuity.must_check
    assert continuity.broken_by(frame(1)) is None


def test_candles_without_ids_are_not_taken_for_the_same() -> None:
    last, following = (replace(frame(number), event_id=None) for number in (3, 4))
    assert after(last).broken_by(following) is None


@pytest.mark.parametrize("kind", [{"symbol": "S:Y"}, {"timeframe": "1d"}])
def test_candles_of_another_kind_say_nothing(kind: dict[str, str]) -> None:
    continuity = after(frame(3))
    assert continuity.broken_by(frame(1, **kind)) is None
    assert continuity.must_check
    assert isinstance(continuity.broken_by(frame(1)), ConnectionLost)


def test_nothing_is_looked_at_before_there_is_something_to_compare_with() -> None:
    continuity = Continuity()
    continuity.opened()
    assert not continuity.must_check


def test_a_session_is_a_run() -> None:
    continuity = Continuity()
    assert continuity.broken_by(connected("a")) is None
    assert continuity.broken_by(connected("a")) is None
    assert continuity.broken_by(connected(None)) is None
    assert isinstance(continuity.broken_by(connected("b")), ConnectionLost)


@pytest.mark.parametrize(
    ("before", "now", "must_check"), [("a", "a", False), (None, "a", True), ("a", None, True)]
)
def test_nothing_is_looked_at_where_the_run_is_named_as_before(
    before: str | None, now: str | None, must_check: bool
) -> None:
    continuity = Continuity()
    continuity.broken_by(connected(before))
    continuity.latest = frame(3)
    continuity.opened()
    assert continuity.broken_by(connected(now, 5)) is None
    assert (continuity.must_check, continuity.is_same) == (must_check, not must_check)
    found = continuity.broken_by(frame(1))
    assert (found is not None) == must_check


def test_a_backtest_begins_where_nothing_has_been_acknowledged() -> None:
    continuity = Continuity()
    assert continuity.broken_by(connected("a", 0)) is None
    assert continuity.broken_by(connected("a", 5)) is None, "these were our own"
    found = Continuity().broken_by(connected("a", 5))
    assert isinstance(found, ConfigError)
    assert str(found) == (
        "this backtest has already begun: 5 of its events have been acknowledged by another run, "
        "and its time does not run back; restart the proxy, then the strategy"
    )
