"""REST: every path, and every error in its envelope, bare and under /v1."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.rest_client import LIMIT_ORDER, MARKET_ORDER, Rest, bars, serving

SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "protocol" / "frames" / "rest_samples.jsonl")
    .read_text()
    .splitlines()
]


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    "path",
    ["/account", "/orders", "/orders/history", "/positions", "/trades", "/capabilities", "/status"],
)
async def test_every_resource_is_there_bare_and_under_v1(prefix: str, path: str) -> None:
    async with serving() as rest:
        status, _ = await rest("GET", prefix + path)
    assert status == 200


async def test_the_life_of_an_order() -> None:
    async with serving() as rest:
        rest.play()
        status, handle = await rest("POST", "/orders", {**LIMIT_ORDER, "client_order_id": "c-1"})
        assert status == 201
        assert handle["client_order_id"] == "c-1"
        path = f"/orders/{handle['id']}"
        assert (await rest("GET", path))[1]["limit_price"] == "5"
        status, changed = await rest("PATCH", path, {"limit_price": "6.50", "quantity": 2})
        assert (status, changed["order"]["limit_price"]) == (200, "6.50")
        assert changed["order"]["id"] == handle["id"]
        assert len((await rest("GET", "/orders?symbol=S%3AAAPL"))[1]) == 1
        assert (await rest("GET", "/orders/history?status=OPEN"))[1] == []
        status, gone = await rest("DELETE", path)
        assert (status, gone["success"], gone["order"]["status"]) == (200, True, "CANCELLED")
        assert (await rest("GET", "/orders"))[1] == []
        (ended,) = (await rest("GET", "/orders/history"))[1]
        assert ended["id"] == handle["id"]
        status, refusal = await rest("DELETE", path)
        assert (status, refusal["code"]) == (409, "ORDER_NOT_MODIFIABLE")
        assert refusal["details"] == {"order_id": handle["id"]}


async def test_the_same_id_and_body_again_is_the_same_order() -> None:
    async with serving() as rest:
        order = {**LIMIT_ORDER, "client_order_id": "c-1"}
        _, first = await rest("POST", "/orders", order)
        events = len(rest.exchange.outbox)
        status, again = await rest("POST", "/orders", order)
        assert (status, again["id"]) == (200, first["id"])
        assert len(rest.exchange.outbox) == events
        status, refusal = await rest("POST", "/orders", {**order, "quantity": "2"})
        assert (status, refusal["code"]) == (400, "INVALID_VALUE")
        assert refusal["details"] == {"field": "client_order_id", "provided": "c-1"}


async def test_the_life_of_a_position() -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", MARKET_ORDER)
        rest.play()
        (position,) = (await rest("GET", "/positions"))[1]
        assert (position["side"], position["quantity"]) == ("LONG", "5")
        assert (await rest("GET", f"/positions/{position['id']}"))[1] == position
        (trade,) = (await rest("GET", "/trades?symbol=S:AAPL"))[1]
        assert trade["price"] == "10.0"
        status, handle = await rest("DELETE", f"/positions/{position['id']}", {"quantity": "99"})
        assert status == 200
        assert (await rest("GET", f"/orders/{handle['id']}"))[1]["quantity"] == "5"
        rest.play(2)
        assert (await rest("GET", "/positions"))[1] == []
        assert (await rest("DELETE", "/positions"))[1:] == ([],)
        status, refusal = await rest("GET", f"/positions/{position['id']}")
        assert (status, refusal["code"]) == (404, "POSITION_NOT_FOUND")


async def test_cancel_all_counts() -> None:
    async with serving() as rest:
        for _ in range(2):
            await rest("POST", "/orders", LIMIT_ORDER)
        answer = await rest("DELETE", "/orders?symbol=S%3AAAPL")
    assert answer == (200, {"cancelled_count": 2, "failed_count": 0})


@pytest.mark.parametrize("path", ["/orders", "/positions"])
async def test_what_narrows_a_command_down_and_is_misspelt_widens_it_to_nothing(path: str) -> None:
    async with serving() as rest:
        await rest("POST", "/orders", LIMIT_ORDER)
        status, refusal = await rest("DELETE", f"{path}?symbl=S%3AAAPL")
        assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
        assert refusal["message"] == (
            "symbl in the query is not known here, so nothing was done; give symbol, or no query "
            "for all symbols"
        )
        assert len((await rest("GET", "/orders"))[1]) == 1


@pytest.mark.parametrize("path", ["/orders", "/positions"])
async def test_a_command_for_two_symbols_is_not_carried_out_for_the_first_alone(path: str) -> None:
    async with serving() as rest:
        await rest("POST", "/orders", LIMIT_ORDER)
        status, refusal = await rest("DELETE", f"{path}?symbol=S:AAPL&symbol=BTC/USD")
        assert (status, refusal["details"]) == (400, {"field": "symbol"})
        assert refusal["message"] == (
            "symbol is given more than once, so nothing was done; give one, or no query for all "
            "symbols"
        )
        assert len((await rest("GET", "/orders"))[1]) == 1


async def test_a_part_that_is_misspelt_closes_nothing_and_a_quantity_protects_nothing() -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", MARKET_ORDER)
        rest.play()
        for method, body, field in (
            ("DELETE", {"qty": "1"}, "qty"),
            ("PATCH", {"stop_loss": "5", "quantity": "1"}, "quantity"),
        ):
            status, refusal = await rest(method, "/positions/pos-1", body)
            assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
            assert refusal["message"].startswith(f"{field} is not known here, so nothing was done")
        assert (await rest("GET", "/orders"))[1] == []


async def test_a_position_is_closed_at_the_market_or_at_a_limit() -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", MARKET_ORDER)
        rest.play()
        status, refusal = await rest("DELETE", "/positions/pos-1", {"order_type": "stop"})
        assert (status, refusal) == (
            400,
            {
                "code": "INVALID_VALUE",
                "message": "STOP cannot close a position; give MARKET or LIMIT",
                "details": {"field": "order_type", "provided": "STOP"},
            },
        )
        assert (await rest("GET", "/orders"))[1] == []


async def test_bars_and_quotes_show_nothing_that_has_not_happened() -> None:
    async with serving() as rest:
        status, refusal = await rest("GET", "/quotes/S%3AAAPL")
        assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
        assert (await rest("GET", "/bars/S%3AAAPL?timeframe=1m"))[1] == []
        rest.play(2)
        shown = (await rest("GET", "/bars/S:AAPL?timeframe=1m&limit=1"))[1]
        assert [bar["timestamp"] for bar in shown] == ["2024-01-02T14:31:00Z"]
        assert shown[0]["close"] == "11"
        quote = (await rest("GET", "/quotes/BTC%2FUSD"))[1]
        assert (quote["bid"], quote["ask"], quote["last"]) == ("11", "11", "11")
        assert quote["timestamp"] == "2024-01-02T14:32:00Z"


@pytest.mark.parametrize(
    ("asked", "given"), [("", 100), ("&limit=101", 101), ("&limit=10001", 10_000)]
)
async def test_a_hundred_are_given_unasked_and_ten_thousand_at_most(asked: str, given: int) -> None:
    exchange = Exchange([bars("S:AAPL", 10_001)])
    server = ProxyServer(exchange, ws_port=0, rest_port=0)
    async with server, aiohttp.ClientSession() as session:
        rest = Rest(exchange, server, session)
        rest.play(10_001)
        shown = (await rest("GET", f"/bars/S:AAPL?timeframe=1m{asked}"))[1]
    assert len(shown) == given


async def test_bars_between_two_times_inclusive() -> None:
    async with serving() as rest:
        rest.play(4)
        query = "timeframe=1m&start=2024-01-02T14:31:00Z&end=2024-01-02T15:32:00%2B01:00"
        shown = (await rest("GET", f"/bars/S:AAPL?{query}"))[1]
    assert [bar["timestamp"][14:16] for bar in shown] == ["31", "32"]


@pytest.mark.parametrize(
    ("path", "field", "fix"),
    [
        ("/bars/S:AAPL", "timeframe", "add ?timeframe=1m"),
        ("/bars/S:AAPL?timeframe=7q", "timeframe", "give one such as 1m, 4h or 1d"),
        ("/bars/S:AAPL?timeframe=30s", "timeframe", "S:AAPL has bars of 1m"),
        ("/bars/S:AAPL?timeframe=1m&limit=many", "limit", "give a whole number"),
        ("/bars/S:AAPL?timeframe=1m&limit=0", "limit", "must be at least 1"),
        ("/orders?side=UP", "side", "give BUY or SELL"),
        ("/orders?status=OPEN,SORT_OF", "status", "give one of PENDING, PENDING_CANCEL, OPEN, "),
        ("/orders?since=2024-01-31", "since", "give a time such as 2024-01-31T14:30:00Z"),
    ],
)
async def test_an_unusable_query_names_its_field_and_the_fix(
    path: str, field: str, fix: str
) -> None:
    async with serving() as rest:
        status, refusal = await rest("GET", path)
    assert (status, refusal["code"], refusal["details"]) == (
        400,
        "INVALID_REQUEST",
        {"field": field},
    )
    assert field in refusal["message"]
    assert fix in refusal["message"]


async def test_several_states_are_asked_for_in_one_or_one_by_one() -> None:
    async with serving() as rest:
        for _ in range(2):
            await rest("POST", "/orders", LIMIT_ORDER)
        await rest("DELETE", "/orders/ord-1")
        for query in ("status=OPEN,CANCELLED", "status=OPEN&status=CANCELLED"):
            found = (await rest("GET", f"/orders?{query}"))[1]
            assert [order["id"] for order in found] == ["ord-2", "ord-1"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/orders", 405),
        ("DELETE", "/account", 405),
        ("GET", "/api/v1/orders", 404),
    ],
)
async def test_unknown_paths_and_methods_are_in_the_envelope(
    method: str, path: str, status: int
) -> None:
    async with serving() as rest:
        answer, refusal = await rest(method, path)
        assert (answer, refusal["code"]) == (status, "INVALID_REQUEST")
        assert ("Allow" in rest.headers) == (status == 405)


async def test_unknown_orders_and_symbols() -> None:
    async with serving() as rest:
        status, refusal = await rest("GET", "/orders/ord-nope")
        assert (status, refusal) == (
            404,
            {
                "code": "ORDER_NOT_FOUND",
                "message": "no order ord-nope",
                "details": {"resource": "order", "id": "ord-nope"},
            },
        )
        status, refusal = await rest("GET", "/quotes/S%3ANOPE")
        assert (status, refusal["code"]) == (404, "SYMBOL_NOT_FOUND")


async def test_a_body_of_another_type_is_refused() -> None:
    """Any page in a browser could send a form to loopback."""
    async with serving() as rest:
        status, refusal = await rest("POST", "/orders", data=json.dumps(MARKET_ORDER))
        assert (status, refusal["code"]) == (415, "INVALID_REQUEST")
        assert "a body of type text/plain is not understood" in refusal["message"]
        assert not rest.exchange.outbox


async def test_a_body_over_the_limit_is_refused() -> None:
    async with serving() as rest:
        status, refusal = await rest("POST", "/orders", None, data=BytesIO(b" " * (64 * 1024 + 1)))
    assert (status, refusal["message"]) == (413, "the body is larger than 64 KiB")


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        (b"", "INVALID_REQUEST", None),
        (b"{", "INVALID_REQUEST", None),
        (b"[]", "INVALID_REQUEST", None),
        ({**MARKET_ORDER, "side": "UP"}, "INVALID_VALUE", {"field": "side", "provided": "UP"}),
        ({**MARKET_ORDER, "symbol": ""}, "VALIDATION_ERROR", None),
        ({**MARKET_ORDER, "quantity": "NaN"}, "INVALID_VALUE", None),
        ({**MARKET_ORDER, "leverage": "2"}, "INVALID_VALUE", None),
        ({**MARKET_ORDER, "post_only": True}, "INVALID_VALUE", None),
        ({**MARKET_ORDER, "client_order_id": "x" * 65}, "VALIDATION_ERROR", None),
        ({**LIMIT_ORDER, "limit_price": "-1"}, "INVALID_VALUE", None),
        ({"symbol": "S:AAPL"}, "INVALID_REQUEST", {"field": "side"}),
    ],
)
async def test_a_bad_order_is_refused_with_code_and_details(
    body: Any, code: str, details: Any
) -> None:
    async with serving() as rest:
        status, refusal = await rest("POST", "/orders", body)
        assert (status, refusal["code"]) == (400, code)
        assert refusal["message"]
        if details is not None:
            assert refusal["details"] == details
        assert rest.exchange.outbox.__len__() == 0


SUBMISSIONS = [s for s in SAMPLES if s["name"].startswith("submit_") and s["status"] != 200]


@pytest.mark.parametrize("sample", SUBMISSIONS, ids=lambda sample: sample["name"])
async def test_the_recorded_submissions(sample: Any) -> None:
    exchange = Exchange([bars("S:AAPL", 3), bars("C:BTCUSD", 3)])
    server = ProxyServer(exchange, ws_port=0, rest_port=0)
    async with server, aiohttp.ClientSession() as session:
        rest = Rest(exchange, server, session)
        rest.play()
        status, answer = await rest("POST", sample["path"], sample["body"])
    assert status == sample["status"]
    if status == 201:
        assert answer["status"] == sample["response"]["status"]
    else:
        assert answer["code"] == sample["response"]["code"]
        assert answer["details"] == sample["response"]["details"]


async def test_the_legs_of_a_position_can_be_placed_and_moved() -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", {**MARKET_ORDER, "stop_loss": "5"})
        rest.play()
        (position,) = (await rest("GET", "/positions"))[1]
        path = f"/positions/{position['id']}"
        status, answer = await rest("PATCH", path, {"stop_loss": "6", "take_profit": "90"})
        assert (status, answer["stop_loss"]["trigger_price"]) == (200, "6")
        (stop,) = answer["stop_loss"]["order_ids"]
        (profit,) = answer["take_profit"]["order_ids"]
        assert (await rest("GET", f"/orders/{stop}"))[1]["stop_price"] == "6"
        assert (await rest("GET", f"/orders/{profit}"))[1]["quantity"] == "5"
        status, refusal = await rest("PATCH", path, {})
        assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
        status, refusal = await rest("PATCH", "/positions/pos-9", {"stop_loss": "6"})
        assert (status, refusal["code"]) == (404, "POSITION_NOT_FOUND")
