"""The queue between two threads: what is conflated, what never is, and when the reader wakes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime import (
    AccountEvent,
    Candle,
    Order,
    OrderEvent,
    OrderEventKind,
    OrderStatus,
    PositionEvent,
    Quote,
    Side,
    Trade,
)
from strategy_runtime.errors import ConnectionLost
from strategy_runtime.protocol.codec import Frame
from strategy_runtime.protocol.enums import PositionSide
from strategy_runtime.protocol.events import CandleFrame, QuoteFrame, TradeEvent
from strategy_runtime.protocol.models import Account, Position
from strategy_runtime.runtime.threads.lane import Lane

MOMENT = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def quote(symbol: str, bid: float) -> Quote:
    return Quote(symbol=symbol, bid=bid, ask=bid + 1, stamp=MOMENT)


def candle(number: int) -> Candle:
    return Candle(
        symbol="S:X",
        timeframe="1m",
        stamp=MOMENT.replace(minute=number),
        open=1,
        high=1,
        low=1,
        close=1,
        volume=1,
    )


def account(balance: int) -> AccountEvent:
    return AccountEvent(account=Account(balance=balance, equity=balance))  # type: ignore[arg-type]


def drained(lane: Lane) -> list[object]:
    return [(event, lane.in_hand) for event in lane.take(10**6)]


def put(lane: Lane, event: Candle | Quote | AccountEvent, event_id: str) -> None:
    if isinstance(event, Candle):
        lane.fill([CandleFrame(bar=event, event_id=event_id)])
    elif isinstance(event, Quote):
        lane.fill([QuoteFrame(quote=event, event_id=event_id)])
    else:
        lane.fill([replace(event, event_id=event_id)])


def test_a_newer_quote_takes_the_place_of_the_older_of_its_symbol() -> None:
    lane = Lane(lambda: None)
    for number in range(1000):
        put(lane, quote("S:X", number), f"x{number}")
        put(lane, quote("S:Y", number), f"y{number}")
    assert drained(lane) == [(quote("S:X", 999), "x999"), (quote("S:Y", 999), "y999")]


def test_a_quote_that_was_taken_is_not_changed_any_more() -> None:
    lane = Lane(lambda: None)
    put(lane, quote("S:X", 1), "")
    assert drained(lane) == [(quote("S:X", 1), "")]
    put(lane, quote("S:X", 2), "")
    assert drained(lane) == [(quote("S:X", 2), "")]


def test_everything_else_stays_complete_and_in_order_amid_a_flood_of_quotes() -> None:
    lane = Lane(lambda: None)
    for number in range(60):
        for bid in range(100):
            put(lane, quote("S:X", bid), "")
        put(lane, candle(number), f"c{number}")
        put(lane, account(number), f"a{number}")
    events = drained(lane)
    expected: list[object] = [(quote("S:X", 99), "")]
    for number in range(60):
        told = replace(account(number), event_id=f"a{number}")
        expected += [(candle(number), f"c{number}"), (told, f"a{number}")]
    assert events == expected


def told(kind: str, symbol: str) -> Frame:
    """An event about an order, an execution or a position in a symbol."""
    one = Decimal(1)
    if kind == "position":
        side = PositionSide.LONG
        return PositionEvent(position=Position(id="p", symbol=symbol, side=side, quantity=one))
    if kind == "trade":
        facts: Any = {"order_id": "o", "quantity": one, "price": one, "timestamp": MOMENT}
        return TradeEvent(trade=Trade(id="t", symbol=symbol, side=Side.BUY, **facts))
    order = Order(id="o", symbol=symbol, side=Side.BUY, status=OrderStatus.FILLED, quantity=one)
    return OrderEvent(event=OrderEventKind.ORDER_FILLED, order=order)


@pytest.mark.parametrize("kind", ["order", "trade", "position"])
def test_a_newer_quote_does_not_overtake_what_happened_to_an_order_of_its_symbol(kind: str) -> None:
    lane = Lane(lambda: None)
    of_x, of_y = told(kind, "S:X"), told(kind, "S:Y")
    put(lane, quote("S:X", 1), "")
    lane.fill([of_y])
    put(lane, quote("S:X", 2), "")  # what happens in other symbols is overtaken as before
    lane.fill([of_x])
    for number in range(3, 6):
        put(lane, quote("S:X", number), "")
    assert list(lane.take(100)) == [of_y, of_x, quote("S:X", 5)]
    put(lane, quote("S:X", 6), "")
    lane.fill([of_x])
    assert list(lane.take(100)) == [quote("S:X", 6), of_x]
    assert lane.is_dry()


def test_the_reader_is_woken_once_however_much_arrives() -> None:
    woken: list[int] = []
    lane = Lane(lambda: woken.append(1))
    put(lane, candle(0), "")
    assert (woken, lane.is_dry()) == ([], False)
    assert len(drained(lane)) == 1
    assert lane.is_dry()
    for number in range(50):
        put(lane, candle(number), "")
    assert woken == [1]


def test_a_failure_comes_after_what_arrived_before_it() -> None:
    lane = Lane(lambda: None)
    put(lane, candle(0), "")
    lane.end(ConnectionLost("gone"))
    assert not lane.is_dry()
    assert not lane.is_over()
    assert len(drained(lane)) == 1
    with pytest.raises(ConnectionLost, match="gone"):
        lane.is_over()


def test_a_reader_far_behind_is_told_of_once_and_again_when_it_is_much_farther(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lane = Lane(lambda: None)
    few: list[Frame] = [CandleFrame(bar=candle(0))] * 5
    for _ in range(110_000 // 5):
        lane.fill(few)
    assert len(drained(lane)) == 110_000
    lane.fill(few * 2000)
    assert [record.message for record in caplog.records] == [
        f"the strategy is {behind} events behind; its hooks are too slow"
        for behind in (10_000, 100_000, 10_000)
    ]
