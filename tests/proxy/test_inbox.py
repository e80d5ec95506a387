"""The inbox: however messages are batched, the strategy and the proxy see the same."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from strategy_runtime.protocol.codec import unwrap
from strategy_runtime.protocol.events import InstantClosed
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy.inbox import Inbox
from tests.proxy.scripted import COMPLETE, CONNECTED, candle

FRAMES = Path(__file__).parent.parent / "protocol" / "frames"

MESSAGES = [
    *(json.dumps(each).encode() for each in (CONNECTED, COMPLETE, *map(candle, range(5)))),
    *(json.dumps(candle(number, event_id=None)).encode() for number in range(5)),
    *(json.dumps(candle(number, symbol="S:Y")).encode() for number in range(5, 9)),
    *(json.dumps(candle(number, symbol="S:Y", more=True)).encode() for number in range(9, 12)),
    *(
        line
        for file in ("server_frames.jsonl", "malformed_frames.jsonl")
        for line in (FRAMES / file).read_bytes().splitlines()
    ),
]


class Outcome(Struct):
    """What messages led to: events, acknowledgements, answers and state."""

    events: list[Any]
    origins: list[str]
    acked: list[str]
    answers: list[bytes]
    orders_seen: list[Order]
    said: tuple[bool, bool, str | None]


class Box:
    """An inbox, and all of its output."""

    def __init__(
        self, subscriptions: str, *, is_live: bool = False, tells_instants: bool = False
    ) -> None:
        self.events: list[Any] = []
        self.origins: list[str] = []
        self.acked: list[str] = []
        self.answers: list[bytes] = []
        self.orders_seen: list[Order] = []
        self.is_whole = True
        self.inbox = Inbox(
            parse_subscriptions(subscriptions),
            default_timeframe="1m",
            is_live=is_live,
            wake=lambda: None,
            order_seen=self.orders_seen.append,
        )
        self.inbox.tells_instants = tells_instants

    def feed(self, messages: list[bytes]) -> None:
        self.answers += self.inbox.feed(messages)

    def take(self) -> None:
        for event in self.inbox.take():
            self.events.append(event)
            if not isinstance(event, InstantClosed):
                self.origins.append(self.inbox.in_hand)
        self.ack()

    def take_all(self) -> None:
        for frame in self.inbox.take_all():
            if isinstance(frame, InstantClosed):
                self.events.append(frame)
            else:
                self.events.append(unwrap(frame))
                self.origins.append(frame.event_id or frame.legacy_id or "")
        self.ack()

    def ack(self) -> None:
        self.inbox.ack(self.send, lambda: "c", 1)

    def send(self, frame: bytes) -> bool:
        if self.is_whole:
            self.acked += json.loads(frame)["events_processed"]
        return self.is_whole

    def outcome(self) -> Outcome:
        box = self.inbox
        said = box.is_shutting_down, box.is_complete, box.last_words
        return Outcome(self.events, self.origins, self.acked, self.answers, self.orders_seen, said)


@given(
    st.lists(st.lists(st.sampled_from(MESSAGES), max_size=6), max_size=6),
    st.sampled_from(["", "S:X:candle", "S:AAPL:candle, S:AAPL:quote"]),
    st.booleans(),
)
def test_messages_may_come_together_in_any_way(
    reads: list[list[bytes]], wanted: str, tells_instants: bool
) -> None:
    together, one_by_one, at_once = (Box(wanted, tells_instants=tells_instants) for _ in range(3))
    for messages in reads:
        together.feed(messages)
        together.take()
        for message in messages:
            one_by_one.feed([message])
            one_by_one.take()
        at_once.feed(messages)
    at_once.take_all()
    assert together.outcome() == one_by_one.outcome() == at_once.outcome()


@pytest.mark.parametrize("wanted", ["", "S:A:candle", "S:B:candle"])
@pytest.mark.parametrize("at_once", [False, True])
def test_an_instant_is_over_after_its_last_candle_wanted_or_not(wanted: str, at_once: bool) -> None:
    box = Box(wanted, tells_instants=True)
    frames = [candle(1, symbol="S:A", more=True), candle(2, symbol="S:B"), candle(3, symbol="S:A")]
    box.feed([json.dumps(each).encode() for each in (CONNECTED, *frames, frames[1])])
    (box.take_all if at_once else box.take)()
    told = ["" if isinstance(each, InstantClosed) else each.symbol for each in box.events[1:]]
    assert (
        told
        == {
            "": ["S:A", "S:B", "", "S:A", ""],
            "S:A:candle": ["S:A", "", "S:A", ""],
            "S:B:candle": ["S:B", "", ""],
        }[wanted]
    )
    assert box.acked == ["evt-1", "evt-2", "evt-3", "evt-2"]


def test_the_last_candle_of_an_instant_is_unacknowledged_while_the_instant_ends() -> None:
    box = Box("", tells_instants=True)
    box.feed([json.dumps(each).encode() for each in (candle(1, more=True), candle(2))])
    for item in box.inbox.take():
        if isinstance(item, InstantClosed):
            break
    box.ack()
    assert (box.acked, box.inbox.in_hand) == (["evt-1"], "evt-2")


ENTRIES = "S:A:candle S:A:candle_5m S:A:candle_* S:B:candle_1m S:B:* S:C:quote *:candle_1h".split()


@given(
    st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from(["1m", "5m", "1h"])), max_size=20),
    st.integers(1, 20),
)
def test_the_candles_that_are_wanted_come_and_all_are_acknowledged(
    entries: list[str], candles: list[tuple[str, str]], together: int
) -> None:
    box, wanted = Box(",".join(entries)), parse_subscriptions(",".join(entries))
    box.feed([json.dumps(CONNECTED).encode()])
    frames = [candle(number, symbol=f"S:{symbol}") for number, (symbol, _) in enumerate(candles)]
    for frame, (_, timeframe) in zip(frames, candles, strict=True):
        frame["bar"]["timeframe"] = timeframe
    with patch("strategy_runtime.proxy.inbox._SYMBOLS", 2):  # so that some are forgotten
        for at in range(0, len(frames), together):
            box.feed([json.dumps(frame).encode() for frame in frames[at : at + together]])
    box.take()
    assert [(event.symbol, event.timeframe) for event in box.events[1:]] == [
        (f"S:{symbol}", timeframe)
        for symbol, timeframe in candles
        if wanted.wants_candle(f"S:{symbol}", timeframe)
    ]
    assert box.acked == [f"evt-{number}" for number in range(len(candles))]


@pytest.mark.parametrize(
    ("subscriptions", "timeframe"),
    [
        ("S:A:candle_5m", "5m"),
        ("*:candle_5m", "5m"),
        ("S:B:candle_1h,S:A:candle_5m,S:A:quote", "5m"),
        ("S:A:candle", "1m"),
        ("S:A:candle_*", "1m"),
        ("S:A:candle_5m,S:A:candle_1m", "1m"),
        ("S:A:candle_5m,S:A:candle", "1m"),
        ("S:A:candle_5m,*:*", "1m"),
        ("", "1m"),
    ],
)
def test_a_candle_that_does_not_say_has_the_timeframe_it_was_asked_for_in(
    subscriptions: str, timeframe: str
) -> None:
    box, frame = Box(subscriptions), candle(1, symbol="S:A")
    del frame["bar"]["timeframe"]
    box.feed([json.dumps(CONNECTED).encode(), json.dumps(frame).encode()])
    box.take()
    assert [event.timeframe for event in box.events[1:]] == [timeframe]


def test_what_comes_again_is_acknowledged_again_and_handled_once_however_much_came_since() -> None:
    box = Box("")
    with patch("strategy_runtime.proxy.inbox._REMEMBERED", 3):
        for number in (1, 2, 3, 4, 1, 5):
            box.feed([json.dumps(candle(number)).encode()])
            box.take()
    assert box.origins[1:] == [f"evt-{number}" for number in (1, 2, 3, 4, 5)]
    assert box.acked == [f"evt-{number}" for number in (1, 2, 3, 4, 1, 5)]


def test_ten_thousand_events_later_one_is_still_known_again() -> None:
    box = Box("")
    frame = json.dumps(candle(1))
    for number in (*range(10_000), 0):
        box.feed([frame.replace('"evt-1"', f'"evt-{number}"').encode()])
    box.take()
    assert len(box.origins) == 1 + 10_000
    assert box.acked[-1] == box.acked[0] == "evt-0"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("DATA_ERROR", "DATA_ERROR: why"),
        ("INTERNAL_ERROR", "INTERNAL_ERROR: why"),
        ("LIQUIDATION", None),
    ],
)
def test_what_breaks_a_backtest_off_is_kept_as_its_last_words(code: str, words: str | None) -> None:
    box = Box("")
    error = {"type": "error", "code": code, "message": "why", "timestamp": "2024-01-02T14:30:00Z"}
    box.feed([json.dumps(CONNECTED).encode(), json.dumps(error).encode()])
    assert box.inbox.last_words == words


def after_one(greeting: dict[str, Any] = CONNECTED, *, is_live: bool = False) -> Box:
    """An inbox whose first candle was handled and acknowledged."""
    box = Box("", is_live=is_live)
    box.feed([json.dumps(each).encode() for each in (greeting, candle(1))])
    box.take()
    assert box.acked == ["evt-1"]
    return box


def test_what_could_not_be_sent_is_acknowledged_behind_what_was_sent_last() -> None:
    box = after_one()
    box.is_whole = False
    for number in (2, 3):
        box.feed([json.dumps(candle(number)).encode()])
        box.take()
    box.is_whole = True
    box.inbox.opened()
    box.feed([json.dumps(CONNECTED).encode()])
    box.take()
    assert box.acked == ["evt-1", *("evt-1", "evt-2", "evt-3")]


def test_the_last_two_acknowledgements_may_have_been_sent_in_vain() -> None:
    box = after_one()
    for number in (2, 3):
        box.feed([json.dumps(candle(number)).encode()])
        box.take()
    box.inbox.opened()
    box.feed([json.dumps(CONNECTED).encode()])
    box.take()
    assert box.acked == ["evt-1", "evt-2", "evt-3", *("evt-2", "evt-3")]


NAMED = {**CONNECTED, "session": "one"}


@pytest.mark.parametrize(
    ("before", "now", "is_said_again"),
    [
        (CONNECTED, CONNECTED, True),
        (CONNECTED, None, True),
        (NAMED, NAMED, True),
        (NAMED, CONNECTED, False),
        (NAMED, None, False),
        (CONNECTED, NAMED, False),
    ],
)
def test_what_was_acknowledged_last_is_so_again_where_the_run_may_be_the_same(
    before: dict[str, Any], now: dict[str, Any] | None, is_said_again: bool
) -> None:
    box = after_one(before)
    for _ in range(2):  # the first attempt to connect fails
        box.inbox.opened()
    box.ack()
    assert box.acked == ["evt-1"], "nobody knows yet to whom"
    if now is None:
        box.inbox.presume_connected()
    else:
        box.feed([json.dumps(now).encode()])
    for _ in range(2):
        box.take()
    assert box.acked == ["evt-1"] * (2 if is_said_again else 1)


def test_live_a_new_connection_hears_nothing_of_what_was_before() -> None:
    box = after_one(is_live=True)
    box.is_whole = False
    box.feed([json.dumps(candle(2)).encode()])
    box.take()
    box.is_whole = True
    box.inbox.opened()
    box.feed([json.dumps(CONNECTED).encode()])
    box.take()
    assert box.acked == ["evt-1"]
