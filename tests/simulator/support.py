"""Helpers to drive an exchange by hand: flat bars, short forms of orders, single phases."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings

from strategy_runtime import OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.exchange.outlook import Outlook
from strategy_runtime.simulator.exchange.plain import PlainOrders
from strategy_runtime.simulator.market import Phase
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.resting import RestingOrders
from strategy_runtime.simulator.server import ProxyServer

MANY = (8 if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else 3) * settings().max_examples
"""Number of examples for a property of the whole exchange."""

MINUTE = 60 * 10**9
A, B = "S:A", "S:B"


def market(
    *bars: float | Sequence[float], symbols: tuple[str, ...] = (A,), **options: Any
) -> Exchange:
    """Return an exchange with minute bars of open, high, low and close, or of one price each."""
    return Exchange([minutes(symbol, bars) for symbol in symbols], ExchangeOptions(**options))


def minutes(symbol: str, bars: Sequence[float | Sequence[float]]) -> BarSeries:
    """Return minute bars with a volume of 100, from the epoch on."""
    series = BarSeries(symbol, "1m", MINUTE)
    for number, bar in enumerate(bars):
        opened, high, low, close = (bar,) * 4 if isinstance(bar, float | int) else bar
        series.append(number * MINUTE, opened, high, low, close, 100.0)
    return series


@contextmanager
def no_short_cuts() -> Iterator[None]:
    """Make every exchange take the general path for each bar, symbol and order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RestingOrders, "put_to_sleep", lambda self, now_ns: None)
        patch.setattr(Outlook, "lanes", lambda self: [])
        patch.setattr(PlainOrders, "accept", lambda self, request: None)
        yield


@asynccontextmanager
async def over_sockets(
    exchange: Exchange, subscriptions: Subscriptions = EVERYTHING
) -> AsyncIterator[ProxyVenue]:
    """Serve an exchange in lock-step, and give the venue of a strategy that connects to it."""
    async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
        endpoints = Endpoints(ws_url=server.ws_url, rest_url=server.rest_url)
        yield ProxyVenue(endpoints, is_live=False, subscriptions=subscriptions)


def next_phase(exchange: Exchange, phases: Iterator[None]) -> None:
    """Run up to the next phase that emits events, and drop these."""
    next(phases, None)
    exchange.outbox.clear()


def next_candle(exchange: Exchange, phases: Iterator[None]) -> None:
    """Run up to the next candle."""
    for _ in phases:
        exchange.outbox.clear()
        if exchange.phase is Phase.BAR:
            return


def order(side: Side = Side.BUY, quantity: str = "10", **fields: Any) -> OrderRequest:
    kind = fields.pop("order_type", OrderType.MARKET)
    return OrderRequest(
        symbol=fields.pop("symbol", A),
        side=side,
        quantity=Decimal(quantity),
        order_type=kind,
        **fields,
    )


def limit(price: str, side: Side = Side.BUY, quantity: str = "10", **fields: Any) -> OrderRequest:
    return order(side, quantity, order_type=OrderType.LIMIT, limit_price=Decimal(price), **fields)
