"""The metrics: what they count, that a parser reads them, and that their number is bounded."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isnan
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from strategy_runtime import Candle, Quote, RiskState, Strategy
from strategy_runtime.clock import monotonic, now
from strategy_runtime.errors import ConfigError, Verb
from strategy_runtime.ops.health import Health
from strategy_runtime.ops.metrics import Metrics
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, UnknownEvent
from strategy_runtime.runtime.clock import time_of
from strategy_runtime.runtime.observer import RequestOutcome
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.ops.support import status
from tests.report.support import series


def samples(metrics: Metrics) -> dict[str, float]:
    """Return every sample by name and labels, as a parser of the format reads it."""
    text = metrics.exposition()[0].decode()
    return {
        sample.name + "".join(f",{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def handled(metrics: Metrics, event: Any, hook: str | None, seconds: float = 0.0) -> None:
    """Report an event as delivered just now."""
    ended = monotonic()
    metrics.noting(type(event), hook, "live")(event, ended - seconds, ended)


class Busy(Strategy):
    """Buys, is refused, and fails once."""

    count = 0

    def on_candle(self, candle: Candle) -> None:
        type(self).count += 1
        if self.count == 2:
            self.buy(candle.symbol, 1)
        elif self.count == 3:
            self.buy(candle.symbol, 10**9)
        elif self.count == 4:
            raise ValueError("oops")


async def test_a_run_is_counted() -> None:
    health = Health()
    metrics = Metrics(health)
    exchange = Exchange([series([10, 11, 12, 13, 14])])
    runner = Runner(
        Busy(), SimulatedVenue(exchange), mode="backtest", on_error="continue", observer=metrics
    )
    await runner.run()
    health.update(runner.status())
    found = samples(metrics)
    assert found["strategy_events_total,type=Candle"] == 5
    assert found["strategy_events_total,type=TradeEvent"] == 1
    assert found["strategy_hook_seconds_count,hook=on_candle"] == 5  # the failed one as well
    assert found["strategy_hook_failures_total,hook=on_candle"] == 1
    assert found["strategy_orders_total,outcome=accepted,verb=submit"] == 1
    assert found["strategy_orders_total,outcome=refused,verb=submit"] == 1
    assert found["strategy_order_seconds_count"] == 2
    assert found["strategy_open_positions"] == 1
    assert found["strategy_equity"] == float(Decimal(100_000) + 14 - 12)
    assert found["strategy_event_lag_seconds_count"] == 0  # simulated time has none
    assert found["strategy_build_info,version=" + __import__("strategy_runtime").__version__] == 1


def test_the_state_of_the_run_is_read_when_asked_for() -> None:
    health = Health()
    metrics = Metrics(health)
    found = samples(metrics)
    assert found["strategy_ready"] == 0
    assert isnan(found["strategy_equity"])  # the account is not known yet
    health.update(status())
    found = samples(metrics)
    assert (found["strategy_ready"], found["strategy_connected"]) == (1, 1)
    assert (found["strategy_queue_length"], found["strategy_open_orders"]) == (2, 1)
    assert (found["strategy_halted"], found["strategy_reducing"]) == (0, 0)
    health.update(status(risk_state=RiskState.REDUCING))
    found = samples(metrics)
    assert (found["strategy_halted"], found["strategy_reducing"]) == (0, 1)
    health.update(status(connected=False, risk_state=RiskState.HALTED))
    found = samples(metrics)
    assert (found["strategy_ready"], found["strategy_connected"], found["strategy_halted"]) == (
        0,
        0,
        1,
    )


def test_lost_connections_and_unknown_events_are_counted() -> None:
    metrics = Metrics(Health())
    handled(metrics, ConnectionEvent(event=ConnectionEventKind.CONNECTED), None)
    handled(metrics, ConnectionEvent(event=ConnectionEventKind.RECONNECTING), None)
    handled(metrics, UnknownEvent(type="hologram", raw={}), "on_unknown")
    found = samples(metrics)
    assert found["strategy_reconnects_total"] == 1
    assert found["strategy_unknown_events_total"] == 1
    assert found["strategy_events_total,type=UnknownEvent"] == 1


def test_the_age_of_live_candles_is_measured() -> None:
    metrics = Metrics(Health())
    started = now() - timedelta(minutes=1, seconds=2)
    handled(metrics, Candle("S:A", "1m", started, 1, 1, 1, 1), "on_candle")
    found = samples(metrics)
    assert found["strategy_event_lag_seconds_bucket,le=1.0"] == 0
    assert found["strategy_event_lag_seconds_bucket,le=30.0"] == 1


@pytest.mark.parametrize("timeframe", ["1m", "1M", None])
def test_the_age_counts_from_the_end_of_a_candle_and_from_the_time_of_a_quote(
    timeframe: str | None,
) -> None:
    metrics, stamp = Metrics(Health()), datetime(2024, 2, 1, 12, tzinfo=UTC)
    event: Candle | Quote = Quote("S:A", 1, 2, stamp=stamp)
    if timeframe is not None:
        event = Candle("S:A", timeframe, stamp, 1, 1, 1, 1)
    before = now()
    handled(metrics, event, None)
    began = time_of(event)
    assert began is not None
    found = samples(metrics)["strategy_event_lag_seconds_sum"]
    # A float of seconds since the epoch has a resolution of a quarter of a microsecond.
    assert (
        (before - began).total_seconds() - 1e-6 <= found <= (now() - began).total_seconds() + 1e-6
    )


def test_a_quote_that_does_not_say_when_it_was_made_has_no_age() -> None:
    metrics = Metrics(Health())
    handled(metrics, Quote("S:A", 1, 2), None)
    assert samples(metrics)["strategy_event_lag_seconds_count"] == 0


def test_when_the_last_event_was_handled_is_told_the_same_until_there_is_another() -> None:
    metrics = Metrics(Health())
    name = "strategy_last_event_timestamp_seconds"
    assert samples(metrics)[name] == 0
    before = now().timestamp()
    handled(metrics, UnknownEvent(type="hologram", raw={}), None)
    first = samples(metrics)[name]
    assert before - 0.001 <= first <= now().timestamp()
    assert samples(metrics)[name] == first
    handled(metrics, UnknownEvent(type="hologram", raw={}), None)
    assert samples(metrics)[name] > first


@pytest.mark.parametrize("hook", ["on_candle", "on_start"])
@pytest.mark.parametrize("verb", ["submit", "modify", "cancel"])
@pytest.mark.parametrize("outcome", ["accepted", "refused", "unanswered"])
def test_what_happens_first_is_an_increase(hook: str, verb: Verb, outcome: RequestOutcome) -> None:
    metrics = Metrics(Health())
    before = samples(metrics)
    metrics.request_settled(verb, outcome, 0.1)
    metrics.hook_failed(hook)
    after = samples(metrics)
    assert before.keys() == after.keys()
    label = "other" if hook == "on_start" else hook
    for name in (
        f"strategy_orders_total,outcome={outcome},verb={verb}",
        f"strategy_hook_failures_total,hook={label}",
    ):
        assert (before[name], after[name]) == (0, 1)


def test_ten_thousand_symbols_and_a_thousand_orders_make_no_more_series() -> None:
    metrics = Metrics(Health())
    stamp = datetime(2024, 1, 2, tzinfo=UTC)
    handled(metrics, Candle("S:0", "1m", stamp, 1, 1, 1, 1), "on_candle", 0.001)
    metrics.request_settled("submit", "accepted", 0.01)
    metrics.hook_failed("some_timer_0")
    before = len(samples(metrics))
    for number in range(10_000):
        symbol = f"S:{number}"
        handled(metrics, Candle(symbol, "1m", stamp, 1, 1, 1, 1), "on_candle", 0.001)
    for number in range(1000):
        metrics.request_settled("submit", "accepted", 0.01)
        metrics.hook_failed(f"some_timer_{number}")
    assert len(samples(metrics)) == before < 400


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'strategy-runtime\[metrics\]'"):
        Metrics(Health())


def test_two_runs_have_metrics_of_their_own() -> None:
    one, other = Metrics(Health()), Metrics(Health())
    one.request_settled("cancel", "refused", 0.1)
    assert samples(other)["strategy_orders_total,outcome=refused,verb=cancel"] == 0
