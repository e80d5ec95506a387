"""Counts and durations kept as plain numbers, and turned into metrics only when they are asked for.

What is noted at every event must cost next to nothing; what is asked for every few seconds may.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

__all__ = ["Durations", "Tallies"]


class Durations:
    """How often something took how long.

    Args:
        bounds: In seconds, rising; a duration counts in the first that it does not exceed.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Take in one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def cumulated(self) -> Iterator[tuple[str, int]]:
        """Each bound as the format writes it, and how many did not exceed it."""
        from prometheus_client.utils import floatToGoString

        count = 0
        for bound, more in zip((*self._bounds, float("inf")), self._counts, strict=True):
            count += more
            yield floatToGoString(bound), count  # type: ignore[no-untyped-call]


class Tallies:
    """Events by kind and the durations of hooks by name, as a collector for Prometheus.

    Attributes:
        events: How many of each kind.
        hooks: What each took; a hook that is not in it has no metric.
    """

    def __init__(self, kinds: Iterable[str], hooks: Iterable[str], bounds: Sequence[float]) -> None:
        self.events = dict.fromkeys(kinds, 0)
        self.hooks = {hook: Durations(bounds) for hook in hooks}

    def collect(self) -> Iterator[Any]:
        """The metrics."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        events = CounterMetricFamily(
            "strategy_events", "Events delivered to the strategy.", labels=["type"]
        )
        for kind, count in self.events.items():
            events.add_metric([kind], count)
        seconds = HistogramMetricFamily(
            "strategy_hook_seconds",
            "Time from an event's delivery to the return of its hook.",
            labels=["hook"],
        )
        for hook, durations in self.hooks.items():
            seconds.add_metric([hook], list(durations.cumulated()), durations.total)
        yield from (events, seconds)
