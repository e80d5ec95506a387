"""The AsyncAPI document is complete and describes every frame that is sent or taken."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct
from msgspec.structs import fields

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.events import ServerFrame
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Trade
from strategy_runtime.protocol.server_codec import carries_id, decode_client_frame
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.server.asyncapi import NEVER_SENT, RECEIVED, SENT, asyncapi
from tests.cli.support import ROOT
from tests.simulator.server.described import validator
from tests.simulator.server.rest_client import serving
from tests.simulator.server.stream_client import Client

DOCUMENT = asyncapi("1.2.3", "localhost:8082")
FRAMES = Path(__file__).parents[2] / "protocol" / "frames"

# Valid frames of other proxies that ours does not send: older keys, numbers, fewer fields.
NOT_OURS = {
    "account_engine_form",
    "backtest_complete_engine_form",
    "backtest_complete_synthesised",
    "candle_flat_engine",
    "candle_legacy_id_key",
    "candle_live_no_id",
    "candle_minimal",
    "candle_nested_numbers_ms",
    "connected_no_timestamp",
    "connection_future_event",
    "error_engine_form",
    "financing",
    "order_engine_form",
    "order_filled_guide_shape",
    "position_engine_form",
    "quote_minimal",
    "quote_no_last_ms",
    "trade_engine_form",
}


def payloads(*structs: type[Struct]) -> Draft202012Validator:
    """Accepts documents that are the payload of exactly one of some messages."""
    return Draft202012Validator({"oneOf": one_of(*structs), "components": DOCUMENT["components"]})


def one_of(*structs: type[Struct]) -> list[Any]:
    messages = DOCUMENT["components"]["messages"]
    return [messages[struct.__name__]["payload"] for struct in structs]


def recorded(file: str) -> list[Any]:
    index = [json.loads(line) for line in (FRAMES / "index.jsonl").read_text().splitlines()]
    lines = (FRAMES / file).read_text(errors="surrogateescape").split("\n")
    return [
        pytest.param(entry, lines[entry["line"] - 1], id=entry["name"])
        for entry in index
        if entry["file"] == file and entry.get("dir", "c2s") == "c2s"
    ]


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [each for item in part for each in references(item)]
    if isinstance(part, dict):
        found = [part["$ref"]] if "$ref" in part else []
        return found + references(list(part.values()))
    return []


async def test_it_is_served_and_names_the_address_it_was_asked_at() -> None:
    async with serving(version="1.2.3") as rest:
        status, found = await rest("GET", "/asyncapi.json")
        address = rest.server.rest_url.removeprefix("http://")
    assert (status, found["servers"]["proxy"]["host"]) == (200, address)
    assert found == json.loads(json.dumps(asyncapi("1.2.3", address)))


def test_every_reference_leads_somewhere() -> None:
    targets = references(DOCUMENT)
    assert len(targets) > 50
    for target in targets:
        part = DOCUMENT
        for step in target.removeprefix("#/").split("/"):
            part = part[step]


def test_every_message_belongs_to_the_channel_and_to_one_operation() -> None:
    messages = set(DOCUMENT["components"]["messages"])
    assert messages == set(DOCUMENT["channels"]["stream"]["messages"])
    used = [
        message["$ref"].rpartition("/")[2]
        for operation in DOCUMENT["operations"].values()
        for message in operation["messages"]
    ]
    assert sorted(used) == sorted(messages)
    assert DOCUMENT["operations"]["send"]["action"] == "send"
    assert DOCUMENT["operations"]["receive"]["action"] == "receive"


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_message_the_page_names_is_described_and_no_other() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    (named,) = re.findall(r"with a `type`: (.*?)\.\s+The", page, re.DOTALL)
    described = {str(struct.__struct_config__.tag) for struct in SENT}
    assert described == {*re.findall(r"`(\w+)`", named), "pong"}


def test_every_frame_that_a_strategy_reads_is_described() -> None:
    missing = {kind.__name__ for kind in {*get_args(ServerFrame)} - {*SENT}}
    assert not missing, "add them to SENT, or to NEVER_SENT if strategy-proxy never sends them"


def test_descriptions_are_whole_sentences() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][^\n]*[.]", schema["description"]), name
    for name, message in DOCUMENT["components"]["messages"].items():
        assert re.fullmatch(r"[A-Z][^\n]*[.]", message["summary"]), name


@pytest.mark.parametrize("struct", [*SENT, Account, Candle, Order, Position, Quote, Trade])
def test_what_is_required_to_read_something_is_required(struct: type[Struct]) -> None:
    required = {field.encode_name for field in fields(struct) if field.required}
    assert required <= set(DOCUMENT["components"]["schemas"][struct.__name__]["required"])


@pytest.mark.parametrize(("entry", "text"), recorded("server_frames.jsonl"))
def test_recorded_frames_are_as_described_unless_other_proxies_write_them(
    entry: Any, text: str
) -> None:
    document = json.loads(text)
    ours = [kind for kind in SENT if kind.__struct_config__.tag == document["type"]]
    if ours:
        assert payloads(*SENT).is_valid(document) is (entry["name"] not in NOT_OURS)
    else:
        assert not payloads(*SENT).is_valid(document)


@pytest.mark.parametrize(("entry", "text"), recorded("client_frames.jsonl"))
def test_what_clients_send_is_as_described(entry: Any, text: str) -> None:
    payloads(*RECEIVED).validate(json.loads(text))


@pytest.mark.parametrize(("entry", "text"), recorded("malformed_frames.jsonl"))
def test_what_is_refused_is_not_as_described(entry: Any, text: str) -> None:
    with pytest.raises(FrameError):
        decode_client_frame(text.encode(errors="surrogateescape"))
    try:
        document = json.loads(text)
    except ValueError:
        return
    assert not payloads(*RECEIVED).is_valid(document)


async def give_orders(client: Client) -> None:
    """Orders of all outcomes: one with a leg, one beyond the cash, one changed and cancelled."""
    order = {"symbol": "S:X", "side": "BUY", "order_type": "MARKET"}
    await client.post("/orders", **order, quantity="5", take_profit="104")
    await client.post("/orders", **order, quantity="1100")
    limit = {**order, "order_type": "LIMIT", "limit_price": "1", "quantity": "1"}
    _, resting = await client.post("/orders", **limit)
    path = f"{client.server.rest_url}/orders/{resting['id']}"
    async with client.session.patch(path, json={"limit_price": "2"}) as response:
        assert response.status == 200
    async with client.session.delete(path) as response:
        assert response.status == 200


async def test_every_frame_of_a_run_is_as_described() -> None:
    series = BarSeries("S:X", "1d", 86_400 * 10**9)
    for day, close in enumerate((100, 100, 104, 100, 8, 8)):
        series.append(day * series.step, close, close, close, close, 100.0)
    options = ExchangeOptions(leverage=Decimal(4), financing_rate=Decimal("0.1"))
    exchange = Exchange([series], options)
    frames: list[dict[str, Any]] = []
    held: list[str] = []
    async with (
        ProxyServer(exchange, ws_port=0, rest_port=0, ping_interval=0.02) as server,
        aiohttp.ClientSession() as session,
    ):
        client = await Client(session, server).connect()
        await client.send("rubbish")
        await client.send({"type": "ping"})
        while not frames or frames[-1]["type"] != "backtest_complete":
            frames.append(frame := await client.frame())
            if frame.get("event_id") == "evt-1":
                await give_orders(client)
            if "event_id" in frame:
                held.append(frame["event_id"])
            if any(each["type"] == "ping" for each in frames):
                await client.ack(*held)
                held.clear()
    check = validator({"oneOf": one_of(*SENT)}, DOCUMENT)
    for frame in frames:
        check.validate(frame)
    described = {str(kind.__struct_config__.tag) for kind in SENT if kind not in NEVER_SENT}
    with_id = {str(kind.__struct_config__.tag) for kind in SENT if carries_id(kind)}
    assert {frame["type"] for frame in frames} == described - {"quote"}
    assert {frame["type"] for frame in frames if "event_id" in frame} == with_id - {"quote"}
    assert {frame["code"] for frame in frames if frame["type"] == "error"} == {
        "INVALID_MESSAGE",
        "LIQUIDATION",
    }
