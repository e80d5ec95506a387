"""The equity with which a day began, so that a run that begins within it counts from there."""

import logging
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from strategy_runtime.clock import now
from strategy_runtime.errors import reason_of
from strategy_runtime.runtime.store.whole import replace_whole

__all__ = ["DayFile"]

_FILE = "day.json"

_log = logging.getLogger("strategy_runtime")


class _Day(Struct, frozen=True):
    day: date
    equity: Decimal


class DayFile:
    """Remembers the last day; a `DayStart` of `DailyLoss`.

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
        try:
            if self.path.exists():
                known = msgspec.json.decode(self.path.read_bytes(), type=_Day)
                if known.day == day:
                    return known.equity
                if day < known.day == now().date():
                    return equity
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._warn("read", error)
        try:
            os.close(replace_whole(self.path, msgspec.json.encode(_Day(day, equity)) + b"\n"))
        except OSError as error:
            self._warn("written", error)
        return equity

    def _warn(self, what: str, error: Exception) -> None:
        said = "%s cannot be %s (%s): the daily loss counts from this run on"
        _log.warning(said, self.path, what, reason_of(error))
