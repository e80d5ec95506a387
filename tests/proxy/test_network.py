"""What only real networks do: names, address families, certificates."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from strategy_runtime.errors import AccessDenied, Unreachable
from strategy_runtime.proxy.network import Network
from strategy_runtime.proxy.transport import Closed, ConnectFailed


class Notes:
    """A receiver that notes what it is given."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: Closed | None = None
        self.stirred = asyncio.Event()

    def feed(self, data: bytes) -> bytes | None:
        self.frames.append(data)
        self.stirred.set()
        return b"answer" if data == b"question" else None

    def lost(self, closed: Closed) -> None:
        self.closed = closed
        self.stirred.set()


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
    """A server that greets, asks, and sends something too long; its port and what it heard."""
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
        while notes.closed is None:
            notes.stirred.clear()
            await notes.stirred.wait()
        await link.close()
        assert heard == ["answer"]
    assert notes.frames == [b"question"]
    assert notes.closed.code == 1009


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
        for url in (f"127.0.0.1:{port}", "proxy.invalid:80"):
            with pytest.raises(Unreachable, match=f"nobody answers at http://{url}/account: "):
                await net.request("GET", f"http://{url}/account")
            with pytest.raises(ConnectFailed) as failed:
                await net.connect(f"ws://{url}/", Notes())
            assert not failed.value.is_untrusted
            assert failed.value.status is None


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """One that nobody has signed."""
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


async def test_a_certificate_that_nobody_signed_ends_the_run(certificate: ssl.SSLContext) -> None:
    async with serving(context=certificate) as (port, _), network() as net:
        with pytest.raises(AccessDenied, match="the proxy's certificate cannot be trusted: "):
            await net.request("GET", f"https://localhost:{port}/account")
        with pytest.raises(ConnectFailed) as failed:
            await net.connect(f"wss://localhost:{port}/", Notes())
        assert failed.value.is_untrusted
