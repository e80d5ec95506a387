"""Spans: an event, its hook and the orders of that hook, in one trace."""

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import ConfigError
from strategy_runtime.ops.tracing import Tracing, exporter_of
from strategy_runtime.protocol.events import UnknownEvent
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.cli.support import BUYER, PRICES, call, proxy
from tests.report.support import series


class Busy(Strategy):
    """Buys at its second candle, orders too much at the third, fails at the fourth."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_candle(self, candle: Candle) -> None:
        self.count += 1
        if self.count in (2, 3):
            self.buy(candle.symbol, 1 if self.count == 2 else 10**9)
        elif self.count == 4:
            raise ValueError("oops")


class Patient(Strategy):
    """Places an order at every candle, and awaits it."""

    count = 0

    async def on_candle(self, candle: Candle) -> None:
        self.count += 1
        await self.buy(candle.symbol, 1)


async def spans_of_a_run(strategy: Busy | Patient | None = None) -> list[ReadableSpan]:
    strategy = strategy or Busy()
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, "Busy", "bt", lambda: {"event_id": f"evt-{strategy.count}"})
    runner = Runner(
        strategy,
        SimulatedVenue(Exchange([series([10, 11, 12, 13, 14])])),
        mode="backtest",
        on_error="continue",
        observer=tracing,
    )
    await runner.run()
    tracing.close()
    return list(exporter.get_finished_spans())


def identity(span: ReadableSpan | None) -> int:
    assert span is not None
    assert span.context is not None
    found: int = span.context.span_id
    return found


def parent_of(span: ReadableSpan, spans: list[ReadableSpan]) -> ReadableSpan:
    assert span.parent is not None
    (found,) = [each for each in spans if identity(each) == span.parent.span_id]
    return found


async def test_an_order_is_the_child_of_a_hook_and_that_of_an_event() -> None:
    spans = await spans_of_a_run()
    accepted, refused = [span for span in spans if span.name == "request submit"]
    by_id = {identity(span): span for span in spans}
    for request in (accepted, refused):
        assert request.parent is not None
        hook = by_id[request.parent.span_id]
        assert hook.parent is not None
        event = by_id[hook.parent.span_id]
        assert (hook.name, event.name, event.parent) == ("hook on_candle", "event Candle", None)
        assert event.context is not None
        assert request.context is not None
        assert event.context.trace_id == request.context.trace_id
        assert event.start_time is not None
        assert event.end_time is not None
        assert request.end_time is not None
        assert event.start_time <= request.end_time <= event.end_time
    assert accepted.status.is_unset
    assert not refused.status.is_ok
    assert refused.attributes is not None
    assert refused.attributes["strategy.outcome"] == "refused"


async def test_an_awaited_order_is_the_child_of_the_hook_that_awaits_it() -> None:
    spans = await spans_of_a_run(Patient())
    events = []
    for request in spans:
        if request.name == "request submit":
            hook = parent_of(request, spans)
            event = parent_of(hook, spans)
            events.append((event.name, (event.attributes or {})["strategy.event_id"]))
    assert events == [("event Candle", f"evt-{number}") for number in range(1, 6)]


def test_an_order_finds_its_hook_also_after_other_events() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, "Busy", "bt", dict)
    event = UnknownEvent(type="hologram", raw={})
    now = monotonic()
    for number in range(3):
        note = tracing.noting(UnknownEvent, f"hook_{number}", "live")
        note(event, now + number - 10, now + number - 9.5)
    tracing.request_settled("submit", "accepted", 8.8)  # sent after hook_1, before hook_2
    tracing.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    hook, request = spans["hook hook_1"], spans["request submit"]
    assert request.parent is not None
    assert request.parent.span_id == identity(hook)


async def test_every_event_is_a_trace_of_its_own_and_says_what_it_was() -> None:
    events = [span for span in await spans_of_a_run() if span.name == "event Candle"]
    assert len(events) == 5
    assert len({span.context.trace_id for span in events if span.context}) == 5
    for number, span in enumerate(events, start=1):
        assert span.attributes is not None
        assert span.attributes["strategy.symbol"] == "S:A"
        assert span.attributes["strategy.event_id"] == f"evt-{number}"
        assert span.resource.attributes["service.name"] == "strategy-runtime/Busy"


async def test_a_failed_hook_shows() -> None:
    failed = [
        span
        for span in await spans_of_a_run()
        if (span.attributes or {}).get("strategy.failed_hook")
    ]
    assert [span.name for span in failed] == ["event Candle"]
    assert not failed[0].status.is_ok


class Stuck(SpanExporter):
    """An exporter that never returns, as with a collector that hangs."""

    def __init__(self) -> None:
        self.answered = Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.answered.wait()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.answered.wait()


def test_a_collector_that_hangs_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Stuck()
    tracing = Tracing(exporter, "Busy", "bt", dict)
    tracing.request_settled("submit", "accepted", 0.1)
    tracing.close()
    assert caplog.messages == ["spans that were not sent within 1 s are lost"]
    exporter.answered.set()


@pytest.mark.parametrize("kind", ["otlp", "console"])
def test_without_the_packages_the_extra_is_named(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(ConfigError, match=r"pip install 'strategy-runtime\[otel\]'"):
        exporter_of(kind)


def test_the_command_writes_spans(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BUYER)
    (tmp_path / "prices.csv").write_text(PRICES)
    with proxy("--data", "prices.csv", "--linger", 0, cwd=tmp_path) as (_, urls):
        done = call("run", "bot", *urls, "--traces", "console", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("event Candle", "hook on_candle", "request submit"):
        assert f'"name": "{name}"' in done.stderr
