"""Real networks: names, address families, certificates."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from strategy_runtime.errors import AccessDenied, ApiError, ProtocolError, Unreachable
from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.proxy import Endpoints, ProxyVenue, dialing
from strategy_runtime.proxy.http1 import target_of
from strategy_runtime.proxy.network import Network, _tls_problem
from strategy_runtime.proxy.transport import ConnectFailed
from tests.proxy import plain_server
from tests.proxy.plain_server import Notes, either_loop, on_loop


@asynccontextmanager
async def network(**options: object) -> AsyncIterator[Network]:
    given: dict[str, object] = {"headers": {}, "heartbeat": None, "max_frame": 1000}
    made = Network(**(given | options))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve a greeting, a question and a message that is too long; yield port and received data."""
    heard: list[str] = []

    async def stream(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str("question")
        async for message in ws:
            heard.append(message.data)
            await ws.send_str("x" * 1001)
        return ws

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_get("/", stream)
    app.router.add_get("/account", hello)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1], heard
    finally:
        await runner.cleanup()


async def test_a_reply_goes_out_and_a_frame_above_the_limit_ends_the_connection() -> None:
    notes = Notes()
    async with serving() as (port, heard), network() as net:
        link = await net.connect(f"ws://127.0.0.1:{port}/", notes)
        closed = await notes.until_lost()
        await link.close()
        assert heard == ["answer"]
    assert notes.frames == [b"question"]
    assert closed.code == 1009


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_localhost_is_found_in_either_family(host: str) -> None:
    if host not in {found[4][0] for found in socket.getaddrinfo("localhost", 80)}:
        pytest.skip(f"localhost is not {host} on this machine")
    async with serving(host) as (port, _), network() as net:
        answer = await net.request("GET", f"http://localhost:{port}/account")
        assert answer.status == 200
        await (await net.connect(f"ws://localhost:{port}/", Notes())).close()


async def test_an_address_of_the_newer_family_may_stand_in_a_url() -> None:
    async with serving("::1") as (port, _), network() as net:
        assert (await net.request("GET", f"http://[::1]:{port}/account")).status == 200


async def test_nobody_there_and_no_such_name_are_worth_another_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with network() as net:
        for url in (f"127.0.0.1:{port}", "proxy.invalid:80", f"{'x' * 64}.invalid:80"):
            with pytest.raises(Unreachable, match=f"nobody answers at http://{url}/account: "):
                await net.request("GET", f"http://{url}/account")
            with pytest.raises(ConnectFailed) as failed:
                await net.connect(f"ws://{url}/", Notes())
            assert not failed.value.is_untrusted
            assert failed.value.status is None


@either_loop
def test_whatever_the_loop_a_refusal_is_told_in_the_systems_words(loop: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def test() -> None:
        async with network() as net:
            with pytest.raises(Unreachable, match=r"/account: Connection refused$"):
                await net.request("GET", f"http://127.0.0.1:{port}/account")
            with pytest.raises(ConnectFailed, match=r"^Connection refused$"):
                await net.connect(f"ws://127.0.0.1:{port}/", Notes())

    on_loop(loop, test())


@either_loop
def test_a_name_server_that_does_not_answer_keeps_nothing_from_ending(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        answered.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def test() -> None:
        async with network() as net:
            with pytest.raises(ConnectFailed, match=r"^no connection in time$"):
                await net.connect("ws://proxy.example/", Notes())

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(dialing, "_CONNECT_S", 0.01)
    on_loop(loop, test())
    answered.set()


async def test_an_address_at_an_interface_that_there_is_not_is_told_in_words() -> None:
    async with network() as net:
        with pytest.raises(ConnectFailed, match=r"^Name or service not known$"):
            await net.connect("ws://[fe80::1%25nosuch]:9/", Notes())


@either_loop
def test_over_tls_frames_and_answers_come_whole(
    loop: str, certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    dialing._tls.cache_clear()

    async def test() -> None:
        notes = Notes()
        async with serving(context=certificate) as (port, heard), network() as net:
            for _ in range(2):
                answer = await net.request("GET", f"https://localhost:{port}/account")
                assert (answer.status, answer.body) == (200, b"{}")
            link = await net.connect(f"wss://localhost:{port}/", notes)
            await notes.until_lost()
            await link.close()
            assert heard == ["answer"]
        assert notes.frames == [b"question"]

    try:
        on_loop(loop, test())
    finally:
        dialing._tls.cache_clear()


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A self-signed certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        (None, "set SSL_CERT_FILE to the file of your own authority"),
        ("missing.pem", "SSL_CERT_FILE names .*missing.pem, which cannot be read"),
        ("key.pem", ".*key.pem, which SSL_CERT_FILE names, does not have the authority that sig"),
    ],
)
async def test_a_certificate_that_nobody_signed_ends_the_run(
    file: str | None,
    hint: str,
    certificate: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if file is None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / file))
    async with serving(context=certificate) as (port, _), network() as net:
        said = f"the proxy's certificate cannot be trusted: .*; {hint}"
        with pytest.raises(AccessDenied, match=said):
            await net.request("GET", f"https://localhost:{port}/account")
        with pytest.raises(ConnectFailed) as failed:
            await net.connect(f"wss://localhost:{port}/", Notes())
        assert failed.value.is_untrusted


