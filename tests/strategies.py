"""Small strategies that several tests use."""

from collections.abc import Callable

from strategy_runtime import Candle, Event, Strategy


class Scripted(Strategy):
    """Runs the action that a test gave it for the nth candle, and records every event."""

    def __init__(self, script: dict[int, Callable[["Scripted", Candle], object]]) -> None:
        super().__init__()
        self.script = script
        self.seen: list[Event] = []
        self.candles = 0
        self.refusals: list[Exception] = []
        self.anomalies: list[str] = []

    def on_event(self, event: Event) -> None:
        self.seen.append(event)

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)

    def on_candle(self, candle: Candle) -> None:
        action = self.script.get(self.candles)
        self.candles += 1
        if action is not None:
            action(self, candle)

    def on_error(self, error: Exception) -> None:
        self.refusals.append(error)
