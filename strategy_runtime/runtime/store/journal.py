"""The journal: a write-ahead log of orders, which are on disk before they are sent, and of what the
strategy has been told of them.

Each line is a record with a checksum, so that a truncated line is recognised. A run that starts
after a crash finds here the orders that may or may not have arrived, and asks the venue for them;
it never sends one of them again. It also finds those whose end the strategy has not been told, and
how much of them it has been told.
"""

import logging
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Raw, Struct, field

from strategy_runtime.errors import ApiError, DataError, reason_of
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.store.atomic import replace_file, write_all

__all__ = ["Followed", "Journal"]

_VERSION = 1
_FILE = "intents.jsonl"
_LARGEST = 4 * 1024 * 1024
"""Size in bytes beyond which it is rewritten, or twice its size at the start if that is more."""
_MOST_ENDED = 20
"""Ended orders that may wait for executions or legs to be told; some venues never tell any."""
_MOST_STRAYS = 100

_log = logging.getLogger("strategy_runtime")


class _Intent(Struct, frozen=True, tag="intent"):
    order: OrderRequest


class _Outcome(Struct, frozen=True, tag="outcome"):
    client_order_id: str
    outcome: str


class _Told(Struct, frozen=True, tag="told"):
    order: Order


class _Execution(Struct, frozen=True, tag="execution"):
    name: str
    trade_id: str
    quantity: Decimal


class _Stray(Struct, frozen=True, tag="stray"):
    trade_id: str


class _Leg(Struct, frozen=True, tag="leg"):
    name: str
    order_id: str


class _Header(Struct, frozen=True, tag="journal"):
    version: int


class _Line(Struct, frozen=True):
    crc: int
    entry: Raw


_Entry = _Header | _Intent | _Outcome | _Told | _Execution | _Stray | _Leg
_line_of = msgspec.json.Decoder(_Line).decode
_entry_of = msgspec.json.Decoder(_Entry).decode


class Followed(Struct):
    """An accepted order, as far as the strategy has been told of it.

    Attributes:
        order: The order as last told.
        trades: Quantities of the executions that were told, by trade id.
        legs: Ids of the bracket legs that were told.
    """

    order: Order
    trades: dict[str, Decimal] = field(default_factory=dict)
    legs: set[str] = field(default_factory=set)

    @property
    def traded(self) -> Decimal:
        """Quantity of all executions that were told."""
        return sum(self.trades.values(), Decimal(0))

    @property
    def awaits_legs(self) -> bool:
        """Whether it has legs that were not told."""
        order = self.order
        prices = (order.stop_loss, order.take_profit)
        brought = sum(price is not None for price in prices) if order.filled_quantity else 0
        return len(self.legs) < brought