@either_loop
def test_a_server_that_wants_a_certificate_is_not_waited_for(
    loop: str, certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(listening: socket.socket) -> None:
        for _ in range(2):
            accepted, _ = listening.accept()
            secret = certificate.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
            with suppress(ssl.SSLError):
                secret.do_handshake()
            with socket.socket(fileno=secret.detach()) as connection:
                while connection.recv(65536):
                    pass

    async def test(here: str) -> None:
        said = f"{here} demands a client certificate, .*; let it ask for a key instead"
        async with network() as net:
            with pytest.raises(AccessDenied, match=said):
                await net.request("GET", f"https://{here}/account")
            with pytest.raises(ConnectFailed, match=said) as failed:
                await net.connect(f"wss://{here}/", Notes())
            assert failed.value.is_untrusted

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    certificate.load_verify_locations(tmp_path / "cert.pem")
    certificate.verify_mode = ssl.CERT_REQUIRED
    dialing._tls.cache_clear()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=refuse, args=(listening,), daemon=True)
            thread.start()
            on_loop(loop, test(f"localhost:{listening.getsockname()[1]}"))
            thread.join()
    finally:
        dialing._tls.cache_clear()


@either_loop
def test_a_server_that_speaks_no_tls_is_not_waited_for(loop: str) -> None:
    async def test() -> None:
        async with serving() as (port, _), network() as net:
            said = f"localhost:{port} answers, but does not speak TLS: write"
            venue = ProxyVenue(
                Endpoints(rest_url=f"https://localhost:{port}", rest_setting="--rest-url"),
                is_live=False,
                connect_deadline=5.0,
            )
            with pytest.raises(AccessDenied) as denied:
                await venue.open()
            await venue.close()
            assert str(denied.value) == f"{said} http:// instead of https://; check --rest-url"
            with pytest.raises(ConnectFailed) as failed:
                await net.connect(f"wss://localhost:{port}/", Notes())
            assert failed.value.said == f"{said} ws:// instead of wss://"
            assert failed.value.is_untrusted

    on_loop(loop, test())


@pytest.mark.parametrize(
    "said",
    [
        "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
        "[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1028)",
        "[SSL] record layer failure (_ssl.c:1033)",
    ],
)
def test_every_release_of_the_library_is_understood(said: str) -> None:
    distrust = _tls_problem(ssl.SSLError(1, said), target_of("https://h:1/x"), "http")
    assert distrust == "h:1 answers, but does not speak TLS: write http:// instead of https://"


async def test_a_server_that_hangs_up_may_speak_tls_later() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with plain_server.serving(hang_up) as url, network() as net:
        with pytest.raises(Unreachable, match="nobody answers at "):
            await net.request("GET", f"https://{url}/account")
        with pytest.raises(ConnectFailed) as failed:
            await net.connect(f"wss://{url}/", Notes())
        assert not failed.value.is_untrusted


# Who is refused


@pytest.mark.parametrize(
    ("status", "api_key", "said"),
    [
        (401, None, "no; set the key with --token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"),
        (401, "k", "no; check --token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"),
        (403, "k", "no"),
    ],
)
async def test_a_refusal_says_where_the_key_comes_from(
    status: int, api_key: str | None, said: str
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        if is_open and request.path == "/account":
            return web.json_response({})
        return web.json_response({"code": "UNAUTHORIZED", "message": "no"}, status=status)

    is_open = False
    async with listening(refuse) as here:
        venue = ProxyVenue(Endpoints(rest_url=f"http://{here}", api_key=api_key), is_live=True)
        with pytest.raises(AccessDenied) as denied:
            await venue.open()
        assert str(denied.value) == f"the proxy refused GET /account with {status}: {said}"
        is_open = True
        with pytest.raises(AccessDenied) as denied:
            await venue.positions()
        assert str(denied.value) == f"the proxy refused GET /positions with {status}: {said}"
        await venue.close()


# Compression


async def test_answers_are_asked_for_as_they_are_and_others_are_named() -> None:
    async def packed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        answer = web.json_response({})
        if request.path == "/packed":
            answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async with listening(packed) as here, network() as net:
        assert (await net.request("GET", f"http://{here}/account")).body == b"{}"
        said = (
            rf"^GET http://{here}/packed was answered in gzip, which was not requested; responses"
        )
        with pytest.raises(ProtocolError, match=said):
            await net.request("GET", f"http://{here}/packed")


async def test_a_byte_order_mark_in_front_of_an_answer_is_passed_over() -> None:
    async def marked(request: web.Request) -> web.Response:
        return web.Response(body=b'\xef\xbb\xbf{"balance":"1","equity":"1"}')

    async with listening(marked) as here:
        venue = ProxyVenue(Endpoints(rest_url=f"http://{here}"), is_live=True)
        await venue.open()
        assert (await venue.account()).equity == 1
        await venue.close()


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_order_and_no_key_goes_where_a_redirect_points(status: int) -> None:
    heard: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        heard.append(f"{request.method} {request.path} {dict(request.headers)}")
        return web.json_response({"id": "ord-1", "status": "OPEN"}, status=201)

    async def moved(request: web.Request) -> web.Response:
        if request.path == "/account":
            return web.json_response({})
        return web.Response(status=status, headers={"Location": f"http://{there}{request.path}"})

    async with listening(elsewhere) as there, listening(moved) as here:
        endpoints = Endpoints(ws_url=f"ws://{here}", rest_url=f"http://{here}", api_key="k" * 32)
        venue = ProxyVenue(endpoints, is_live=True)
        order = OrderRequest(
            symbol="S:X",
            side=Side.BUY,
            quantity=Decimal(1),
            order_type=OrderType.MARKET,
            client_order_id="c-1",
        )
        for asking in (
            lambda: venue.submit(order),
            lambda: venue.cancel("ord-1"),
            lambda: venue.modify("ord-1", OrderChanges(quantity=Decimal(2))),
            venue.positions,
        ):
            with pytest.raises(ApiError, match=f"{status}"):
                await asking()
        await venue.close()
    assert heard == []


@asynccontextmanager
async def listening(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[str]:
    """Answer every request in the same way; yield the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
