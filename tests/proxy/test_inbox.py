"""The inbox: however messages come together, the strategy and the proxy see the same."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from strategy_runtime.protocol.codec import Frame, unwrap
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy.inbox import Inbox
from tests.proxy.scripted import COMPLETE, CONNECTED, candle

FRAMES = Path(__file__).parent.parent / "protocol" / "frames"

MESSAGES = [
    *(json.dumps(each).encode() for each in (CONNECTED, COMPLETE, *map(candle, range(5)))),
    *(json.dumps(candle(number, event_id=None)).encode() for number in range(5)),
    *(json.dumps(candle(number, symbol="S:Y")).encode() for number in range(5, 9)),
    *(
        line
        for file in ("server_frames.jsonl", "malformed_frames.jsonl")
        for line in (FRAMES / file).read_bytes().splitlines()
    ),
]


class Outcome(Struct):
    """What became of messages: for the strategy, for the proxy, and by the way."""

    events: list[Any]
    origins: list[str]
    acked: list[str]
    answers: list[bytes]
    sighted: list[Order]
    said: tuple[bool, bool, str | None]


class Box:
    """An inbox, and all that comes out of it."""

    def __init__(self, subscriptions: str) -> None:
        self.events: list[Any] = []
        self.origins: list[str] = []
        self.acked: list[str] = []
        self.answers: list[bytes] = []
        self.sighted: list[Order] = []
        self.inbox = Inbox(
            parse_subscriptions(subscriptions),
            default_timeframe="1m",
            always_ack=False,
            wake=lambda: None,
            sighted=self.sighted.append,
        )

    def feed(self, messages: list[bytes]) -> None:
        self.answers += self.inbox.feed(messages)

    def take(self) -> None:
        for event in self.inbox.take():
            self.events.append(event)
            self.origins.append(self.inbox.in_hand)
        self.ack()

    def take_all(self) -> None:
        frames: list[Frame] = self.inbox.take_all()
        self.events += map(unwrap, frames)
        self.origins += (frame.event_id or frame.legacy_id or "" for frame in frames)
        self.ack()

    def ack(self) -> None:
        frame = self.inbox.ack(lambda: "c", 1)
        if frame is not None:
            self.acked += json.loads(frame)["events_processed"]

    def outcome(self) -> Outcome:
        box = self.inbox
        said = box.is_leaving, box.is_complete, box.last_words
        return Outcome(self.events, self.origins, self.acked, self.answers, self.sighted, said)


@given(
    st.lists(st.lists(st.sampled_from(MESSAGES), max_size=6), max_size=6),
    st.sampled_from(["", "S:X:candle", "S:AAPL:candle, S:AAPL:quote"]),
)
def test_messages_may_come_together_in_any_way(reads: list[list[bytes]], wanted: str) -> None:
    together, one_by_one, at_once = Box(wanted), Box(wanted), Box(wanted)
    for messages in reads:
        together.feed(messages)
        together.take()
        for message in messages:
            one_by_one.feed([message])
            one_by_one.take()
        at_once.feed(messages)
    at_once.take_all()
    assert together.outcome() == one_by_one.outcome() == at_once.outcome()
