"""Whether to try again, and when: the table, and delays over many seeds."""

import pytest

from strategy_runtime.errors import AccessDenied, ConnectionLost, ProtocolError
from strategy_runtime.ids import generator
from strategy_runtime.proxy.policy import backoff, knocks, verdict
from strategy_runtime.proxy.transport import Closed, ConnectFailed


@pytest.mark.parametrize(
    ("ended", "error", "text"),
    [
        (Closed(1000), None, ""),
        (Closed(1001, "the proxy is shutting down"), None, ""),
        (Closed(1002, "no"), ProtocolError, "the proxy refuses what we send: close code 1002 (no)"),
        (Closed(1003), ProtocolError, "the proxy refuses what we send: close code 1003"),
        (Closed(1006), None, ""),
        (Closed(1007), ProtocolError, "the proxy refuses what we send: close code 1007"),
        (Closed(1008), ProtocolError, "the proxy refuses what we send: close code 1008"),
        (Closed(1009), ProtocolError, "the proxy refuses what we send: close code 1009"),
        (Closed(1002, "odd", is_ours=True), None, ""),
        (Closed(1011), None, ""),
        (Closed(1012), None, ""),
        (Closed(1013), None, ""),
        (Closed(4001), None, ""),
        (Closed(4002), None, ""),
        (
            Closed(4003, "ack timeout"),
            ConnectionLost,
            "the proxy halted the run: an acknowledgement was missing (ack timeout)",
        ),
        (Closed(4004), ConnectionLost, "another strategy took over the proxy's event stream"),
        (Closed(None, "reset by peer"), None, ""),
        (
            ConnectFailed("", status=401),
            AccessDenied,
            "the proxy refused the connection with 401; check the API key (--token-file, "
            "PROXY_API_KEY or PROXY_API_KEY_FILE)",
        ),
        (
            ConnectFailed("", status=403),
            AccessDenied,
            "the proxy refused the connection with 403; check the API key (--token-file, "
            "PROXY_API_KEY or PROXY_API_KEY_FILE)",
        ),
        (ConnectFailed("", status=404), None, ""),
        (ConnectFailed("", status=429), None, ""),
        (ConnectFailed("", status=503), None, ""),
        (ConnectFailed("refused"), None, ""),
        (ConnectFailed("no such host"), None, ""),
        (
            ConnectFailed("self-signed", is_untrusted=True),
            AccessDenied,
            "self-signed; check --ws-url or PROXY_WS_URL",
        ),
    ],
    ids=str,
)
def test_what_an_end_means(
    ended: Closed | ConnectFailed, error: type[Exception] | None, text: str
) -> None:
    found = verdict(ended)
    assert (None if found is None else type(found)) is error
    assert str(found or "") == text


def test_a_broken_backtest_ends_the_run_only_where_the_proxy_said_so() -> None:
    assert verdict(Closed(1000), "DATA_ERROR: row 7") is None
    assert str(verdict(Closed(1011), "DATA_ERROR: row 7")) == (
        "the proxy broke the run off: DATA_ERROR: row 7"
    )


def test_delays_are_spread_from_nothing_to_a_ceiling_that_grows() -> None:
    firsts, tenths = [], []
    for seed in range(1000):
        delays = backoff(generator(seed))
        ten = [next(delays) for _ in range(10)]
        firsts.append(ten[0])
        tenths.append(ten[-1])
    assert min(firsts) < 0.1
    assert 0.9 < max(firsts) <= 1
    assert min(tenths) < 0.1
    assert 4.9 < max(tenths) <= 5


def test_a_proxy_that_comes_up_late_is_found_within_two_seconds() -> None:
    for seed in range(1000):
        passed, delays = 0.0, knocks(generator(seed))
        while passed < 30:
            passed += next(delays)
        assert passed - 30 <= 2
