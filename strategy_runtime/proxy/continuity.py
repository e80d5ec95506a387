"""Checks that a backtest is received from its start, and over all connections from the same run.

A backtest that another strategy has partly consumed is useless. And a proxy restarted in the middle
of one has lost all orders and numbers its events from one again, so that they look like repeats of
events already handled. Continuing with either would produce results that were never traded.
"""

from strategy_runtime.errors import ConfigError, ConnectionLost, StrategyRuntimeError
from strategy_runtime.protocol.codec import Frame, id_of
from strategy_runtime.protocol.events import CandleFrame, ConnectionEvent

__all__ = ["Continuity"]


class Continuity:
    """Recognises the run of a proxy across connections.

    CONNECTED may have the id of the run and its progress. A run without an id is recognised by its
    simulated time: the first candle of a new connection with the symbol and timeframe of the last
    candle before must be neither older nor a different one with the same id.

    So frames are checked only after a new connection, and not at all if the id of the run is the
    same, since frames sent again may be older.

    Attributes:
        latest: The last candle received, or one of the last.
        must_check: Whether frames must be checked.
        is_same: Whether the run has the same id as on the connection before, or never had one.
    """

    def __init__(self) -> None:
        self.latest: CandleFrame | None = None
        self.must_check = False
        self.is_same = True
        self._session: str | None = None

    def opened(self) -> None:
        """A new connection was made."""
        self.must_check = self.latest is not None
        self.is_same = self._session is None

    def broken_by(self, frame: Frame) -> StrategyRuntimeError | None:
        """Return why a frame shows that this run cannot continue; None if it can."""
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
            self.must_check = self.must_check and not self.is_same
        else:
            is_another = self._is_of_another_run(frame)
        if not is_another:
            return None
        return ConnectionLost(
            "the proxy has restarted its backtest, so the orders and positions of this run are "
            "lost there; restart the strategy, too"
        )

    def _is_of_another_run(self, frame: Frame) -> bool:
        last = self.latest
        if not self.must_check or last is None or not isinstance(frame, CandleFrame):
            return False
        now, then = frame.bar, last.bar
        if (now.symbol, now.timeframe) != (then.symbol, then.timeframe):
            return False
        self.must_check = False
        is_repeated = id_of(frame) is not None and id_of(frame) == id_of(last)
        return now.timestamp < then.timestamp or (is_repeated and now != then)
