"""Spans of OpenTelemetry: an event, the hook it called, the requests that came of it.

Needs the extra `otel`. The spans of one event are one trace: its hook is a child of the event, and
orders, changes and cancels are children of the hook. An event's span ends with the last of them.
"""

import logging
from collections.abc import Callable
from threading import Thread
from typing import Any

from strategy_runtime.clock import now, ns_of
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.events import Event
from strategy_runtime.runtime.observer import Note
from strategy_runtime.strategy.desk import Mode

__all__ = ["Tracing", "exporter_of"]

_SCOPE = "strategy_runtime"
_CLOSE_WITHIN_S = 1.0

_log = logging.getLogger("strategy_runtime")


def exporter_of(kind: str) -> Any:
    """An exporter: `otlp`, to where OTEL_EXPORTER_OTLP_ENDPOINT says, or `console`, to stderr.

    Raises:
        ConfigError: The packages are not installed.
    """
    try:
        if kind == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    except ImportError:
        raise ConfigError(
            "spans need OpenTelemetry: pip install 'strategy-runtime[otel]'"
        ) from None


class Tracing:
    """Makes spans of what an observer is told.

    Args:
        exporter: Where they go; a span exporter of the SDK.
        strategy, run_id: Attributes of every span.
        in_hand: Id and simulated time of the event in hand.
    """

    def __init__(
        self, exporter: Any, strategy: str, run_id: str, in_hand: Callable[[], dict[str, str]]
    ) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create(
            {"service.name": f"strategy-runtime/{strategy}", "service.instance.id": run_id}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._in_context = trace.set_span_in_context
        self._failed = trace.Status(trace.StatusCode.ERROR)
        self._in_hand = in_hand
        self._event: Any = None
        self._parent: Any = None
        self._until = 0

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """What makes the spans of an event."""

        def note(event: Event, began: float, ended: float) -> None:
            self._event_handled(event, hook, ended - began)

        return note

    def _event_handled(self, event: Event, hook: str | None, seconds: float) -> None:
        self._end_event()
        end = ns_of(now())
        begin = end - round(seconds * 1e9)
        attributes = {f"strategy.{name}": text for name, text in self._in_hand().items()}
        symbol = getattr(event, "symbol", None)
        if symbol is not None:
            attributes["strategy.symbol"] = symbol
        self._event = self._tracer.start_span(
            f"event {type(event).__name__}",
            context=_root(),
            start_time=begin,
            attributes=attributes,
        )
        self._parent = self._in_context(self._event)
        self._until = end
        if hook is not None:
            span = self._tracer.start_span(f"hook {hook}", context=self._parent, start_time=begin)
            self._parent = self._in_context(span)
            span.end(end_time=end)

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        if self._event is not None:
            self._event.set_status(self._failed)
            self._event.set_attribute("strategy.failed_hook", hook)

    def request_settled(self, verb: str, outcome: str, seconds: float) -> None:
        """A request was answered."""
        end = ns_of(now())
        span = self._tracer.start_span(
            f"request {verb}",
            context=self._parent,
            start_time=end - round(seconds * 1e9),
            attributes={"strategy.outcome": outcome},
        )
        if outcome != "accepted":
            span.set_status(self._failed)
        span.end(end_time=end)
        self._until = end

    def close(self) -> None:
        """Send what is left, as far as it is taken at once: nothing else may have to wait."""
        self._end_event()
        # In a thread, because the SDK waits for half a minute and longer.
        thread = Thread(target=self._provider.shutdown, name="strategy-runtime traces", daemon=True)
        thread.start()
        thread.join(_CLOSE_WITHIN_S)
        if thread.is_alive():
            _log.warning("spans that were not sent within %g s are lost", _CLOSE_WITHIN_S)

    def _end_event(self) -> None:
        if self._event is not None:
            self._event.end(end_time=self._until)
            self._event = None


def _root() -> Any:
    from opentelemetry.context import Context

    return Context()
