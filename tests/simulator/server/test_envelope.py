"""The envelope: every REST error has it, whatever the request."""

import logging

import pytest

from strategy_runtime.protocol.models import Account
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.rest_client import MARKET_ORDER, asked, bars, request_of, serving


async def test_a_body_that_cannot_be_read_is_refused() -> None:
    request = request_of("POST", "/orders", b"Content-Encoding: gzip", content=b"garbage")
    async with serving() as rest:
        status, refusal = await asked(rest.server, request)
    assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
    assert refusal["message"].startswith("the body cannot be read: ")


@pytest.mark.parametrize("path", ["/", "/ws", "/v1/ws"])
async def test_the_stream_cannot_be_had_by_a_plain_request(path: str) -> None:
    async with serving() as rest:
        status, refusal = await rest("GET", path)
    assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
    assert refusal["message"] == f"{path} is the event stream; connect to it with a WebSocket"


class Broken(Exchange):
    """An exchange with a bug in it."""

    def account(self) -> Account:
        raise ZeroDivisionError("a secret of the house")


async def test_a_failure_of_our_own_is_answered_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = ProxyServer(Broken([bars("S:AAPL", 3)]), ws_port=0, rest_port=0)
    async with server:
        with caplog.at_level(logging.ERROR, "strategy_runtime"):
            status, refusal = await asked(server, request_of("GET", "/v1/account"))
        assert (await asked(server, request_of("GET", "/orders")))[0] == 200
    assert (status, refusal) == (
        500,
        {"code": "INTERNAL_ERROR", "message": "the proxy failed; its log says why"},
    )
    assert "GET /v1/account failed" in caplog.text
    assert "a secret of the house" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/orders", "DELETE,GET,POST"),
        ("POST", "/v1/orders/ord-1", "DELETE,GET,PATCH"),
        ("POST", "/account", "GET"),
        ("GET", "/circuit-breakers/reset", "POST"),
        ("HEAD", "/orders", "DELETE,GET,POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str) -> None:
    async with (
        serving() as rest,
        rest.session.request(method, rest.server.rest_url + path) as response,
    ):
        assert (response.status, response.headers["Allow"]) == (405, allowed)
        if method != "HEAD":
            refusal = await response.json()
            assert refusal["message"] == f"{path} does not take {method}"


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        ("/quotes/BTC%2FUSD", "BTC/USD"),
        ("/v1/quotes/BTC%2fUSD", "BTC/USD"),
        ("/quotes/S%3AAAPL", "S:AAPL"),
        ("/quotes/S:AAPL", "S:AAPL"),
    ],
)
async def test_symbols_in_paths_are_decoded_once(path: str, symbol: str) -> None:
    async with serving() as rest:
        rest.play()
        status, quote = await asked(rest.server, request_of("GET", path))
    assert (status, quote["symbol"]) == (200, symbol)


@pytest.mark.parametrize(
    ("path", "symbol"),
    [("/quotes/BTC%252FUSD", "BTC%2FUSD"), ("/quotes/..%2faccount", "../account")],
)
async def test_and_not_twice(path: str, symbol: str) -> None:
    async with serving() as rest:
        status, refusal = await asked(rest.server, request_of("GET", path))
    assert (status, refusal["details"]) == (404, {"symbol": symbol})


async def test_an_unencoded_slash_is_another_path() -> None:
    async with serving() as rest:
        status, refusal = await rest("GET", "/quotes/BTC/USD")
    assert (status, refusal["message"]) == (404, "there is no /quotes/BTC/USD")


@pytest.mark.parametrize("side", ["buy", "Buy", "BUY"])
async def test_names_are_taken_in_any_case(side: str) -> None:
    order = {**MARKET_ORDER, "side": side, "order_type": "market", "time_in_force": "gtc"}
    async with serving() as rest:
        rest.play()
        assert (await rest("POST", "/orders", order))[0] == 201
        (found,) = (await rest("GET", f"/orders?side={side}&status=open,Partially_Filled"))[1]
    assert found["side"] == "BUY"
