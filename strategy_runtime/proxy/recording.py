"""A recording: what a proxy sent, in a file, a message a line, as it came."""

import logging
import os
from collections.abc import Sequence
from io import BufferedWriter, FileIO
from pathlib import Path

from strategy_runtime.clock import monotonic
from strategy_runtime.proxy.transport import Closed, Receiver

__all__ = ["Recorder", "Recording"]

_FLUSH_EVERY_S = 1.0
_BUFFER = 256 * 1024

_log = logging.getLogger("strategy_runtime")


class Recording:
    """Appends messages to a file.

    They reach the file within a second of each other, or with the next one, and all at the end. A
    disk that is full ends the recording and not the run.

    Args:
        path: Of the file; where there is one, it is added to.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = BufferedWriter(FileIO(os.open(path, flags, 0o600), "ab"), _BUFFER)
        self._flush_at = 0.0
        size = os.fstat(self._file.fileno()).st_size
        if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
            self._file.write(b"\n")  # a process that was killed may have left half a line

    def add(self, messages: Sequence[bytes]) -> None:
        """Add messages that came together."""
        if self._file.closed or not messages:
            return
        lines = b"\n".join(messages)
        if lines.count(b"\n") >= len(messages):  # in JSON, between words, they are but spaces
            lines = b"\n".join(message.replace(b"\n", b" ") for message in messages)
        try:
            self._file.write(lines)
            self._file.write(b"\n")
            if (now := monotonic()) >= self._flush_at:
                self._file.flush()
                self._flush_at = now + _FLUSH_EVERY_S
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            self._file.close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        _log.error(
            "%s cannot be written (%s): nothing more is recorded", self._path, error.strerror
        )
        self._file.raw.close()  # what could not be written is not tried once more


class Recorder:
    """A receiver that has what it receives recorded before it hands it on."""

    def __init__(self, recording: Recording, receiver: Receiver) -> None:
        self._recording = recording
        self._receiver = receiver

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """See `Receiver`."""
        self._recording.add(messages)
        return self._receiver.feed(messages)

    def lost(self, closed: Closed) -> None:
        """See `Receiver`."""
        self._receiver.lost(closed)
