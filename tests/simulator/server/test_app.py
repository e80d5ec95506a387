"""The server as a whole: its ports, the end of a run, and shutdown."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from strategy_runtime.clock import sleep
from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.protocol.commands import EventAck
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer, RunEnd
from strategy_runtime.simulator.server.lock_step import LockStep
from tests.simulator.server.stream_client import Client, bars, named, serving

MARKET = {"symbol": "S:X", "side": "BUY", "quantity": "1", "order_type": "MARKET"}


def server_of(**options: Any) -> ProxyServer:
    given = {"ws_port": 0, "rest_port": 0}
    return ProxyServer(Exchange([bars("S:X", 10, 11, 12)]), **(given | options))


async def get(client: Client, path: str) -> tuple[int, Any]:
    async with client.session.get(client.server.rest_url + path) as response:
        return response.status, await response.json()


# Ports.


async def test_one_port_for_everything() -> None:
    """A client of the later gateway: everything is under /v1, the stream too."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with (
        server_of(ws_port=port, rest_port=port) as server,
        aiohttp.ClientSession() as session,
    ):
        assert server.ws_url == f"ws://127.0.0.1:{port}"
        assert server.rest_url == f"http://127.0.0.1:{port}"
        client = await Client(session, server).connect("/v1/ws", server.rest_url)
        await client.frames(2)
        status, _ = await client.post("/v1/orders", **MARKET)
        assert status == 201
        assert named(await client.frames(1)) == ["order evt-2"]
        await client.ack()  # that client also acknowledges a frame without id, with no ids
        await client.ack("evt-1", "evt-2")
        assert named(await client.frames(4))[0] == "order evt-3"
        assert (await get(client, "/v1/positions"))[1][0]["quantity"] == "1"


async def test_two_free_ports_are_picked() -> None:
    async with server_of() as server:
        assert server.ws_url.rpartition(":")[2] != server.rest_url.rpartition(":")[2]
        assert "0" not in (server.ws_url.rpartition(":")[2], server.rest_url.rpartition(":")[2])


@pytest.mark.parametrize("which", ["ws", "rest"])
async def test_a_port_in_use_is_named_with_its_option(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"port {port}: .*choose another with --{which}-port"
        ):
            await server_of(**{f"{which}_port": port}).start()


async def test_an_address_that_this_machine_does_not_have_is_named_with_its_option() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^cannot listen on 203\.0\.113\.1 port 0: .*; choose another with --host$",
    ):
        await server_of(host="203.0.113.1", api_key="k" * 32).start()


async def test_the_end_cannot_be_waited_for_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="the server has not been started"):
        await server_of().finished()


# The end.


async def test_whoever_gives_up_waiting_for_the_end_does_not_bring_it_about() -> None:
    async with serving(bars("S:X", 1)) as client:
        await client.connect()
        await client.frames(2)
        waiting = asyncio.create_task(client.server.finished())
        await client.nothing_more()
        waiting.cancel()
        await asyncio.wait({waiting})
        await client.ack("evt-1")
        assert named(await client.frames(1)) == ["backtest_complete evt-2"]
        await client.ack("evt-2")
        assert await client.server.finished() is RunEnd.COMPLETE


