"""Requests drawn from the OpenAPI document, valid and invalid, get answers as described."""

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.simulator.server.openapi import _PATHS
from tests.simulator.server.rest_client import bars

schemathesis: Any = pytest.importorskip("schemathesis", reason="it comes with the dev extra")
CHECKS: Any = pytest.importorskip("schemathesis.specs.openapi.checks")
Mode = schemathesis.GenerationMode
VALID_IS_ACCEPTED = CHECKS.positive_data_acceptance

BARS = "/bars/{symbol}"
SLOW = [pytest.mark.slow, pytest.mark.timeout(300)]


class Proxy(threading.Thread):
    """A proxy on its own event loop, in the middle of a backtest with orders and positions."""

    def __init__(self) -> None:
        super().__init__(name="proxy")
        self.url = ""
        self.is_up = threading.Event()

    def run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        exchange = Exchange([bars("S:AAPL", 50), bars("BTC/USD", 50)])
        phases = exchange.phases()
        for number in range(20):
            next(phases)
            for symbol in ("S:AAPL", "BTC/USD"):
                for kind, price in ((OrderType.MARKET, None), (OrderType.LIMIT, number + 1)):
                    request = OrderRequest(
                        symbol=symbol,
                        side=Side.BUY,
                        quantity=Decimal(1),
                        order_type=kind,
                        limit_price=None if price is None else Decimal(price),
                    )
                    exchange.submit(request)
        async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
            self.url = server.rest_url
            self.is_up.set()
            await self.stopped.wait()


@pytest.fixture(scope="module")
def document() -> Iterator[Any]:
    proxy = Proxy()
    proxy.start()
    assert proxy.is_up.wait(10)
    yield schemathesis.openapi.from_url(f"{proxy.url}/openapi.json")
    proxy.loop.call_soon_threadsafe(proxy.stopped.set)
    proxy.join(10)


def ask(operation: Any, mode: Any, rules: list[Any], examples: int) -> None:
    @settings(max_examples=examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answer(case: Any) -> None:
        case.call_and_validate(excluded_checks=rules)

    answer()


@pytest.mark.parametrize("examples", [20, pytest.param(400, marks=SLOW)])
@pytest.mark.parametrize(("method", "path"), _PATHS)
def test_sound_requests_are_answered_as_described(
    document: Any, method: str, path: str, examples: int
) -> None:
    # The document cannot describe what the account and the loaded data allow.
    rules = [VALID_IS_ACCEPTED] if _PATHS[method, path].body or path == BARS else []
    ask(document[path][method], Mode.POSITIVE, rules, examples)


@pytest.mark.parametrize("examples", [20, pytest.param(400, marks=SLOW)])
@pytest.mark.parametrize(
    ("method", "path"), [key for key, path in _PATHS.items() if path.body or path.query]
)
def test_unsound_requests_are_refused_as_described(
    document: Any, method: str, path: str, examples: int
) -> None:
    ask(document[path][method], Mode.NEGATIVE, [], examples)
