"""A recording: what a proxy sent, in a file, a message a line, as it came."""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Self

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
        self._is_reminded = False
        size = os.fstat(self._file.fileno()).st_size
        if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
            self._file.write(b"\n")  # a process that was killed may have left half a line

    def before(self, receiver: Receiver) -> Self:
        """Stand in front of a receiver, before anything comes."""
        self._receiver = receiver
        return self

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """See `Receiver`."""
        pending = self._pending
        pending += messages
        if len(pending) >= _MOST:
            self._write()
        elif not self._is_reminded:
            self._remind()
        return self._receiver.feed(messages)

    def _remind(self) -> None:
        """Have what is pending written in a while.

        A timer of the loop would be looked at in each of its turns: more than all the rest costs.
        """
        self._is_reminded = True
        loop = asyncio.get_running_loop()
        timer = threading.Timer(_WITHIN_S, self._call_in, (loop,))
        timer.daemon = True
        timer.start()

    def _call_in(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has been closed, and so has the file
            loop.call_soon_threadsafe(self._on_time)

    def _on_time(self) -> None:
        self._is_reminded = False
        self._write()

    def lost(self, closed: Closed) -> None:
        """See `Receiver`."""
        self._receiver.lost(closed)

    def close(self) -> None:
        """Write what is left, and close the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        """Write what is pending, unless the file has been closed."""
        messages = [*self._pending, b""]
        self._pending.clear()
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
                "%s cannot be written (%s): nothing more is recorded", self._path, error.strerror
            )
