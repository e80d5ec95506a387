"""Counts and durations as plain numbers, converted to metrics only at a scrape.

Recording an event must cost next to nothing; a scrape every few seconds may cost more.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, get_args

from strategy_runtime.errors import Verb
from strategy_runtime.protocol.events import Event
from strategy_runtime.runtime.observer import Note, RequestOutcome

__all__ = ["HOOK_BUCKETS", "Durations", "Tallies"]

HOOK_BUCKETS = (1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
_REQUEST_BUCKETS = (1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_BUCKETS = (1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0)


class Durations:
    """A histogram of durations.

    Args:
        bounds: Upper bounds of the buckets, in seconds, ascending.

    Attributes:
        counts: Number of durations per bucket, then of those above all bounds.
        total: Sum of all durations, in seconds.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def merge(self, others: "Durations") -> None:
        """Add a histogram with the same bounds."""
        self.counts = [
            ours + theirs for ours, theirs in zip(self.counts, others.counts, strict=True)
        ]
        self.total += others.total

    def cumulated(self) -> Iterator[tuple[str, int]]:
        """Iterate over the bounds, as Prometheus writes them, with the cumulative counts."""
        from prometheus_client.utils import floatToGoString

        count = 0
        for bound, more in zip((*self.bounds, float("inf")), self.counts, strict=True):
            count += more
            yield floatToGoString(bound), count  # type: ignore[no-untyped-call]


class Tallies:
    """A Prometheus collector of everything that happens often.

    One thread counts while another may collect. Counters exist before their first event, too:
    Prometheus sees no increase in a counter that starts at 1.

    Args:
        kinds, hooks: All label values.

    Attributes:
        lag: Age of candles and quotes after they were handled.
        requests: Number of responses, by verb and outcome.
        request_seconds: Time from sending a request to its response.
        last_at: When the last event had been handled, in monotonic seconds; 0 before the first.
    """

    def __init__(self, kinds: Iterable[str], hooks: Iterable[str]) -> None:
        self.lag = Durations(_LAG_BUCKETS)
        self.requests = Counter(dict.fromkeys(product(get_args(Verb), get_args(RequestOutcome)), 0))
        self.request_seconds = Durations(_REQUEST_BUCKETS)
        self.last_at = 0.0
        self._kinds, self._hooks = tuple(kinds), tuple(hooks)
        self._events: dict[tuple[str, str], Durations] = {}

    def noting(self, kind: str, hook: str) -> Note:
        """Return a function that counts an event of a kind, and records the time of its hook."""
        durations = self._events.setdefault((kind, hook), Durations(HOOK_BUCKETS))
        counts, bounds = durations.counts, durations.bounds

        def note(event: Event, began: float, ended: float) -> None:
            seconds = ended - began
            counts[bisect_left(bounds, seconds)] += 1
            durations.total += seconds
            self.last_at = ended

        return note

    def collect(self) -> Iterator[Any]:
        """Iterate over the metrics."""
        from prometheus_client.core import CounterMetricFamily

        events = CounterMetricFamily(
            "strategy_events", "Events delivered to the strategy.", labels=["type"]
        )
        of_kind = dict.fromkeys(self._kinds, 0)
        of_hook: dict[tuple[str, ...], Durations] = {
            (hook,): Durations(HOOK_BUCKETS) for hook in self._hooks
        }
        for (kind, hook), durations in tuple(self._events.items()):
            of_kind[kind] += sum(durations.counts)
            of_hook[hook,].merge(durations)
        for kind, count in of_kind.items():
            events.add_metric([kind], count)
        requests = CounterMetricFamily(
            "strategy_orders",
            "Orders, changes and cancels answered.",
            labels=["verb", "outcome"],
        )
        for how, count in tuple(self.requests.items()):
            requests.add_metric(how, count)
        yield from (events, requests)
        yield _histogram(
            "strategy_hook_seconds",
            "Time from an event's delivery to the return of its hook.",
            of_hook,
            labels=["hook"],
        )
        yield _histogram(
            "strategy_order_seconds",
            "Time from sending an order, change or cancel to its answer.",
            {(): self.request_seconds},
        )
        yield _histogram(
            "strategy_event_lag_seconds",
            "Age of candles and quotes when they had been handled; live runs only.",
            {(): self.lag},
        )


def _histogram(
    name: str,
    text: str,
    by_label: dict[tuple[str, ...], Durations],
    labels: Sequence[str] = (),
) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=labels)
    for values, durations in by_label.items():
        family.add_metric(values, list(durations.cumulated()), durations.total)
    return family
