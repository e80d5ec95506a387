"""The door: bytes that are not HTTP, requests that never end, large bodies, many connections."""

import asyncio
import gzip
import json
import logging
from urllib.parse import urlsplit

import pytest

from strategy_runtime.clock import sleep
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.server.access import SHORTEST_KEY
from strategy_runtime.simulator.server.door import ClientLimits
from tests.simulator.server.rest_client import MARKET_ORDER, UPGRADE, asked, request_of, serving


async def dialled(server: ProxyServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(server.rest_url)
    return await asyncio.open_connection(address.hostname, address.port)


def asks_and_stays(path: str, *headers: bytes) -> bytes:
    """Return a request that keeps the connection open."""
    return request_of("GET", path, *headers).replace(b"Connection: close\r\n", b"")


async def the_rest(reader: asyncio.StreamReader) -> bytes:
    """Read up to the end of a connection; fail if it does not end."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


# Bytes that are not HTTP.


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a client that speaks TLS
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /account HTTP/1.1\r\n\r\n",
        request_of("GET", "/account", b"no colon"),
        request_of("GET", "/account", b"X-Nothing: \x00"),
        request_of("GET", "/account", b"X-Long: " + b"x" * 10_000),
        request_of("GET", "/" + "x" * 10_000),
        request_of("GET", "/account", *(b"X-%d: x" % number for number in range(200))),
        request_of("POST", "/orders", b"Content-Length: -1"),
        request_of("POST", "/orders", b"Content-Length: 1", b"Content-Length: 2"),
        request_of("POST", "/orders", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        request_of("POST", "/orders", b"Transfer-Encoding: chunked, nonsense"),
    ],
)
async def test_what_is_no_http_is_answered_in_the_envelope(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as rest:
        status, refusal = await asked(rest.server, request_bytes)
        assert (await rest("GET", "/account"))[0] == 200
    assert (status, refusal["code"]) == (400, "INVALID_REQUEST")
    assert refusal["message"].startswith("this is no proper HTTP: ")
    assert len(refusal["message"]) < 250
    assert not [r for r in caplog.records if r.levelno > logging.DEBUG], "no log to be flooded"


async def test_a_client_that_is_gone_in_mid_body_floods_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as rest:
        _, writer = await dialled(rest.server)
        head = b"Content-Type: application/json", b"Content-Length: 100"
        writer.write(request_of("POST", "/orders", *head) + b'{"symbol": ')
        await writer.drain()
        assert (await rest("GET", "/account"))[0] == 200
        writer.transport.abort()
        await writer.wait_closed()
        for _ in range(3):
            assert (await rest("GET", "/account"))[0] == 200
    assert not [r for r in caplog.records if r.levelno > logging.DEBUG]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/account", ()),
        ("GET", "/nowhere", ()),
        ("POST", "/orders", ()),
        ("GET", "/", UPGRADE),
    ],
)
async def test_an_unknown_expectation(method: str, path: str, headers: tuple[bytes, ...]) -> None:
    async with serving() as rest:
        request = request_of(method, path, b"Expect: a-miracle", *headers)
        status, refusal = await asked(rest.server, request)
    assert (status, refusal) == (
        417,
        {"code": "INVALID_REQUEST", "message": "Unknown Expect: a-miracle"},
    )


async def test_the_known_expectation_is_met() -> None:
    async with serving() as rest:
        rest.play()
        content = json.dumps(MARKET_ORDER).encode()
        request = request_of("POST", "/orders", b"Expect: 100-continue", content=content)
        reader, writer = await dialled(rest.server)
        writer.write(request)
        said = await the_rest(reader)
        writer.close()
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")


# Requests that never end.


@pytest.mark.parametrize(
    "begun", [b"", b"GET /acc", b"GET /account HTTP/1.1\r\nHost: localhost\r\n"]
)
async def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(begun: bytes) -> None:
    async with serving(limits=ClientLimits(head_s=0.05)) as rest:
        reader, writer = await dialled(rest.server)
        writer.write(begun)
        assert await the_rest(reader) == b""
        writer.close()


async def test_one_that_drips_is_cut_off_all_the_same() -> None:
    async with serving(limits=ClientLimits(head_s=0.1)) as rest:
        reader, writer = await dialled(rest.server)
        writer.write(b"GET /account HTTP/1.1\r\n")
        end = asyncio.create_task(the_rest(reader))
        async with asyncio.timeout(5):
            while not end.done():
                writer.write(b"X: y\r\n")
                await sleep(0.01)
        assert await end == b""
        writer.close()


async def test_who_has_asked_once_may_stay() -> None:
    async with (
        serving(limits=ClientLimits(head_s=0.05)) as rest,
        rest.session.ws_connect(rest.server.ws_url) as socket,
    ):
        await rest("GET", "/account")
        await sleep(0.2)
        await rest("GET", "/account")
        (kept,) = rest.session.connector._conns.values()
        assert len(kept) == 1, "one connection served both"
        await socket.send_str('{"type": "ping"}')
        async with asyncio.timeout(5):
            while (await socket.receive_json())["type"] != "pong":
                pass


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    request = request_of(
        "POST", "/orders", b"Content-Type: application/json", b"Content-Length: 99"
    )
    async with serving(limits=ClientLimits(body_s=0.05)) as rest:
        reader, writer = await dialled(rest.server)
        writer.write(request + b'{"symbol":')
        said = await the_rest(reader)
        writer.close()
        assert not rest.exchange.outbox
    head, _, content = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(content) == {
        "code": "INVALID_REQUEST",
        "message": "the body was not there within 0.05 s",
    }


# Large bodies.


@pytest.mark.parametrize(
    ("header", "content"),
    [
        (b"Content-Length: 70000", b" " * 70_000),
        (b"Transfer-Encoding: chunked", (b"1000\r\n" + b" " * 4096 + b"\r\n") * 17 + b"0\r\n\r\n"),
        (b"Content-Encoding: gzip", gzip.compress(bytes(10_000_000))),
    ],
    ids=["announced", "chunked", "compressed"],
)
async def test_a_body_has_64_kib_however_it_is_put(header: bytes, content: bytes) -> None:
    headers = [header, b"Content-Type: application/json"]
    if header.startswith(b"Content-Encoding"):
        headers.append(b"Content-Length: %d" % len(content))
    async with serving() as rest:
        status, refusal = await asked(
            rest.server, request_of("POST", "/orders", *headers) + content
        )
    assert (status, refusal) == (
        413,
        {"code": "INVALID_REQUEST", "message": "the body is larger than 64 KiB"},
    )


# Too many connections.


async def test_one_connection_too_many_is_told_so_and_the_others_go_on() -> None:
    async with serving(limits=ClientLimits(connections=2)) as rest:
        socket = await rest.session.ws_connect(rest.server.ws_url)
        await socket.receive()
        reader, writer = await dialled(rest.server)
        writer.write(asks_and_stays("/account"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        surplus, surplus_writer = await dialled(rest.server)
        head, _, content = (await the_rest(surplus)).partition(b"\r\n\r\n")
        surplus_writer.close()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert json.loads(content) == {
            "code": "PROVIDER_UNAVAILABLE",
            "message": "the proxy has too many connections",
        }
        writer.write(request_of("GET", "/account"))
        assert b"HTTP/1.1 200 " in await the_rest(reader)
        writer.close()
        await socket.send_str('{"type": "ping"}')
        async with asyncio.timeout(5):
            while (await socket.receive_json())["type"] != "pong":
                pass
        assert (await rest("GET", "/account"))[0] == 200, "there is room again"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        asks_and_stays("/account"),
        asks_and_stays("/account", b"X-API-Key: guessed"),
        asks_and_stays("/readyz"),
    ],
)
async def test_strangers_make_way_for_whoever_has_the_key(said: bytes) -> None:
    key = "k" * SHORTEST_KEY
    async with serving(limits=ClientLimits(connections=3), api_key=key) as rest:
        has_key = {"X-API-Key": key}
        socket = await rest.session.ws_connect(rest.server.ws_url, headers=has_key)
        strangers = []
        for _ in range(10):
            reader, writer = await dialled(rest.server)
            writer.write(said)
            if said:
                assert (await reader.readline()).startswith(b"HTTP/1.1 ")
            strangers.append((reader, writer))
            assert (await rest("GET", "/account", headers=has_key))[0] == 200
        for reader, _ in strangers[:-2]:
            await the_rest(reader)
        assert len(rest.server._door.server.connections) <= 3  # type: ignore[union-attr]
        assert not socket.closed
        await socket.send_str('{"type": "ping"}')
        async with asyncio.timeout(5):
            while (await socket.receive_json())["type"] != "pong":
                pass
        for _, writer in strangers:
            writer.close()
