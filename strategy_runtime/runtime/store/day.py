"""The equity at the start of the day, and whether the daily loss has been reached since.

A run that starts later in the day counts from there.
"""

import logging
import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.clock import now
from strategy_runtime.errors import reason_of
from strategy_runtime.runtime.store.atomic import replace_file

__all__ = ["DayFile"]

_FILE = "day.json"
_CANDLE = timedelta(days=1)  # a daily candle arrives on the day after its own

_log = logging.getLogger("strategy_runtime")


class _Day(Struct, frozen=True, omit_defaults=True):
    day: date
    equity: Decimal
    fell_to: Decimal | None = None


class DayFile:
    """Stores the last day in a file; see `Days`.

    If the file cannot be read or written, the day starts with this run, and a warning is logged.

    Args:
        folder: Nobody else may write there, see `StateFolder`.

    Attributes:
        path: Path of the file.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def began_with(self, day: date, equity: Decimal) -> Decimal:
        """Return the equity at the start of a day: that of another run, otherwise that of now.

        A price of an earlier day, such as the last one of a symbol that nobody trades, does not
        overwrite today's entry.
        """
        known = self._read()
        if known is not None:
            if known.day == day:
                return known.equity
            if day < known.day == now().date():
                return equity
        self._write(_Day(day, equity))
        return equity

    def fell_to(self, day: date) -> Decimal | None:
        """Return the equity at which the limit was reached on a day; None if it was not."""
        known = self._read()
        return known.fell_to if known is not None and known.day == day else None

    def note_fall(self, day: date, equity: Decimal) -> None:
        """Record that the limit was reached on a day, if it is the stored one.

        Days of a replay are not recorded, since it may start again.
        """
        known, is_replayed = self._read(), day < now().date() - _CANDLE
        if known is not None and known.day == day and not is_replayed:
            self._write(replace(known, fell_to=equity))

    def _read(self) -> _Day | None:
        try:
            if self.path.exists():
                return msgspec.json.decode(self.path.read_bytes(), type=_Day)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._warn("read", error)
        return None

    def _write(self, known: _Day) -> None:
        try:
            os.close(replace_file(self.path, msgspec.json.encode(known) + b"\n"))
        except OSError as error:
            self._warn("written", error)

    def _warn(self, what: str, error: Exception) -> None:
        said = "%s cannot be %s (%s): the daily loss counts from this run on"
        _log.warning(said, self.path, what, reason_of(error))
