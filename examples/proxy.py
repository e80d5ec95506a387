"""A proxy to start from, with a made-up market and account in the place of a broker.

    python examples/proxy.py
    GATEWAY_URL=http://localhost:8080 strategy-run bot:MyBot

The price of one symbol walks at random, a candle a second. Market orders fill at once, limit orders
when a candle closes at their limit or beyond. Whatever else an order asks for is refused, never
ignored. Nobody but this machine can connect. `docs/protocol.md` has all the rules.
"""

import argparse
import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from aiohttp import web
from msgspec import MsgspecError, convert, json
from msgspec.structs import replace

from strategy_runtime import (
    Account,
    Candle,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Trade,
)

SYMBOL, TIMEFRAME, SECOND = "C:DEMO", "1s", timedelta(seconds=1)
OFFERED = set(
    "symbol side quantity order_type limit_price client_order_id reduce_only position_id".split()
)


class Proxy:
    def __init__(self) -> None:
        self.session = uuid4().hex
        self.streams: set[web.WebSocketResponse] = set()
        self.price, self.balance = Decimal(100), Decimal(100_000)
        self.held = self.entry = Decimal(0)  # a short position is negative
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self.numbers = count(1)

    # The market and the account

    async def walk(self, _: web.Application) -> AsyncIterator[None]:
        async def forever() -> None:
            while True:
                await asyncio.sleep(1)
                close = round(self.price * Decimal(random.gauss(1, 0.0005)), 2)
                await self.end_candle(datetime.now(UTC).replace(microsecond=0) - SECOND, close)
                await self.tell("ping")

        walking = asyncio.create_task(forever())
        yield
        walking.cancel()

    async def end_candle(self, start: datetime, close: Decimal) -> None:
        first, last = float(self.price), float(close)
        low, high = sorted((first, last))
        self.price = close
        await self.tell("candle", bar=Candle(SYMBOL, TIMEFRAME, start, first, high, low, last))
        for order_id in list(self.orders):
            order = self.orders[order_id]  # while others filled, it may have been cancelled
            limit = order.limit_price
            if order.is_open and limit and (limit - close) * order.side.sign >= 0:
                await self.fill(order, limit)

    async def fill(self, order: Order, price: Decimal) -> None:
        before, size, now = self.held, order.quantity * order.side.sign, datetime.now(UTC)
        self.held += size
        if before * size >= 0:
            self.entry = round((before * self.entry + size * price) / self.held, 8)
        else:
            closed = min(abs(before), abs(size)).copy_sign(before)
            self.balance += closed * (price - self.entry)
            self.entry = price if before * self.held < 0 else self.entry
        filled = self.orders[order.id] = replace(
            order,
            status=OrderStatus.FILLED,
            filled_quantity=order.quantity,
            remaining_quantity=Decimal(0),
            average_fill_price=price,
            updated_at=now,
        )
        trade = Trade(
            id=f"trade-{next(self.numbers)}",
            order_id=order.id,
            symbol=SYMBOL,
            side=order.side,
            quantity=order.quantity,
            price=price,
            timestamp=now,
        )
        self.trades.append(trade)
        change = "OPENED" if not before else "MODIFIED" if self.held else "CLOSED"
        position, account = self.position(), self.account()
        await self.tell("order", event="ORDER_FILLED", order=filled)
        await self.tell("trade", event="TRADE_FILLED", trade=trade)
        await self.tell("position", event=f"POSITION_{change}", position=position)
        await self.tell("account", event="BALANCE_UPDATED", account=account)

    def position(self) -> Position:
        return Position(
            id="position-1",
            symbol=SYMBOL,
            side=PositionSide.SHORT if self.held < 0 else PositionSide.LONG,
            quantity=abs(self.held),
            average_entry_price=self.entry,
            updated_at=self.trades[-1].timestamp,
        )

    def account(self) -> Account:
        profit = self.held * (self.price - self.entry)
        return Account(balance=self.balance, equity=self.balance + profit, unrealized_pnl=profit)

    # The event stream

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        await stream.send_str(frame("connection", event="CONNECTED", session=self.session))
        self.streams.add(stream)
        async for _ in stream:
            pass  # pongs, and no acknowledgements, since these events have no ids
        self.streams.discard(stream)
        return stream

    async def tell(self, kind: str, **content: object) -> None:
        for stream in list(self.streams):
            with suppress(ConnectionError):  # whoever is gone asks for what it has missed
                await stream.send_str(frame(kind, **content))

    async def leave(self, _: web.Application) -> None:
        await self.tell("connection", event="DISCONNECTING")
        for stream in list(self.streams):
            await stream.close(code=1001)

    # Requests

    def application(self) -> web.Application:
        app = web.Application()
        app.on_shutdown.append(self.leave)
        app.add_routes(
            [
                web.get("/", self.stream),
                web.get("/{what:account|positions|orders|orders/history|trades}", self.ask),
                web.get("/capabilities", self.ask),
                web.post("/orders", self.place),
                web.delete("/orders/{id}", self.cancel),
            ]
        )
        return app

    async def ask(self, request: web.Request) -> web.Response:
        newest = list(reversed(self.orders.values()))
        answers: dict[str, object] = {
            "/account": self.account(),
            "/positions": [self.position()] if self.held else [],
            "/orders": [order for order in newest if order.is_open],
            "/orders/history": [order for order in newest if not order.is_open],
            "/trades": self.trades[::-1],
            "/capabilities": {"features": ["client_order_id_dedupe"]},
        }
        return answer(answers[request.path])

    async def place(self, request: web.Request) -> web.Response:
        try:
            asked = json.decode(await request.read(), type=dict[str, Any])
            own_id = asked.get("client_order_id")
            for known in self.orders.values():
                if own_id and known.client_order_id == own_id:  # its first answer was lost
                    return answer(known)
            order = self.accepted(asked)
        except MsgspecError as error:
            raise refusal(web.HTTPBadRequest, "INVALID_REQUEST", str(error)) from None
        self.orders[order.id] = order
        await self.tell("order", event="ORDER_CREATED", order=order)
        if order.order_type is OrderType.MARKET:
            await self.fill(order, self.price)
        return answer(self.orders[order.id], 201)

    def accepted(self, asked: dict[str, Any]) -> Order:
        if beyond := sorted(asked.keys() - OFFERED):
            raise not_offered(f"orders with {', '.join(beyond)}")
        now = datetime.now(UTC)
        ours = {"id": f"order-{next(self.numbers)}", "status": "OPEN"}
        order = convert(
            {**asked, **ours, "created_at": now, "updated_at": now}, Order, strict=False
        )
        is_limit = order.order_type is OrderType.LIMIT
        if not (is_limit or order.order_type is OrderType.MARKET):
            raise not_offered(f"{order.order_type} orders")
        if is_limit and order.reduce_only:
            raise not_offered("limit orders that only reduce")
        if order.quantity <= 0 or (is_limit and not order.limit_price):
            raise refusal(web.HTTPBadRequest, "INVALID_REQUEST", "an amount is missing")
        after = self.held + order.quantity * order.side.sign
        if order.symbol != SYMBOL:
            raise rejected(f"the only symbol is {SYMBOL}")
        if order.reduce_only and abs(after) + order.quantity != abs(self.held):
            raise rejected(f"{self.held} {SYMBOL} are held, and {order.quantity} reduce nothing")
        if abs(after) > abs(self.held) and abs(after) * self.price > self.account().equity:
            raise rejected(f"{after} {SYMBOL} at {self.price} are more than the account can hold")
        return order

    async def cancel(self, request: web.Request) -> web.Response:
        order = self.orders.get(request.match_info["id"])
        if order is None:
            raise refusal(web.HTTPNotFound, "ORDER_NOT_FOUND", "there is no such order")
        if not order.is_open:
            raise refusal(web.HTTPConflict, "ORDER_NOT_MODIFIABLE", f"{order.id} has ended")
        order = replace(order, status=OrderStatus.CANCELLED, updated_at=datetime.now(UTC))
        self.orders[order.id] = order
        await self.tell("order", event="ORDER_CANCELLED", order=order)
        return answer({"order": order})


def frame(kind: str, **content: object) -> str:
    return json.encode({"type": kind, "timestamp": datetime.now(UTC), **content}).decode()


def answer(content: object, status: int = 200) -> web.Response:
    body = json.encode(content)
    return web.Response(body=body, status=status, content_type="application/json")


def refusal(kind: type[web.HTTPError], code: str, message: str) -> web.HTTPError:
    text = json.encode({"code": code, "message": message}).decode()
    return kind(text=text, content_type="application/json")


def rejected(why: str) -> web.HTTPError:
    return refusal(web.HTTPUnprocessableEntity, "ORDER_REJECTED", why)


def not_offered(what: str) -> web.HTTPError:
    return refusal(web.HTTPNotImplemented, "UNSUPPORTED_OPERATION", f"{what} are not offered here")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=8080)
    proxy = Proxy()
    app = proxy.application()
    app.cleanup_ctx.append(proxy.walk)
    web.run_app(app, host="127.0.0.1", port=options.parse_args().port)


if __name__ == "__main__":
    main()