class Journal:
    """The journal in one folder.

    Args:
        folder: Nobody else may write there, see `StateFolder`.

    Attributes:
        path: Path of the file.
        unsettled: Orders whose outcome is unknown, by client order id; at first those of earlier
            runs.
        open: Orders whose end the strategy has not been told, by name.
        ended: The last orders whose end it has been told, but not all their executions or legs.
        strays: Executions that were told of unknown orders, perhaps legs that ended in a gap.

    Raises:
        DataError: This release cannot read the version of the file.
        OSError: It cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self.unsettled: dict[str, OrderRequest] = {}
        self.open: dict[str, Followed] = {}
        self.ended: dict[str, Followed] = {}
        self.strays: dict[str, None] = {}
        if self.path.exists():
            self._read()
        self._file = self._rewrite()

    def intend(self, request: OrderRequest) -> None:
        """Record that an order is about to be sent; send it only once this has returned.

        Raises:
            ApiError: It cannot be recorded, so it must not be sent.
        """
        entry = _Intent(request)
        try:
            self._write(entry)
            os.fsync(self._file)
        except OSError as error:
            self._is_incomplete = True
            raise ApiError(
                0,
                "JOURNAL_FAILED",
                f"{self.path} cannot be written ({reason_of(error)}), and an order that is not in "
                "it is not sent; make room, or give another --state-dir",
            ) from None
        self._take_in(entry)

    def settle(self, client_order_id: str, outcome: str, placed: Order | None = None) -> None:
        """Record the outcome of an order; if the record is lost, the venue is asked again.

        Args:
            placed: The order as it was accepted, whatever has become of it since; it is followed
                from now on.
        """
        if client_order_id not in self.unsettled:
            return
        self._note(_Outcome(client_order_id, outcome) if placed is None else _Told(placed))

    def follow(self, order: Order) -> None:
        """Record what the strategy has been told of an order of its own."""
        name = name_of(order)
        known = self.open.get(name)
        if known is None:
            entry = self._entry_of(order)
            is_leg = entry is not None and order.id not in entry.legs
            is_news = order.is_open or name in self.unsettled or is_leg
        else:
            is_late = order.filled_quantity < known.order.filled_quantity
            is_news = _state(known.order) != _state(order) and not (
                is_late and order.id == known.order.id
            )
        if is_news:
            self._note(_Told(order))

    def withdraw(self, order: Order) -> None:
        """Record that the venue has cancelled it for the run: only fills are still news."""
        known = self.open.get(name_of(order))
        if known is not None and known.order.filled_quantity == order.filled_quantity:
            self.follow(order)

    def executed_for_nobody(self, trade_id: str) -> None:
        """Record that the strategy has been told of an execution of an unknown order."""
        if any(followed.awaits_legs for followed in self.ended.values()):
            self._note(_Stray(trade_id))

    def executed(self, name: str, trade_id: str, quantity: Decimal) -> None:
        """Record that the strategy has been told of an execution of a followed order."""
        known = self.open.get(name) or self.ended.get(name)
        if known is not None and trade_id not in known.trades:
            self._note(_Execution(name, trade_id, quantity))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _note(self, entry: _Outcome | _Told | _Execution | _Stray) -> None:
        """Write without waiting for the disk; a killed process leaves what it has written.

        What a power cut or a full disk loses, the next process asks for or tells again: an event
        told twice can be recognised by its ids, one that is never told cannot.
        """
        self._take_in(entry)
        try:
            self._write(entry)
        except OSError as error:
            self._is_incomplete = True
            _log.warning("%s cannot be written: %s", self.path, reason_of(error))

    def _take_in(self, entry: _Entry) -> None:
        if isinstance(entry, _Intent):
            self.unsettled[entry.order.client_order_id or ""] = entry.order
        elif isinstance(entry, _Outcome):
            self.unsettled.pop(entry.client_order_id, None)
        elif isinstance(entry, _Told):
            name = name_of(entry.order)
            self.unsettled.pop(name, None)
            followed = self.open.pop(name, None) or Followed(entry.order)
            followed.order = entry.order
            self._keep(name, followed)
            parent = self._entry_of(entry.order)
            if parent is not None:
                self._take_in(_Leg(name_of(parent.order), entry.order.id))
        elif isinstance(entry, _Execution | _Leg):
            known = self.open.get(entry.name) or self.ended.pop(entry.name, None)
            if known is None:
                return
            if isinstance(entry, _Leg):
                known.legs.add(entry.order_id)
            else:
                known.trades[entry.trade_id] = entry.quantity
            self._keep(entry.name, known)
        elif isinstance(entry, _Stray):
            self.strays[entry.trade_id] = None
            if len(self.strays) > _MOST_STRAYS:
                del self.strays[next(iter(self.strays))]

    def _entry_of(self, leg: Order) -> Followed | None:
        """Return the entry that a leg belongs to; None if it is unknown."""
        if leg.parent_order_id is None:
            return None
        known = (*self.ended.values(), *self.open.values())
        return next((each for each in known if each.order.id == leg.parent_order_id), None)

    def _keep(self, name: str, followed: Followed) -> None:
        """Keep an order as long as there may be anything to tell of it."""
        order = followed.order
        if order.is_open:
            self.open[name] = followed
        elif followed.traded < order.filled_quantity or followed.awaits_legs:
            self.ended[name] = followed
            if len(self.ended) > _MOST_ENDED:
                del self.ended[next(iter(self.ended))]

    def _write(self, entry: _Entry) -> None:
        # After a failure lines are missing: orders that have ended since would seem to be open.
        if self._is_incomplete or self._size > max(_LARGEST, 2 * self._least):
            replaced, self._file = self._file, self._rewrite()
            os.close(replaced)
        line = _encoded(entry)
        write_all(self._file, line)
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
            elif entry is None:
                damaged += 1
            else:
                self._take_in(entry)
        if damaged:
            _log.warning("%s: %d damaged lines were skipped", self.path, damaged)

    def _rewrite(self) -> int:
        """Atomically replace the file by one with only unsettled and followed orders."""
        text = b"".join(map(_encoded, self._kept()))
        file = replace_file(self.path, text)
        self._size, self._least, self._is_incomplete = len(text), len(text), False
        return file

    def _kept(self) -> Iterator[_Entry]:
        yield _Header(_VERSION)
        yield from map(_Intent, self.unsettled.values())
        yield from map(_Stray, self.strays)
        for followed in (*self.ended.values(), *self.open.values()):
            yield _Told(followed.order)
            for trade_id, quantity in followed.trades.items():
                yield _Execution(name_of(followed.order), trade_id, quantity)
            for order_id in followed.legs:
                yield _Leg(name_of(followed.order), order_id)


def _state(order: Order) -> tuple[object, ...]:
    """Return what must differ between two reports of an order for the later one to be news."""
    prices = order.limit_price, order.stop_price
    return order.id, order.status, order.filled_quantity, order.quantity, *prices


def _encoded(entry: _Entry) -> bytes:
    text = msgspec.json.encode(entry)
    return b'{"crc":%d,"entry":%s}\n' % (crc32(text), text)
