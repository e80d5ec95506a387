"""OpenTelemetry spans of events, the hooks they call, and the requests those hooks make.

Needs the extra `otel`. The spans of one event are one trace: its hook is a child of the event, and
orders, changes and cancels are children of the hook. The span of an event ends with the last of
those that are answered before the next event.
"""

import logging
from collections import deque
from collections.abc import Callable
from math import inf
from threading import Thread
from typing import Any, NamedTuple

from strategy_runtime.clock import monotonic, now, ns_of
from strategy_runtime.errors import ConfigError, Verb
from strategy_runtime.protocol.events import Event
from strategy_runtime.runtime.observer import Note, RequestOutcome
from strategy_runtime.strategy.desk import Mode

__all__ = ["Tracing", "exporter_of"]

_SCOPE = "strategy_runtime"
_CLOSE_WITHIN_S = 1.0
_REMEMBERED = 1000
"""Number of recent events whose hooks can be the parents of requests."""

_log = logging.getLogger("strategy_runtime")


def exporter_of(kind: str) -> Any:
    """Return an exporter: `otlp`, to OTEL_EXPORTER_OTLP_ENDPOINT, or `console`, to stderr.

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


class _Settled(NamedTuple):
    """A request that was answered; `sent` is in monotonic seconds, `end` in ns since the epoch."""

    verb: Verb
    outcome: RequestOutcome
    seconds: float
    sent: float
    end: int


class Tracing:
    """An observer that exports spans of events, hooks and requests.

    Args:
        exporter: A span exporter of the SDK.
        strategy, run_id: Attributes of every span.
        in_hand: Returns id and simulated time of the event being handled.
    """

    def __init__(
        self, exporter: Any, strategy: str, run_id: str, in_hand: Callable[[], dict[str, str]]
    ) -> None:
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create(
            {"service.name": f"strategy-runtime/{strategy}", "service.instance.id": run_id}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._no_parent = Context()
        self._in_context = trace.set_span_in_context
        self._failed = trace.Status(trace.StatusCode.ERROR)
        self._in_hand = in_hand
        self._event: Any = None
        self._until = 0
        self._parents: deque[tuple[float, Any]] = deque(maxlen=_REMEMBERED)
        self._settled: list[_Settled] = []

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """Return a function that makes the spans of an event."""

        def note(event: Event, began: float, ended: float) -> None:
            self._event_handled(event, hook, began, ended)

        return note

    def _event_handled(self, event: Event, hook: str | None, began: float, ended: float) -> None:
        self._make_requests(before=began)
        self._end_event()
        end = ns_of(now())
        begin = end - round((ended - began) * 1e9)
        attributes = {f"strategy.{name}": text for name, text in self._in_hand().items()}
        symbol = getattr(event, "symbol", None)
        if symbol is not None:
            attributes["strategy.symbol"] = symbol
        self._event = self._tracer.start_span(
            f"event {type(event).__name__}",
            context=self._no_parent,
            start_time=begin,
            attributes=attributes,
        )
        parent = self._in_context(self._event)
        self._until = end
        if hook is not None:
            span = self._tracer.start_span(f"hook {hook}", context=parent, start_time=begin)
            parent = self._in_context(span)
            span.end(end_time=end)
        self._parents.append((began, parent))
        self._make_requests()

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        if self._event is not None:
            self._event.set_status(self._failed)
            self._event.set_attribute("strategy.failed_hook", hook)

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered."""
        self._settled.append(_Settled(verb, outcome, seconds, monotonic() - seconds, ns_of(now())))

    def _make_requests(self, before: float = inf) -> None:
        """Make the spans of requests sent before an instant, as children of their hooks.

        A hook that awaits a response is reported after it, and other events may come before it.
        """
        due = [each for each in self._settled if each.sent < before]
        self._settled = [each for each in self._settled if each.sent >= before]
        for each in due:
            parents = (context for began, context in reversed(self._parents) if began <= each.sent)
            parent = next(parents, None)
            span = self._tracer.start_span(
                f"request {each.verb}",
                context=parent,
                start_time=each.end - round(each.seconds * 1e9),
                attributes={"strategy.outcome": each.outcome},
            )
            if each.outcome != "accepted":
                span.set_status(self._failed)
            span.end(end_time=each.end)
            if parent is not None and parent is self._parents[-1][1]:
                self._until = max(self._until, each.end)

    def close(self) -> None:
        """Export the remaining spans, without letting a slow exporter delay the end of the run."""
        self._make_requests()
        self._end_event()
        # In a thread, because the SDK may wait for half a minute or longer.
        thread = Thread(target=self._provider.shutdown, name="strategy-runtime traces", daemon=True)
        thread.start()
        thread.join(_CLOSE_WITHIN_S)
        if thread.is_alive():
            _log.warning("spans that were not sent within %g s are lost", _CLOSE_WITHIN_S)

    def _end_event(self) -> None:
        if self._event is not None:
            self._event.end(end_time=self._until)
            self._event = None
