"""Access to the proxy: the key, the host, and no web pages."""

import logging

import aiohttp
import pytest

from strategy_runtime.errors import ConfigError
from strategy_runtime.hosts import is_loopback
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.rest_client import UPGRADE, asked, bars, request_of, serving

KEY = "k" * 32
# Addresses.


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_what_only_this_machine_can_reach(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "proxy", "", "127.0.0.1.nip.io"])  # noqa: S104
def test_what_others_can_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "key", "lack"),
    [("0.0.0.0", None, "a key"), ("::", "k" * 31, "a longer key"), ("proxy", "", "a longer key")],  # noqa: S104
)
def test_where_others_can_connect_a_long_key_is_needed(
    host: str, key: str | None, lack: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        ProxyServer(Exchange([bars("S:AAPL", 2)]), host=host, api_key=key)
    assert str(caught.value) == (
        f"listening on {host} needs {lack}: anyone who can reach it could trade. Give --token-file "
        "FILE, with at least 32 characters in it, or listen on 127.0.0.1"
    )


async def test_with_a_long_key_it_listens_to_others_by_whatever_name_they_call_it() -> None:
    everywhere = "0.0.0.0"  # noqa: S104
    async with serving(host=everywhere, api_key=KEY) as rest:
        with_key = (b"X-API-Key: " + KEY.encode(),)
        request = request_of("GET", "/account", *with_key, host=b"proxy.cluster:8080")
        assert (await asked(rest.server, request))[0] == 200
        request = request_of("GET", "/account", host=b"proxy.cluster:8080")
        assert (await asked(rest.server, request))[0] == 401
        request = request_of("GET", "/readyz", host=b"10.1.2.3:8080")
        assert (await asked(rest.server, request))[0] == 200
        request = request_of("GET", "/account", *with_key, b"Origin: http://proxy.cluster:8080")
        assert (await asked(rest.server, request))[0] == 403


# Hosts and pages.


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8080", b"127.0.0.1:80", b"[::1]:8080", b"LocalHost"]
)
@pytest.mark.parametrize("path", ["/account", "/livez"])
async def test_the_names_of_this_machine(host: bytes, path: str) -> None:
    async with serving() as rest:
        assert (await asked(rest.server, request_of("GET", path, host=host)))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example:8080",
        b"192.168.1.4",
        b"",
        b"[",
        b"\xff",
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/account", ()),
        ("DELETE", "/v1/orders", ()),
        ("GET", "/livez", ()),
        ("GET", "/v1/ws", UPGRADE),
    ],
)
async def test_a_name_made_to_point_here_is_refused(
    host: bytes, method: str, path: str, headers: tuple[bytes, ...]
) -> None:
    """DNS rebinding: a page of evil.example talks to its own name, which now resolves to us."""
    async with serving() as rest:
        status, refusal = await asked(rest.server, request_of(method, path, *headers, host=host))
        assert not rest.server.stream.attached.is_set()
    assert (status, refusal) == (
        403,
        {
            "code": "UNAUTHORIZED",
            "message": "the Host is not this machine; use localhost or 127.0.0.1",
            "details": {"code": "HOST_NOT_ALLOWED"},
        },
    )


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://localhost:8080", b"file://", b""]
)
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/account", ()),
        ("POST", "/orders", ()),
        ("OPTIONS", "/orders", ()),
        ("GET", "/livez", ()),
        ("GET", "/", UPGRADE),
    ],
)
async def test_web_pages_have_no_access(
    origin: bytes, method: str, path: str, headers: tuple[bytes, ...]
) -> None:
    async with serving() as rest:
        status, refusal = await asked(
            rest.server, request_of(method, path, b"Origin: " + origin, *headers)
        )
        assert not rest.server.stream.attached.is_set()
    assert (status, refusal) == (
        403,
        {
            "code": "UNAUTHORIZED",
            "message": "web pages have no access: Origin is refused; a program leaves that header "
            "out (suppress_origin=True in websocket-client)",
            "details": {"code": "ORIGIN_NOT_ALLOWED"},
        },
    )


async def test_no_answer_invites_other_pages() -> None:
    async with serving() as rest:
        for method, path in (("GET", "/account"), ("OPTIONS", "/orders"), ("GET", "/nowhere")):
            await rest(method, path)
            assert not [name for name in rest.headers if name.lower().startswith("access-control")]


