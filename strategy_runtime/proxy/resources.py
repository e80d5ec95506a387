"""REST resources of a proxy, as the venue port defines them; all but placing orders."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from strategy_runtime.clock import utc
from strategy_runtime.errors import ApiError, ConnectionLost, ProtocolError, StrategyRuntimeError
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    OrderChanges,
    Position,
    Trade,
)
from strategy_runtime.proxy.requests import RestClient, query_of, segment

__all__ = ["Resources"]

_ENDED = ",".join(status for status in OrderStatus if status.is_terminal)
# Without a limit, a proxy lists a hundred.
_MOST_LISTED = 1000
_MOST_OF_ONE_MOMENT = 10_000
_MOST_OPEN = 100_000
_NEXT = timedelta(microseconds=1)
_LONG_AGO = utc(0)

_log = logging.getLogger("strategy_runtime")


class _Changed(Struct):
    order: Order


class Resources:
    """Existing orders, positions, account, executions and bars; the base of `ProxyVenue`."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order; without a clear response, look up whether it has changed."""
        try:
            path = f"/orders/{segment(order_id)}"
            return (await self._rest.patch(path, changes, _Changed)).order
        except (ConnectionLost, ProtocolError):
            with suppress(StrategyRuntimeError):
                found = await self.order(order_id)
                if found is not None and _has(found, changes):
                    return found
            raise

    async def cancel(self, order_id: str) -> Order:
        """Cancel a resting order."""
        return (await self._rest.delete(f"/orders/{segment(order_id)}", _Changed)).order

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        """Return open orders; with an id, open and ended ones that have it.

        Some proxies ignore the filter, so it is applied again here.
        """
        if client_order_id is None:
            return [order for order in await self._open_orders() if order.is_open]
        query = query_of(client_order_id=client_order_id, limit=_MOST_LISTED)
        found = await self._rest.get_list("/orders", Order, query, required_id=client_order_id)
        if not any(order.client_order_id == client_order_id for order in found):
            try:
                found += await self._rest.get_list(
                    "/orders/history", Order, query, required_id=client_order_id
                )
            except ApiError as error:
                if not error.is_not_offered:
                    raise
                with suppress(ApiError):  # nor can every proxy filter by status
                    ended = query | {"status": _ENDED}
                    found += await self._rest.get_list(
                        "/orders", Order, ended, required_id=client_order_id
                    )
        return [order for order in found if order.client_order_id == client_order_id]

    async def _open_orders(self) -> Iterable[Order]:
        """Return all orders that a proxy lists as open, page by page, the newest first.

        Pages overlap, since more orders may have the creation time of the last one on a page.
        """
        found: dict[str, Order] = {}
        limit, until = _MOST_LISTED, None
        while True:
            query = query_of(limit=limit, until=until)
            listed = await self._rest.get_list("/orders", Order, query)
            before = len(found)
            found.update((order.id, order) for order in listed)
            if len(listed) < limit:
                return found.values()
            if before < len(found) < _MOST_OPEN:
                created = [order.created_at for order in listed if order.created_at is not None]
                until = (min(created) + _NEXT).isoformat() if created else None
            elif len(found) == before and limit < _MOST_OF_ONE_MOMENT:
                limit = _MOST_OF_ONE_MOMENT
            else:
                _log.warning(
                    "the proxy has more open orders than it lists; only %d of them are known",
                    len(found),
                )
                return found.values()

    async def order(self, order_id: str) -> Order | None:
        """Return one order, open or ended; None if the proxy does not know it, or does not say."""
        try:
            return await self._rest.get(f"/orders/{segment(order_id)}", Order)
        except ApiError as error:
            if not error.is_not_offered:
                raise
            return None

    async def positions(self) -> list[Position]:
        """Return the open positions.

        Raises:
            ProtocolError: Two have the same id, so that the book would miss one of them.
        """
        found: dict[str, Position] = {}
        for each in await self._rest.get("/positions", list[Position]):
            if each.quantity and found.setdefault(each.id, each) != each:
                raise ProtocolError(
                    f"GET /positions lists two positions in {each.symbol} with the id {each.id!r}; "
                    "a proxy has to give each position an id of its own"
                )
        return list(found.values())

    async def account(self) -> Account:
        """Return balance and margin."""
        return await self._rest.get("/account", Account)

    async def trades(self, *, limit: int = _MOST_LISTED) -> list[Trade]:
        """Return the last executions, newest first.

        Some proxies ignore the limit, so it is applied again here.
        """
        found = await self._rest.get_list("/trades", Trade, query_of(limit=limit))
        return sorted(found, key=lambda trade: trade.timestamp or _LONG_AGO, reverse=True)[:limit]

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """Return the last `limit` closed bars, oldest first.

        Some proxies list them newest first or ignore the limit, so both are applied again here.
        """
        query = query_of(timeframe=timeframe, limit=limit)
        found = await self._rest.get_list(f"/bars/{segment(symbol)}", Candle, query)
        return sorted(found, key=lambda bar: bar.timestamp)[-limit:]

    async def capabilities(self) -> Capabilities:
        """Return what the proxy can do."""
        return await self._rest.get("/capabilities", Capabilities)


def _has(order: Order, changes: OrderChanges) -> bool:
    """Whether an order already has the requested changes."""
    return all(getattr(order, name) == value for name, value in changes.given.items())
