"""The REST handlers of the exchange; every path is served bare and under `/v1`."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from strategy_runtime.clock import now
from strategy_runtime.errors import ApiError
from strategy_runtime.ids import generator
from strategy_runtime.protocol.models import Order, OrderHandle
from strategy_runtime.protocol.rest import (
    parse_close_request,
    parse_order_changes,
    parse_order_request,
    parse_protect_request,
)
from strategy_runtime.protocol.server_codec import bar_json, quote_json
from strategy_runtime.simulator.data.series import PROVIDER
from strategy_runtime.simulator.server import query
from strategy_runtime.simulator.server.asyncapi import asyncapi
from strategy_runtime.simulator.server.ending import RunEnd
from strategy_runtime.simulator.server.envelope import BODY, body
from strategy_runtime.simulator.server.openapi import openapi
from strategy_runtime.simulator.server.stream import EventStream

__all__ = ["Routes"]

_BROKEN_OFF = (RunEnd.ACK_TIMEOUT, RunEnd.FAILED)


class Routes:
    """Handlers of all REST paths; each calls the exchange once.

    Attributes:
        is_going_down: Refuse commands, because the proxy is shutting down.
        refused_orders: How many requests for an order have been refused.
    """

    def __init__(self, stream: EventStream, version: str) -> None:
        self._stream = stream
        self._exchange = stream.exchange
        self._version = version
        self._rng = generator(0)
        self.is_going_down = False
        self.refused_orders = 0

    def table(self) -> list[tuple[str, str, Callable[[web.Request], web.Response]]]:
        """Return method, path and handler of all that is served bare and under `/v1`."""
        return [
            ("GET", "/account", lambda request: body(self._exchange.account())),
            ("POST", "/orders", self._command(self._submit)),
            ("GET", "/orders", self._orders),
            ("DELETE", "/orders", self._command(self._cancel_all)),
            ("GET", "/orders/history", self._history),
            ("GET", "/orders/{id}", lambda request: body(self._exchange.order(_id(request)))),
            ("PATCH", "/orders/{id}", self._command(self._modify)),
            ("DELETE", "/orders/{id}", self._command(self._cancel)),
            ("GET", "/positions", self._positions),
            ("DELETE", "/positions", self._command(self._close_all)),
            ("GET", "/positions/{id}", self._position),
            ("DELETE", "/positions/{id}", self._command(self._close)),
            ("PATCH", "/positions/{id}", self._command(self._protect)),
            ("GET", "/trades", self._trades),
            ("GET", "/quotes/{symbol}", self._quote),
            ("GET", "/bars/{symbol}", self._bars),
            ("GET", "/capabilities", self._capabilities),
            ("GET", "/status", self._status),
            ("GET", "/circuit-breakers", self._breakers),
            ("POST", "/circuit-breakers/reset", self._breakers),
        ]

    def probes(self) -> list[tuple[str, Callable[[web.Request], web.Response]]]:
        """Return path and handler of all that is served bare only: probes and documents."""
        return [
            ("/livez", lambda request: body({"status": "ok"})),
            ("/readyz", self._ready),
            ("/health", self._health),
            ("/openapi.json", self._openapi),
            ("/asyncapi.json", self._asyncapi),
        ]

    def _command(
        self, handler: Callable[[web.Request], web.Response]
    ) -> Callable[[web.Request], web.Response]:
        """Wrap a handler that changes something, so that its events are sent before the answer."""

        def command(request: web.Request) -> web.Response:
            if self.is_going_down:
                raise ApiError(503, "SHUTTING_DOWN", "the proxy is shutting down")
            if self._stream.end in _BROKEN_OFF:
                raise ApiError(503, "SHUTTING_DOWN", "the run has broken off")
            try:
                return handler(request)
            finally:
                self._stream.wake()

        return command

    # Orders

    def _submit(self, request: web.Request) -> web.Response:
        try:
            order = parse_order_request(request[BODY])
            known = self._exchange.accepted(order.client_order_id or "")
            handle = self._exchange.submit(order)
        except ApiError:
            self.refused_orders += 1
            raise
        return body(self._traced(handle), 201 if known is None else 200)

    def _orders(self, request: web.Request) -> web.Response:
        return body(self._find(request, self._exchange.orders))

    def _history(self, request: web.Request) -> web.Response:
        return body(self._find(request, self._exchange.order_history))

    def _find(self, request: web.Request, ask: Callable[..., list[Order]]) -> list[Order]:
        given = request.query
        return ask(
            symbol=given.get("symbol"),
            statuses=query.statuses(request),
            side=query.side(request),
            client_order_id=given.get("client_order_id"),
            oco_group_id=given.get("oco_group_id"),
            since=query.moment(request, "since"),
            until=query.moment(request, "until"),
            limit=query.limit(request),
        )

    def _modify(self, request: web.Request) -> web.Response:
        order = self._exchange.modify(_id(request), parse_order_changes(request[BODY]))
        return body({"order": order})

    def _cancel(self, request: web.Request) -> web.Response:
        order = self._exchange.cancel(_id(request))
        return body({"success": True, "order": order})

    def _cancel_all(self, request: web.Request) -> web.Response:
        symbol = query.only_symbol(request)
        cancelled = self._exchange.cancel_all(symbol)
        left = [order.id for order in self._exchange.orders(symbol=symbol, limit=query.MAX_LIMIT)]
        answer: dict[str, Any] = {"cancelled_count": len(cancelled), "failed_count": len(left)}
        if left:
            answer["failed_order_ids"] = left
        return body(answer)

    # Positions and trades

    def _positions(self, request: web.Request) -> web.Response:
        return body(self._exchange.positions(request.query.get("symbol")))

    def _position(self, request: web.Request) -> web.Response:
        return body(self._exchange.position(_id(request)))

    def _close(self, request: web.Request) -> web.Response:
        wanted = parse_close_request(request[BODY])
        handle = self._exchange.close_position(
            _id(request), wanted.quantity, wanted.order_type, wanted.limit_price
        )
        return body(self._traced(handle))

    def _close_all(self, request: web.Request) -> web.Response:
        handles = self._exchange.close_positions(query.only_symbol(request))
        return body([self._traced(handle) for handle in handles])

    def _protect(self, request: web.Request) -> web.Response:
        wanted = parse_protect_request(request[BODY])
        moved = self._exchange.protect_position(_id(request), wanted.stop_loss, wanted.take_profit)
        answer: dict[str, Any] = {"position_id": _id(request)}
        for name, legs in moved.items():
            prices = {leg.stop_price or leg.limit_price for leg in legs}
            answer[name] = {"order_ids": [leg.id for leg in legs], "trigger_price": prices.pop()}
        return body(answer)

    def _trades(self, request: web.Request) -> web.Response:
        return body(
            self._exchange.trades(
                symbol=request.query.get("symbol"),
                order_id=request.query.get("order_id"),
                since=query.moment(request, "since"),
                until=query.moment(request, "until"),
                limit=query.limit(request),
            )
        )

    # Market

    def _quote(self, request: web.Request) -> web.Response:
        return body(quote_json(self._exchange.quote(request.match_info["symbol"])))

    def _bars(self, request: web.Request) -> web.Response:
        bars = self._exchange.bars(
            request.match_info["symbol"],
            query.timeframe(request),
            start=query.moment(request, "start"),
            end=query.moment(request, "end"),
            limit=query.limit(request),
        )
        return body([bar_json(bar) for bar in bars])

    # The proxy itself

    def _capabilities(self, request: web.Request) -> web.Response:
        known = self._exchange.capabilities()
        if not self._stream.is_lock_step:
            features = [feature for feature in known.features if feature != "lock_step"]
            known = replace(known, features=features)
        return body(known)

    def _status(self, request: web.Request) -> web.Response:
        return body({"connected": True, "latency_ms": 0, "last_heartbeat": now()})

    def _breakers(self, request: web.Request) -> web.Response:
        closed = {"state": "closed", "failure_count": 0}
        return body({"adapter": closed, "exit_order": closed})

    def _openapi(self, request: web.Request) -> web.Response:
        paths = [(method, path) for method, path, _ in self.table()]
        bare = [path for path, _ in self.probes()]
        return body(openapi(paths, bare, self._version))

    def _asyncapi(self, request: web.Request) -> web.Response:
        return body(asyncapi(self._version, request.host))

    def _ready(self, request: web.Request) -> web.Response:
        state: dict[str, Any] = {
            "ready": not self.is_going_down,
            "providers": [PROVIDER],
            "provider_count": 1,
        }
        if self.is_going_down:
            return body({**state, "message": "the proxy is shutting down"}, 503)
        return body(state)

    def _health(self, request: web.Request) -> web.Response:
        return body(
            {
                "status": "connected",
                "version": self._version,
                "git_sha": "unknown",
                "providers": [{"platform": PROVIDER, "connected": True}],
            }
        )

    def _traced(self, handle: OrderHandle) -> OrderHandle:
        trace = f"{self._rng.getrandbits(128):032x}"
        parts = (trace[:8], trace[8:12], trace[12:16], trace[16:20], trace[20:])
        return replace(handle, correlation_id="-".join(parts))


def _id(request: web.Request) -> str:
    return request.match_info["id"]
