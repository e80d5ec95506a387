"""Tallies yield the same samples as the metrics of prometheus-client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from strategy_runtime.ops.tallies import HOOK_BUCKETS, Durations, Tallies
from strategy_runtime.protocol.events import UnknownEvent

BOUNDS = (1e-5, 0.001, 0.5, 5.0)
KINDS, HOOKS = ["Candle", "Quote"], ["on_candle", "on_quote", "none"]
EVENT = UnknownEvent(type="hologram", raw={})

seconds = st.sampled_from([0.0, 1e-5, 2e-5, 0.001, 0.4, 5.0, 6.0]) | st.floats(0, 10)


@given(st.lists(seconds))
def test_durations_are_counted_as_a_histogram_counts_them(seconds: list[float]) -> None:
    histogram = Histogram("some_seconds", "x", buckets=BOUNDS, registry=CollectorRegistry())
    durations = Durations(BOUNDS)
    for each in seconds:
        histogram.observe(each)
        durations.add(each)
    samples = next(iter(histogram.collect())).samples
    buckets = [(s.labels["le"], s.value) for s in samples if s.name == "some_seconds_bucket"]
    assert list(durations.cumulated()) == buckets
    assert durations.total == pytest.approx(sum(seconds))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(HOOKS), seconds)))
def test_events_are_counted_by_kind_and_timed_by_hook(noted: list[tuple[str, str, float]]) -> None:
    registry, theirs, ours = CollectorRegistry(), CollectorRegistry(), Tallies(KINDS, HOOKS)
    registry.register(ours)
    events = Counter("strategy_events", "x", ["type"], registry=theirs)
    hooks = Histogram("strategy_hook_seconds", "x", ["hook"], buckets=HOOK_BUCKETS, registry=theirs)
    for kind in KINDS:
        events.labels(kind)
    for hook in HOOKS:
        hooks.labels(hook)
    for kind, hook, each in noted:
        ours.noting(kind, hook)(EVENT, 0.0, each)
        events.labels(kind).inc()
        hooks.labels(hook).observe(each)
    for family in theirs.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found = registry.get_sample_value(sample.name, sample.labels)
                assert found == pytest.approx(sample.value), sample
