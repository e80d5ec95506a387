"""The figures in docs/protocol.md are the defaults."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime.cli import proxy
from strategy_runtime.proxy.pool import _IDLE_S
from strategy_runtime.simulator.server import ProxyServer, broadcast, connection, door
from strategy_runtime.simulator.server.door import ClientLimits

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
WORDS = {0.25: "a quarter of a second", 0.5: "half a second", 120.0: "two minutes"}


def defaults(of: type) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in signature(of).parameters.items()
        if parameter.default not in (parameter.empty, None)
    }


SERVER, LIMITS = defaults(ProxyServer), ClientLimits()


@pytest.mark.parametrize(
    ("promise", "figure"),
    [
        ("A ping is sent every {} s.", SERVER["ping_interval"]),
        ("A client that has sent nothing for {} s is closed with 4002.", SERVER["silence_limit"]),
        ("A client that lets {} frames pile up is closed with 4001", broadcast._DEPTH),
        ("between the candles and the opens, {} at most", broadcast._PAUSE_S),
        ("waits at most {} s for the acknowledgement of this frame", SERVER["last_ack_timeout"]),
        ("sends `DISCONNECTING`, waits {}, and closes with 1001", SERVER["farewell_pause"]),
        ("| {} KiB in the body of a request | 413 |", LIMITS.body_bytes // 1024),
        ("| {} MiB in a frame | 1009 |", connection._MAX_FRAME // 1024**2),
        ("| {} s for a body to arrive | 408 |", LIMITS.body_s),
        ("| {} connections | 503 |", LIMITS.connections),
        ("| {} malformed frames within", connection._MOST_BAD_FRAMES),
        ("malformed frames within {} s | 1008 |", connection._BAD_FRAMES_WINDOW_S),
        ("| {} binary frames | 1003 |", connection._MOST_BINARY_FRAMES),
        ("The first request of a connection has {} s to arrive", LIMITS.head_s),
    ],
)
def test_a_figure_is_the_one_that_is_promised(promise: str, figure: float) -> None:
    said = " ".join(PROTOCOL.read_text().split())
    assert promise.replace("{}", WORDS.get(figure, f"{figure:,g}")) in said


def test_the_help_says_how_long_the_first_acknowledgement_may_take() -> None:
    (said,) = (each.help for each in proxy.main.params if each.name == "ack_timeout")
    assert f"The first one may take {WORDS[proxy._FIRST_ACK_S]}." in str(said)
    assert SERVER["first_ack_timeout"] == proxy._FIRST_ACK_S


def test_a_strategy_lets_go_of_an_idle_connection_long_before_the_proxy_does() -> None:
    assert 2 * _IDLE_S <= door._KEEP_ALIVE_S
