"""The equity with which a day began, so that a run that begins within it counts from there, and
whether too much has been lost since.
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
from strategy_runtime.runtime.store.whole import replace_whole

__all__ = ["DayFile"]

_FILE = "day.json"
_CANDLE = timedelta(days=1)  # a daily candle comes on the day after the one to which it belongs

_log = logging.getLogger("strategy_runtime")


class _Day(Struct, frozen=True, omit_defaults=True):
    day: date
    equity: Decimal
    fell_to: Decimal | None = None


class DayFile:
    """Remembers the last day; see `Days`.

    Where the file cannot be read or written, the day begins with this run, and a warning says so.

    Args:
        folder: Nobody else may write there, see `StateFolder`.

    Attributes:
        path: Of the file.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def began_with(self, day: date, equity: Decimal) -> Decimal:
        """The equity with which a day began: what another run noted, or else that of now.

        A price of an earlier day, such as the last one of a symbol that nobody trades, does not
        have today forgotten.
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
        """The equity at which too much was lost on a day, None where none was noted."""
        known = self._read()
        return known.fell_to if known is not None and known.day == day else None

    def note_fall(self, day: date, equity: Decimal) -> None:
        """Note that too much was lost on the day that is known.

        Not on one of a replay, which may begin anew.
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
            os.close(replace_whole(self.path, msgspec.json.encode(known) + b"\n"))
        except OSError as error:
            self._warn("written", error)

    def _warn(self, what: str, error: Exception) -> None:
        said = "%s cannot be %s (%s): the daily loss counts from this run on"
        _log.warning(said, self.path, what, reason_of(error))
