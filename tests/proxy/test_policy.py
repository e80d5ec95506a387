"""Retry policy: the table of verdicts, and delays over many seeds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from strategy_runtime import Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import AccessDenied, ConnectionLost, ProtocolError
from strategy_runtime.ids import generator
from strategy_runtime.proxy import network, policy
from strategy_runtime.proxy.connection import Connection
from strategy_runtime.proxy.policy import (
    reconnect_delays,
    retry_delays,
    seconds_of,
    startup_delays,
    verdict,
)
from strategy_runtime.proxy.transport import Closed, ConnectFailed, Receiver
from tests.chaos import world
from tests.chaos.world import MemoryNetwork
from tests.runtime import slow
from tests.runtime.virtual_run import live_run


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
        "the proxy aborted the run: DATA_ERROR: row 7"
    )


def test_delays_are_spread_from_nothing_to_a_ceiling_that_grows() -> None:
    firsts, tenths = [], []
    for seed in range(1000):
        delays = reconnect_delays(generator(seed))
        ten = [next(delays) for _ in range(10)]
        firsts.append(ten[0])
        tenths.append(ten[-1])
    assert min(firsts) < 0.1
    assert 0.9 < max(firsts) <= 1
    assert min(tenths) < 0.1
    assert 4.9 < max(tenths) <= 5


def test_a_proxy_that_comes_up_late_is_found_within_two_seconds() -> None:
    for seed in range(1000):
        passed, delays = 0.0, startup_delays(generator(seed))
        while passed < 30:
            passed += next(delays)
        assert passed - 30 <= 2


def test_attempts_at_one_question_are_a_second_apart_then_up_to_eight_half_more_or_less() -> None:
    pauses = [
        [next(waits) for _ in range(6)] for waits in map(retry_delays, map(generator, range(500)))
    ]
    for middle, drawn in zip((1, 2, 4, 8, 8, 8), zip(*pauses, strict=True), strict=True):
        assert middle / 2 <= min(drawn) < middle * 0.55
        assert middle * 1.45 < max(drawn) <= middle * 1.5


def test_what_cannot_be_taken_may_come_twice_in_a_minute() -> None:
    connection = Connection(
        ["ws://x"],
        setting="",
        is_live=True,
        deadline=60,
        greeting=5,
        most_connections=12,
        reconnect_delays=reconnect_delays,
        startup_delays=startup_delays,
        rng=generator(0),
    )
    odd = Closed(1002, "a frame is odd", is_ours=True)
    for number in range(9):
        connection.lost(odd, 31.0 * number)
    with pytest.raises(ProtocolError, match="keeps sending invalid frames: a frame is odd"):
        connection.lost(odd, 31.0 * 8 + 28)


def test_a_proxy_that_breaks_every_connection_gets_twelve_a_minute() -> None:
    connects: list[float] = []

    class Breaks(MemoryNetwork):
        async def connect(self, url: str, receiver: Receiver) -> Any:
            connects.append(monotonic())
            wire = await super().connect(url, receiver)
            wire.sever()
            return wire

    live_run(Strategy(), lambda runner: sleep(180), network=Breaks)
    assert len(connects) in (36, 37)
    assert all(later - first >= 60 for first, later in zip(connects, connects[12:], strict=False))


def test_the_networks_of_the_tests_give_a_request_up_when_the_real_one_does() -> None:
    assert world._TIMEOUT_S == slow._TIMEOUT_S == network._ANSWER_S


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        (0, 0.0),
        ("Mon, 04 Mar 2024 14:00:30 GMT", 30.0),
        ("Monday, 04-Mar-24 14:00:30 GMT", 30.0),
        ("Mon, 04 Mar 2024 15:00:30 +0100", 30.0),
        ("Mon, 04 Mar 2024 13:00:00 GMT", 0.0),
        ("Mon, 04 Mar 2024 14:00:30 -0000", None),
        ("Mon, 99 Mar 2024 14:00:30 GMT", None),
        ("Mon, 04 Mar 99999999999999 14:00:30 GMT", None),
        ("Mon, 04 Mar 2024 14:00:30 +99999999999999999", None),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        (None, None),
        (["7"], None),
        (10**400, None),
    ],
)
def test_how_long_a_proxy_asks_to_wait(
    said: object, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "now", lambda: datetime(2024, 3, 4, 14, tzinfo=UTC))
    assert seconds_of(said) == seconds
