"""Metrics of one run for Prometheus; needs prometheus-client, the extra `metrics`.

Names have the prefix `strategy_` and base units. Labels have fixed sets of values: kinds of event,
hooks, verbs and outcomes; never symbols, ids or texts, so that their number is bounded.
"""

from collections.abc import Callable
from math import nan
from typing import Any

from strategy_runtime import __version__
from strategy_runtime.clock import monotonic, now_s
from strategy_runtime.errors import ConfigError, Verb
from strategy_runtime.ops.health import Health
from strategy_runtime.ops.tallies import Tallies
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, UnknownEvent
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.observer import Note, RequestOutcome
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.hooks import EVENT_HOOKS
from strategy_runtime.strategy.views import RiskState

__all__ = ["Metrics"]

_NO_HOOK = "none"
_OTHER = "other"


class Metrics:
    """An observer that counts events and requests.

    Args:
        health: Source of connection, readiness and account at the time of a scrape.
    """

    def __init__(self, health: Health) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise ConfigError(
                "serving metrics needs prometheus-client: pip install 'strategy-runtime[metrics]'"
            ) from None
        self._health = health
        self._last_reported = 0.0
        registry = self.registry = prometheus.CollectorRegistry()
        self._hooks = (*EVENT_HOOKS.values(), _NO_HOOK)
        self._tallies = Tallies((kind.__name__ for kind in EVENT_HOOKS), self._hooks)
        registry.register(self._tallies)
        self._unknown = prometheus.Counter(
            "strategy_unknown_events", "Events of a type unknown here.", registry=registry
        )
        self._failures = prometheus.Counter(
            "strategy_hook_failures", "Hooks that raised.", ["hook"], registry=registry
        )
        for hook in (*EVENT_HOOKS.values(), _OTHER):
            self._failures.labels(hook)
        self._reconnects = prometheus.Counter(
            "strategy_reconnects", "Connections that were lost.", registry=registry
        )
        self._last_event = prometheus.Gauge(
            "strategy_last_event_timestamp_seconds",
            "When the last event was handled, since the epoch.",
            registry=registry,
        )
        self._gauges = {
            name: prometheus.Gauge(f"strategy_{name}", text, registry=registry)
            for name, text in (
                ("connected", "1 while the event stream is up."),
                ("ready", "1 while events come and orders are taken."),
                ("halted", "1 while no new orders are taken."),
                ("reducing", "1 while only orders that reduce a position are taken."),
                ("queue_length", "Orders, changes and cancels not answered yet."),
                ("open_orders", "Orders that are open."),
                ("open_positions", "Positions that are open."),
                ("equity", "Equity at the last prices, in account currency."),
                ("loop_silent_seconds", "Time since the strategy's loop last turned."),
            )
        }
        for name in ("open_orders", "open_positions", "equity"):
            self._gauges[name].set(nan)  # until the account is known
        build = prometheus.Gauge("strategy_build_info", "Always 1.", ["version"], registry=registry)
        build.labels(__version__).set(1)

    def exposition(self) -> tuple[bytes, str]:
        """Return all metrics as text, and the content type."""
        from prometheus_client import exposition

        self._refresh()
        return exposition.generate_latest(self.registry), exposition.CONTENT_TYPE_LATEST

    # The observer

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """Return a function that counts the events of a kind."""
        count = self._tallies.noting(kind.__name__, hook or _NO_HOOK)
        more: Callable[[Any], None]
        if kind is UnknownEvent:
            more = self._count_unknown
        elif kind is ConnectionEvent:
            more = self._count_loss
        elif kind is Candle and mode == "live":
            more = self._note_age_of_candle
        elif kind is Quote and mode == "live":
            more = self._note_age_of_quote
        else:
            return count

        def note(event: Any, began: float, ended: float) -> None:
            count(event, began, ended)
            more(event)

        return note

    def _count_unknown(self, event: UnknownEvent) -> None:
        self._unknown.inc()

    def _count_loss(self, event: ConnectionEvent) -> None:
        if event.event is ConnectionEventKind.RECONNECTING:
            self._reconnects.inc()

    def _note_age_of_candle(self, candle: Candle) -> None:
        # Runs for every candle, so it avoids datetimes unless the end of a month needs one.
        length = parse_timeframe(candle.timeframe).seconds
        moment, beyond = (candle.end, 0) if length is None else (candle.timestamp, length)
        self._tallies.lag.add(max(now_s() - (moment.timestamp() + beyond), 0.0))

    def _note_age_of_quote(self, quote: Quote) -> None:
        moment = quote.timestamp
        if moment is not None:
            self._tallies.lag.add(max(now_s() - moment.timestamp(), 0.0))

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        self._failures.labels(hook if hook in self._hooks else _OTHER).inc()

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered."""
        self._tallies.requests[verb, outcome] += 1
        self._tallies.request_seconds.add(seconds)

    def _refresh(self) -> None:
        status = self._health.status
        last_at = self._tallies.last_at
        if last_at != self._last_reported:  # converted once, so that it is constant between events
            self._last_reported = last_at
            self._last_event.set(now_s() - (monotonic() - last_at))
        values: dict[str, float] = {
            "ready": self._health.readiness()[0],
            "loop_silent_seconds": self._health.liveness()[1]["loop_silent_seconds"],
        }
        if status is not None:
            values |= {
                "connected": status.connected,
                "halted": status.risk_state is RiskState.HALTED,
                "reducing": status.risk_state is RiskState.REDUCING,
                "queue_length": status.queued,
                "open_orders": len(status.open_orders),
                "open_positions": len(status.positions),
                "equity": float(status.equity),
            }
        for name, value in values.items():
            self._gauges[name].set(value)
