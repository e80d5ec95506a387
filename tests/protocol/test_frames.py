"""Every recorded and every hostile frame is decoded, or dropped, as its index says."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.codec import id_of
from strategy_runtime.protocol.commands import ClientPing, ClientPong, EventAck
from strategy_runtime.protocol.events import CandleFrame, Ping, UnknownEvent
from strategy_runtime.protocol.server_codec import decode_client_frame
from strategy_runtime.protocol.tolerant import read_tolerantly
from tests.protocol.reading import decode

FRAMES = Path(__file__).parent / "frames"


def rows(file: str) -> list[bytes]:
    return (FRAMES / file).read_bytes().split(b"\n")


def index(file: str, **wanted: str) -> list[Any]:
    entries = [json.loads(line) for line in (FRAMES / "index.jsonl").read_text().splitlines()]
    lines = rows(file)
    return [
        pytest.param(entry, lines[entry["line"] - 1], id=entry["name"])
        for entry in entries
        if entry["file"] == file and all(entry.get(k) == v for k, v in wanted.items())
    ]


def tag(frame: Any) -> str:
    return "unknown" if isinstance(frame, UnknownEvent) else type(frame).__struct_config__.tag


def test_the_index_covers_every_frame() -> None:
    assert len(index("server_frames.jsonl")) == 54
    assert len(index("client_frames.jsonl")) == 14
    assert len(index("malformed_frames.jsonl")) == 80


@pytest.mark.parametrize(("entry", "raw"), index("server_frames.jsonl"))
def test_a_good_server_frame_decodes_to_its_kind_and_id(entry: Any, raw: bytes) -> None:
    decoded = decode(raw)
    assert tag(decoded.frame) == entry["kind"]
    assert decoded.event_id == entry["ack"]
    assert decoded.warnings == ()


@pytest.mark.parametrize(("entry", "raw"), index("server_frames.jsonl"))
def test_both_tiers_agree(entry: Any, raw: bytes) -> None:
    decoded = decode(raw)
    frame, warnings = read_tolerantly(raw, default_timeframe="1m")
    event_id = id_of(frame)
    assert event_id == decoded.event_id
    assert tuple(warnings) == decoded.warnings
    if isinstance(frame, UnknownEvent):
        assert frame == decoded.frame
    else:
        plain = msgspec.structs.replace
        assert plain(frame, event_id=None, legacy_id=None) == plain(
            decoded.frame, event_id=None, legacy_id=None
        )


@pytest.mark.parametrize(("entry", "raw"), index("malformed_frames.jsonl", dir="s2c"))
def test_an_odd_server_frame_meets_its_fate(entry: Any, raw: bytes) -> None:
    expect, ack = entry["expect"], entry["ack"]
    if expect == "drop":
        with pytest.raises(FrameError) as dropped:
            decode(raw)
        assert dropped.value.event_id == ack
        assert dropped.value.reason
        return
    decoded = decode(raw)
    assert decoded.event_id == ack
    assert isinstance(decoded.frame, UnknownEvent) == (expect == "unknown_event")
    assert bool(decoded.warnings) == (expect == "accept_warn")
    if expect == "accept_last":
        assert tag(decoded.frame) == "pong"
    if expect == "accept_unknown_enum":
        frame: Any = decoded.frame
        assert not (frame.event.is_known and frame.order.status.is_known)


@pytest.mark.parametrize(("entry", "raw"), index("client_frames.jsonl"))
def test_a_good_client_frame_decodes(entry: Any, raw: bytes) -> None:
    kinds = {"pong": ClientPong, "event_ack": EventAck, "ping": ClientPing}
    assert type(decode_client_frame(raw)) is kinds[entry["kind"]]


@pytest.mark.parametrize(("entry", "raw"), index("malformed_frames.jsonl", dir="c2s"))
def test_an_odd_client_frame_is_an_error(entry: Any, raw: bytes) -> None:
    with pytest.raises(FrameError):
        decode_client_frame(raw)


BASE64 = [json.loads(line) for line in rows("malformed_base64.jsonl") if line]


@pytest.mark.parametrize("entry", [e for e in BASE64 if e["dir"] == "s2c"], ids=lambda e: e["name"])
def test_a_frame_that_is_not_clean_text(entry: Any) -> None:
    raw = base64.b64decode(entry["b64"])
    if entry["expect"] == "accept":
        assert isinstance(decode(raw).frame, Ping)
    else:
        with pytest.raises(FrameError):
            decode(raw)


def test_the_id_is_found_in_text_that_is_not_utf8() -> None:
    entry = next(e for e in BASE64 if e["name"] == "invalid_utf8_in_string")
    with pytest.raises(FrameError) as dropped:
        decode(base64.b64decode(entry["b64"]))
    assert dropped.value.event_id == "evt-b01"


def test_a_client_frame_that_is_not_utf8_is_an_error() -> None:
    entry = next(e for e in BASE64 if e["name"] == "client_invalid_utf8")
    with pytest.raises(FrameError):
        decode_client_frame(base64.b64decode(entry["b64"]))


CANDLE = rows("server_frames.jsonl")[10].decode()


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 100_000 + "]" * 100_000,
        CANDLE.replace('"18250"', "9" * 5000),
    ],
    ids=["nested_arrays_100k", "int_5000_digits"],
)
def test_a_generated_frame_is_dropped(raw: str) -> None:
    with pytest.raises(FrameError):
        decode(raw)


def test_deep_nesting_from_a_client_is_an_error() -> None:
    with pytest.raises(FrameError):
        decode_client_frame('{"a":' * 50_000 + "1" + "}" * 50_000)


def test_a_long_message_is_accepted() -> None:
    message = "x" * (300 * 1024)
    decoded = decode(json.dumps({"type": "error", "code": "X", "message": message}))
    assert decoded.frame.message == message  # type: ignore[union-attr]


def test_many_unknown_keys_are_accepted() -> None:
    frame = json.loads(CANDLE)
    frame.update({f"key{n}": n for n in range(20_000)})
    decoded = decode(json.dumps(frame))
    assert isinstance(decoded.frame, CandleFrame)
    assert decoded.event_id == "evt-0001"


def test_an_ack_of_ten_thousand_ids_is_accepted() -> None:
    ids = [f"evt-{n}" for n in range(10_000)]
    raw = json.dumps({"type": "event_ack", "correlation_id": "c", "events_processed": ids})
    frame = decode_client_frame(raw)
    assert isinstance(frame, EventAck)
    assert frame.events_processed == ids