async def test_the_form_of_a_page_is_refused_even_where_it_names_no_origin() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with serving() as rest:
        for method, path in (
            ("POST", "/orders"),
            ("PATCH", "/orders/ord-1"),
            ("DELETE", "/positions/pos-1"),
            ("PATCH", "/positions/pos-1"),
            ("POST", "/circuit-breakers/reset"),
        ):
            status, refusal = await rest(method, path, data=b"symbol=S%3AAAPL", headers=form)
            assert (status, refusal["code"]) == (415, "INVALID_REQUEST")


# The key.


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"X-API-Key: \xff\xfe", "INVALID_API_KEY"),
        (b"Authorization: Bearer \xff", "INVALID_API_KEY"),
        (b"Authorization: Bearer " + KEY.upper().encode(), "INVALID_API_KEY"),
        (b"Authorization: Bearer " + KEY[:-1].encode(), "INVALID_API_KEY"),
        (b"Authorization: Bearer", "MISSING_API_KEY"),
        (b"Authorization: Basic " + KEY.encode(), "MISSING_API_KEY"),
        (b"X-API-Key:", "MISSING_API_KEY"),
    ],
)
async def test_no_header_opens_but_the_key(header: bytes, code: str) -> None:
    async with serving(api_key=KEY) as rest:
        status, refusal = await asked(rest.server, request_of("GET", "/account", header))
    assert (status, refusal["code"], refusal["details"]) == (401, "UNAUTHORIZED", {"code": code})


async def test_the_bearer_key_counts_before_the_other() -> None:
    headers = [b"Authorization: bearer " + KEY.encode(), b"X-API-Key: wrong"]
    async with serving(api_key=KEY) as rest:
        assert (await asked(rest.server, request_of("GET", "/account", *headers)))[0] == 200


@pytest.mark.parametrize("path", ["//livez", "/%2Flivez", "/x/../livez", "/livez/", "/v1/livez"])
async def test_only_the_probes_themselves_are_open(path: str) -> None:
    async with serving(api_key=KEY) as rest:
        assert (await asked(rest.server, request_of("GET", path)))[0] == 401


async def test_probes_need_no_key_and_everything_else_does() -> None:
    async with serving(api_key="k" * 32) as rest:
        for probe in ("/livez", "/readyz", "/health"):
            assert (await rest("GET", probe))[0] == 200
        status, refusal = await rest("GET", "/account")
        assert (status, refusal["details"]) == (401, {"code": "MISSING_API_KEY"})
        status, refusal = await rest("GET", "/account", headers={"X-API-Key": "wrong"})
        assert (status, refusal["details"]) == (401, {"code": "INVALID_API_KEY"})
        for headers in ({"Authorization": "Bearer " + "k" * 32}, {"X-API-Key": "k" * 32}):
            assert (await rest("GET", "/account", headers=headers))[0] == 200
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await rest.session.ws_connect(rest.server.ws_url)


async def test_the_key_opens_the_stream() -> None:
    async with serving(api_key=KEY) as rest:
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
            async with rest.session.ws_connect(rest.server.ws_url, headers=headers) as socket:
                assert (await socket.receive_json())["event"] == "CONNECTED"


async def test_the_key_is_in_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "canary-" + KEY
    right, wrong = f"Authorization: Bearer {secret}".encode(), b"X-API-Key: canary-wrong"
    async with serving(api_key=secret) as rest:
        with caplog.at_level(logging.DEBUG):
            monkeypatch.setattr(Exchange, "account", None)  # makes a request fail
            assert (await asked(rest.server, request_of("GET", "/account", right)))[0] == 500
            for request in (
                request_of("GET", "/account", wrong),
                request_of("POST", "/orders", right, content=b"{"),
                request_of("GET", "/nowhere", right),
                request_of("GET", "/", right, *UPGRADE[:-1]),
                request_of("GET", "/account", right + b"\x00"),
                request_of("GET", "/account", b"no header " + right[15:]),
            ):
                status, refusal = await asked(rest.server, request)
                assert 400 <= status < 500
                assert status != 401 or "canary" not in str(refusal)
    assert "GET /account failed" in caplog.text
    assert "canary" not in caplog.text
