"""The later gateway's own Python SDK, unmodified, against our proxy: one port, /v1 and /v1/ws."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer, RunEnd

tektii: Any = pytest.importorskip("tektii", reason="the SDK is not installed: pip install tektii")

MINUTE = 60 * 10**9
START = 1_704_205_800 * 10**9
SYMBOL = "AAPL"


def bars(*rows: tuple[float, float, float, float]) -> BarSeries:
    series = BarSeries(SYMBOL, "1m", MINUTE)
    for number, row in enumerate(rows):
        series.append(START + number * MINUTE, *row, 100.0)
    return series


FLAT = (10.0, 10.0, 10.0, 10.0)


@asynccontextmanager
async def gateway(*rows: tuple[float, float, float, float]) -> AsyncIterator[tuple[Any, Any]]:
    server = ProxyServer(Exchange([bars(*rows)]), ws_port=0, rest_port=0)
    async with server, tektii.AsyncTradingGateway(base_url=server.rest_url) as client:
        yield client, server


async def test_a_whole_backtest_with_a_market_order() -> None:
    """Stream to the end; an order placed at the first candle fills at the second one's open."""
    seen: list[Any] = []
    async with gateway(FLAT, (11, 12, 10, 11.5), FLAT) as (client, server):
        async with client.stream() as stream:
            async for event in stream:
                seen.append(event)
                if len([e for e in seen if e.type == "candle"]) == 1 and event.type == "candle":
                    handle = await client.submit_order(SYMBOL, "buy", "3")
                    assert handle.status == "OPEN"
        assert await server.finished() is RunEnd.COMPLETE
        (position,) = await client.list_positions()
        assert (position.quantity, Decimal(position.average_entry_price)) == ("3", Decimal(11))
        account = await client.get_account()
        assert Decimal(account.equity) == Decimal(100_000 - 3)
    assert [event.type for event in seen] == [
        "connection",
        "candle",
        "order",
        "order",
        "trade",
        "account",
        "position",
        "candle",
        "candle",
    ]
    fill = seen[4].trade
    assert (Decimal(fill.price), fill.quantity) == (Decimal(11), "3")
    assert [Decimal(event.bar.close) for event in seen if event.type == "candle"] == [
        Decimal("10"),
        Decimal("11.5"),
        Decimal("10"),
    ]


async def test_a_bracket_and_its_take_profit() -> None:
    kinds: list[tuple[str, str]] = []
    async with gateway(FLAT, FLAT, (10, 13, 10, 12), FLAT) as (client, _):
        async with client.stream() as stream:
            first = True
            async for event in stream:
                if event.type == "order":
                    kinds.append((event.event, event.order.order_type))
                if event.type == "candle" and first:
                    first = False
                    await client.submit_order(SYMBOL, "buy", "1", stop_loss="9", take_profit="12")
        assert await client.list_positions() == []
        history = await client.get_order_history()
        assert sorted(order.status for order in history) == ["CANCELLED", "FILLED", "FILLED"]
    assert kinds == [
        ("ORDER_CREATED", "MARKET"),
        ("ORDER_FILLED", "MARKET"),
        ("ORDER_CREATED", "STOP"),
        ("ORDER_CREATED", "LIMIT"),
        ("ORDER_FILLED", "LIMIT"),
        ("ORDER_CANCELLED", "STOP"),
    ]


async def test_orders_bars_quotes_and_the_rest_while_the_clock_stands() -> None:
    async with gateway(FLAT, FLAT, FLAT) as (client, _), client.stream() as stream:
        async for event in stream:
            if event.type != "candle":
                continue
            handle = await client.submit_order(
                SYMBOL, "buy", "2", "limit", limit_price="9", client_order_id="c-1"
            )
            (order,) = await client.list_orders()
            assert (order.id, order.client_order_id) == (handle.id, "c-1")
            changed = await client.modify_order(handle.id, limit_price="9.5")
            assert changed.order.limit_price == "9.5"
            assert (await client.get_order(handle.id)).status == "OPEN"
            (bar,) = await client.get_bars(SYMBOL, "1m")
            assert (bar.close, bar.provider) == ("10", "backtest")
            quote = await client.get_quote(SYMBOL)
            assert quote.bid == quote.ask == "10"
            assert "bracket_orders" in (await client.get_capabilities()).features
            assert (await client.get_status()).connected
            assert (await client.get_health()).status == "connected"
            assert (await client.get_circuit_breakers()).adapter.state == "closed"
            cancelled = await client.cancel_order(handle.id)
            assert cancelled.order.status == "CANCELLED"
            assert (await client.cancel_all_orders()).cancelled_count == 0
            break


async def test_refusals_become_the_sdks_own_errors() -> None:
    async with gateway(FLAT, FLAT) as (client, _), client.stream() as stream:
        async for event in stream:
            if event.type != "candle":
                continue
            with pytest.raises(tektii.NotFoundError):
                await client.get_order("ord-nope")
            with pytest.raises(tektii.BadRequestError):
                await client.submit_order(SYMBOL, "buy", "1", "limit")
            with pytest.raises(tektii.OrderRejectedError):
                await client.submit_order(SYMBOL, "buy", "999999")
            break


async def test_closing_a_position_by_its_id() -> None:
    async with gateway(FLAT, FLAT, FLAT, FLAT) as (client, _):
        candles = 0
        async with client.stream() as stream:
            async for event in stream:
                if event.type != "candle":
                    continue
                candles += 1
                if candles == 1:
                    await client.submit_order(SYMBOL, "sell", "4")
                if candles == 2:
                    (position,) = await client.list_positions()
                    assert (position.side, position.quantity) == ("SHORT", "4")
                    await client.close_position(position.id)
        assert await client.list_positions() == []
        assert len(await client.list_trades()) == 2
