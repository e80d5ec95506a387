"""Recordings: a file of what a proxy sent, one message per line, as received."""

import logging
import os
import threading
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Self

from strategy_runtime.errors import reason_of
from strategy_runtime.proxy.transport import Closed, Receiver

__all__ = ["Recording"]

_WITHIN_S = 1.0
_MOST = 256

_log = logging.getLogger("strategy_runtime")


class Recording:
    """A receiver in front of another: appends messages to a file and passes them on.

    They are written every second, when many are pending, and at the end. A full disk ends the
    recording, not the run.

    Args:
        path: Path of the file; an existing one is appended to.

    Raises:
        OSError: The file cannot be written.
    """

    _receiver: Receiver

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = FileIO(os.open(path, flags, 0o600), "ab")
        self._pending: list[bytes] = []
        self._writing = threading.Lock()
        self._is_over = threading.Event()
        size = os.fstat(self._file.fileno()).st_size
        if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
            self._file.write(b"\n")  # a killed process may have left half a line

    def before(self, receiver: Receiver) -> Self:
        """Set the receiver to pass messages on to, before any arrive; start the writer."""
        self._receiver = receiver
        # A timer of the event loop would be checked in every iteration, which costs more than all
        # the rest, and would be delayed by a blocking hook.
        thread = threading.Thread(target=self._keep_writing, name="recording", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _log.warning(
                "%s is written only when %d messages have come, and at the end (%s)",
                self._path,
                _MOST,
                error,
            )
        return self

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """See `Receiver`."""
        pending = self._pending
        pending += messages
        if len(pending) >= _MOST:
            self._write()
        return self._receiver.feed(messages)

    def lost(self, closed: Closed) -> None:
        """See `Receiver`."""
        self._receiver.lost(closed)

    def close(self) -> None:
        """Write what is pending, and close the file."""
        self._is_over.set()
        self._write()
        with self._writing:
            self._file.close()

    def _keep_writing(self) -> None:
        while not self._is_over.wait(_WITHIN_S):
            self._write()

    def _write(self) -> None:
        """Write what is pending, unless the file has been closed."""
        with self._writing:
            messages = [*self._pending, b""]
            # More may have been added since: the list has no lock.
            del self._pending[: len(messages) - 1]
            if self._file.closed or len(messages) == 1:
                return
            if b"\n" in b"".join(messages):  # only whitespace in JSON
                messages = [message.replace(b"\n", b" ") for message in messages]
            lines = memoryview(b"\n".join(messages))
            try:
                while lines:
                    lines = lines[self._file.write(lines) :]
            except OSError as error:
                self._file.close()
                _log.error(
                    "%s cannot be written (%s): nothing more is recorded",
                    self._path,
                    reason_of(error),
                )