async def test_a_run_is_complete_without_the_last_acknowledgement() -> None:
    async with serving(bars("S:X", 1), last_ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        assert named(await client.frames(1)) == ["backtest_complete evt-2"]
        assert await client.closed() == 1000
        assert await client.server.finished() is RunEnd.COMPLETE


async def test_a_client_that_left_at_the_last_event_finds_it_again() -> None:
    async with serving(bars("S:X", 1), last_ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        last = await client.frame()
        await client.socket.close()
        async with asyncio.timeout(5):
            assert await client.server.finished() is RunEnd.COMPLETE
        await client.connect()
        greeting, again = await client.frames(2)
        assert (greeting["event"], again) == ("CONNECTED", last)
        assert await client.closed() == 1000


async def test_the_last_event_waits_for_a_client_to_be_written_to() -> None:
    async with serving(bars("S:X", 1), last_ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(2)
        await client.socket.close()
        stream = client.server.stream
        assert isinstance(stream, LockStep)
        while stream._client is not None:
            await get(client, "/livez")
        # As if the acknowledgement had arrived just before the connection was lost.
        stream._acknowledge(EventAck(correlation_id="c", events_processed=["evt-1"]))
        end = asyncio.create_task(client.server.finished())
        await asyncio.wait({end}, timeout=0.2)
        assert not end.done()
        await client.connect()
        assert named(await client.frames(2)) == ["connection -", "backtest_complete evt-2"]
        await client.ack("evt-2")
        assert await end is RunEnd.COMPLETE


async def test_who_comes_after_the_last_acknowledgement_is_greeted_and_sent_away() -> None:
    async with serving(bars("S:X", 1)) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        await client.frames(1)
        await client.ack("evt-2")
        assert await client.closed() == 1000
        await client.connect()
        assert named(await client.frames(1)) == ["connection -"]
        assert await client.closed() == 1000
        assert (await get(client, "/account"))[0] == 200


async def test_who_comes_back_to_a_run_that_was_halted_learns_that() -> None:
    async with serving(first_ack_timeout=0.05) as client:
        await client.connect()
        assert await client.closed() == 4003
        await client.connect()
        assert named(await client.frames(1)) == ["connection -"]
        assert (await client.frame())["code"] == "ACK_TIMEOUT"
        assert await client.closed() == 4003


@pytest.mark.parametrize("options", [{}, {"speed": 0.001}])
async def test_to_stop_is_an_end_as_well(options: dict[str, Any]) -> None:
    async with server_of(**options) as server:
        waiting = asyncio.create_task(server.finished())
        await sleep(0)
        await server.stop()
        assert await waiting is RunEnd.STOPPED
        assert await server.finished() is RunEnd.STOPPED


async def test_a_run_that_was_complete_stays_so_when_it_is_stopped() -> None:
    async with serving(bars("S:X", 1), last_ack_timeout=0.0) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        assert await client.closed() == 1000
        await client.server.stop()
        assert await client.server.finished() is RunEnd.COMPLETE


class Faulty(Exchange):
    """An exchange that fails after its first phase."""

    fault: Exception

    def phases(self, *, is_paced: bool = False) -> Iterator[None]:
        for phase in super().phases(is_paced=is_paced):
            yield phase
            if self.emitted:
                raise self.fault


@pytest.mark.parametrize("speed", [None, 1e9])
@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (DataError("x.csv line 3: a split"), "DATA_ERROR", "x.csv line 3: a split"),
        (KeyError("inside"), "INTERNAL_ERROR", "the proxy failed; its log says why"),
    ],
)
async def test_a_fault_in_the_replay_is_said_and_closes_with_1011(
    fault: Exception,
    code: str,
    message: str,
    speed: float | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange = Faulty([bars("S:X", 10, 11)])
    exchange.fault = fault
    server = ProxyServer(exchange, ws_port=0, rest_port=0, speed=speed)
    async with server, aiohttp.ClientSession() as session:
        client = await Client(session, server).connect()
        assert named(await client.frames(2)) == ["connection -", "candle evt-1"]
        await client.ack("evt-1")
        error = await client.frame()
        assert (error["type"], error["code"], error["message"]) == ("error", code, message)
        assert await client.closed() == 1011
        with pytest.raises(type(fault)):
            await server.finished()
        await client.connect()
        greeting, again = await client.frames(2)
        assert (greeting["event"], again) == ("CONNECTED", error)
        assert await client.closed() == 1011
        async with session.delete(f"{server.rest_url}/orders") as response:
            assert response.status == 503
            assert (await response.json())["message"] == "the run has broken off"
    assert ("the replay failed" in caplog.text) is (code == "INTERNAL_ERROR")


async def test_zero_waits_for_ever() -> None:
    async with serving(first_ack_timeout=0.0, ack_timeout=0.0) as client:
        await client.connect()
        await client.frames(2)
        end = asyncio.create_task(client.server.finished())
        await asyncio.wait({end}, timeout=0.1)
        await client.nothing_more()
        assert not end.done()
        end.cancel()


async def test_any_release_starts_the_patience_afresh() -> None:
    """Four acknowledgements, each within the limit but together far beyond it."""
    series = [bars(f"S:{name}", 1, 2) for name in "ABCDE"]
    async with serving(*series, first_ack_timeout=1.0, ack_timeout=1.0) as client:
        await client.connect()
        await client.frames(6)
        ends = asyncio.create_task(client.server.finished())
        for number in range(1, 5):
            await asyncio.wait({ends}, timeout=0.3)
            await client.ack(f"evt-{number}")
        await client.nothing_more()
        await client.ack("evt-5")
        assert named(await client.frames(1)) == ["candle evt-6"]
        ends.cancel()


# Commands and the stream.


async def test_once_it_is_over_nothing_can_be_changed_and_nothing_follows_the_last_frame() -> None:
    limit = {**MARKET, "order_type": "LIMIT", "limit_price": "5"}
    async with serving(bars("S:X", 10, 11)) as client:
        await client.connect()
        await client.frames(2)
        await client.post("/orders", **MARKET)
        _, resting = await client.post("/orders", **limit)
        await client.frames(2)
        await client.ack("evt-1", "evt-2", "evt-3")
        await client.frames(4)
        await client.ack(*(f"evt-{number}" for number in range(4, 8)))
        await client.frames(1)
        await client.ack("evt-8")
        assert named(await client.frames(1)) == ["backtest_complete evt-9"]
        order, base = resting["id"], client.server.rest_url
        path = f"{base}/orders/{order}"
        for method, change in (("DELETE", None), ("PATCH", {"limit_price": "6"})):
            async with client.session.request(method, path, json=change) as response:
                assert (response.status, await response.json()) == (
                    409,
                    {
                        "code": "ORDER_NOT_MODIFIABLE",
                        "message": "the backtest is over",
                        "details": {"order_id": order},
                    },
                )
        async with client.session.delete(base + "/orders") as response:
            assert await response.json() == {
                "cancelled_count": 0,
                "failed_count": 1,
                "failed_order_ids": [order],
            }
        path = f"{base}/positions/pos-1"
        for method, change in (("DELETE", None), ("PATCH", {"stop_loss": "6"})):
            async with client.session.request(method, path, json=change) as response:
                refusal = await response.json()
                assert (response.status, refusal["details"]["reject_code"]) == (
                    422,
                    "MARKET_CLOSED",
                )
        assert (await get(client, f"/orders/{order}"))[1]["status"] == "OPEN"
        await client.nothing_more()
        await client.ack("evt-9")
        assert await client.closed() == 1000


async def test_what_is_ordered_before_the_first_client_comes_first() -> None:
    async with serving() as client:
        assert (await client.post("/orders", **MARKET))[0] == 201
        await client.connect()
        first, created = await client.frames(2)
        assert (first["event"], created["event"]) == ("CONNECTED", "ORDER_CREATED")
        await client.nothing_more()
        await client.ack("evt-1")
        fill = await client.frames(4)
        assert fill[1]["trade"]["price"] == "10.0"


async def test_what_is_ordered_while_no_client_is_there_is_kept_for_it() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.socket.close()
        assert (await client.post("/orders", **MARKET))[0] == 201
        await client.connect()
        assert named(await client.frames(3)) == ["connection -", "candle evt-1", "order evt-2"]


async def test_every_command_is_heard_of_at_once_and_no_refused_one() -> None:
    limit = {**MARKET, "order_type": "LIMIT", "limit_price": "5"}
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        _, handle = await client.post("/orders", **limit)
        path = f"{client.server.rest_url}/orders/{handle['id']}"
        assert (await client.frame())["event"] == "ORDER_CREATED"
        async with client.session.patch(path, json={"limit_price": "6"}) as response:
            assert response.status == 200
        assert (await client.frame())["event"] == "ORDER_MODIFIED"
        async with client.session.patch(path, json={"limit_price": "-6"}) as response:
            assert response.status == 400
        assert (await client.post("/orders", **{**MARKET, "quantity": "1e9"}))[0] == 422
        await client.nothing_more()
        async with client.session.delete(path) as response:
            assert response.status == 200
        assert (await client.frame())["event"] == "ORDER_CANCELLED"
        async with client.session.delete(path) as response:
            assert response.status == 409
        await client.nothing_more()
        await client.post("/orders", **limit)
        assert (await client.frame())["event"] == "ORDER_CREATED"
        async with client.session.delete(client.server.rest_url + "/orders") as response:
            assert (await response.json())["cancelled_count"] == 1
        assert (await client.frame())["event"] == "ORDER_CANCELLED"


# Going down.


async def test_while_it_goes_down_it_answers_questions_and_takes_no_commands() -> None:
    async with serving(farewell_pause=60.0) as client:
        await client.connect()
        await client.frames(2)
        stopping = asyncio.create_task(client.server.stop())
        assert (await client.frame())["event"] == "DISCONNECTING"
        status, refusal = await client.post("/orders", **MARKET)
        assert (status, refusal) == (
            503,
            {"code": "SHUTTING_DOWN", "message": "the proxy is shutting down"},
        )
        assert (await get(client, "/account"))[0] == 200
        status, state = await get(client, "/readyz")
        assert (status, state["ready"]) == (503, False)
        late = await Client(client.session, client.server).connect()
        assert [frame["event"] for frame in await late.frames(2)] == ["CONNECTED", "DISCONNECTING"]
        assert await late.closed() == 1001
        await client.nothing_more()
        await client.socket.close()  # the pause ends with it
        async with asyncio.timeout(5):
            await stopping


async def test_a_broadcast_goes_down_in_the_same_way() -> None:
    async with serving(speed=0.001, farewell_pause=60.0) as client:
        await client.connect()
        await client.frame()
        stopping = asyncio.create_task(client.server.stop())
        assert (await client.frame())["event"] == "DISCONNECTING"
        assert (await client.post("/orders", **MARKET))[0] == 503
        late = await Client(client.session, client.server).connect()
        assert [frame["event"] for frame in await late.frames(2)] == ["CONNECTED", "DISCONNECTING"]
        assert await late.closed() == 1001
        await client.socket.close()
        async with asyncio.timeout(5):
            await stopping
