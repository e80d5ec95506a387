"""A recording: what a proxy sent, in a file, a message a line, as it came."""

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
    """A receiver in front of another: what comes is appended to a file, and handed on.

    It is in the file a second later, or when much has come, and at the end. A disk that is full
    ends the recording and not the run.

    Args:
        path: Of the file; where there is one, it is added to.

    Raises:
        OSError: It cannot be written.
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
            self._file.write(b"\n")  # a process that was killed may have left half a line

    def before(self, receiver: Receiver) -> Self:
        """Stand in front of a receiver, before anything comes."""
        self._receiver = receiver
        # A timer of the loop would be looked at in each of its turns, which is more than all the
        # rest costs, and would wait for a hook that blocks.
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
        """Write what is left, and close the file."""
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
            # More may have come since: the list is added to without a lock.
            del self._pending[: len(messages) - 1]
            if self._file.closed or len(messages) == 1:
                return
            if b"\n" in b"".join(messages):  # in JSON, between words, they are but spaces
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
