"""The argument of `on_reconnect`: what happened while the connection was lost."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from strategy_runtime.protocol.models import Candle

__all__ = ["Gap"]


class Gap(Struct, frozen=True):
    """A period without events, after a lost connection.

    Attributes:
        start, end: When the stream was lost and when it was back, in UTC. Both follow from the wall
            clock at the end, so setting the clock in between does not change the length.
        missed: Candles that closed in between, by symbol, in the order in which they ended. None of
            them comes again as an event. Empty in a backtest, where time stops meanwhile.
    """

    start: datetime
    end: datetime
    missed: Mapping[str, list[Candle]]

    @property
    def seconds(self) -> float:
        """Length of the gap."""
        return (self.end - self.start).total_seconds()
