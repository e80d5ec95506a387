"""Pooled connections: which are reused, and what ends one."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest

from strategy_runtime.errors import ConnectionLost, Unreachable
from strategy_runtime.proxy.network import Network
from strategy_runtime.proxy.transport import ConnectFailed
from tests.proxy.plain_server import Notes, either_loop, head, on_loop, serving

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def network() -> Network:
    return Network(headers={"Authorization": "Bearer k"}, heartbeat=None, max_frame=1000)


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request."""
    while not reader.at_eof():
        try:
            said = await head(reader)
        except asyncio.IncompleteReadError:
            return
        await reader.readexactly(int(said.get("Content-Length", 0)))
        writer.write(ANSWER)


@either_loop
def test_a_request_says_what_it_has_to_and_the_connection_is_used_again(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for size in (0, 3):
            said.append(await head(reader))
            bodies.append(await reader.readexactly(size))
            writer.write(ANSWER)

    async def test() -> None:
        net = network()
        async with serving(scene) as url:
            assert (await net.request("GET", f"http://{url}/a?b=c")).body == b"{}"
            assert (await net.request("POST", f"http://{url}/d", b"[1]")).status == 200
            await net.close()
        common = {
            "Host": url,
            "User-Agent": "strategy-runtime",
            "Accept-Encoding": "identity",
            "Authorization": "Bearer k",
        }
        body = {"Content-Type": "application/json", "Content-Length": "3"}
        assert said == [
            {"": "GET /a?b=c HTTP/1.1", **common},
            {"": "POST /d HTTP/1.1", **common, **body},
        ]
        assert bodies == [b"", b"[1]"]

    said: list[dict[str, str]] = []
    bodies: list[bytes] = []
    on_loop(loop, test())


@either_loop
@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        ANSWER + b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_a_connection_that_will_not_last_is_not_used_again(loop: str, last: bytes) -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(last)
        if b"Length" in last:
            assert await reader.read() == b""

    async def test() -> None:
        net = network()
        async with serving(ends, talk) as url:
            for _ in range(3):
                assert (await net.request("GET", f"http://{url}/")).body == b"{}"
            await net.close()

    on_loop(loop, test())


async def test_one_that_the_other_side_has_closed_is_not_used_again() -> None:
    closed = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    net = network()
    async with serving(once, talk) as url:
        await net.request("GET", f"http://{url}/")
        await closed.wait()
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251 - so that the loop hears of it
        assert (await net.request("POST", f"http://{url}/", b"{}")).status == 200
        await net.close()


@either_loop
def test_one_that_was_closed_while_the_loop_was_blocked_is_not_used_again(loop: str) -> None:
    """A proxy in another thread closes a connection while a hook computes."""
    has_closed = threading.Event()

    def proxy(listening: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(ANSWER)
                answered.wait()
            has_closed.set()

    async def test(url: str) -> None:
        net = network()
        await net.request("GET", url)
        answered.set()
        has_closed.wait()
        assert (await net.request("POST", url, b"{}")).status == 200
        await net.close()

    answered = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=proxy, args=(listening,), daemon=True)
        thread.start()
        on_loop(loop, test(f"http://127.0.0.1:{listening.getsockname()[1]}/"))
        thread.join()


@pytest.mark.parametrize(("idle", "connections"), [(4.6, 1), (4.8, 2)])
async def test_one_that_servers_may_be_about_to_close_is_not_used_again(
    idle: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await talk(reader, writer)

    opened: list[asyncio.StreamWriter] = []
    moments = iter([0.0, *[idle] * 9])
    monkeypatch.setattr("strategy_runtime.proxy.pool.monotonic", lambda: next(moments))
    net = network()
    async with serving(scene) as url:
        await net.request("GET", f"http://{url}/")
        assert (await net.request("POST", f"http://{url}/", b"{}")).status == 200
        await net.close()
    assert len(opened) == connections


@either_loop
def test_one_that_is_closed_a_moment_after_an_answer_is_not_used_again(loop: str) -> None:
    """A proxy that keeps connections open after a GET, but not after an order."""

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            said = await head(reader)
            await reader.readexactly(int(said.get("Content-Length", 0)))
            writer.write(ANSWER)
            if said[""].startswith("POST"):
                await answered.acquire()
                return

    async def test() -> None:
        net = network()
        async with serving(scene) as url:
            for _ in range(3):
                await net.request("GET", f"http://{url}/")
            for _ in range(3):
                assert (await net.request("POST", f"http://{url}/", b"{}")).status == 200
                answered.release()
            await net.close()

    answered = asyncio.Semaphore(0)
    on_loop(loop, test())


async def test_one_that_lasts_is_waited_for_once() -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    net = network()
    async with serving(talk) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("strategy_runtime.proxy.pool.sleep", note)
            for _ in range(5):
                await net.request("GET", f"http://{url}/")
        await net.close()
    assert slept == [0.005]


@either_loop
def test_user_name_and_password_of_a_url_are_shown_to_the_proxy(loop: str) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await head(reader))
        writer.write(ANSWER)

    async def test() -> None:
        net = Network(headers={}, heartbeat=None, max_frame=1000)
        async with serving(scene) as url:
            await net.request("GET", f"http://me:p%40ss@{url}/account")
            with pytest.raises(ConnectFailed, match="answered with 200"):
                await net.connect(f"ws://me:p%40ss@{url}/", Notes())
            await net.close()
        assert [each["Host"] for each in said] == [url, url]
        assert [each["Authorization"] for each in said] == ["Basic bWU6cEBzcw=="] * 2

    said: list[dict[str, str]] = []
    on_loop(loop, test())


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    both = asyncio.Barrier(2)

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await both.wait()
        writer.write(ANSWER)

    net = network()
    async with serving(scene) as url:
        answers = await asyncio.gather(*(net.request("GET", f"http://{url}/") for _ in range(2)))
        await net.close()
    assert [each.status for each in answers] == [200, 200]


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_request_without_a_whole_answer_has_an_unknown_fate(cut: bytes) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(cut)

    async with serving(scene) as url:
        said = (
            f"POST http://{url}/ failed: the connection was closed before the response was complete"
        )
        with pytest.raises(ConnectionLost, match=said):
            await network().request("POST", f"http://{url}/", b"")


async def test_a_request_with_an_invalid_answer_has_an_unknown_fate_at_once() -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"220 mail ready\r\n\r\n")
        await reader.read()

    async with serving(scene) as url:
        with pytest.raises(
            ConnectionLost, match=f"POST http://{url}/ failed: '220 mail ready' is not"
        ):
            await network().request("POST", f"http://{url}/", b"")


