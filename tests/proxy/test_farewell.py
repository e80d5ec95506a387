"""The end of a backtest: the proxy closes the connection, or the strategy does after a while."""

import asyncio
import json

import pytest

from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.proxy.transport import Answer, Closed, Receiver
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.proxy.scripted import COMPLETE, CONNECTED


class Ends:
    """A network whose proxy ends its backtest immediately, and closes some time later."""

    def __init__(self, closes_after: float) -> None:
        self.closes_after = closes_after
        self.sent: list[bytes] = []

    async def connect(self, url: str, receiver: Receiver) -> "Ends":
        receiver.feed([json.dumps(each).encode() for each in (CONNECTED, COMPLETE)])
        loop = asyncio.get_running_loop()
        loop.call_later(self.closes_after, receiver.lost, Closed(1000))
        return self

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        raise AssertionError("nothing is asked")

    def send(self, frame: bytes) -> bool:
        self.sent.append(frame)
        return True

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(("closes_after", "waited"), [(0.5, 0.5), (1.9, 1.9), (600.0, 2.0)])
def test_a_proxy_has_two_seconds_to_close_behind_the_end(
    closes_after: float, waited: float
) -> None:
    loop, network = VirtualLoop(), Ends(closes_after)
    endpoints = Endpoints(ws_url="ws://none", rest_url="http://none")
    venue = ProxyVenue(endpoints, is_live=False, transport=network)

    async def listen() -> float:
        async for burst in venue.bursts():
            list(burst)
        return loop.time()

    began = loop.time()
    assert virtual_time.run(listen(), loop, VirtualTime(loop)) - began == pytest.approx(waited)
    assert [json.loads(frame)["events_processed"] for frame in network.sent] == [["evt-end"]]
