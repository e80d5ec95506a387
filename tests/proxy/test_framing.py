"""WebSocket frames: complete messages however they are split, faults by name, ours masked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.ids import generator
from strategy_runtime.proxy.framing import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameFault,
    FrameReader,
    close_answer,
    close_code,
    close_frame,
    frame_of,
)

LONGEST = 70_000


class Heard:
    """A reader, with everything it delivered and the sizes of the batches."""

    def __init__(self, longest: int = LONGEST) -> None:
        self.all: list[Any] = []
        self.counts: list[int] = []
        self.is_closed = False
        self.reader = FrameReader(
            self.messages,
            reply=lambda reply: self.all.append(("reply", reply)),
            control=self.control,
            longest=longest,
        )

    def control(self, kind: int, payload: bytes) -> None:
        self.all.append((kind, payload))
        self.is_closed |= kind == CLOSE

    def messages(self, payloads: list[bytes]) -> list[bytes]:
        self.all += payloads
        self.counts.append(len(payloads))
        return [b"answer" for each in payloads if each == b"question"]


def heard(*reads: bytes, longest: int = LONGEST) -> list[Any]:
    found = Heard(longest)
    for data in reads:
        found.reader.feed(data)
    return found.all


def sent(payload: bytes, head: int = 0x80 | TEXT) -> bytes:
    """Build a frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 1 << 16:
        return bytes((head, 126)) + size.to_bytes(2) + payload
    return bytes((head, 127)) + size.to_bytes(8) + payload


SIZES = [0, 1, 125, 126, 65_535, 65_536]


@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_length_comes_whole(size: int) -> None:
    assert heard(sent(b"x" * size)) == [b"x" * size]


@given(
    st.lists(st.binary(max_size=300), max_size=8),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_messages_come_whole_and_in_order_however_they_are_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(map(sent, messages))
    reads: list[bytes] = []
    while data:
        cut = cuts[len(reads) % len(cuts)]
        reads.append(data[:cut])
        data = data[cut:]
    assert heard(*reads) == messages


def outcome(*reads: bytes) -> tuple[list[Any], int | None]:
    """Return what was delivered up to a close, and the code of the fault that ended it."""
    found = Heard(longest=300)
    try:
        for data in reads:
            found.reader.feed(data)
            if found.is_closed:
                break
    except FrameFault as fault:
        return found.all, fault.code
    return found.all, None


FRAMES = st.builds(
    sent,
    st.binary(max_size=20) | st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 301]),
    st.sampled_from([0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88]) | st.integers(0, 255),
)


@given(st.lists(FRAMES, max_size=6), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255))))
def test_what_comes_of_bytes_does_not_depend_on_how_they_are_cut(
    frames: list[bytes], damage: list[tuple[int, int]]
) -> None:
    data = bytearray(b"".join(frames))
    for at, byte in damage[:2]:
        if at < len(data):
            data[at] = byte
    assert outcome(*(bytes((byte,)) for byte in data)) == outcome(bytes(data))


def test_a_message_in_pieces_is_put_together_around_a_ping() -> None:
    pieces = [sent(b"one ", TEXT), sent(b"two ", 0), sent(b"!", 0x80 | PING), sent(b"3", 0x80)]
    assert heard(b"".join(pieces), sent(b"next")) == [(PING, b"!"), b"one two 3", b"next"]


def test_the_messages_of_one_read_come_at_once() -> None:
    found = Heard()
    usual, short, in_pieces = sent(b"x" * 200), sent(b"x"), sent(b"x", TEXT) + sent(b"y", 0x80)
    found.reader.feed((usual + short) * 3 + in_pieces + usual[:100])
    found.reader.feed(usual[100:] + short)
    found.reader.feed(short + sent(b"!", 0x80 | PING) + usual)
    assert found.counts == [7, 2, 1, 1]


def test_what_came_before_a_fault_is_handed_on() -> None:
    found = Heard()
    with pytest.raises(FrameFault):
        found.reader.feed(sent(b"a") + sent(b"b" * 200) + sent(b"x", 0x83))
    assert found.all == [b"a", b"b" * 200]


def test_binary_messages_are_messages() -> None:
    assert heard(sent(b"data", 0x82)) == [b"data"]


def test_what_the_receiver_gives_back_is_a_reply() -> None:
    assert heard(sent(b"question")) == [b"question", ("reply", b"answer")]
    pieces = sent(b"quest", TEXT) + sent(b"ion", 0x80)
    assert heard(pieces) == [b"question", ("reply", b"answer")]


