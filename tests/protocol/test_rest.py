"""Bodies of requests and responses, and errors in any form."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategy_runtime.errors import ApiError, ProtocolError
from strategy_runtime.protocol.enums import OrderStatus, OrderType, PositionMode, Side, TimeInForce
from strategy_runtime.protocol.events import PositionEvent
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.orders import validate_order_request
from strategy_runtime.protocol.rest import (
    CloseRequest,
    ErrorEnvelope,
    decode_body,
    decode_list,
    parse_close_request,
    parse_error,
    parse_order_changes,
    parse_order_request,
    parse_protect_request,
)
from strategy_runtime.protocol.server_codec import bar_json, encode_json, quote_json
from tests.protocol.reading import decode

SAMPLES = {
    sample["name"]: sample
    for sample in map(
        json.loads, (Path(__file__).parent / "frames/rest_samples.jsonl").read_text().splitlines()
    )
}
SUBMISSIONS = [s for s in SAMPLES.values() if s["method"] == "POST" and s["path"] == "/orders"]
IN_PROCESS = {"INVALID_REQUEST", "INVALID_VALUE", "VALIDATION_ERROR"}
AT = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
GOOD: dict[str, Any] = {"symbol": "S:A", "side": "BUY", "quantity": "1", "order_type": "MARKET"}


def body_of(name: str) -> bytes:
    return json.dumps(SAMPLES[name]["body"]).encode()


def answer_of(name: str) -> bytes:
    return json.dumps(SAMPLES[name]["response"]).encode()


# Requests


@pytest.mark.parametrize("sample", SUBMISSIONS, ids=lambda sample: sample["name"])
def test_a_recorded_submission_is_read_or_refused_as_recorded(sample: Any) -> None:
    raw = json.dumps(sample["body"]).encode()
    expected = sample["response"]
    if expected.get("code") in IN_PROCESS:
        with pytest.raises(ApiError) as refused:
            validate_order_request(parse_order_request(raw))
        error = refused.value
        assert (error.status, error.code, error.message) == (
            sample["status"],
            expected["code"],
            expected["message"],
        )
        assert error.details == expected["details"]
    else:
        order = parse_order_request(raw)
        validate_order_request(order)
        assert order.symbol == sample["body"]["symbol"]


def test_numbers_and_lower_case_are_taken() -> None:
    order = parse_order_request(body_of("submit_lower_case_numbers"))
    assert order == OrderRequest(
        symbol="C:BTCUSD",
        side=Side.SELL,
        quantity=Decimal("0.25"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("63100.5"),
        time_in_force=TimeInForce.IOC,
    )


def test_what_a_client_writes_a_server_reads() -> None:
    order = OrderRequest(
        symbol="C:BTC/USD",
        side=Side.BUY,
        quantity=Decimal("0.00000001"),
        order_type=OrderType.STOP_LIMIT,
        stop_price=Decimal("1E+5"),
        limit_price=Decimal("150.00"),
        client_order_id="c-1",
    )
    raw = encode_json(order)
    assert json.loads(raw)["quantity"] == "0.00000001"
    assert json.loads(raw)["stop_price"] == "100000"
    assert json.loads(raw)["limit_price"] == "150.00"
    assert parse_order_request(raw) == order


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the request has no body; send a JSON object"),
        (b" \n", "the request has no body; send a JSON object"),
        (b"{", "the body is not JSON: "),
        (b'{"symbol":5,', "the body is not JSON: "),
        (b'{"symbol":"\xff"}', "the body is not JSON: "),
        (b"[]", "the body is not the JSON object expected: "),
        (b"null", "the body is not the JSON object expected: "),
        (b"[" * 100_000, "the body is not JSON: "),
        (b'{"x":' + b"[" * 100_000, "the body is not JSON: "),
        (b'{"symbol":5,"x":' + b"[" * 100_000, "the body is not JSON: "),
    ],
)
def test_what_is_no_json_object_is_an_invalid_request(raw: bytes, message: str) -> None:
    for parse in (parse_order_request, parse_order_changes):
        with pytest.raises(ApiError) as refused:
            parse(raw)
        assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
        assert refused.value.message.startswith(message)
        assert refused.value.details is None


@pytest.mark.parametrize("field", ["symbol", "side", "quantity", "order_type"])
def test_a_missing_field_is_an_invalid_request(field: str) -> None:
    with pytest.raises(ApiError, match=f"^INVALID_REQUEST: {field} is missing$") as refused:
        parse_order_request(json.dumps({k: v for k, v in GOOD.items() if k != field}).encode())
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", "HOLD"),
        ("order_type", "ICEBERG"),
        ("time_in_force", "GTD"),
        ("quantity", "many"),
        ("quantity", True),
        ("quantity", "NaN"),
        ("quantity", "Infinity"),
        ("quantity", "1_000"),
        ("quantity", " 1"),
        ("quantity", "1e39"),
        ("quantity", "9" * 39),
        ("limit_price", "sNaN"),
        ("symbol", 7),
        ("client_order_id", 7),
        ("reduce_only", "yes"),
    ],
)
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    with pytest.raises(ApiError) as refused:
        parse_order_request(json.dumps(GOOD | {field: value}).encode())
    assert (refused.value.status, refused.value.code) == (400, "INVALID_VALUE")
    assert refused.value.details == {"field": field, "provided": value}
    assert refused.value.message.startswith(f"{field}")


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("side", "BUY, SELL"),
        ("trailing_type", "ABSOLUTE, PERCENT"),
        ("time_in_force", "GTC, DAY, IOC, FOK"),
    ],
)
def test_a_value_that_is_none_of_a_few_is_told_these(field: str, choices: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_order_request(json.dumps(GOOD | {field: "NOPE"}).encode())
    assert refused.value.message == f"{field}: Invalid enum value 'NOPE'; give one of {choices}"


@pytest.mark.parametrize(("symbol"), ["", "X" * 51])
def test_a_symbol_of_a_wrong_length_is_out_of_range(symbol: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_order_request(json.dumps(GOOD | {"symbol": symbol}).encode())
    assert refused.value.code == "VALIDATION_ERROR"
    assert refused.value.details["symbol"][0]["params"] == {"value": symbol}


def test_null_is_the_same_as_left_out_and_fields_of_other_proxies_are_ignored() -> None:
    extra = {"limit_price": None, "client_order_id": None, "note": "x", "depth": [1]}
    defaults = {"time_in_force": None, "reduce_only": None, "post_only": None, "stoploss": None}
    order = parse_order_request(json.dumps(GOOD).encode())
    assert parse_order_request(json.dumps(GOOD | extra).encode()) == order
    assert parse_order_request(json.dumps(GOOD | extra | defaults).encode()) == order
    closing = b'{"quantity":null,"order_type":null,"cancel_associated_orders":null}'
    assert parse_close_request(closing) == CloseRequest()
    with pytest.raises(ApiError, match=r"^INVALID_REQUEST: symbol is missing$"):
        parse_order_request(json.dumps(GOOD | {"symbol": None}).encode())


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("stoploss", "'stop_loss'"),
        ("takeProfit", "'take_profit'"),
        ("reduceOnly", "'reduce_only'"),
        ("TIME_IN_FORCE", "'time_in_force'"),
        ("stop_loss_price", "'stop_price' or 'stop_loss'"),
    ],
)
def test_a_field_of_an_order_that_is_misspelt_is_refused(misspelt: str, meant: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_order_request(json.dumps(GOOD | {misspelt: "1"}).encode())
    assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
    assert refused.value.details == {"field": misspelt}
    assert refused.value.message == (
        f"{misspelt} is not known here, so nothing was done; did you mean {meant}?"
    )


def test_of_a_command_that_narrows_nothing_is_passed_over() -> None:
    for parse, raw, field, known in (
        (parse_close_request, b'{"qty":"1"}', "qty", "quantity, order_type, limit_price, "),
        (parse_order_changes, b'{"quantity":1,"price":2}', "price", "quantity, limit_price, "),
        (parse_protect_request, b'{"stop_loss":1,"trail":2}', "trail", "stop_loss, take_profit"),
    ):
        with pytest.raises(ApiError) as refused:
            parse(raw)
        assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
        assert refused.value.details == {"field": field}
        assert refused.value.message.startswith(
            f"{field} is not known here, so nothing was done; known are {known}"
        )


def test_changes_are_what_is_given() -> None:
    assert parse_order_changes(body_of("modify_in_place")) == OrderChanges(
        limit_price=Decimal("173.50")
    )
    assert parse_order_changes(b"{}") == OrderChanges()
    with pytest.raises(ApiError, match="limit_price"):
        parse_order_changes(b'{"limit_price":"soon"}')


def test_closing_takes_a_body_or_none() -> None:
    assert parse_close_request(b"") == parse_close_request(b" ") == CloseRequest()
    assert parse_close_request(body_of("close_position")) == CloseRequest(quantity=Decimal(5))
    raw = b'{"order_type":"limit","limit_price":5,"cancel_associated_orders":true}'
    assert parse_close_request(raw) == CloseRequest(
        order_type=OrderType.LIMIT, limit_price=Decimal(5)
    )
    with pytest.raises(ApiError) as refused:
        parse_close_request(b'{"quantity":"0"}')
    assert refused.value.code == "VALIDATION_ERROR"


@given(st.binary(max_size=100))
@example(b'{"symbol":"\\ud800","side":"BUY"}')
@example(b'{"quantity":1e400}')
def test_no_body_raises_anything_but_a_refusal(raw: bytes) -> None:
    for parse in (parse_order_request, parse_order_changes, parse_close_request):
        try:
            parse(raw)
        except ApiError as refused:
            encode_json(ErrorEnvelope(refused.code, refused.message, refused.details))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(OrderRequest.__struct_fields__), json_values, max_size=6))
def test_no_order_raises_anything_but_a_refusal(given: dict[str, Any]) -> None:
    try:
        validate_order_request(parse_order_request(json.dumps(GOOD | given).encode()))
    except ApiError as refused:
        encode_json(ErrorEnvelope(refused.code, refused.message, refused.details))


# Errors


@pytest.mark.parametrize(
    "name", [name for name, sample in SAMPLES.items() if "code" in (sample["response"] or {})]
)
def test_a_recorded_refusal_is_read(name: str) -> None:
    sample = SAMPLES[name]
    error = parse_error(sample["status"], answer_of(name))
    assert error.status == sample["status"]
    assert error.code == sample["response"]["code"]
    assert error.message == sample["response"]["message"]
    assert error.details == sample["response"].get("details")


@pytest.mark.parametrize(
    ("body", "code", "message", "details"),
    [
        (b'{"code":"NEW_ONE","message":"m"}', "NEW_ONE", "m", None),
        (b'{"code":"X","message":7,"details":[1]}', "X", "", [1]),
        (b'{"error":{"code":"E1","message":"m","details":{"a":1}}}', "E1", "m", {"a": 1}),
        (b'{"error":"not found"}', "HTTP_418", '{"error":"not found"}', None),
        (b'{"code":404}', "HTTP_418", '{"code":404}', None),
        (b"", "HTTP_418", "the response has no body", None),
        (b"<html>no</html>", "HTTP_418", "<html>no</html>", None),
        (b"\xff" * 3, "HTTP_418", "\ufffd" * 3, None),
        (b"x" * 500, "HTTP_418", "x" * 200, None),
        (b'{"code":"%s","message":"%s"}' % (b"C" * 5000, b"m" * 5000), "C" * 100, "m" * 1000, None),
        (b"[]", "HTTP_418", "[]", None),
        (b"[" * 100_000, "HTTP_418", "[" * 200, None),
    ],
)
def test_an_error_survives_any_body(body: bytes, code: str, message: str, details: Any) -> None:
    error = parse_error(418, body)
    assert (error.status, error.code, error.message) == (418, code, message)
    assert error.details == details


def test_an_envelope_is_read_again() -> None:
    raw = encode_json(ErrorEnvelope("INVALID_VALUE", "m", {"field": "side"}))
    assert parse_error(400, raw).details == {"field": "side"}
    assert json.loads(encode_json(ErrorEnvelope("X", "m"))) == {"code": "X", "message": "m"}


# Answers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("submit_market", OrderHandle),
        ("submit_lower_case_numbers", OrderHandle),
        ("positions", list[Position]),
        ("close_all_when_flat", list[OrderHandle]),
        ("account", Account),
        ("quote", Quote),
        ("bars", list[Candle]),
    ],
)
def test_a_recorded_answer_is_read_by_both_tiers_alike(name: str, kind: Any) -> None:
    raw = answer_of(name)
    plain = decode_body(raw, kind, "GET /x")
    escaped = raw.replace(b"e", b"\\u0065")  # escapes go to the tolerant tier
    assert decode_body(escaped, kind, "GET /x") == plain


def test_values_of_an_answer() -> None:
    (bar,) = decode_body(answer_of("bars"), list[Candle], "GET /bars")
    assert bar.timestamp == AT
    assert (bar.open, bar.volume, bar.timeframe) == (174.10, 18250.0, "1m")
    (position,) = decode_body(answer_of("positions"), list[Position], "GET /positions")
    assert position.average_entry_price == Decimal("174.12")


def test_what_a_server_writes_a_client_reads() -> None:
    bar = Candle("S:A", "1m", AT, 1e-7, 1e22, 0.0, 0.1 + 0.2, 3.0, "backtest")
    quote = Quote("S:A", 1.5, 1.7, AT, 1.6, 10.0, None, None, "backtest")
    order = Order(
        id="o",
        symbol="S:A",
        side=Side.BUY,
        status=OrderStatus.OPEN,
        quantity=Decimal("150.00"),
        created_at=AT,
        updated_at=AT,
    )
    assert decode_body(encode_json([bar_json(bar)]), list[Candle], "") == [bar]
    assert decode_body(encode_json(quote_json(quote)), Quote, "") == quote
    assert decode_body(encode_json([order]), list[Order], "") == [order]


@pytest.mark.parametrize("stamp", [1709562600, 1709562600000, '"2024-03-04T15:30:00+01:00"'])
def test_an_answer_is_as_patient_about_times_as_a_frame(stamp: object) -> None:
    prices = '"open":1,"high":1,"low":1,"close":1'
    raw = f'[{{"symbol":"A","timeframe":"1m","timestamp":{stamp},{prices}}}]'
    (bar,) = decode_body(raw.encode(), list[Candle], "GET /bars/A")
    assert bar.timestamp == AT
    raw = f'{{"symbol":"A","bid":1,"ask":2,"timestamp":{stamp}}}'
    quote = decode_body(raw.encode(), Quote, "GET /quotes/A")
    assert (quote.timestamp, quote.last) == (AT, 1.5)
    raw = f'{{"id":"o","symbol":"A","side":"buy","status":"open","created_at":{stamp}}}'
    assert decode_body(raw.encode(), Order, "GET /orders/o").created_at == AT


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("0", None),
        ('"0"', None),
        ("-1", None),
        ("150000000000", datetime(1974, 10, 3, 2, 40, tzinfo=UTC)),  # milliseconds
    ],
)
def test_a_number_is_the_same_time_in_an_answer_and_in_a_frame(
    stamp: str, moment: datetime | None
) -> None:
    position = f'{{"id":"p","symbol":"A","side":"LONG","quantity":"1","updated_at":{stamp}}}'
    answered = decode_body(position.encode(), Position, "GET /positions/p")
    frame = decode(f'{{"type":"position","position":{position}}}').frame
    assert isinstance(frame, PositionEvent)
    assert answered.updated_at == frame.position.updated_at == moment


@pytest.mark.parametrize(
    ("timeframe", "stamp", "problem"),
    [
        ("1d", "9999-12-31T00:00:00Z", "the bar ends beyond the calendar"),
        ("1y", "2024-03-04T00:00:00Z", "'1y' is not a timeframe"),
    ],
)
def test_of_a_list_of_bars_one_that_has_no_end_is_passed_over(
    timeframe: str, stamp: str, problem: str
) -> None:
    prices = '"open":1,"high":1,"low":1,"close":1'
    good = f'{{"symbol":"A","timeframe":"1d","timestamp":"2024-03-04T00:00:00Z",{prices}}}'
    odd = f'{{"symbol":"A","timeframe":"{timeframe}","timestamp":"{stamp}",{prices}}}'
    (bar,), (passed_over,) = decode_list(f"[{good},{odd}]".encode(), Candle, "GET /bars/A")
    assert bar.timeframe == "1d"
    assert passed_over.names == {"A"}
    assert problem in passed_over.problem


def test_an_answer_does_without_what_is_merely_informative() -> None:
    raw = b'{"supported_order_types":["MARKET"],"position_mode":"ONE_WAY","features":7}'
    capabilities = decode_body(raw, Capabilities, "GET /capabilities")
    assert capabilities.supported_order_types == ["MARKET"]
    assert capabilities.position_mode is PositionMode.NETTING
    assert capabilities.features == []


def test_structs_within_structs_are_read() -> None:
    class Changed(msgspec.Struct):
        order: Order

    assert decode_body(answer_of("modify_in_place"), Changed, "PATCH").order.id == "ord-7012"
    raw = answer_of("modify_in_place").replace(b'"25"', b'" 25"')
    with pytest.raises(ProtocolError, match=r"the body\.order\.quantity is ' 25'"):
        decode_body(raw, Changed, "PATCH /orders/ord-7012")


@pytest.mark.parametrize(
    ("raw", "kind", "problem"),
    [
        (b"", Account, "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"<html>", Account, "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", Account, "'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * 100_000, list[Order], "not JSON: nested too deeply"),
        (b"[" * 70 + b"]" * 70, list[Order], "nested deeper than 64 levels"),
        (b"{}", Account, "the body.balance is missing"),
        (b"[]", Account, "the body is not an object"),
        (b"{}", list[Order], "the body is not a list"),
        (b'[{"id":"o"}]', list[Order], "the body[0].symbol is missing"),
        (b'{"balance":"NaN","equity":"1"}', Account, "the body.balance is 'NaN', expected"),
        (b'{"balance":"1_0","equity":"1"}', Account, "the body.balance is '1_0', expected"),
        (b'{"symbol":"A","bid":"nan","ask":1}', Quote, "the body.bid is 'nan', expected"),
        (b'{"symbol":"A","bid":1,"ask":1e400}', Quote, "the body.ask is out of range"),
        (
            b'{"id":"o","symbol":"A","side":"up","status":"OPEN"}',
            Order,
            "the body.side is 'up', expected one of BUY, SELL",
        ),
        (
            b'{"id":"o","symbol":"A","side":"BUY","status":"OPEN","quantity":"NaN"}',
            Order,
            "the body.quantity is 'NaN', expected a decimal number",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_names_request_and_field(
    raw: bytes, kind: Any, problem: str
) -> None:
    with pytest.raises(ProtocolError) as failed:
        decode_body(raw, kind, "GET /thing")
    assert str(failed.value).startswith(f"the answer to GET /thing cannot be read: {problem}")


@given(
    st.sampled_from(["id", "symbol", "side", "quantity", "filled_quantity", "limit_price"]),
    json_values,
)
def test_no_answer_raises_anything_but_a_protocol_error(field: str, value: Any) -> None:
    order: dict[str, Any] = {"id": "o", "symbol": "A", "side": "BUY", "status": "OPEN"}
    try:
        read = decode_body(json.dumps([order | {field: value}]).encode(), list[Order], "GET /x")
    except ProtocolError:
        return
    assert read[0].quantity.is_finite()
    assert read[0].remaining_quantity.is_finite()


@given(st.binary(max_size=60), st.sampled_from([Trade, Quote, list[Candle], Capabilities]))
def test_no_bytes_raise_anything_but_a_protocol_error(raw: bytes, kind: Any) -> None:
    try:
        decode_body(raw, kind, "GET /x")
    except ProtocolError as failed:
        if not str(failed).startswith("the answer to GET /x cannot be read: "):
            raise


@pytest.mark.parametrize("side", [b'"FLAT"', b'""', b"null", b"0", b'"short"'])
def test_a_flat_position_may_have_any_side(side: bytes) -> None:
    flat = b'[{"id":"p","symbol":"A","side":%s,"quantity":"0.00"}]' % side
    assert [each.signed_quantity for each in decode_body(flat, list[Position], "GET /x")] == [0]


@pytest.mark.parametrize("quantity", [b'"5"', b"null", b'"none"', b"false"])
def test_any_other_position_has_to_have_one(quantity: bytes) -> None:
    held = b'[{"id":"p","symbol":"A","side":"FLAT","quantity":%s}]' % quantity
    with pytest.raises(ProtocolError, match=r"body\[0\]\.side is 'FLAT'|body\[0\]\.quantity is"):
        decode_body(held, list[Position], "GET /x")


def test_a_list_gives_what_can_be_read_and_names_the_rest() -> None:
    good = b'{"id":"o-1","symbol":"S:X","side":"BUY","status":"OPEN"}'
    bad = b'{"id":"o-2","client_order_id":"c-2","symbol":"S:Y","side":"SELL_SHORT","status":"OPEN"}'
    body = b"[%s,%s,7,%s]" % (bad, good, b"[" * 100 + b"]" * 100)
    orders, unreadable = decode_list(body, Order, "GET /orders")
    assert [order.id for order in orders] == ["o-1"]
    assert [each.names for each in unreadable] == [{"o-2", "c-2", "S:Y"}, set(), set()]
    assert unreadable[0].problem.startswith("the answer to GET /orders, element 0, cannot be read:")
    assert decode_list(b"[%s]" % good, Order, "GET /orders") == (orders, [])


def test_a_list_of_which_hardly_anything_can_be_read_is_given_up_early() -> None:
    good = b'{"id":"o-1","symbol":"S:X","side":"BUY","status":"OPEN"}'

    def read(count: int) -> list[Order]:
        return decode_list(b"[%s%s]" % (good, b",0" * count), Order, "GET /orders")[0]

    assert [order.id for order in read(1000)] == ["o-1"]
    with pytest.raises(ProtocolError, match=r"the answer to GET /orders, element 1001, cannot be"):
        read(100_000)


@pytest.mark.parametrize("body", [b'{"orders":[]}', b"[", b"", b"[]]", b"null"])
def test_what_is_no_list_cannot_be_read_at_all(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="the answer to GET /orders cannot be read"):
        decode_list(body, Order, "GET /orders")
