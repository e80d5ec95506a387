"""Recordings: every message as it came, a line each, whatever was there before."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from strategy_runtime.proxy.recording import Recorder, Recording
from strategy_runtime.proxy.transport import Closed


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_messages_are_there_before_the_end_and_the_next_run_adds_to_them(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    recording = Recording(path)
    recording.add([b'{"a":1}', b'{"b":2}'])
    assert lines_of(path) == [b'{"a":1}', b'{"b":2}']
    recording.add([])
    recording.add([b'{"c":3}'])
    recording.close()
    recording.add([b'{"too":"late"}'])
    again = Recording(path)
    again.add([b'{"d":4}'])
    again.close()
    assert lines_of(path) == [b'{"a":1}', b'{"b":2}', b'{"c":3}', b'{"d":4}']


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    Recording(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_message_of_several_lines_becomes_one(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    recording = Recording(path)
    recording.add([b'{\n  "a": "x\\ny"\n}', b'{"b":2}'])
    recording.close()
    assert lines_of(path) == [b'{   "a": "x\\ny" }', b'{"b":2}']


def test_half_a_line_of_a_run_that_was_killed_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(b'{"a":1}\n{"b":')
    recording = Recording(path)
    recording.add([b'{"c":3}'])
    recording.close()
    assert lines_of(path) == [b'{"a":1}', b'{"b":', b'{"c":3}']


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "session.jsonl"
    path.symlink_to("/dev/full")
    recording = Recording(path)
    with caplog.at_level(logging.ERROR, "strategy_runtime"):
        recording.add([b'{"a":1}'])
        recording.add([b'{"b":2}'])
        recording.close()
    assert caplog.messages == [
        f"{path} cannot be written (No space left on device): nothing more is recorded"
    ]


class Answering:
    """A receiver that answers each message, and notes what it is told."""

    def __init__(self) -> None:
        self.closed: list[Closed] = []

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        return [message.upper() for message in messages]

    def lost(self, closed: Closed) -> None:
        self.closed.append(closed)


def test_whoever_receives_notices_nothing(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    recording, receiver = Recording(path), Answering()
    recorder = Recorder(recording, receiver)
    assert recorder.feed([b'{"a":1}', b'{"b":2}']) == [b'{"A":1}', b'{"B":2}']
    recorder.lost(Closed(1000, "over"))
    recording.close()
    assert receiver.closed == [Closed(1000, "over")]
    assert len(lines_of(path)) == 2
