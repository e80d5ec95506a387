"""REST requests: which are retried, which responses count, and what is not a proxy."""

import re
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime.errors import (
    ApiError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    Unreachable,
)
from strategy_runtime.protocol.models import OrderChanges
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.proxy.policy import retry_delays
from strategy_runtime.simulator.server import ProxyServer
from tests.proxy.scripted import ACCOUNT, FOREIGN, KNOWN, ScriptedProxy, ask, run
from tests.simulator.support import limit, market, next_candle


async def test_reading_is_tried_again_after_a_passing_failure() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(502, ""), (0, None), (200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []


async def test_attempts_at_a_question_are_a_second_apart_and_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = without_sleep(monkeypatch)
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(502, "")]
        with pytest.raises(ApiError):
            await ask(proxy, lambda venue: venue.positions(), retry_delays=retry_delays)
    first, second = slept
    assert 0.5 <= first <= 1.5
    assert 1.0 <= second <= 3.0


@pytest.mark.parametrize(("asked", "waits"), [(7, 7.0), (60, 60.0), (86_400, 60.0), (0, 0.001)])
async def test_a_question_waits_as_long_as_the_proxy_says_for_a_minute_at_most(
    asked: float, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = without_sleep(monkeypatch)
    details = {"retry_after_seconds": asked}
    refusal = {"code": "RATE_LIMITED", "message": "slow down", "details": details}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(429, refusal), (200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []
    assert slept == [waits]


CHANGES = OrderChanges(limit_price=Decimal(9))


@pytest.mark.parametrize("lost", [(0, None), (504, ""), (408, ""), (200, "{")])
async def test_a_change_whose_answer_got_lost_is_sent_again(lost: tuple[int, Any]) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [lost, (200, {"order": KNOWN})]
        order = await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert order.id == "ord-9"
    bodies = [body for method, _, body in proxy.requests if method == "PATCH"]
    assert bodies == [{"limit_price": "9"}] * 2


@pytest.mark.parametrize(("price", "has_changed"), [("9.0", True), ("8", False), (None, False)])
async def test_a_change_without_any_answer_is_looked_up(
    price: str | None, has_changed: bool
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(0, None)]
        proxy.answers["GET", "/orders/ord-9"] = [(200, {**KNOWN, "limit_price": price})]
        if has_changed:
            order = await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
            assert order.limit_price == 9
        else:
            with pytest.raises(ConnectionLost, match="PATCH"):
                await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert [method for method, _, _ in proxy.requests].count("PATCH") == 3


@pytest.mark.parametrize("last", [(404, {"code": "ORDER_NOT_FOUND", "message": ""}), (504, "")])
async def test_a_refusal_does_not_tell_what_became_of_an_earlier_attempt_at_a_change(
    last: tuple[int, Any],
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(502, ""), last]
        with pytest.raises(ConnectionLost, match="PATCH /orders/ord-9 was answered with 50"):
            await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))


@pytest.mark.parametrize("status", [404, 409, 422, 429])
async def test_a_change_that_is_refused_is_asked_for_once(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(status, {"code": "NO", "message": "never"})]
        with pytest.raises(ApiError, match="NO: never"):
            await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert [method for method, _, _ in proxy.requests].count("PATCH") == 1


