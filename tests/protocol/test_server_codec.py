"""The proxy's decoder and encoder; a strategy decodes what it encodes to the same objects."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.codec import FrameDecoder, id_of, unwrap
from strategy_runtime.protocol.commands import ClientPing, EventAck
from strategy_runtime.protocol.enums import (
    AccountEventKind,
    ConnectionEventKind,
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    PositionSide,
    RejectReason,
    Side,
    TimeInForce,
    TrailingType,
)
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    ConnectionEvent,
    FinancingEvent,
    OrderEvent,
    Ping,
    Pong,
    PositionEvent,
    ProxyErrorEvent,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Trade
from strategy_runtime.protocol.server_codec import (
    PONG,
    decode_client_frame,
    encode_event,
    encode_json,
    plain,
)
from tests.protocol.reading import decode

AT = datetime(2024, 3, 4, 14, 31, tzinfo=UTC)
BAR = Candle("S:AAPL", "1m", ns_of(AT - timedelta(minutes=1)), 174.1, 175.0, 174.05, 174.6, 18250.0)


# Reading


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "Object missing required field `type`"),
        (b'{"type":"subscribe"}', "Invalid value 'subscribe' - at `$.type`"),
        (b'{"type":"candle"}', "Invalid value 'candle' - at `$.type`"),
        (b'{"type":"event_ack","events_processed":[]}', "missing required field `correlation_id`"),
        (
            b'{"type":"event_ack","correlation_id":"c","events_processed":["a",7]}',
            "Expected `str`, got `int` - at `$.events_processed[1]`",
        ),
        (
            b'{"type":"event_ack","correlation_id":"c","events_processed":[],"timestamp":1.5}',
            "Expected `int | null`, got `float` - at `$.timestamp`",
        ),
        (
            b'{"type":"event_ack","correlation_id":"c","events_processed":[],"timestamp":-1}',
            "Expected `int` >= 0 - at `$.timestamp`",
        ),
        (b'{"type":"pong","x":"\xff"}', "not UTF-8"),
        ('{"type":"pong","x":"\ud800"}', "not UTF-8"),
        # Python's limit of nesting depends on its version.
        (b'{"type":"pong","x":' + b"[" * 10_000_000, "while deserializing an object"),
    ],
)
def test_what_is_no_client_frame_is_refused_with_a_text(raw: bytes | str, problem: str) -> None:
    with pytest.raises(FrameError) as refused:
        decode_client_frame(raw)
    assert problem in refused.value.reason
    assert refused.value.event_id is None


def test_text_and_bytes_of_a_client_are_the_same() -> None:
    raw = '{"type":"event_ack","correlation_id":"é","events_processed":["evt-1"],"extra":[{}]}'
    expected = EventAck(correlation_id="é", events_processed=["evt-1"])
    assert decode_client_frame(raw) == decode_client_frame(raw.encode()) == expected
    assert decode_client_frame('{"type":"ping","timestamp":1709562661250}') == ClientPing()


@given(st.binary(max_size=80) | st.text(st.characters(), max_size=80))
def test_nothing_a_client_sends_raises_anything_but_a_frame_error(raw: bytes | str) -> None:
    try:
        decode_client_frame(raw)
    except FrameError as refused:
        encode_json(ProxyErrorEvent(code="INVALID_MESSAGE", message=refused.reason))


# Writing


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (174.0, "174"),
        (174.1, "174.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (0.0, "0"),
        (-0.0, "0"),
        (-2.5, "-2.5"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (5, "5"),
    ],
)
def test_a_price_is_written_without_exponent(number: float, text: str) -> None:
    assert plain(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_price_is_read_as_it_was(number: float) -> None:
    assert float(plain(number)) == number
    assert "e" not in plain(number)


def test_a_candle_is_written_whole() -> None:
    raw = encode_event(BAR, event_id="evt-1", timestamp=AT)
    assert json.loads(raw) == {
        "type": "candle",
        "event_id": "evt-1",
        "bar": {
            "symbol": "S:AAPL",
            "provider": "backtest",
            "timeframe": "1m",
            "timestamp": "2024-03-04T14:30:00Z",
            "open": "174.1",
            "high": "175",
            "low": "174.05",
            "close": "174.6",
            "volume": "18250",
        },
        "timestamp": "2024-03-04T14:31:00Z",
    }


def test_a_quote_always_has_a_last_price() -> None:
    raw = encode_event(Quote("S:A", 1.0, 2.0, ns_of(AT)), event_id="evt-1", timestamp=AT)
    assert json.loads(raw)["quote"] == {
        "symbol": "S:A",
        "provider": "backtest",
        "bid": "1",
        "ask": "2",
        "last": "1.5",
        "timestamp": "2024-03-04T14:31:00Z",
    }


def test_an_order_has_every_field_a_gateway_writes() -> None:
    order = Order(
        id="ord-1",
        symbol="S:A",
        side=Side.BUY,
        status=OrderStatus.OPEN,
        quantity=Decimal("1E+2"),
        created_at=AT,
        updated_at=AT,
    )
    event = OrderEvent(event=OrderEventKind.ORDER_CREATED, order=order, synthetic=True)
    assert json.loads(encode_event(event, event_id="evt-1", timestamp=AT)) == {
        "type": "order",
        "event_id": "evt-1",
        "event": "ORDER_CREATED",
        "order": {
            "id": "ord-1",
            "symbol": "S:A",
            "side": "BUY",
            "status": "OPEN",
            "order_type": "MARKET",
            "quantity": "100",
            "filled_quantity": "0",
            "remaining_quantity": "100",
            "time_in_force": "GTC",
            "created_at": "2024-03-04T14:31:00Z",
            "updated_at": "2024-03-04T14:31:00Z",
        },
        "timestamp": "2024-03-04T14:31:00Z",
    }


def test_an_event_nobody_knows_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="the unknown type 'hologram' cannot be sent"):
        encode_event(UnknownEvent(type="hologram", raw={}), event_id=None, timestamp=AT)


def test_the_frames_of_the_link_itself() -> None:
    kind = ConnectionEventKind.CONNECTED
    connected = ConnectionEvent(event=kind, session="run-1", timestamp=AT)
    assert json.loads(encode_json(connected)) == {
        "type": "connection",
        "event": "CONNECTED",
        "session": "run-1",
        "timestamp": "2024-03-04T14:31:00Z",
    }
    assert json.loads(encode_json(replace(connected, acknowledged=0)))["acknowledged"] == 0
    ping = encode_json(Ping(timestamp=AT))
    assert json.loads(ping) == {"type": "ping", "timestamp": "2024-03-04T14:31:00Z"}
    assert json.loads(PONG) == {"type": "pong"}
    assert FrameDecoder().decode([ping, PONG]) == [Ping(timestamp=AT), Pong()]


def test_a_body_may_hold_numbers_of_both_kinds() -> None:
    assert encode_json({"a": Decimal("1E-7"), "b": 1}) == b'{"a":"0.0000001","b":1}'


def test_what_is_no_json_is_a_mistake_of_ours() -> None:
    @dataclass
    class Odd:
        value: object

    with pytest.raises(TypeError):
        encode_json(Odd(object()))


# Round trips

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
moments = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)).map(AT.__add__)
amounts = st.decimals(-(10**15), 10**15, places=6)
positive = st.decimals(0, 10**15, places=6)
prices = st.floats(-1e37, 1e37)
candles = st.builds(
    Candle,
    names,
    st.sampled_from(["1m", "4h", "1d", "1M"]),
    moments | moments.map(ns_of),
    prices,
    prices,
    prices,
    prices,
    prices,
    names,
)
quotes = st.builds(
    Quote,
    names,
    prices,
    prices,
    moments | moments.map(ns_of),
    prices,
    st.none() | prices,
    st.none() | prices,
    st.none() | prices,
    names,
)
orders = st.builds(
    OrderEvent,
    event=st.sampled_from(OrderEventKind),
    parent_order_id=st.none() | names,
    order=st.builds(
        Order,
        id=names,
        symbol=names,
        side=st.sampled_from(Side),
        status=st.sampled_from(OrderStatus),
        order_type=st.sampled_from(OrderType),
        quantity=positive,
        filled_quantity=positive,
        remaining_quantity=amounts,
        time_in_force=st.sampled_from(TimeInForce),
        created_at=moments,
        updated_at=moments,
        client_order_id=st.none() | names,
        limit_price=st.none() | amounts,
        stop_price=st.none() | amounts,
        trailing_type=st.none() | st.sampled_from(TrailingType),
        average_fill_price=st.none() | amounts,
        reject_reason=st.none() | st.sampled_from(RejectReason),
        reduce_only=st.booleans(),
        oco_group_id=st.none() | names,
    ),
)
trades = st.builds(
    TradeEvent,
    trade=st.builds(
        Trade,
        id=names,
        order_id=names,
        symbol=names,
        side=st.sampled_from(Side),
        quantity=positive,
        price=positive,
        commission=amounts,
        timestamp=moments,
        is_maker=st.none() | st.booleans(),
        slippage_bps=st.none() | amounts,
        liquidation=st.booleans(),
    ),
)
positions = st.builds(
    PositionEvent,
    event=st.sampled_from(PositionEventKind),
    position=st.builds(
        Position,
        id=names,
        symbol=names,
        side=st.sampled_from(PositionSide),
        quantity=positive,
        average_entry_price=positive,
        current_price=positive,
        unrealized_pnl=amounts,
        realized_pnl=amounts,
        opened_at=moments,
        updated_at=moments,
    ),
)
accounts = st.builds(
    AccountEvent,
    event=st.sampled_from(AccountEventKind),
    account=st.builds(
        Account,
        balance=amounts,
        equity=amounts,
        margin_used=amounts,
        margin_available=amounts,
        unrealized_pnl=amounts,
        realized_pnl=st.none() | amounts,
        currency=names,
    ),
)
financings = st.builds(FinancingEvent, symbol=names, amount=amounts)
errors = st.builds(
    ProxyErrorEvent,
    code=names,
    message=names,
    details=st.none() | st.dictionaries(names, st.integers(-5, 5) | st.floats(-1, 1), max_size=3),
)
links = st.builds(
    ConnectionEvent,
    event=st.sampled_from(ConnectionEventKind),
    error=st.none() | names,
    gap_duration_ms=st.none() | st.integers(0, 10**9),
)


events: st.SearchStrategy[Any] = st.one_of(
    candles, quotes, orders, trades, positions, accounts, financings, errors, links
)


@given(events, st.none() | names, moments)
def test_every_event_is_read_as_it_was_written(
    event: Any, event_id: str | None, moment: datetime
) -> None:
    raw = encode_event(event, event_id=event_id, timestamp=moment)
    frame = decode(raw).frame
    assert id_of(frame) == event_id
    assert not isinstance(frame, UnknownEvent)
    assert frame.timestamp == moment
    read = unwrap(frame)
    if isinstance(event, Candle | Quote):
        assert isinstance(read, Candle | Quote)
        assert replace(read, stamp=ns_of(read.timestamp or AT)) == replace(
            event, stamp=ns_of(event.timestamp or AT)
        )
    else:
        assert read == replace(event, event_id=event_id, timestamp=moment)


def test_an_offset_is_written_as_the_same_instant() -> None:
    there = timezone(timedelta(hours=5))
    raw = encode_event(BacktestComplete(), event_id="e", timestamp=AT.astimezone(there))
    frame = decode(raw).frame
    assert isinstance(frame, BacktestComplete)
    assert frame.timestamp == AT
