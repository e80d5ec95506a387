"""Plain numbers that become metrics: the same samples as the library's own histogram gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from strategy_runtime.ops.tallies import Durations, Tallies

BOUNDS = (1e-5, 0.001, 0.5, 5.0)


@given(st.lists(st.sampled_from([0.0, 1e-5, 2e-5, 0.001, 0.4, 5.0, 6.0]) | st.floats(0, 10)))
def test_durations_are_counted_as_a_histogram_counts_them(seconds: list[float]) -> None:
    histogram = Histogram("some_seconds", "x", buckets=BOUNDS, registry=CollectorRegistry())
    durations = Durations(BOUNDS)
    for each in seconds:
        histogram.observe(each)
        durations.note(each)
    samples = next(iter(histogram.collect())).samples
    buckets = [(s.labels["le"], s.value) for s in samples if s.name == "some_seconds_bucket"]
    assert list(durations.cumulated()) == buckets
    assert durations.total == pytest.approx(sum(seconds))


def test_what_never_happened_has_a_metric_too() -> None:
    events, hooks = Tallies(["Candle"], ["on_candle", "none"], BOUNDS).collect()
    assert [(s.labels["type"], s.value) for s in events.samples] == [("Candle", 0)]
    counts = [s for s in hooks.samples if s.name == "strategy_hook_seconds_count"]
    assert [(s.labels["hook"], s.value) for s in counts] == [("on_candle", 0), ("none", 0)]
