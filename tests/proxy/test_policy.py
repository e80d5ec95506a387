"""When to try again: delays, over many seeds."""

from collections.abc import Iterator

from strategy_runtime.ids import generator
from strategy_runtime.proxy.policy import backoff, knocks


class _Least:
    """Chance at its most impatient."""

    def uniform(self, low: float, high: float) -> float:
        return low


def connections_in_a_minute(delays: Iterator[float]) -> int:
    passed, connections = 0.0, 1
    while (passed := passed + next(delays)) <= 60:
        connections += 1
    return connections


def test_a_proxy_that_closes_at_once_sees_twelve_connections_a_minute_at_most() -> None:
    assert connections_in_a_minute(backoff(_Least())) <= 12  # type: ignore[arg-type]
    counts = {connections_in_a_minute(backoff(generator(seed))) for seed in range(1000)}
    assert max(counts) <= 12
    assert len(counts) > 1


def test_a_proxy_that_comes_up_late_is_found_within_two_seconds() -> None:
    for seed in range(1000):
        passed, delays = 0.0, knocks(generator(seed))
        while passed < 30:
            passed += next(delays)
        assert passed - 30 <= 2
