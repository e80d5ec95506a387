"""Metrics of one run for Prometheus; needs prometheus-client, the extra `metrics`.

Names have the prefix `strategy_` and base units. Labels come from fixed lists: kinds of event,
hooks, verbs and outcomes; never symbols, ids or texts, so that their number has a bound whatever is
traded.
"""

from datetime import datetime
from typing import Any

from strategy_runtime import __version__
from strategy_runtime.clock import now
from strategy_runtime.errors import ConfigError
from strategy_runtime.ops.health import Health
from strategy_runtime.ops.tallies import Tallies
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, Event, UnknownEvent
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.runtime.clock import time_of
from strategy_runtime.strategy.hooks import EVENT_HOOKS
from strategy_runtime.strategy.views import RiskState

__all__ = ["Metrics"]

_HOOK_BUCKETS = (1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
_REQUEST_BUCKETS = (1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_BUCKETS = (1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0)
_NO_HOOK = "none"
_OTHER = "other"


class Metrics:
    """Counts what an observer is told.

    Args:
        health: Where connection, readiness and account are read from when metrics are asked for.
    """

    def __init__(self, health: Health) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise ConfigError(
                "--ops-port serves metrics, which needs prometheus-client: "
                "pip install 'strategy-runtime[metrics]'"
            ) from None
        self._health = health
        self._last_at: datetime | None = None
        registry = self.registry = prometheus.CollectorRegistry()
        self._tallies = Tallies(
            (*(kind.__name__ for kind in EVENT_HOOKS), _OTHER),
            (*EVENT_HOOKS.values(), _NO_HOOK),
            _HOOK_BUCKETS,
        )
        registry.register(self._tallies)
        self._unknown = prometheus.Counter(
            "strategy_unknown_events", "Events of a type unknown here.", registry=registry
        )
        self._lag = prometheus.Histogram(
            "strategy_event_lag_seconds",
            "Age of candles and quotes when they had been handled; live runs only.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self._failures = prometheus.Counter(
            "strategy_hook_failures", "Hooks that raised.", ["hook"], registry=registry
        )
        self._requests = prometheus.Counter(
            "strategy_orders",
            "Orders, changes and cancels answered.",
            ["verb", "outcome"],
            registry=registry,
        )
        self._request_seconds = prometheus.Histogram(
            "strategy_order_seconds",
            "Time from sending an order, change or cancel to its answer.",
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
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
        build = prometheus.Gauge("strategy_build_info", "Always 1.", ["version"], registry=registry)
        build.labels(__version__).set(1)

    def exposition(self) -> tuple[bytes, str]:
        """All of it as text, and the content type."""
        from prometheus_client import exposition

        self._bring_up_to_date()
        return exposition.generate_latest(self.registry), exposition.CONTENT_TYPE_LATEST

    # The observer

    def event_handled(self, event: Event, hook: str | None, seconds: float) -> None:
        """An event was delivered."""
        kind: type[Any] = type(event)
        name = kind.__name__
        events = self._tallies.events
        events[name if name in events else _OTHER] += 1
        self._tallies.hooks[hook or _NO_HOOK].note(seconds)
        here = self._last_at = now()
        if kind is UnknownEvent:
            self._unknown.inc()
        elif kind is ConnectionEvent:
            if isinstance(event, ConnectionEvent) and (
                event.event is ConnectionEventKind.RECONNECTING
            ):
                self._reconnects.inc()
        elif kind in (Candle, Quote) and self._is_live:
            moment = time_of(event)
            if moment is not None:
                self._lag.observe(max((here - moment).total_seconds(), 0.0))

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        self._failures.labels(hook if hook in self._tallies.hooks else _OTHER).inc()

    def request_settled(self, verb: str, outcome: str, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(verb, outcome).inc()
        self._request_seconds.observe(seconds)

    @property
    def _is_live(self) -> bool:
        status = self._health.status
        return status is not None and status.mode == "live"

    def _bring_up_to_date(self) -> None:
        status = self._health.status
        if self._last_at is not None:
            self._last_event.set(self._last_at.timestamp())
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
