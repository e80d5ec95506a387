"""The journal: a write-ahead log of orders, which are on disk before they are sent.

Each line is a record with a checksum, so that a truncated line is recognised. A run that starts
after a crash finds here the orders that may or may not have arrived, and asks the venue for them;
it never sends one of them again.
"""

import logging
import os
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from strategy_runtime.errors import ApiError, DataError, reason_of
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.runtime.store.atomic import replace_file, write_all

__all__ = ["Journal"]

_VERSION = 1
_FILE = "intents.jsonl"
_LARGEST = 64 * 1024 * 1024

_log = logging.getLogger("strategy_runtime")


class _Intent(Struct, frozen=True, tag="intent"):
    order: OrderRequest


class _Outcome(Struct, frozen=True, tag="outcome"):
    client_order_id: str
    outcome: str


class _Header(Struct, frozen=True, tag="journal"):
    version: int


class _Line(Struct, frozen=True):
    crc: int
    entry: Raw


_Entry = _Header | _Intent | _Outcome
_line_of = msgspec.json.Decoder(_Line).decode
_entry_of = msgspec.json.Decoder(_Entry).decode


class Journal:
    """The journal in one folder.

    Args:
        folder: Nobody else may write there, see `StateFolder`.

    Attributes:
        path: Path of the file.
        unsettled: Orders whose outcome is unknown, by client order id; at first those of earlier
            runs.

    Raises:
        DataError: This release cannot read the version of the file.
        OSError: It cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self.unsettled: dict[str, OrderRequest] = {}
        self._size = 0
        self._is_torn = False
        if self.path.exists():
            self._read()
        self._file = self._rewrite()

    def intend(self, request: OrderRequest) -> None:
        """Record that an order is about to be sent; send it only once this has returned.

        Raises:
            ApiError: It cannot be recorded, so it must not be sent.
        """
        own_id = request.client_order_id or ""
        try:
            if self._size > _LARGEST:
                grown, self._file = self._file, self._rewrite()
                os.close(grown)
            self._write(_Intent(request))
            os.fsync(self._file)
        except OSError as error:
            self._is_torn = True
            raise ApiError(
                0,
                "JOURNAL_FAILED",
                f"{self.path} cannot be written ({reason_of(error)}), and an order that is not in "
                "it is not sent; make room, or give another --state-dir",
            ) from None
        self.unsettled[own_id] = request

    def settle(self, client_order_id: str, outcome: str) -> None:
        """Record the outcome of an order; if the record is lost, the venue is asked again."""
        if self.unsettled.pop(client_order_id, None) is None:
            return
        try:
            self._write(_Outcome(client_order_id, outcome))
        except OSError as error:
            self._is_torn = True
            _log.warning("%s cannot be written: %s", self.path, reason_of(error))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, entry: _Entry) -> None:
        line = _encoded(entry)
        if self._is_torn:  # a partly written line must not corrupt the next one
            line = b"\n" + line
        write_all(self._file, line)
        self._is_torn = False
        self._size += len(line)

    def _read(self) -> None:
        damaged = 0
        for line in self.path.read_bytes().splitlines():
            if not line:
                continue
            try:
                found = _line_of(line)
                is_whole = crc32(found.entry) == found.crc
                entry = _entry_of(found.entry) if is_whole else None
            except (msgspec.MsgspecError, RecursionError):
                entry = None
            if isinstance(entry, _Header):
                if entry.version != _VERSION:
                    raise DataError(
                        f"{self.path} is of version {entry.version}, and this is {_VERSION}: run "
                        "the strategy once more with the release that wrote it, or move it away"
                    )
            elif isinstance(entry, _Intent):
                self.unsettled[entry.order.client_order_id or ""] = entry.order
            elif isinstance(entry, _Outcome):
                self.unsettled.pop(entry.client_order_id, None)
            else:
                damaged += 1
        if damaged:
            _log.warning("%s: %d damaged lines were skipped", self.path, damaged)

    def _rewrite(self) -> int:
        """Atomically replace the file by one with the unsettled orders only."""
        entries: list[_Entry] = [_Header(_VERSION), *map(_Intent, self.unsettled.values())]
        text = b"".join(map(_encoded, entries))
        file = replace_file(self.path, text)
        self._size, self._is_torn = len(text), False
        return file


def _encoded(entry: _Entry) -> bytes:
    text = msgspec.json.encode(entry)
    return b'{"crc":%d,"entry":%s}\n' % (crc32(text), text)
