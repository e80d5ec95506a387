"""The event stream of the proxy: handshake, the ack barrier, hostile clients, the end."""

import asyncio
import base64
import json

import pytest

from strategy_runtime.simulator.server import RunEnd
from strategy_runtime.simulator.server.lock_step import LockStep
from tests.simulator.server.stream_client import FRAMES, Client, bars, malformed, named, serving

# Handshake.


async def test_connected_is_the_first_frame_and_has_no_id() -> None:
    async with serving() as client:
        await client.connect()
        first, second = await client.frames(2)
    assert (first["type"], first["event"]) == ("connection", "CONNECTED")
    assert "event_id" not in first
    assert named([second]) == ["candle evt-1"]


@pytest.mark.parametrize("speed", [None, 1.0])
async def test_connected_names_the_run_and_every_run_has_a_name_of_its_own(
    speed: float | None,
) -> None:
    names = []
    for _ in range(2):
        async with serving(speed=speed) as client:
            for _ in range(2):
                await client.connect()
                names.append((await client.frame())["session"])
                await client.socket.close()
    assert names[0] == names[1] != names[2] == names[3]


@pytest.mark.parametrize("path", ["/", "/ws", "/v1/ws"])
@pytest.mark.parametrize("port", ["ws_url", "rest_url"])
async def test_the_stream_is_on_every_usual_path_of_both_ports(path: str, port: str) -> None:
    async with serving() as client:
        await client.connect(path, getattr(client.server, port))
        assert (await client.frame())["event"] == "CONNECTED"


async def test_frames_have_every_field_the_later_gateway_demands() -> None:
    async with serving() as client:
        await client.connect()
        _, candle = await client.frames(2)
    assert candle == {
        "type": "candle",
        "event_id": "evt-1",
        "timestamp": "2024-01-02T14:31:00Z",
        "bar": {
            "symbol": "S:X",
            "provider": "backtest",
            "timeframe": "1m",
            "timestamp": "2024-01-02T14:30:00Z",
            "open": "10",
            "high": "11",
            "low": "9",
            "close": "10",
            "volume": "100",
        },
    }


# The barrier.


async def test_time_stands_still_without_acknowledgement() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.nothing_more()
        await client.ack("evt-1")
        assert named(await client.frames(1)) == ["candle evt-2"]


@pytest.mark.parametrize(
    "useless", [[], ["evt-77"], ["evt-2"], ["evt-1", "evt-1"], ["evt-1", "evt-77"]]
)
async def test_of_two_events_one_acknowledged_releases_nothing(useless: list[str]) -> None:
    """Empty, unknown, undelivered, repeated and mixed ids, of which only the right one counts."""
    async with serving(bars("S:X", 1, 2), bars("S:Y", 1, 2)) as client:
        await client.connect()
        assert named(await client.frames(3))[1:] == ["candle evt-1", "candle evt-2"]
        if "evt-2" in useless:
            await client.ack("evt-3")
        await client.ack(*[each for each in useless if each != "evt-2"])
        await client.nothing_more()
        await client.ack("evt-1", "evt-2")
        assert named(await client.frames(2)) == ["candle evt-3", "candle evt-4"]


async def test_acknowledgements_add_up_in_any_order() -> None:
    async with serving(bars("S:X", 1, 2), bars("S:Y", 1, 2)) as client:
        await client.connect()
        await client.frames(3)
        await client.ack("evt-2")
        await client.nothing_more()
        await client.ack("evt-1")
        assert named(await client.frames(2)) == ["candle evt-3", "candle evt-4"]


async def test_an_old_acknowledgement_has_no_effect() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        await client.frames(1)
        await client.ack("evt-1")
        await client.nothing_more()
        stream = client.server.stream
        assert isinstance(stream, LockStep)
        assert stream.barrier.unknown == 1


async def test_one_of_ten_thousand_ids_is_enough() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.ack(*(f"evt-{number}" for number in range(10_000)))
        assert named(await client.frames(1)) == ["candle evt-2"]


async def test_an_order_given_before_the_ack_fills_at_the_next_open() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        status, handle = await client.post(
            "/orders", symbol="S:X", side="BUY", quantity="1", order_type="MARKET"
        )
        assert (status, handle["status"]) == (201, "OPEN")
        created = await client.frame()
        assert (created["event"], created["event_id"]) == ("ORDER_CREATED", "evt-2")
        await client.ack("evt-1")
        await client.nothing_more()
        await client.ack("evt-2")
        fills = await client.frames(4)
        assert named(fills) == ["order evt-3", "trade evt-4", "account evt-5", "position evt-6"]
        assert fills[1]["trade"]["price"] == "11.0"
        await client.nothing_more()
        await client.ack("evt-3", "evt-4", "evt-5", "evt-6")
        candle = await client.frame()
        assert (candle["event_id"], candle["bar"]["open"]) == ("evt-7", "11")


# Connections.


async def test_after_a_reconnect_what_is_missing_is_sent_again_with_the_same_ids() -> None:
    async with serving(bars("S:X", 1, 2), bars("S:Y", 1, 2)) as client:
        await client.connect()
        before = await client.frames(3)
        await client.ack("evt-1")
        await client.nothing_more()
        await client.socket.close()
        await client.connect()
        greeting, again = await client.frames(2)
        assert greeting["event"] == "CONNECTED"
        assert again == before[2]
        await client.nothing_more()
        await client.ack("evt-2")
        assert named(await client.frames(2)) == ["candle evt-3", "candle evt-4"]


async def test_a_newer_connection_takes_over() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        newer = await Client(client.session, client.server).connect()
        assert await client.closed() == 4004
        assert named((await newer.frames(2))[1:]) == ["candle evt-1"]


