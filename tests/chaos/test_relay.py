"""A backtest over connections that break has the same fills, byte for byte, as without faults."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from strategy_runtime.ids import Random
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.report.csv_tables import fills_csv
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.chaos.busy import Busy, calm, walks
from tests.chaos.relay import relayed
from tests.figures import Tell

BARS = 150
FAULTS = 30


def quickly(rng: Random) -> Iterator[float]:
    while True:
        yield 0.002


@pytest.fixture(scope="module")
def seeds() -> range:
    return range(20)


async def test_breaking_streams_change_no_fill(seeds: range, tell: Tell) -> None:
    expected = await calm(BARS)
    assert expected.count("\n") > 50
    broken = 0
    for seed in seeds:
        exchange = Exchange(walks(BARS))
        async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
            place = urlsplit(server.ws_url).netloc
            async with relayed(place, seed=seed, faults=FAULTS, reach=12_000) as relay:
                endpoints = Endpoints(ws_url=f"ws://{relay.url}", rest_url=server.rest_url)
                venue = ProxyVenue(
                    endpoints,
                    is_live=False,
                    most_connections=1000,
                    reconnect_delays=quickly,
                    startup_delays=quickly,
                    connected_wait=1.0,
                )
                await Runner(Busy(), venue, mode="backtest").run()
        assert fills_csv(exchange.outcome().fills) == expected, (seed, relay.plan)
        broken += len(relay.plan) - 1
    tell(f"{len(seeds)} backtests over {broken} broken streams: fills as over calm ones")