def test_nothing_is_handed_on_after_a_close() -> None:
    closed = sent(b"\x03\xe8", 0x80 | CLOSE)
    assert heard(sent(b"a") + closed + sent(b"b" * 200)) == [b"a", (CLOSE, b"\x03\xe8")]


def test_a_muted_reader_hands_on_nothing_but_control() -> None:
    found = Heard()
    found.reader.mute()
    found.reader.feed(sent(b"a") + sent(b"b" * 200) + sent(b"!", 0x80 | PONG))
    assert found.all == [(PONG, b"!")]


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"\x81\x81mask!", 1002, "masked"),
        (b"\x81\xfe\x00\x7emask", 1002, "masked"),
        (sent(b"x", 0xC1), 1002, "extension"),
        (sent(b"x" * 200, 0xC1), 1002, "extension"),
        (sent(b"x", 0x83), 1002, "unknown opcode 3"),
        (sent(b"x", 0x80), 1002, "out of order"),
        (sent(b"x", TEXT) + sent(b"y"), 1002, "out of order"),
        (sent(b"x", TEXT) + sent(b"y" * 200), 1002, "out of order"),
        (sent(b"x" * 126, 0x80 | PING), 1002, "control frame"),
        (b"\x89\x7f" + b"\xff" * 8, 1002, "control frame"),
        (sent(b"x", PING), 1002, "control frame"),
        (sent(b"x" * 301)[:4], 1009, "more than 300 bytes"),
        (b"\x81\x7f" + b"\xff" * 8, 1009, "more than 300 bytes"),
        (sent(b"x" * 200, TEXT) + sent(b"x" * 101, 0x80), 1009, "more than 300 bytes"),
    ],
)
def test_what_is_against_the_rules_is_named(data: bytes, code: int, said: str) -> None:
    with pytest.raises(FrameFault, match=said) as fault:
        heard(data, longest=300)
    assert fault.value.code == code


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (sent(b"x" * 200, 0xC1)[:4], "extension"),
        (sent(b"x" * 200, 0x83)[:4], "unknown opcode 3"),
        (sent(b"x" * 200, 0x80)[:4], "out of order"),
        (sent(b"x" * 200, 0x80 | PING)[:4], "control frame"),
    ],
)
def test_a_frame_that_may_not_begin_so_is_not_waited_for(head: bytes, said: str) -> None:
    with pytest.raises(FrameFault, match=said):
        heard(head)


@pytest.mark.parametrize("size", SIZES)
def test_ours_are_masked_and_can_be_read_again(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    frame = frame_of(TEXT, payload, generator(7))
    assert frame[0] == 0x80 | TEXT
    assert frame[1] & 0x80
    start = {126: 4, 127: 10}.get(frame[1] & 0x7F, 2)
    length = int.from_bytes(frame[2:start]) if start > 2 else frame[1] & 0x7F
    mask, masked = frame[start : start + 4], frame[start + 4 :]
    assert length == size
    assert bytes(each ^ mask[at % 4] for at, each in enumerate(masked)) == payload


def test_no_two_frames_share_a_mask() -> None:
    rng = generator(7)
    assert len({frame_of(TEXT, b"", rng)[2:6] for _ in range(100)}) == 100


def test_a_close_says_why_and_one_that_does_not_is_read_too() -> None:
    frame = close_frame(1009, "too long", generator(7))
    mask = frame[2:6]
    payload = bytes(each ^ mask[at % 4] for at, each in enumerate(frame[6:]))
    assert close_code(payload) == (1009, "too long")
    assert close_code(b"") == (1005, "")
    assert close_code(b"\x03\xe8\xff") == (1000, "\ufffd")


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1014, 2999, 3000, 4003, 4999])
def test_a_close_is_answered_with_its_code(code: int) -> None:
    assert close_answer(code.to_bytes(2) + b"why") == code.to_bytes(2)


@pytest.mark.parametrize(
    "payload", [b"\x03", *(code.to_bytes(2) for code in (0, 999, 1004, 1005, 1006, 1015, 5000))]
)
def test_a_code_that_may_not_be_sent_is_not_sent_back(payload: bytes) -> None:
    assert close_answer(payload) == (1002).to_bytes(2)


def test_a_close_without_a_code_is_answered_by_one() -> None:
    assert close_answer(b"") == b""
