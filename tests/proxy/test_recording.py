"""Recordings: every message as received, one per line, appended to any existing file."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.proxy.recording import Recording
from strategy_runtime.proxy.transport import Closed


class Answering:
    """A receiver that answers each message, and records what it receives."""

    def __init__(self) -> None:
        self.closed: list[Closed] = []

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        return [message.upper() for message in messages]

    def lost(self, closed: Closed) -> None:
        self.closed.append(closed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


@pytest.fixture
def full(path: Path) -> Path:
    path.symlink_to("/dev/full")
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def recording_to(path: Path, before: bytes = b"") -> Recording:
    if before:
        path.write_bytes(before)
    return Recording(path).before(Answering())


async def test_whoever_receives_notices_nothing(path: Path) -> None:
    receiver = Answering()
    recording = Recording(path).before(receiver)
    assert recording.feed([b'{"a":1}', b'{"b":2}']) == [b'{"A":1}', b'{"B":2}']
    assert recording.feed([]) == []
    recording.lost(Closed(1000, "over"))
    assert receiver.closed == [Closed(1000, "over")]
    recording.close()
    assert lines_of(path) == [b'{"a":1}', b'{"b":2}']


async def test_messages_are_there_long_before_the_end(path: Path) -> None:
    recording = recording_to(path)
    for number in range(2):
        recording.feed([b"%d" % number])
        async with asyncio.timeout(5):
            while len(lines_of(path)) == number:
                await sleep(0.1)
    recording.close()


async def test_a_hook_that_blocks_the_loop_does_not_keep_them_from_the_file(path: Path) -> None:
    recording = recording_to(path)
    recording.feed([b"one"])
    give_up, nothing = monotonic() + 5, threading.Event()
    while not lines_of(path) and monotonic() < give_up:
        nothing.wait(0.1)
    assert lines_of(path) == [b"one"]
    recording.close()


def test_what_comes_while_others_are_written_is_there_once_and_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategy_runtime.proxy.recording._WITHIN_S", 0.0)
    recording = recording_to(path)
    messages = [b"%d" % number for number in range(20_000)]
    for at in range(0, len(messages), 5):
        recording.feed(messages[at : at + 5])
    recording.close()
    assert lines_of(path) == messages


def test_where_there_is_no_thread_it_is_written_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recording = recording_to(path)
    for number in range(300):
        assert recording.feed([b"%da" % number]) == [b"%dA" % number]
    assert len(lines_of(path)) == 256
    recording.close()
    assert lines_of(path) == [b"%da" % number for number in range(300)]
    assert caplog.messages == [
        f"{path} is written only when 256 messages have come, and at the end (can't start new "
        "thread)"
    ]


async def test_a_loop_whose_turns_matter_has_no_timer_of_a_recording(path: Path) -> None:
    recording = Recording(path).before(Answering())
    before = list(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
    recording.feed([b"one"])
    assert list(asyncio.get_running_loop()._scheduled) == before  # type: ignore[attr-defined]
    recording.close()


async def test_many_messages_do_not_wait(path: Path) -> None:
    recording = recording_to(path)
    messages = [b"%d" % number for number in range(1000)]
    recording.feed(messages)
    assert lines_of(path) == messages
    recording.close()


async def test_the_next_run_adds_to_it(path: Path) -> None:
    for number in range(2):
        recording = recording_to(path)
        recording.feed([b"%d" % number])
        recording.close()
    assert lines_of(path) == [b"0", b"1"]


async def test_what_comes_after_the_end_is_handed_on_alone(path: Path) -> None:
    recording = recording_to(path)
    recording.close()
    assert recording.feed([b"late"]) == [b"LATE"]
    recording.close()
    assert lines_of(path) == []


def test_only_its_owner_can_read_it(path: Path) -> None:
    Recording(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_message_of_several_lines_becomes_one(path: Path) -> None:
    recording = recording_to(path)
    recording.feed([b'{\n  "a": "x\\ny"\n}', b'{"b":2}'])
    recording.close()
    assert lines_of(path) == [b'{   "a": "x\\ny" }', b'{"b":2}']


async def test_half_a_line_of_a_run_that_was_killed_stays_alone(path: Path) -> None:
    recording = recording_to(path, b'{"a":1}\n{"b":')
    recording.feed([b'{"c":3}'])
    recording.close()
    assert lines_of(path) == [b'{"a":1}', b'{"b":', b'{"c":3}']


async def test_a_full_disk_ends_the_recording_and_nothing_else(
    full: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording = recording_to(full)
    with caplog.at_level(logging.ERROR, "strategy_runtime"):
        for _ in range(2):
            assert recording.feed([b"x"] * 1000) == [b"X"] * 1000
        recording.close()
    assert caplog.messages == [
        f"{full} cannot be written (No space left on device): nothing more is recorded"
    ]