async def test_a_connection_on_which_something_comes_unasked_is_closed() -> None:
    answered, left = asyncio.Event(), asyncio.Event()

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(ANSWER)
        await answered.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        left.set()

    net = network()
    async with serving(scene, talk) as url:
        await net.request("GET", f"http://{url}/")
        answered.set()
        await left.wait()
        assert (await net.request("GET", f"http://{url}/")).status == 200
        await net.close()


async def test_closing_ends_connections_in_use_and_those_that_wait_for_use() -> None:
    asked, left = asyncio.Event(), asyncio.Barrier(3)

    async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asked.wait()
        writer.write(ANSWER)
        await gone(reader)

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        asked.set()
        await gone(reader)

    async def gone(reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        await left.wait()

    net = network()
    async with serving(idle, busy) as url:
        waiting, using = (
            asyncio.create_task(net.request("GET", f"http://{url}/")) for _ in range(2)
        )
        await waiting
        await net.close()
        await left.wait()
        with pytest.raises(ConnectionLost):
            await using


async def test_connections_that_fail_do_not_use_up_the_room_for_others() -> None:
    net = network()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for _ in range(100):
            with pytest.raises(Unreachable):
                await net.request("GET", f"http://127.0.0.1:{nobody.getsockname()[1]}/")
    async with serving(talk) as url:
        assert (await net.request("GET", f"http://{url}/")).status == 200
        await net.close()


async def test_an_answer_that_takes_too_long_has_an_unknown_fate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        given_up.set()

    given_up = asyncio.Event()
    monkeypatch.setattr("strategy_runtime.proxy.network._ANSWER_S", 0.01)
    async with serving(scene) as url:
        with pytest.raises(ConnectionLost, match=f"POST http://{url}/ timed out"):
            await network().request("POST", f"http://{url}/", b"")
        await given_up.wait()


async def test_a_request_that_nobody_waits_for_any_more_takes_its_connection_along() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        asked.set()
        await reader.read()
        left.set()

    net = network()
    async with serving(scene, talk) as url:
        request = asyncio.create_task(net.request("GET", f"http://{url}/"))
        await asked.wait()
        request.cancel()
        await left.wait()
        assert (await net.request("GET", f"http://{url}/")).status == 200
        await net.close()
    assert request.cancelled()


@either_loop
def test_many_requests_at_once_are_not_as_many_connections(loop: str) -> None:
    async def test() -> None:
        net, connected = network(), 0

        async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connected
            connected += 1
            await talk(reader, writer)

        async with serving(counted) as url:
            requests = [net.request("GET", f"http://{url}/{number}") for number in range(500)]
            assert [answer.status for answer in await asyncio.gather(*requests)] == [200] * 500
            await net.close()
        assert 1 < connected <= 64

    on_loop(loop, test())
