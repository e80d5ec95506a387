"""Order entry: place one order at the proxy, effectively once; `submission` has the rules."""

import asyncio
from collections.abc import Callable

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    ApiError,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest
from strategy_runtime.proxy.requests import RestClient
from strategy_runtime.proxy.resources import Resources
from strategy_runtime.proxy.submission import OrderAct, Patience, Submission

__all__ = ["OrderEntry"]

_DEDUPE = "client_order_id_dedupe"


class OrderEntry:
    """Places orders, and looks up their fate if it is unclear.

    Args:
        resources: Used to look up orders by our id, and the proxy's capabilities.
        is_shutting_down: Whether the proxy has announced its shutdown; nothing is sent then.
    """

    def __init__(
        self,
        requests: RestClient,
        patience: Patience,
        resources: Resources,
        *,
        is_shutting_down: Callable[[], bool],
    ) -> None:
        self._requests = requests
        self._patience = patience
        self._resources = resources
        self._is_shutting_down = is_shutting_down
        self._dedupes: bool | None = None
        self._awaited: dict[str, asyncio.Future[Order]] = {}

    def order_seen(self, order: Order) -> None:
        """An order appeared in an event: if its response is outstanding, this replaces it."""
        if self._awaited:
            waiting = self._awaited.get(order.client_order_id or "")
            if waiting is not None and not waiting.done():
                waiting.set_result(order)

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order.

        Raises:
            ApiError: It was refused.
            FateUnknown: It was sent, but may not have arrived.
            Unreachable: It was never sent.
        """
        submission = Submission(
            request,
            dedupes=await self._proxy_dedupes(),
            now=monotonic(),
            patience=self._patience,
        )
        own_id = request.client_order_id or ""
        order_seen = self._awaited[own_id] = asyncio.get_running_loop().create_future()
        try:
            while not submission.is_done:
                step = submission.next(monotonic())
                if step.act is OrderAct.WAIT:
                    await asyncio.wait({order_seen}, timeout=step.seconds)
                elif step.act is OrderAct.SEND:
                    await self._send(submission)
                else:
                    await self._look_up(submission, own_id)
                if order_seen.done():
                    submission.order_seen(order_seen.result())
        finally:
            del self._awaited[own_id]
        if submission.handle is None:
            raise submission.error or ConnectionLost("the order was not answered")
        return submission.handle

    async def _send(self, submission: Submission) -> None:
        if self._is_shutting_down():
            submission.failed(Unreachable("the proxy is shutting down"), monotonic(), None)
            return
        try:
            handle = await self._requests.post("/orders", submission.request, OrderHandle)
        except StrategyRuntimeError as error:
            wait = error.retry_after if isinstance(error, ApiError) else None
            submission.failed(error, monotonic(), wait)
        else:
            submission.accepted(handle)

    async def _look_up(self, submission: Submission, own_id: str) -> None:
        try:
            found = await self._resources.orders(client_order_id=own_id)
        except StrategyRuntimeError:
            submission.lookup_failed(monotonic())
            return
        if found:
            submission.order_seen(found[0])
        else:
            submission.not_found(monotonic())

    async def _proxy_dedupes(self) -> bool:
        """Return whether the proxy deduplicates orders by id; asked until it answers once."""
        if self._dedupes is None:
            try:
                features = (await self._resources.capabilities()).features
            except (ApiError, ProtocolError):
                features = []
            except StrategyRuntimeError:
                return False
            self._dedupes = _DEDUPE in features
        return self._dedupes
