"""What a strategy is told when the stream of events is back."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from strategy_runtime.protocol.models import Candle

__all__ = ["Gap"]


class Gap(Struct, frozen=True):
    """A time without events.

    Attributes:
        start, end: When the stream was lost and when it was back, aware, in UTC, by the wall clock
            as it stood in the end: one that was set meanwhile makes the gap no longer.
        missed: Candles that closed meanwhile, by symbol, oldest first; those of several timeframes
            in the order in which they ended. None of them comes again as an event. Empty in a
            backtest, whose time stands still meanwhile.
    """

    start: datetime
    end: datetime
    missed: Mapping[str, list[Candle]]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.end - self.start).total_seconds()