async def test_going_down_is_announced() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        stopping = asyncio.create_task(client.server.stop())
        assert (await client.frame())["event"] == "DISCONNECTING"
        assert await client.closed() == 1001
        await stopping


async def test_silence_halts_the_run_and_names_what_is_missing() -> None:
    async with serving(first_ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(2)
        error = await client.frame()
        assert (error["code"], error["details"]) == ("ACK_TIMEOUT", {"missing": ["evt-1"]})
        assert await client.closed() == 4003
        assert await client.server.finished() is RunEnd.ACK_TIMEOUT


async def test_behind_the_first_acknowledgement_patience_is_shorter_at_once() -> None:
    data = bars("S:X", 10), bars("S:Y", 10)
    async with serving(*data, first_ack_timeout=60, ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(3)
        await client.ack("evt-1")
        error = await client.frame()
        assert (error["code"], error["details"]) == ("ACK_TIMEOUT", {"missing": ["evt-2"]})


@pytest.mark.parametrize("speed", [None, 0.001])
async def test_it_is_told_when_a_client_comes_and_when_the_last_one_leaves(
    speed: float | None,
) -> None:
    told: asyncio.Queue[bool] = asyncio.Queue()
    async with serving(speed=speed) as client:
        client.server.stream.when_alone = told.put_nowait
        for _ in range(2):
            await client.connect()
            await client.frame()
            assert not await asyncio.wait_for(told.get(), 5)
            await client.socket.close()
            assert await asyncio.wait_for(told.get(), 5)
    assert told.empty()


@pytest.mark.parametrize("speed", [None, 0.001])
async def test_nobody_is_waited_for_when_the_proxy_goes_down(speed: float | None) -> None:
    told: list[bool] = []
    async with serving(speed=speed, farewell_pause=0) as client:
        await client.connect()
        await client.frame()
        client.server.stream.when_alone = told.append
    assert told == []


async def test_connected_says_how_many_events_have_been_acknowledged() -> None:
    async with serving() as client:
        found = []
        for _ in range(2):
            await client.connect()
            first, second = await client.frames(2)
            found.append((first["acknowledged"], second["event_id"]))
            await client.ack(second["event_id"])
            await client.frame()
            await client.socket.close()
    assert found == [(0, "evt-1"), (1, "evt-2")]


async def test_nobody_is_halted_while_no_client_is_there() -> None:
    async with serving(first_ack_timeout=0.05) as client:
        await client.connect()
        await client.frames(2)
        await client.socket.close()
        await asyncio.wait({asyncio.create_task(client.server.finished())}, timeout=0.2)
        assert client.server.stream.end is None


# Hostile clients.


@pytest.mark.parametrize("text", malformed())
async def test_a_malformed_frame_is_answered_and_the_link_stays(text: str) -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.send(text)
        error = await client.frame()
        assert (error["type"], error["code"]) == ("error", "INVALID_MESSAGE")
        assert error["message"]
        assert "event_id" not in error
        await client.ack("evt-1")
        assert named(await client.frames(1)) == ["candle evt-2"]


async def test_a_binary_frame_is_no_acknowledgement() -> None:
    rows = (FRAMES / "malformed_base64.jsonl").read_text().splitlines()
    entry = next(r for r in map(json.loads, rows) if r["name"] == "client_binary_ack")
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.socket.send_bytes(base64.b64decode(entry["b64"]))
        assert (await client.frame())["code"] == "INVALID_MESSAGE"


async def test_too_many_malformed_frames_end_the_connection() -> None:
    async with serving() as client:
        await client.connect()
        for _ in range(21):
            await client.send("{}")
        assert await client.closed() == 1008


async def test_repeated_binary_frames_end_the_connection() -> None:
    async with serving() as client:
        await client.connect()
        for _ in range(11):
            await client.socket.send_bytes(b"{}")
        assert await client.closed() == 1003


async def test_a_frame_over_the_limit_ends_the_connection() -> None:
    async with serving() as client:
        await client.connect()
        await client.send("x" * (2 * 1024 * 1024))
        assert await client.closed() in (1006, 1009)


# The end.


async def test_the_last_frame_is_acknowledged_then_the_proxy_closes_and_rest_goes_on() -> None:
    async with serving(bars("S:X", 1)) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        last = await client.frame()
        assert last == {
            "type": "backtest_complete",
            "event_id": "evt-2",
            "timestamp": "2024-01-02T14:31:00Z",
            "broker": "backtest",
        }
        await client.nothing_more()
        await client.ack("evt-2")
        assert await client.closed() == 1000
        assert await client.server.finished() is RunEnd.COMPLETE
        status, refusal = await client.post(
            "/orders", symbol="S:X", side="BUY", quantity="1", order_type="MARKET"
        )
        assert (status, refusal["details"]["reject_code"]) == (422, "MARKET_CLOSED")


async def test_who_comes_back_after_acknowledging_the_last_frame_gets_it_again() -> None:
    async with serving(bars("S:X", 10)) as client:
        await client.connect()
        await client.frames(2)
        await client.ack("evt-1")
        last = await client.frame()
        await client.ack("evt-2")
        assert await client.closed() == 1000
        await client.server.finished()
        await client.connect()
        assert (await client.frame())["acknowledged"] == 2
        assert await client.frame() == last
        assert await client.closed() == 1000


async def test_pings_have_no_id_and_need_no_answer_in_a_backtest() -> None:
    async with serving(ping_interval=0.01) as client:
        await client.connect()
        frames = await client.frames(4)
    pings = [frame for frame in frames if frame["type"] == "ping"]
    assert pings
    assert all("event_id" not in ping for ping in pings)
