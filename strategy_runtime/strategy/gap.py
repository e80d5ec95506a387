"""What a strategy is told when the stream of events is back."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from strategy_runtime.protocol.models import Candle

__all__ = ["Gap"]


class Gap(Struct, frozen=True):
    """A period without events, after a lost connection.

    Attributes:
        start, end: When the stream was lost and when it was back, in UTC, by the wall clock at the
            end; changing the clock meanwhile does not make the gap longer.
        missed: Candles that closed meanwhile, by symbol, in the order in which they ended. None of
            them comes again as an event. Empty in a backtest, whose time stands still meanwhile.
    """

    start: datetime
    end: datetime
    missed: Mapping[str, list[Candle]]

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()
