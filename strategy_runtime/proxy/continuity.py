"""Whether a connection leads to the beginning of a backtest, and the next one to the same backtest.

What another strategy has left of a backtest is no backtest. And a proxy that was started again in
the middle of one knows nothing of what was ordered, and counts its events from one: what it sends
looks like a repetition of what was handled already. To go on with either would end in a result that
nobody traded.
"""

from strategy_runtime.errors import ConfigError, ConnectionLost, StrategyRuntimeError
from strategy_runtime.protocol.codec import Frame, id_of
from strategy_runtime.protocol.events import CandleFrame, ConnectionEvent

__all__ = ["Continuity"]


class Continuity:
    """What is known of the run of a proxy that waits for acknowledgements.

    Its CONNECTED may name the run, and say how far it has come. A run without a name is known by
    its simulated time: the first candle of a new connection that has the symbol and the timeframe
    of the last one before must be neither older nor another one under the same id.

    So frames are looked at only after a new connection, and not at all where the run has the same
    name as before, since what is sent again may be older.

    Attributes:
        latest: The last candle that came, or one of the last.
        is_open: Whether frames have to be looked at.
        is_same: Whether the run has the name that it had on the connection before, or never had
            one.
    """

    def __init__(self) -> None:
        self.latest: CandleFrame | None = None
        self.is_open = False
        self.is_same = True
        self._session: str | None = None

    def opened(self) -> None:
        """There is a new connection."""
        self.is_open = self.latest is not None
        self.is_same = self._session is None

    def broken_by(self, frame: Frame) -> StrategyRuntimeError | None:
        """Why this run cannot go on with a frame; None where it can."""
        if isinstance(frame, ConnectionEvent) and frame.session is not None:
            before, self._session = self._session, frame.session
            if before is None and self.latest is None and frame.acknowledged:
                return ConfigError(
                    f"this backtest has already begun: {frame.acknowledged} of its events have "
                    "been acknowledged by another run, and its time does not run back; restart the "
                    "proxy, then the strategy"
                )
            is_another = before is not None and before != frame.session
            self.is_same = before == frame.session
            self.is_open = self.is_open and not self.is_same
        else:
            is_another = self._is_of_another_run(frame)
        if not is_another:
            return None
        return ConnectionLost(
            "the proxy has begun its backtest anew, as one that was started again does: what "
            "this run has ordered and holds is lost there; start the strategy again, too"
        )

    def _is_of_another_run(self, frame: Frame) -> bool:
        last = self.latest
        if not self.is_open or last is None or not isinstance(frame, CandleFrame):
            return False
        now, then = frame.bar, last.bar
        if (now.symbol, now.timeframe) != (then.symbol, then.timeframe):
            return False
        self.is_open = False
        is_repeated = id_of(frame) is not None and id_of(frame) == id_of(last)
        return now.timestamp < then.timestamp or (is_repeated and now != then)