def without_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip the pauses between attempts, and record them."""
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("strategy_runtime.proxy.requests.sleep", note)
    return slept


async def test_one_that_cannot_be_read_does_not_hide_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = {**FOREIGN, "side": "SELL_SHORT"}
    trade = {"id": "t-1", "order_id": "o", "symbol": "S:X", "side": "BUY", "quantity": "1"}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [strange, KNOWN])]
        proxy.answers["GET", "/trades"] = [(200, [{**trade, "price": "NaN"}, trade | {"price": 5}])]
        orders = await ask(proxy, lambda venue: venue.orders())
        own = await ask(proxy, lambda venue: venue.orders(client_order_id="c-1"))
        trades = await ask(proxy, lambda venue: venue.trades())
    assert [order.id for order in orders] == [order.id for order in own] == ["ord-9"]
    assert [trade.price for trade in trades] == [5]
    first = caplog.records[0].getMessage()
    assert first.startswith("skipped (S:X, ord-8): the answer to GET /orders, element 0, ")
    assert "side" in first


@pytest.mark.parametrize("at_each_bar", [3, 700, 2500])
async def test_open_orders_are_read_however_many_there_are(at_each_bar: int) -> None:
    exchange = market(*[10] * 1000)
    phases = exchange.phases()
    for number in range(2500):
        if not number % at_each_bar:
            next_candle(exchange, phases)
        exchange.submit(limit("5", quantity="1"))
    async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
        endpoints = Endpoints(ws_url=server.ws_url, rest_url=server.rest_url)
        venue = ProxyVenue(endpoints, is_live=True)
        orders = await venue.orders()
        await venue.close()
    assert len(orders) == 2500
    assert {order.id for order in orders} == {f"ord-{number + 1}" for number in range(2500)}


async def test_a_proxy_that_lists_no_more_than_it_likes_is_not_asked_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ScriptedProxy().serving() as proxy:
        listed = [{**KNOWN, "id": f"ord-{number}"} for number in range(10_000)]
        proxy.answers["GET", "/orders"] = [(200, listed[:1000])] * 2 + [(200, listed)] * 2
        assert len(await ask(proxy, lambda venue: venue.orders())) == 10_000
    asked = [path for _, path, _ in proxy.requests if path.startswith("/orders")]
    assert asked == ["/orders?limit=1000"] * 2 + ["/orders?limit=10000"] * 2
    assert caplog.messages == [
        "the proxy has more open orders than it lists; only 10000 of them are known"
    ]


async def test_one_that_always_has_further_orders_is_not_asked_for_ever_either(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("strategy_runtime.proxy.resources._MOST_OPEN", 3000)
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders"] = [
            (200, [{**KNOWN, "id": f"ord-{page}-{number}"} for number in range(1000)])
            for page in range(10)
        ]
        assert len(await ask(proxy, lambda venue: venue.orders())) == 3000
    assert "more open orders than it lists; only 3000 of them are known" in caplog.text


async def test_of_many_that_cannot_be_read_some_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/trades"] = [(200, [{"id": f"t-{number}"} for number in range(300)])]
        assert await ask(proxy, lambda venue: venue.trades()) == []
    *named, rest = [record.getMessage() for record in caplog.records]
    assert len(named) == 20
    assert rest == "skipped, too: 280 more of GET /trades"


async def test_of_all_executions_the_last_ones_are_taken() -> None:
    trade = {"order_id": "o", "symbol": "S:X", "side": "BUY", "quantity": "1", "price": "5"}
    listed = [
        trade | {"id": f"t-{second}", "timestamp": f"2024-03-04T14:00:0{second}Z"}
        for second in range(5)
    ]
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/trades"] = [(200, [trade | {"id": "t-?"}, *listed])]
        trades = await ask(proxy, lambda venue: venue.trades(limit=2))
    assert [each.id for each in trades] == ["t-4", "t-3"]


async def test_of_all_bars_the_last_ones_are_taken_the_oldest_first() -> None:
    prices = {"symbol": "S:X", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
    listed = [
        prices | {"timeframe": "1m", "timestamp": f"2024-03-04T14:0{minute}:00Z"}
        for minute in (3, 2, 1, 0)
    ]
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/bars/S:X"] = [(200, listed)]
        bars = await ask(proxy, lambda venue: venue.bars("S:X", "1m", limit=2))
    assert [bar.timestamp.minute for bar in bars] == [2, 3]


async def test_an_order_that_is_asked_for_and_cannot_be_read_is_not_absent() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN, {**KNOWN, "side": "SELL_SHORT"}])]
        with pytest.raises(ProtocolError, match=r"GET /orders, element 1, cannot be read.*side"):
            await ask(proxy, lambda venue: venue.orders(client_order_id="c-1"))


async def test_a_position_that_cannot_be_read_is_not_flat() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(200, [{"id": "p", "symbol": "S:X", "side": "BOTH"}])]
        with pytest.raises(ProtocolError, match="GET /positions cannot be read"):
            await ask(proxy, lambda venue: venue.positions())


async def test_two_positions_with_one_id_are_not_one() -> None:
    long = {"id": "S:X", "symbol": "S:X", "side": "LONG", "quantity": "5"}
    short = {**long, "side": "SHORT", "quantity": "3"}
    flat = {**short, "quantity": "0"}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(200, [flat, long, long])]
        assert [each.quantity for each in await ask(proxy, lambda venue: venue.positions())] == [5]
        proxy.answers["GET", "/positions"] = [(200, [long, short])]
        said = (
            "GET /positions lists two positions in S:X with the id 'S:X'; a proxy has to give each "
            "position an id of its own"
        )
        with pytest.raises(ProtocolError, match=f"^{re.escape(said)}$"):
            await ask(proxy, lambda venue: venue.positions())


async def test_symbols_and_ids_are_one_segment_of_the_path() -> None:
    async with ScriptedProxy().serving() as proxy:
        await ask(proxy, lambda venue: venue.bars("BTC/USD", "1m", limit=5))
        await ask(proxy, lambda venue: venue.bars("S:AAPL", "1m", limit=5))
    paths = [path for _, path, _ in proxy.requests if path.startswith("/bars")]
    assert paths == [
        "/bars/BTC%2FUSD?timeframe=1m&limit=5",
        "/bars/S%3AAAPL?timeframe=1m&limit=5",
    ]


async def test_something_that_is_no_proxy_is_named() -> None:
    async with ScriptedProxy(prefix="/elsewhere").serving() as proxy:
        said = r"answers, but not like a trading proxy.*PROXY_REST_URL; gave up after 0.05 s$"
        with pytest.raises(ProtocolError, match=said):
            await run(proxy, connect_deadline=0.05)


@pytest.mark.parametrize("answer", ["<html>\n<b>Hello</b>\n</html>", ["a list"]])
async def test_something_that_takes_every_path_for_a_page_is_no_proxy(answer: object) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = [(200, answer)]
        said = (
            r"is answered with 200: .*, under http.* and http.*/v1; check PROXY_REST_URL; gave up"
        )
        with pytest.raises(ProtocolError, match=said):
            await run(proxy, connect_deadline=0.05)


@pytest.mark.parametrize(
    "answer", [(200, "<html></html>"), (404, {"code": "NOT_FOUND", "message": "no such route"})]
)
async def test_what_is_at_the_root_does_not_hide_a_proxy_behind_v1(answer: tuple[int, Any]) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/account"] = [answer]
        proxy.answers["GET", "/v1/account"] = [(200, ACCOUNT)]
        proxy.answers["GET", "/v1/positions"] = [(200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []
    assert proxy.requests[-1][1] == "/v1/positions"


async def test_what_answers_is_said_though_nothing_does_behind_v1() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/account"] = [(418, "a teapot")]
        proxy.answers["GET", "/v1/account"] = [(404, "")]
        said = r"GET /account is answered with 418: a teapot, under http.* and http.*/v1; check"
        with pytest.raises(ProtocolError, match=said):
            await run(proxy, connect_deadline=0.05)


async def test_the_refusal_of_a_question_names_it_and_that_of_an_order_does_not() -> None:
    async with ScriptedProxy().serving() as proxy:
        refusal = {"code": "NOT_FOUND", "message": "no"}
        proxy.answers["GET", "/positions"] = [(404, refusal)]
        proxy.answers["DELETE", "/orders/ord-1"] = [(404, refusal)]
        with pytest.raises(ApiError, match=r"^NOT_FOUND: no \(GET /positions\)$"):
            await ask(proxy, lambda venue: venue.positions())
        with pytest.raises(ApiError, match=r"^NOT_FOUND: no$"):
            await ask(proxy, lambda venue: venue.cancel("ord-1"))


@pytest.mark.parametrize("status", [502, 503])
async def test_what_stands_in_front_of_a_proxy_is_not_taken_for_it(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        page = [(status, "<html>no upstream</html>")]
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = page
        said = f"^no proxy answers behind .*, but {status}: <html>no upstream</html>; .*; gave up"
        with pytest.raises(Unreachable, match=said):
            await run(proxy, connect_deadline=0.05)
        provider = {"code": "PROVIDER_UNAVAILABLE", "message": "no broker"}
        proxy.answers["GET", "/account"] = [(status, provider)]
        await ask(proxy, lambda venue: venue.open())


@pytest.mark.parametrize("status", [301, 307])
async def test_an_address_that_redirects_is_named_at_once(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        moved = [(status, "")]
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = moved
        with pytest.raises(
            ConfigError, match=rf"redirects requests \({status}\); .*PROXY_REST_URL$"
        ):
            await run(proxy)


async def test_something_that_offers_no_event_stream_is_named() -> None:
    async with ScriptedProxy(stream_path="/elsewhere").serving() as proxy:
        said = (
            f"ws://{proxy.url}/ answers, but not like a trading proxy: the handshake was answered "
            "with 200; check PROXY_WS_URL; gave up after 0.05 s"
        )
        with pytest.raises(ProtocolError, match=f"^{re.escape(said)}$"):
            await run(proxy, connect_deadline=0.05)
